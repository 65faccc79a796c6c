"""Executes planned actions and dies by SIGKILL at a chosen point of each.

usage: python -m tests.engines.dbos.act_killed

Each line of standard input is a case: URL, request ids, number of the point, plans (msgpack, base64). Each is executed
in a fork of this process, several at once where there are several; the answer is how it ended: -9, or 0 when there are
fewer points.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import sys
from typing import Any

import dbos  # noqa: F401  imported once, before the forks
import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import PlanItem
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.act import DbosActor


class Dying(DbosActor):
    """Counts what its connections do, and kills its process at one of them."""

    kill_at = 0

    def open(self, cancel: CancelToken) -> None:
        super().open(cancel)
        assert self._engine is not None
        points = itertools.count()

        def point(*_: Any) -> None:
            if next(points) == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        for event in ("begin", "before_cursor_execute", "after_cursor_execute", "commit", "checkin"):
            sa.event.listen(self._engine, event, point)


def execute(url: str, request_ids: list[str], kill_at: int, plans: list[str]) -> None:
    actor = Dying(url)
    actor.kill_at = kill_at
    never = CancelToken()
    actor.open(never)
    items = [msgspec.msgpack.decode(base64.b64decode(plan), type=PlanItem) for plan in plans]
    if len(items) == 1:
        actor.execute(items[0], request_ids[0], never)
    else:
        actor.execute_many(tuple(zip(items, request_ids, strict=True)), never)
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
