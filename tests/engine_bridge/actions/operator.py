"""An operator who is killed: a process that executes one action and dies at a chosen point.

``python -m tests.engine_bridge.actions.operator SHOP JOURNAL POINT RUN…``; prints a line before and after each run. The
points of the child are faults of the shop's file (tests/fakes_actions.py); those of the parent are here.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal, Row
from engine_bridge.actions.model import Plan
from engine_bridge.cancel import CancelToken
from tests.fakes_actions import ShopActor, plan_of

PARENT_POINTS = (
    "before-intent",
    "in-intent",
    "after-intent",
    "before-outcome",
    "in-outcome",
    "after-outcome",
)
CHILD_POINTS = ("start", "locked", "before-commit", "after-commit")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(Journal):
    """Kills its process before, in or after the transaction of an intent or an outcome."""

    point = ""

    def _around(self, what: str, write: Any, *args: Any, **kwargs: Any) -> Any:
        if self.point == f"before-{what}":
            die()
        found = write(*args, **kwargs)
        if self.point == f"after-{what}":
            die()
        return found

    def group(self, *args: Any, **kwargs: Any) -> Any:
        return self._around("intent", super().group, *args, **kwargs)

    def outcome(self, *args: Any, **kwargs: Any) -> Any:
        return self._around("outcome", super().outcome, *args, **kwargs)

    def _insert(self, db: Any, entry: Any, last: int, head: str) -> Row:
        row = super()._insert(db, entry, last, head)
        if self.point == f"in-{entry.kind}":
            db.execute("PRAGMA cache_spill=1")
            die()
        return row


def main(shop: str, folder: str, point: str, *runs: str) -> None:
    journal = Mortal(Path(folder))
    journal.point = point
    plan = Plan(id="p", source=f"shop://{shop}", environment="dev", items=tuple(map(plan_of, runs)))
    with Execution(functools.partial(ShopActor, shop), journal, plan, "kill test") as execution:
        for item in plan.items:
            print(item.title, flush=True)
            receipt = execution.run(item, CancelToken())
            print(receipt.outcome.verdict, receipt.outcome.stale, flush=True)
    journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
