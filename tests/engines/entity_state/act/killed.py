"""Executes planned actions and dies by SIGKILL at a chosen point of each.

usage: python -m tests.engines.entity_state.act.killed

Each line of standard input is a case: URL, request ids, number of the point, plans (msgpack, base64); several are
executed together. Each is a fork of this process; the answer is how it ended: -9, or 0 when there are fewer points.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import sys
from typing import Any

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import PlanItem, Signature
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.act import EntityActor

_EVENTS = ("begin", "before_cursor_execute", "after_cursor_execute", "commit", "checkin")


def execute(url: str, requests: list[str], kill_at: int, plans: list[str]) -> None:
    actor, never = EntityActor(url), CancelToken()
    actor.open(never)
    actor.sign(Signature(who="dying", reason="killed"), never)
    points = itertools.count()

    def point(*_: Any) -> None:
        if next(points) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    assert actor._writer is not None
    for event in _EVENTS:
        sa.event.listen(actor._writer.engine, event, point)
    items = [msgspec.msgpack.decode(base64.b64decode(plan), type=PlanItem) for plan in plans]
    if len(items) == 1:
        actor.execute(items[0], requests[0], never)
    else:
        actor.execute_many(tuple(zip(items, requests, strict=True)), never)
    actor.close()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            execute(*json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
