"""One worker process of the shop: ``python -m resources.demo.worker DATABASE --mode live|past|crash``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from resources.leash import leash, leave, progress, tell


def main() -> None:
    """Runs until told to stop, or, making the past, until that is done."""
    arguments = _arguments()
    leash()

    from resources.demo import engine

    past = arguments.mode != "live"
    engine.launch(arguments.database, arguments.release, arguments.executor, past=past)
    if arguments.mode != "crash":
        engine.schedule_checks(live=not past)
    tell("ready", pid=os.getpid())
    _work(arguments)
    leave()


def _work(arguments: argparse.Namespace) -> None:
    if arguments.mode == "live":
        from resources.demo import live

        live.serve(arguments.database)
    elif arguments.mode == "past":
        from resources.demo import history

        nights = (arguments.nights[0], arguments.nights[1])
        history.make(arguments.database, arguments.release, arguments.runs, nights, progress)
    else:
        from resources.demo import crash

        crash.live_and_die(arguments.life)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A worker of Playhead's demo shop.")
    parser.add_argument("database", type=Path)
    parser.add_argument("--mode", choices=("live", "past", "crash"), default="live")
    parser.add_argument("--release", choices=("v1", "v2"), default="v2")
    parser.add_argument("--executor", default="shop-1")
    parser.add_argument("--runs", type=int, default=350, help="size of the past, both releases together")
    parser.add_argument("--nights", type=int, nargs=2, default=(4, 0), metavar=("FROM", "TO"))
    parser.add_argument("--life", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
