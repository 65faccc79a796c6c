"""One worker process: ``python -m resources.demo.worker DATABASE --mode live|past|crash``.

Standard output carries one JSON object a line for the supervisor. Standard input is a leash: the worker exits as
soon as it ends, that is when its supervisor is gone, however that died.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Runs until told to stop, or, making the past, until that is done."""
    arguments = _arguments()
    _leash()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    from resources.demo import engine

    past = arguments.mode != "live"
    engine.launch(arguments.database, arguments.release, arguments.executor, past=past)
    if arguments.mode != "crash":
        engine.schedule_checks(live=not past)
    tell("ready", pid=os.getpid())
    _work(arguments)
    # Leftovers still wait in threads that would keep the interpreter alive.
    sys.stdout.flush()
    os._exit(0)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.mode == "live":
        from resources.demo import live

        live.serve(arguments.database)
    elif arguments.mode == "past":
        from resources.demo import history

        nights = (arguments.nights[0], arguments.nights[1])
        history.make(arguments.database, arguments.release, arguments.runs, nights, _progress)
    else:
        from resources.demo import crash

        crash.live_and_die(arguments.life)


def tell(event: str, **values: Any) -> None:
    """One line to the supervisor."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def _progress(done: int, total: int) -> None:
    tell("progress", done=done, total=total)


def _leash() -> None:
    parent = os.getppid()

    def until_end_of_input() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    def until_orphaned() -> None:
        # Should another process have inherited the leash's other end.
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(0)

    for watch in (until_end_of_input, until_orphaned):
        threading.Thread(target=watch, daemon=True).start()


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
