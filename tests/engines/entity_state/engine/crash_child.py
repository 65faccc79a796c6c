"""Forks a child for each line of its input, which executes a step and is killed (-9) at the point named there.

    python -m tests.engines.entity_state.engine.crash_child URL SENT_FILE

A line is a JSON list [task, entity id, requester, point, how often the point is passed before]. Answers a line each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from sqlalchemy.pool import NullPool

from engine_bridge.engines.entity_state.engine import Engine, Event, Publisher, bound, connect, new_context
from tests.engines.entity_state.engine.shop import Shop, user


def publisher(engine: Engine, path: str) -> Publisher:
    """Appends the ids of events to a file."""

    def send(event: Event) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, (event.id + "\n").encode())
        os.close(handle)
        engine.at("one_sent")

    return Publisher(
        engine.database, engine.tables, send, engine.clock, lease_s=0.0, at=lambda p: engine.at(p)
    )


def work(engine: Engine, path: str, task: list[Any]) -> None:
    """Does one task in this process."""
    kind, entity, requester, point, skip = task
    left = [skip]

    def at(passed: str) -> None:
        if passed == point:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    engine.at = at
    if kind == "publish":
        publisher(engine, path).publish(new_context("cron", "t1"))
    else:
        engine.workflow("invoice").execute_step(entity, requester, {"kind": "bank"})


def main() -> None:
    url, path = sys.argv[1:]
    shop = Shop(connect(url, poolclass=NullPool))
    engine = shop.engine()
    with bound(user()):
        engine.workflow("invoice").attempt(None, None)
        print("ready", flush=True)
        for line in sys.stdin:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    work(engine, path, json.loads(line))
                    code = 0
                finally:
                    os._exit(code)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
