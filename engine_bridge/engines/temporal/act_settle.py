"""What became of an intent whose owner died: from the request ids that the server keeps, else from what is there now.
Where somebody else may have done the same, it cannot be known."""

from __future__ import annotations

from typing import Final

import msgspec

from engine_bridge.actions.model import Intent, Outcome, Verdict
from engine_bridge.engines.temporal import act_traces, act_traces_run, actions_facts
from engine_bridge.engines.temporal.act_trace import Trace, applied
from engine_bridge.engines.temporal.actions_facts import Facts, RunFacts
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.plan_base import Signer
from engine_bridge.errors import NotFoundError

_BY_WHOM: Final = "The server does not record who did that."
_KEPT_BACK: Final = frozenset({"signal", "cancel", "pause", "unpause", "complete_activity", "fail_activity"})
"""Actions whose event waits for the end of a workflow task that a worker has."""
_LATE_S: Final = 0.7
"""A request of a dead owner may still be on its way: looked for twice, so long apart."""


def settle(reads: Reads, intent: Intent) -> Outcome:
    """The outcome. Raises ConnectError when the server cannot be read."""
    found = _settled(reads, intent)
    if found.verdict is not Verdict.APPLIED:
        reads.cancel.wait(_LATE_S)
        found = _settled(reads, intent)
    return found


def _settled(reads: Reads, intent: Intent) -> Outcome:
    staged = intent.item.staged
    try:
        now: Facts | None = actions_facts.read(reads, staged)
    except NotFoundError:
        now = None
    if staged.action == "query":
        return _not_applied("A query changes nothing; its answer went with the process that asked.")
    if now is None and staged.action == "delete" and intent.applied:
        return applied("the server does not know the run any more")
    if now is None:
        asked = ", as asked" if staged.action == "delete" else ", and its history with it"
        return _unknown(f"It is not there any more{asked}.", _BY_WHOM)
    sure = intent.applied
    found = act_traces.of(Trace(reads, intent.item, Signer(intent.request_id), now, applied=sure))
    if found is not None and sure:
        return found
    if found is not None:
        return msgspec.structs.replace(found, evidence=(*found.evidence, "found by this request's id"))
    return _without_trace(intent, now)


def _without_trace(intent: Intent, now: Facts) -> Outcome:
    action = intent.item.staged.action
    changed = actions_facts.stale(intent.item.preconditions, now, grows=())
    if action == "delete" and not changed:
        return _unknown("It is still there: a deletion that was asked for may be under way.", _BY_WHOM)
    if action in _KEPT_BACK and isinstance(now, RunFacts) and act_traces_run.at_a_worker(now):
        said = "No event carries this request's id, and the server may hold one back."
        return Outcome(verdict=Verdict.UNKNOWN, evidence=(said,), pending=act_traces_run.HELD)
    if action in act_traces.SIGNED:
        since = actions_facts.planned_events(intent.item.preconditions)
        where = f"no event after event {since}" if since else "nothing on the server"
        return _not_applied(f"{where} carries this request's id", *changed)
    if not changed:
        return _not_applied("all is as it was when it was planned")
    return _unknown(*changed, _BY_WHOM)


def _unknown(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def _not_applied(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.NOT_APPLIED, evidence=evidence)
