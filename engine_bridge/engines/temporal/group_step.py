"""A step as the seam shows it, from the events that grouping put together. Pure."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.codes import NO_TIME, NONE, STEP_KINDS, STEP_STATUSES
from engine_bridge.engines.temporal.events import Heads, RawEvent
from engine_bridge.engines.temporal.events_heads import fill
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import duration_ns, integer, mapping, positive_ns, text
from engine_bridge.engines.temporal.group import Closed, StepRecord, pending_due, pending_status
from engine_bridge.engines.temporal.group_event import (
    KIND,
    detail,
    failure_of,
    other_run,
    prefix,
    shown,
    summary,
)
from engine_bridge.engines.temporal.group_facts import PendingActivity, PendingNexus, told
from engine_bridge.engines.temporal.group_failures import failure, words
from engine_bridge.engines.temporal.group_nexus import Link, started
from engine_bridge.engines.temporal.group_payloads import reference
from engine_bridge.engines.temporal.group_types import ROLE, STEP_KIND, STEP_STATUS, TERMINAL, Role
from engine_bridge.format import duration
from engine_bridge.model import (
    Attempt,
    Evidence,
    Failure,
    PayloadRef,
    Provenance,
    RunRef,
    Step,
    StepKind,
    StepStatus,
)

_LISTED: Final = 20
"""Attempts listed one by one; of more, the last ones."""

_INPUTS: Final = ("input", "acceptedRequest.input.args", "rejectedRequest.input.args", "details/input")
_OUTPUTS: Final = ("result", "outcome.success", "details/result")
_CLOSING: Final = {
    StepKind.TIMER: "a timer ends with its run",
    StepKind.CHILD: "what becomes of a child when its parent ends is its parent close policy's",
}


class _Facts:
    """The events of a step with their heads, and where it stands."""

    def __init__(self, record: StepRecord) -> None:
        self.record = record
        self.events = [event_of(one) for one in record.events]
        self.heads = Heads.empty(len(self.events))
        for i, event in enumerate(self.events):
            fill(self.heads, i, event)
        self.first = self.events[0]
        self.whole = bool(ROLE[self.heads.type[0]] != Role.FOLLOWER)  # its first event is here
        self.end = next((e for i, e in enumerate(self.events) if self._terminal(i)), None)

    def _terminal(self, i: int) -> bool:
        status = self.heads.status[i] if self.heads.status[i] != NONE else STEP_STATUS[self.heads.type[i]]
        return bool(TERMINAL[self.heads.type[i]]) or (status != NONE and STEP_STATUSES[int(status)].closed)

    @property
    def kind(self) -> StepKind:
        kind = self.heads.kind[0] if self.heads.kind[0] != NONE else STEP_KIND[self.heads.type[0]]
        return STEP_KINDS[int(kind)] if kind != NONE else StepKind.OTHER

    @property
    def status(self) -> StepStatus:
        """As the events leave it; the last one that says something."""
        said = [
            int(self.heads.status[i] if self.heads.status[i] != NONE else STEP_STATUS[self.heads.type[i]])
            for i in range(len(self.events))
        ]
        known = [code for code in said if code != NONE]
        return STEP_STATUSES[known[-1]] if known else StepStatus.UNKNOWN

    def of(self, *types: str) -> RawEvent | None:
        """The first event of one of some types."""
        return next((event for event in self.events if event.type in types), None)

    @property
    def nexus(self) -> Link | None:
        """The run that a Nexus operation started."""
        return started(self.events) if self.first.type.startswith("NexusOperation") else None

    def last(self, suffix: str) -> RawEvent | None:
        return next((event for event in reversed(self.events) if event.type.endswith(suffix)), None)


def decode_step(record: StepRecord) -> Step:
    """The Step of a record of a Temporal history."""
    facts = _Facts(record)
    status, end_ns, fields, evidence = _end(facts)
    attempts = _attempts(facts, status)
    found = Step(
        id=str(record.id),
        name=record.name,
        kind=facts.kind,
        status=status,
        engine_name=_engine_name(facts),
        start_ns=facts.first.time_ns if facts.whole else None,
        end_ns=end_ns,
        planned_end_ns=_planned(facts),
        attempts=attempts[-1].number if attempts else None,
        attempt_list=attempts[-_LISTED:],
        max_attempts=_most(facts),
        failure=_failure(facts, status),
        child=_child(facts),
        parent_step=record.parent,
        input=_payload(facts, _INPUTS, "input"),
        output=_payload(facts, _OUTPUTS, "output"),
        detail=_detail(facts),
        provenance=Provenance.RECORDED if facts.whole else Provenance.INFERRED,
        fields=fields,
        evidence=evidence,
        attributes=_attributes(facts),
    )
    return _on_worker(found, facts)


def _engine_name(facts: _Facts) -> str:
    names = {"ActivityTaskScheduled": "activity", "NexusOperationScheduled": "Nexus operation"}
    if facts.first.type == "MarkerRecorded":
        return text(facts.first.attributes.get("markerName"))
    return names.get(facts.first.type, "")


def _end(facts: _Facts) -> tuple[StepStatus, int | None, dict[str, Provenance], tuple[Evidence, ...]]:
    """Status and end, as recorded or as what else is known tells."""
    record, status = facts.record, facts.status
    if status.closed:
        return (
            status,
            None if facts.end is None else facts.end.time_ns,
            _orphan(facts),
            _orphan_evidence(facts),
        )
    if record.closed is not None:
        fields = {"status": Provenance.INFERRED, "end_ns": Provenance.INFERRED}
        return StepStatus.CANCELLED, record.closed.time_ns, fields, (_with_run(facts.kind, record.closed),)
    if record.pending is not None:
        return STEP_STATUSES[pending_status(record.pending)], None, {}, ()
    return status, None, _orphan(facts), _orphan_evidence(facts)


def _orphan(facts: _Facts) -> dict[str, Provenance]:
    return {} if facts.whole else {"name": Provenance.INFERRED}


def _orphan_evidence(facts: _Facts) -> tuple[Evidence, ...]:
    if facts.whole:
        return ()
    return (
        Evidence(
            rule="later events name its first one, which is not here", facts=(f"event {facts.record.id}",)
        ),
    )


def _with_run(kind: StepKind, closed: Closed) -> Evidence:
    rule = "the run ended while this was open"
    return Evidence(
        rule=rule, facts=(f"event {closed.id} {closed.type}", *filter(None, (_CLOSING.get(kind),)))
    )


def _planned(facts: _Facts) -> int | None:
    """When it is due: a timer, the time-out of an activity, the next attempt of one that backs off."""
    a, start = facts.first.attributes, facts.first.time_ns
    due = None if facts.record.pending is None else pending_due(facts.record.pending)
    if due is not None:
        return due
    wait = positive_ns(a.get("startToFireTimeout"))
    if facts.kind is StepKind.TIMER and start is not None and wait is not None:
        return start + wait
    return None


def _most(facts: _Facts) -> int | None:
    pending = facts.record.pending
    if isinstance(pending, PendingActivity):
        return pending.max_attempts  # an operator may have changed what the code gave
    most = integer(mapping(facts.first.attributes.get("retryPolicy")).get("maximumAttempts"))
    return most if most else None


def _attempts(facts: _Facts, status: StepStatus) -> tuple[Attempt, ...]:
    """The last attempt as recorded. Of those before, the history holds one failure and no times."""
    begun, pending = facts.last("TaskStarted"), facts.record.pending
    if begun is None and isinstance(pending, PendingActivity | PendingNexus) and pending.attempt:
        return _pending_attempts(pending, status)
    number = integer(begun.attributes.get("attempt")) if begun is not None else None
    if facts.kind is StepKind.LOCAL:
        number = int(facts.heads.attempt[0]) or None
    if not number or number < 1:
        return ()
    end = facts.end
    last = Attempt(
        number=number,
        status=status,
        start_ns=begun.time_ns if begun is not None else None,
        end_ns=None if end is None else end.time_ns,
        failure=None if end is None else _failure(facts, status),
    )
    before = None if begun is None else begun.attributes.get("lastFailure")
    return (*_earlier(number, failure(before, attempt=number - 1)), last)


def _earlier(number: int, last: Failure | None) -> list[Attempt]:
    first = max(1, number - _LISTED)
    return [
        Attempt(
            number=k,
            status=StepStatus.FAILED,
            failure=last if k == number - 1 else None,
            provenance=Provenance.REBUILT if k == number - 1 and last else Provenance.INFERRED,
        )
        for k in range(first, number)
    ]


def _pending_attempts(pending: PendingActivity | PendingNexus, status: StepStatus) -> tuple[Attempt, ...]:
    number, began = pending.attempt or 1, None
    if isinstance(pending, PendingActivity) and pending.state in ("started", "cancel_requested"):
        began = pending.started_ns
    now = Attempt(number=number, status=status, start_ns=began)
    return (*_earlier(number, failure(pending.failure, attempt=number - 1)), now)


def _failure(facts: _Facts, status: StepStatus) -> Failure | None:
    if facts.end is not None:
        return failure_of(facts.end) if status.bad or status is StepStatus.CANCELLED else None
    pending = facts.record.pending
    if pending is not None and pending.failure:
        return failure(pending.failure, attempt=max((pending.attempt or 1) - 1, 1))
    return None


def _child(facts: _Facts) -> RunRef | None:
    link = facts.nexus
    if link is not None:
        return None if link.place(facts.record.namespace) else link.ref
    if facts.kind not in (StepKind.CHILD, StepKind.SIGNAL_SEND, StepKind.CONTROL):
        return None
    for event in reversed(facts.events):
        found = other_run(event.attributes)
        if found is not None and found.run:
            return found
    first = facts.first.attributes
    named = text(first.get("workflowId"))
    return RunRef(KIND, named, "") if named else other_run(first)


def _payload(facts: _Facts, paths: tuple[str, ...], label: str) -> PayloadRef | None:
    for event in facts.events if label == "input" else reversed(facts.events):
        for path in paths:
            found = reference(facts.record.ref, event, path, label) if _holds(event, path) else None
            if found is not None:
                return found
    return None


def _holds(event: RawEvent, path: str) -> bool:
    return path.startswith("details/") == (event.type == "MarkerRecorded")


def _detail(facts: _Facts) -> str:
    said, pending = summary(facts.first), facts.record.pending
    if pending is not None and pending.note:
        return f"paused {told(pending.note)}" if "pause" in pending.state else pending.note
    if facts.kind is StepKind.TIMER:
        wait = duration_ns(facts.first.attributes.get("startToFireTimeout"))
        return said or (f"for {duration(wait)}" if wait is not None else "")
    if facts.last("CancelRequested") and facts.end is None:
        return "cancel requested"
    if facts.first.type in ("ActivityTaskScheduled", "WorkflowExecutionUpdateAccepted"):
        return said
    if facts.nexus is not None:
        place = facts.nexus.place(facts.record.namespace)
        runs = f"runs {facts.nexus.ref.group}" + (f" in namespace {place}" if place else "")
        return " · ".join(filter(None, (detail(facts.first), runs)))
    return detail(facts.first)


def _attributes(facts: _Facts) -> dict[str, Any]:
    found = shown(facts.first)
    for event in facts.events[1:]:
        for key, name in (("identity", "worker"), ("cause", "cause"), ("retryState", "retry state")):
            value = text(event.attributes.get(key))
            if value:
                found[name] = value if key == "identity" else words(value, prefix(event.type, key))
    pending = facts.record.pending
    if isinstance(pending, PendingActivity | PendingNexus):
        found |= {k: v for k, v in _pending_facts(pending).items() if v}
    return found


def _pending_facts(pending: PendingActivity | PendingNexus) -> dict[str, Any]:
    found: dict[str, Any] = {
        "state": pending.state.replace("_", " "),
        "next_attempt_ns": pending.next_attempt_ns,
    }
    if isinstance(pending, PendingActivity):
        found |= {
            "worker": pending.worker,
            "last_heartbeat_ns": pending.heartbeat_ns,
            "expires_ns": pending.expires_ns,
        }
    return found


def _on_worker(step: Step, facts: _Facts) -> Step:
    """A local activity's own times, which are its worker's clock."""
    import msgspec

    span = facts.heads.worker.get(0)
    if span is None:
        return step
    start, end = span
    skew = step.end_ns is not None and end > step.end_ns
    note = (
        (Evidence(rule="its times are the worker's clock, which runs ahead of the server's"),) if skew else ()
    )
    return msgspec.structs.replace(
        step,
        start_ns=None if start == NO_TIME else start,
        end_ns=None if end == NO_TIME else end,
        attempt_list=tuple(
            one if one.end_ns is None else msgspec.structs.replace(one, end_ns=end)
            for one in step.attempt_list
        ),
        evidence=(*step.evidence, *note),
        attributes={**step.attributes, "clock": "the worker's", "recorded_ns": facts.first.time_ns},
    )
