"""Executes a confirmed plan, item by item: intent, child process, read-back, receipt.

The actor runs in a child process that is killed when it does not answer a cancellation; whatever its end, the journal
gets an outcome: the child's own, or what a fresh child finds out by reading (``settle``). Worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import (
    Actor,
    Intent,
    Outcome,
    Plan,
    PlanItem,
    Receipt,
    Verdict,
    new_request_id,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.host import ProcessHost
from engine_bridge.session import Call

_PATIENCE_S: Final = 2.0
OnReceipt = Callable[[PlanItem, Receipt], None]


class Execution:
    """Runs items of one plan on one source. Use as a context manager: the child lives as long as it.

    ``factory`` makes an unopened actor and must be picklable. Raises PlayheadError before anything is sent when the
    journal cannot be written or the actor refuses to open.
    """

    def __init__(self, factory: Callable[[], Actor], journal: Journal, plan: Plan, reason: str) -> None:
        self._factory = factory
        self._journal = journal
        self._plan = plan
        self._reason = reason
        self._host: ProcessHost | None = None

    def __enter__(self) -> Execution:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def run(self, item: PlanItem, cancel: CancelToken, request_id: str | None = None) -> Receipt:
        """Executes one item. A refused item is journalled as denied and raises PlayheadError."""
        staged = item.staged
        if item.refused:
            self._journal.denied(
                source=self._plan.source,
                environment=self._plan.environment,
                target=staged.target.id,
                action=staged.action,
                why=item.refused,
                reason=self._reason,
            )
            raise PlayheadError(f"{item.title}: {item.refused}")
        cancel.raise_if_cancelled()
        self._ready(cancel)
        intent = Intent(request_id=request_id or new_request_id(), source=self._plan.source, item=item)
        self._journal.intent(
            intent, environment=self._plan.environment, reason=self._reason, plan_id=self._plan.id
        )
        started = time.monotonic_ns()
        receipt = self._execute(intent, cancel)
        receipt = msgspec.structs.replace(receipt, took_ns=time.monotonic_ns() - started)
        self._journal.outcome(intent, receipt)
        return receipt

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        """Finds out what became of a dead owner's intent, and journals it."""
        self._ready(cancel)
        outcome = self._settle(intent, cancel)
        self._journal.settled(intent, outcome)
        return outcome

    def _execute(self, intent: Intent, cancel: CancelToken) -> Receipt:
        try:
            receipt: Receipt = self._call("execute", (intent.item, intent.request_id), cancel)
        except CancelledError:
            return Receipt(request_id=intent.request_id, outcome=self._settle(intent, CancelToken()))
        except PlayheadError as error:
            outcome = self._settle(intent, CancelToken())
            evidence = (f"The engine's client said: {error.message}", *outcome.evidence)
            return Receipt(
                request_id=intent.request_id, outcome=msgspec.structs.replace(outcome, evidence=evidence)
            )
        return receipt

    def _settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        try:
            self._ready(cancel)
            outcome: Outcome = self._call("settle", (intent,), cancel)
        except PlayheadError as error:
            return Outcome(verdict=Verdict.UNKNOWN, evidence=(f"Reading back failed: {error.message}",))
        return outcome

    def _ready(self, cancel: CancelToken) -> None:
        if self._host is None:
            self._host = ProcessHost(self._factory)
            try:
                self._call("open", (), cancel)
            except PlayheadError:
                self._drop()
                raise

    def _call(self, method: str, args: tuple[Any, ...], cancel: CancelToken) -> Any:
        """One call in the child; a cancelled one that does not end within 2 s loses its process."""
        host = self._host
        if host is None:
            raise CancelledError
        call = Call(method, CancelToken(cancel.progress_through))
        host.start(call, args, None)
        remove = cancel.add_hook(call.cancel)
        deadline: float | None = None
        try:
            while not call.wait(0.05):
                if cancel.cancelled:
                    deadline = deadline or time.monotonic() + _PATIENCE_S
                    if time.monotonic() > deadline:
                        self._drop(kill=True)
                        raise CancelledError
            return call.result(0)
        finally:
            remove()
            if call.done and call.error is not None and not host.alive:
                self._drop()

    def _drop(self, *, kill: bool = False) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.close(kill=kill)


def receipts(execution: Execution, items: tuple[PlanItem, ...], cancel: CancelToken) -> Iterator[Receipt]:
    """Executes items one after the other, yielding each receipt; stops at the first error that is not an outcome."""
    for number, item in enumerate(items):
        cancel.progress(number, len(items), item.title)
        yield execution.run(item, cancel)
