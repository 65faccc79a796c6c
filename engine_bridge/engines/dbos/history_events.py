"""The events of a run's steps, rebuilt from its rows. Pure functions.

Waits, timers, children and user steps have a start and an end event; what happens in an instant (an event
set, a stream write, a patch, a message sent) has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine_bridge.engines.dbos.history_order import AFTER, BODY, LAST, Clock, Draft
from engine_bridge.engines.dbos.history_rows import (
    CANCELLED,
    DELAYED,
    ENQUEUED,
    RawChild,
    RawMessage,
    RawStep,
    ns,
    whole_seconds,
)
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.model import EventKind, PayloadRef, Provenance, Step, StepKind, StepStatus
from engine_bridge.payloads import reason

_STARTS: Final = {
    StepKind.STEP: (EventKind.STEP_STARTED, StepStatus.RUNNING),
    StepKind.CHILD: (EventKind.CHILD_STARTED, StepStatus.RUNNING),
    StepKind.TIMER: (EventKind.TIMER_STARTED, StepStatus.WAITING),
    StepKind.SIGNAL_WAIT: (EventKind.WAIT_STARTED, StepStatus.WAITING),
    StepKind.RESULT_WAIT: (EventKind.WAIT_STARTED, StepStatus.WAITING),
    StepKind.CONTROL: (EventKind.STEP_STARTED, StepStatus.RUNNING),
    StepKind.OTHER: (EventKind.STEP_STARTED, StepStatus.RUNNING),
}
_ENDS: Final = {
    StepKind.CHILD: EventKind.CHILD_COMPLETED,
    StepKind.TIMER: EventKind.TIMER_FIRED,
    StepKind.SIGNAL_WAIT: EventKind.WAIT_ENDED,
    StepKind.RESULT_WAIT: EventKind.WAIT_ENDED,
    StepKind.EVENT_SET: EventKind.EVENT_SET,
    StepKind.STREAM: EventKind.STREAM_WRITTEN,
    StepKind.PATCH: EventKind.PATCHED,
    StepKind.SIGNAL_SEND: EventKind.SIGNAL_SENT,
}
_BAD_ENDS: Final = {
    StepStatus.TIMED_OUT: EventKind.STEP_TIMED_OUT,
    StepStatus.FAILED: EventKind.STEP_FAILED,
    StepStatus.CANCELLED: EventKind.STEP_CANCELLED,
}
_START, _MIDDLE, _END = range(3)


def step_events(index: Index, clock: Clock, row: RawStep, step: Step) -> Iterator[Draft]:
    """The events of one recorded step, in causal order."""
    start = _STARTS.get(step.kind)
    if start is not None and row.started_ms is not None:
        yield _started(clock, row, step, start)
    if step.kind is StepKind.CHILD:
        yield from _child_dispatch(index, clock, row, step)
    published = row.id in index.events or row.id in index.streams
    if published and step.kind not in (StepKind.EVENT_SET, StepKind.STREAM):
        yield from _written_inside(index, clock, row, step)
    if step.status.closed or start is None:
        yield _ended(index, clock, row, step)
    elif row.started_ms is None:
        yield _only_known(clock, row, step)


def wait_events(index: Index, clock: Clock, step: Step) -> Iterator[Draft]:
    """The start, and on a closed run the end, of a wait whose own row was not written."""
    id_ = int(step.id)
    timeout = index.timeouts[id_]
    started = Draft(
        clock.key(timeout.id, timeout.started_ms, -1),
        f"S{id_}",
        EventKind.WAIT_STARTED,
        step.name,
        ns(timeout.started_ms),
        step.id,
        step.name,
        StepStatus.WAITING,
        provenance=Provenance.REBUILT,
    )
    yield started
    if step.status.closed:
        place = clock.key(id_, None, _END, rank=LAST)
        yield Draft(
            place, f"E{id_}", EventKind.STEP_CANCELLED, step.name, step.end_ns, step.id, step.name,
            step.status, provenance=Provenance.INFERRED,
        )  # fmt: skip


def _started(clock: Clock, row: RawStep, step: Step, start: tuple[EventKind, StepStatus]) -> Draft:
    kind, status = start
    if step.kind is StepKind.CHILD:
        status = StepStatus.UNKNOWN if step.status is StepStatus.UNKNOWN else StepStatus.SCHEDULED
    return Draft(
        clock.key(row.id, row.started_ms, _START),
        f"S{row.id}",
        kind,
        row.name,
        step.start_ns,
        step.id,
        step.name,
        status,
        detail="" if step.child is None else step.child.run,
        ref=step.child,
    )


def _child_dispatch(index: Index, clock: Clock, row: RawStep, step: Step) -> Iterator[Draft]:
    """A child leaves its queue, or begins at once when it had none."""
    at = _child_began_ms(index, row, step)
    if at is not None:
        yield Draft(
            clock.key(row.id, at, _MIDDLE),
            f"R{row.id}",
            EventKind.STEP_STARTED,
            row.name,
            ns(at),
            step.id,
            step.name,
            StepStatus.RUNNING,
            provenance=Provenance.REBUILT,
            detail=f"{row.child} began",
            ref=step.child,
        )


def _child_began_ms(index: Index, row: RawStep, step: Step) -> int | None:
    """When a child began, as its own row says, within the launch and its end; None when it has not, or may not have."""
    child = index.story.children.get(row.child or "")
    if step.kind is not StepKind.CHILD or child is None or row.failed or row.started_ms is None:
        return None
    if not _began(child) or step.status is StepStatus.UNKNOWN:
        return None
    queued = child.dispatched_ms is not None and child.queue is not None
    at = (child.dispatched_ms if queued else child.created_ms) or 0
    if step.end_ns is not None:
        at = min(at, step.end_ns // 1_000_000)
    return max(at, row.started_ms)


def _began(child: RawChild) -> bool:
    """Cancelling wipes the dispatch time: whether such a child ever ran is not recorded."""
    if child.status in (DELAYED, ENQUEUED):
        return False
    return child.status != CANCELLED or child.dispatched_ms is not None


def _only_known(clock: Clock, row: RawStep, step: Step) -> Draft:
    """An open step without a start time: all that is known is that it is there."""
    kind = _STARTS.get(step.kind, (EventKind.OTHER, step.status))[0]
    return Draft(
        clock.key(row.id, None, _START), f"S{row.id}", kind, row.name, None, step.id, step.name, step.status,
        ref=step.child,
    )  # fmt: skip


def _ended(index: Index, clock: Clock, row: RawStep, step: Step) -> Draft:
    end_ms = None if step.end_ns is None else step.end_ns // 1_000_000
    failed_child = step.kind is StepKind.CHILD and step.status is StepStatus.FAILED
    kind = EventKind.CHILD_FAILED if failed_child else _BAD_ENDS.get(step.status)
    fields = step.fields.get("status"), step.fields.get("end_ns")
    provenance = Provenance.INFERRED if Provenance.INFERRED in fields else Provenance.RECORDED
    if provenance is Provenance.RECORDED and Provenance.REBUILT in fields:
        provenance = Provenance.REBUILT
    if step.status is StepStatus.TIMED_OUT and step.kind is StepKind.SIGNAL_WAIT:
        provenance = (
            Provenance.RECORDED
        )  # the end is recorded; that it was a time-out is the step's inference
    return Draft(
        _end_place(index, clock, row, step, end_ms),
        f"E{row.id}",
        kind or _ENDS.get(step.kind, EventKind.STEP_COMPLETED),
        row.name,
        step.end_ns,
        step.id,
        step.name,
        step.status,
        provenance=provenance,
        detail=_end_detail(step),
        payloads=tuple(p for p in (step.output, step.error) if p is not None),
        failure=step.failure,
        ref=step.child,
    )


def _end_detail(step: Step) -> str:
    if step.failure is not None:
        return reason(step.failure)
    if step.kind is StepKind.CHILD and step.child is not None:
        return step.child.run
    return step.detail


def _end_place(
    index: Index, clock: Clock, row: RawStep, step: Step, end_ms: int | None
) -> tuple[int, int, int, int, int]:
    """An end never stands before its start; a child may outlive the run."""
    after = (row.started_ms, _child_began_ms(index, row, step))
    own = row.completed_ms if end_ms is None else end_ms
    place = max((at for at in (own, *after) if at is not None), default=None)
    if step.kind is StepKind.CHILD and not index.story.run.open and _outlives(index, end_ms):
        return clock.key(row.id, place, _END, rank=AFTER)
    return clock.key(row.id, place, _END, rank=BODY)


def _outlives(index: Index, end_ms: int | None) -> bool:
    run = index.story.run
    closed = run.completed_ms if run.completed_ms is not None else run.updated_ms
    if end_ms is None or closed is None:
        return False
    return end_ms > closed + (999 if whole_seconds(closed) else 0)


def _written_inside(index: Index, clock: Clock, row: RawStep, step: Step) -> Iterator[Draft]:
    """Events set and stream values written by the code of a step: their own times are not recorded."""
    found = [
        (EventKind.EVENT_SET, f"V{row.id}.{e.key}", e.key, e.payload) for e in index.events.get(row.id, ())
    ]
    found += [
        (EventKind.STREAM_WRITTEN, f"W{row.id}.{s.key}.{s.offset}", s.key, s.payload)
        for s in index.streams.get(row.id, ())
    ]
    ended = None if row.completed_ms is None else max(row.completed_ms, row.started_ms or row.completed_ms)
    place = clock.key(row.id, ended, _MIDDLE)
    for kind, key, name, payload in found:
        yield Draft(
            place, key, kind, name, None, step.id, step.name, detail=name,
            payloads=() if payload is None else (payload,),
        )  # fmt: skip


def message_event(index: Index, clock: Clock, message: RawMessage) -> Draft:
    """A message that reached the run's mailbox; before the end of the wait that ate it. The sender is not recorded."""
    eater = None if message.consumed_by is None else index.rows.get(message.consumed_by)
    id_ = 0 if eater is None else eater.id
    at = message.created_ms
    if at is not None and eater is not None and eater.completed_ms is not None:
        at = min(at, eater.completed_ms)
    detail = message.topic or "no topic"
    if message.consumed_by is None and not message.consumed:
        detail += ", not consumed"
    return Draft(
        clock.key(id_, at, -1 if eater is None else _MIDDLE),
        f"M{message.id}",
        EventKind.SIGNAL_RECEIVED,
        message.topic or "message",
        ns(message.created_ms),
        None if eater is None else str(eater.id),
        None if eater is None else message.topic or "recv",
        detail=detail,
        payloads=() if message.payload is None else (message.payload,),
    )


def unplaced_events(index: Index) -> Iterator[Draft]:
    """Published values whose step is not recorded (old schemas): at the end, without a time."""
    pairs: list[tuple[EventKind, str, str, PayloadRef | None]] = [
        (EventKind.EVENT_SET, f"V.{e.key}", e.key, e.payload) for e in index.unplaced_events()
    ]
    pairs += [
        (EventKind.STREAM_WRITTEN, f"W.{s.key}.{s.offset}", s.key, s.payload)
        for s in index.unplaced_streams()
    ]
    for n, (kind, key, name, payload) in enumerate(pairs):
        payloads = () if payload is None else (payload,)
        yield Draft(
            (LAST, 0, 0, -1, n),
            key,
            kind,
            name,
            detail=f"{name}, written by an unknown step",
            payloads=payloads,
        )
