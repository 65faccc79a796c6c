"""An operator on the shop's server: plans through the bridge, executes through the action core, as the window does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine_bridge.actions.execute import Execution
from engine_bridge.actions.model import (
    Intent,
    Outcome,
    Plan,
    PlanItem,
    Receipt,
    Staged,
    Target,
    new_request_id,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.history import History
from engine_bridge.model import Event, Run, RunRef
from tests.engines.temporal.server.conftest import NEVER, history
from tests.engines.temporal.shop import Shop
from tests.waiting import until

REASON = "the customer called"
_numbers = itertools.count(1)


@dataclass
class Operator:
    """``execution`` is shared by a module: a child process costs a second."""

    shop: Shop
    bridge: Any
    execution: Execution
    orders: list[Target]

    def start(self, kind: str = "send_invoice", *args: Any, **options: Any) -> Target:
        """A new run of its own, known to the server, with its first workflow task done where a worker polls."""
        name = f"acted-{next(_numbers)}"
        run_id = self.shop.worker.ask("start", kind, name, name, *args, **options)
        target = Target(kind="run", id=name, ref=RunRef("workflow", name, run_id))
        until(lambda: self.bridge.find(name, 1, NEVER))
        if "queue" not in options:
            until(lambda: len(self.events(target)) > 3)
        return target

    def order(self) -> Target:
        """An order that waits for its approval; nobody else's."""
        target = self.orders.pop()
        until(lambda: self.events(target, "TimerStarted"))
        return target

    def run(self, target: Target) -> Run:
        assert target.ref is not None
        found: Run = self.bridge.run(target.ref, NEVER)
        return found

    def history(self, target: Target) -> History:
        return history(self.bridge, self.run(target))

    def events(self, target: Target, name: str = "") -> list[Event]:
        return [e for e in self.history(target).all_events() if name in ("", e.name)]

    def until(self, true: Callable[[], object]) -> None:
        until(true)

    def specs(self, target: Target) -> dict[str, Any]:
        return {spec.id: spec for spec in self.bridge.actions(target, NEVER)}

    def plan(self, target: Target, action: str, **args: Any) -> PlanItem:
        [item] = self.bridge.plan((Staged(target=target, action=action, args=args),), NEVER)
        return item

    def execute(self, item: PlanItem, request_id: str | None = None) -> Receipt:
        return self.execution.run(item, CancelToken(), request_id)

    def act(self, target: Target, action: str, **args: Any) -> Receipt:
        item = self.plan(target, action, **args)
        assert not item.refused, item.refused
        return self.execute(item)

    def follow(self, item: PlanItem, receipt: Receipt) -> Outcome:
        """How far it is that a receipt says is awaited."""
        asked = Intent(request_id=receipt.request_id, source=self.shop.server.url, item=item, applied=True)
        return self.execution.follow(asked, CancelToken())

    def look(self, item: PlanItem, request_id: str | None = None) -> Outcome:
        """What ``settle`` would say; journalled where it was awaited."""
        intent = Intent(request_id=request_id or new_request_id(), source=self.shop.server.url, item=item)
        return self.execution.follow(intent, CancelToken())


def plan_of(url: str, *items: PlanItem) -> Plan:
    return Plan(id="plan", source=url, environment="dev", items=items)
