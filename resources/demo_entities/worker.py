"""One worker process of the community: ``python -m resources.demo_entities.worker DATABASE --mode live|past``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from resources.leash import leash, leave, progress, tell

USERS = 380


def main() -> None:
    """Runs until told to stop, or, making the past, until that is done."""
    arguments = _arguments()
    leash()
    tell("ready", pid=os.getpid())
    if arguments.mode == "past":
        from resources.demo_entities import past

        past.make(arguments.database, arguments.users, progress)
    else:
        from resources.demo_entities import live

        live.serve(arguments.database, float(os.environ.get("PLAYHEAD_DEMO_PACE", "1")))
    leave()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A worker of Playhead's demo community.")
    parser.add_argument("database", type=Path)
    parser.add_argument("--mode", choices=("live", "past"), default="live")
    parser.add_argument("--users", type=int, default=USERS, help="size of the past")
    return parser.parse_args()


if __name__ == "__main__":
    main()
