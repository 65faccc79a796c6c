"""What became of a request that the server took: read back until it shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine_bridge.actions.model import Change, Outcome, PlanItem, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import act_traces, actions_facts
from engine_bridge.engines.temporal.act_trace import Trace
from engine_bridge.engines.temporal.act_traces_run import failing
from engine_bridge.engines.temporal.actions_facts import Facts, RunFacts, ScheduleFacts
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.plan_base import Signer
from engine_bridge.errors import NotFoundError

MOVE_S: Final = 6.0
TAKE_S: Final = 3.0
"""How long a worker's first answer is watched for, where one polls the run's task queue."""
GONE_S: Final = 30.0
"""How long a deletion is waited for: the server takes it at once, and does it in the background."""
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """One request under way. ``before`` is what the gate saw; ``answer`` the server's, None for one that timed out."""

    reads: Reads
    item: PlanItem
    signer: Signer
    before: Facts
    answer: Any


class Found(msgspec.Struct, frozen=True):
    """What was read back. ``expected`` seconds are worth waiting for what is pending, or does not show yet."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    expected: float = 0.0


def until_moved(look: Callable[[], Found], cancel: CancelToken) -> Found:
    """Reads until it shows, and for as long as it is worth until nothing is pending."""
    began, pause_s = time.monotonic(), _POLL_S
    while True:
        found = look()
        waited = time.monotonic() - began
        unmoved = _nothing_shows(found.outcome) and waited < max(MOVE_S, found.expected)
        awaited = bool(found.outcome.pending) and waited < found.expected
        if cancel.cancelled or not (unmoved or awaited):
            return found
        cancel.progress_through(0, None, "reading back" if unmoved else found.outcome.pending)
        cancel.wait(pause_s)
        pause_s = min(pause_s * 1.5, 1.0)


def _nothing_shows(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.UNKNOWN and not outcome.pending


def look(case: Case) -> Found:
    """What is there now."""
    try:
        now: Facts | None = actions_facts.read(case.reads, case.item.staged)
    except NotFoundError:
        now = None
    trace = Trace(case.reads, case.item, case.signer, now, case.answer)
    outcome = act_traces.of(trace)
    if outcome is None:
        said = "The server took the request, and nothing of it shows yet."
        return Found(Outcome(verdict=Verdict.UNKNOWN, evidence=(said,)))
    answers = act_traces.answers(trace) if outcome.verdict is Verdict.APPLIED else ()
    changes = (*answers, *_moved(case.before, now))
    return Found(outcome, changes, _expected(case, outcome))


def _expected(case: Case, outcome: Outcome) -> float:
    before = case.before
    if case.item.staged.action == "delete":
        return GONE_S
    if isinstance(before, ScheduleFacts) or case.item.staged.action == "batch":
        return TAKE_S
    served = isinstance(before, RunFacts) and before.pollers != 0 and not (before.paused or failing(before))
    return TAKE_S if outcome.pending and served else 0.0


def _moved(before: Facts, now: Facts | None) -> tuple[Change, ...]:
    """What is another now, in words."""
    if now is None:
        status = before.status if isinstance(before, RunFacts) else ""
        return (Change(what="run", before=status, after="deleted"),)
    found = []
    for name in _SHOWN.get(type(now), ()):
        was, is_ = (_word(getattr(facts, name)) for facts in (before, now))
        if was != is_:
            found.append(Change(what=name.replace("_", " "), before=was, after=is_))
    return tuple(found)


_SHOWN: Final[dict[type, tuple[str, ...]]] = {
    RunFacts: ("status", "events", "cancel_requested", "paused"),
    ScheduleFacts: ("paused", "notes", "started"),
}


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value) or "no"
