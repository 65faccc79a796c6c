"""Executes a confirmed plan, item by item: intent, child process, read-back, receipt.

The actor runs in a child process that is killed when it does not answer a cancellation; whatever its end, the journal
gets an outcome: the child's own, or what a fresh child finds out by reading (``settle``). Where even that cannot be
found out now (the source is gone or locked) the intent stays open and is settled later. Worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from engine_bridge.actions.child import Child
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.journal_rows import who
from engine_bridge.actions.model import (
    Actor,
    Intent,
    Outcome,
    Plan,
    PlanItem,
    Receipt,
    Signature,
    Verdict,
    new_request_id,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError, RejectedError

SETTLE_S: Final = 20.0
UNSEEN: Final = "What was awaited cannot be seen any more."
LATER: Final = "Nobody knows yet: the journal keeps it open, and it is settled when the source answers again."


class Execution:
    """Runs items of one plan on one source. Use as a context manager: the child lives as long as it.

    ``factory`` makes an unopened actor and must be picklable. Raises PlayheadError before anything is sent when the
    journal cannot be written or the actor refuses to open.
    """

    def __init__(self, factory: Callable[[], Actor], journal: Journal, plan: Plan, reason: str) -> None:
        self._child = Child(factory, journal.owner)
        self._child.signature = Signature(who=who(), reason=reason)
        self._journal = journal
        self._plan = plan
        self._reason = reason

    def __enter__(self) -> Execution:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.drop()

    def run(self, item: PlanItem, cancel: CancelToken, request_id: str | None = None) -> Receipt:
        """Executes one item. A refused item is journalled as denied and raises RejectedError.

        ``cancel`` stops what has not been sent; what was sent is read back, so a cancelled item has a receipt too.
        """
        if item.refused:
            deny(self._journal, self._plan, item, item.refused, self._reason)
            raise RejectedError(f"{item.title}: {item.refused}")
        cancel.raise_if_cancelled()
        self._journal.owner.acquire()
        self._child.ready(cancel)
        intent = Intent(request_id=request_id or new_request_id(), source=self._plan.source, item=item)
        self._journal.intent(
            intent, environment=self._plan.environment, reason=self._reason, plan_id=self._plan.id
        )
        started = time.monotonic_ns()
        try:
            receipt = self._execute(intent, cancel)
        except BaseException:
            self._journal.unsettled(intent)
            raise
        return record(
            self._journal, intent, msgspec.structs.replace(receipt, took_ns=time.monotonic_ns() - started)
        )

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        """Finds out what became of a dead owner's intent, and journals it; it stays open when that fails now."""
        try:
            outcome = read_back(self._child, intent, cancel)
        except PlayheadError as error:
            self._journal.unsettled(intent)
            return Outcome(verdict=Verdict.UNKNOWN, evidence=(_failed(error),), pending=LATER)
        self._journal.settled(intent, outcome)
        return outcome

    def follow(self, intent: Intent, cancel: CancelToken) -> Outcome:
        """How far an awaited effect is by now; journalled once nothing is awaited any more.

        Raises PlayheadError when the source cannot be asked.
        """
        outcome = _kept_applied(intent, read_back(self._child, intent, cancel))
        if not outcome.pending:
            self._journal.seen(intent, outcome)
        return outcome

    def _execute(self, intent: Intent, cancel: CancelToken) -> Receipt:
        try:
            receipt: Receipt = self._child.call("execute", (intent.item, intent.request_id), cancel)
        except CancelledError:
            return after(self._child, intent, "It was cancelled while it was under way.", cancel)
        except PlayheadError as error:
            return after(self._child, intent, f"The engine's client said: {error.message}", cancel)
        return receipt


def after(child: Child, intent: Intent, why: str, cancel: CancelToken) -> Receipt:
    """The receipt of an execution that ended without one, by reading back in a child that may be a fresh one."""
    cancel.progress_through(0, None, "Finding out what became of it")
    try:
        outcome = read_back(child, intent, CancelToken())
    except PlayheadError as error:
        outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=(_failed(error),), pending=LATER)
    evidence = (why, *outcome.evidence)
    return Receipt(request_id=intent.request_id, outcome=msgspec.structs.replace(outcome, evidence=evidence))


def read_back(child: Child, intent: Intent, cancel: CancelToken) -> Outcome:
    """What became of an intent, within 20 s or so. Raises PlayheadError when the source cannot be read."""
    child.ready(cancel, SETTLE_S)
    outcome: Outcome = child.call("settle", (intent,), cancel, SETTLE_S)
    return outcome


def record(journal: Journal, intent: Intent, receipt: Receipt) -> Receipt:
    """Journals a receipt; one whose outcome nobody knows yet leaves its intent open."""
    if receipt.outcome.pending == LATER:
        journal.unsettled(intent)
        return receipt
    try:
        journal.outcome(intent, receipt)
    except PlayheadError as error:
        note = f"The journal could not record this yet: {error.detail or error.message}"
        outcome = msgspec.structs.replace(receipt.outcome, evidence=(*receipt.outcome.evidence, note))
        return msgspec.structs.replace(receipt, outcome=outcome)
    return receipt


def deny(journal: Journal, plan: Plan, item: PlanItem, why: str, reason: str = "") -> None:
    """Journals an attempt that was not allowed: refused by the plan, not confirmed, locked."""
    staged = item.staged
    journal.denied(
        source=plan.source,
        environment=plan.environment,
        target=staged.target.id,
        target_kind=staged.target.kind,
        target_name=staged.target.label if staged.target.label != staged.target.id else "",
        action=staged.action,
        why=why,
        reason=reason,
    )


def receipts(execution: Execution, items: tuple[PlanItem, ...], cancel: CancelToken) -> Iterator[Receipt]:
    """Executes items one after the other, yielding each receipt; stops at the first error that is not an outcome."""
    for number, item in enumerate(items):
        cancel.progress(number, len(items), item.title)
        yield execution.run(item, cancel)


def _kept_applied(intent: Intent, found: Outcome) -> Outcome:
    """What was seen to be applied stays so, whatever can still be read of it."""
    if not intent.applied or found.verdict is Verdict.APPLIED:
        return found
    return Outcome(verdict=Verdict.APPLIED, evidence=(UNSEEN, *found.evidence), pending=found.pending)


def _failed(error: PlayheadError) -> str:
    return f"Reading back failed: {error.message}"
