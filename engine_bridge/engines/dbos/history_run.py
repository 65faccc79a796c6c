"""The events of the run itself: created, queued, begun, dispatched again, closed. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.codes import NONE, code
from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos.history_order import BODY, FIRST, LAST, Clock, Draft
from engine_bridge.engines.dbos.history_rows import RawRun, ns, run_ref, whole_seconds
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.model import EventKind, Failure, Provenance, Run, Status, Step
from engine_bridge.payloads import reason

_CLOSING: Final = {
    rows.SUCCESS: EventKind.RUN_COMPLETED,
    rows.ERROR: EventKind.RUN_FAILED,
    rows.CANCELLED: EventKind.RUN_CANCELLED,
    rows.EXHAUSTED: EventKind.RUN_FAILED,
}
_BEGAN: Final = frozenset({rows.PENDING, rows.SUCCESS, rows.ERROR, rows.EXHAUSTED})
_END_OF_LAST: Final = 1 << 30


def run_events(index: Index, clock: Clock, header: Run, steps: list[Step]) -> Iterator[Draft]:
    """The run's own events, in order."""
    run = index.story.run
    yield from _opening(run)
    began = _begun(index, header)
    if began is not None:
        yield began
    again = _again(index, clock)
    if again is not None:
        yield again
    if run.status in (rows.ENQUEUED, rows.DELAYED) and began is not None:
        yield _requeued(run, header)
    if not run.open:
        yield _closed(index, header, steps)


def _draft(rank: int, place: int, key: str, kind: EventKind, time_ms: int | None, **more: Any) -> Draft:
    return Draft((rank, 0, 0, 0, place), key, kind, kind.value, ns(time_ms), **more)


def _opening(run: RawRun) -> Iterator[Draft]:
    origin = f"forked from {run.forked_from}" if run.forked_from else ""
    origin = origin or (f"schedule {run.schedule}" if run.schedule else "")
    origin = origin or (f"child of {run.parent}" if run.parent else "")
    source = run.forked_from or run.parent
    yield _draft(
        FIRST, 0, "created", EventKind.RUN_CREATED, run.created_ms, run_code=code(Status.QUEUED), detail=origin,
        ref=None if source is None else run_ref(source),
    )  # fmt: skip
    delayed = run.delay_until_ms is not None or run.status == rows.DELAYED
    if delayed:
        yield _draft(
            FIRST, 1, "delayed", EventKind.RUN_DELAYED, run.created_ms, run_code=code(Status.DELAYED),
            provenance=Provenance.REBUILT, facts=(f"delay_until {run.delay_until_ms} ms",),
        )  # fmt: skip
    queued = run.queue is not None and (run.queue != rows.INTERNAL_QUEUE or run.schedule is not None)
    if (queued and not delayed) or (delayed and run.status not in (rows.DELAYED, rows.CANCELLED)):
        place = f"{run.queue or ''}{'' if run.partition is None else f' / {run.partition}'}"
        yield _draft(
            FIRST, 2, "queued", EventKind.RUN_QUEUED, run.delay_until_ms if delayed else run.created_ms,
            run_code=code(Status.QUEUED), provenance=Provenance.REBUILT, detail=place,
        )  # fmt: skip


def first_start_ms(index: Index) -> int | None:
    """The earliest recorded start of a step that this run executed itself (a fork copies older ones)."""
    run = index.story.run
    starts = (row.started_ms for row in index.story.steps)
    own = [t for t in starts if t is not None and not _copied(run, t)]
    return min(own, default=None)


def _copied(run: RawRun, time_ms: int) -> bool:
    if run.forked_from is None or run.created_ms is None:
        return False
    return time_ms < run.created_ms


def _begun(index: Index, header: Run) -> Draft | None:
    run, first = index.story.run, first_start_ms(index)
    waiting = run.status in (rows.ENQUEUED, rows.DELAYED)
    began = run.status in _BEGAN or (header.started_ns is not None and not waiting)
    if first is None and not began:
        return None
    recorded = run.dispatched_ms
    provenance = Provenance.RECORDED if recorded is not None else Provenance.REBUILT
    time = recorded if recorded is not None else run.created_ms
    if first is not None and (
        time is None or first < time or (recorded is None and run.status == rows.CANCELLED)
    ):
        time, provenance = first, Provenance.REBUILT
    detail = f"version {run.version}" if run.version else ""
    return _draft(
        FIRST, 3, "started", EventKind.RUN_STARTED, time, run_code=code(Status.RUNNING), provenance=provenance,
        detail=detail,
    )  # fmt: skip


def _again(index: Index, clock: Clock) -> Draft | None:
    """A recovered or resumed run was dispatched again: only the latest time is recorded."""
    run, first = index.story.run, first_start_ms(index)
    if run.dispatched_ms is None or first is None or run.dispatched_ms <= first:
        return None
    detail = (
        "dispatched again" if run.dispatches is None else f"dispatched again, {run.dispatches} times so far"
    )
    return Draft(
        (BODY, clock.last_segment, run.dispatched_ms, 0, -2),
        f"dispatch {run.dispatched_ms}",
        EventKind.RUN_STARTED,
        "dispatched",
        ns(run.dispatched_ms),
        run_code=code(Status.RUNNING),
        detail=detail,
    )


def _requeued(run: RawRun, header: Run) -> Draft:
    return _draft(
        LAST, _END_OF_LAST, f"requeued {run.updated_ms}", EventKind.RUN_QUEUED, run.updated_ms,
        run_code=code(header.status), provenance=Provenance.REBUILT, detail=run.queue or "",
    )  # fmt: skip


def _closed(index: Index, header: Run, steps: list[Step]) -> Draft:
    run, failure = index.story.run, header.failure
    step = None if failure is None else failing_step(failure, steps)
    detail = _cancel_words(run) if run.status == rows.CANCELLED else ""
    if step is not None and failure is not None:
        detail = f"step {step.id} {step.name}: {reason(failure)}"
    elif failure is not None:
        detail = reason(failure)
    payloads = tuple(p for p in (header.output, header.error_payload) if p is not None)
    return Draft(
        (LAST, _END_OF_LAST, 0, 0, 0),
        f"closed {run.status}",
        _CLOSING.get(run.status, EventKind.OTHER),
        run.status,
        header.ended_ns,
        run_code=NONE if header.status is Status.UNKNOWN else code(header.status),
        provenance=header.provenance.get("ended_ns", Provenance.RECORDED),
        detail=detail,
        payloads=payloads,
        failure=failure,
        failed_step=None if step is None else step.id,
        facts=_cancel_facts(run) if run.status == rows.CANCELLED else (),
    )


def failing_step(failure: Failure, steps: list[Step]) -> Step | None:
    """The last step that ended with the run's own error; of a child and the wait for its result, the child."""
    for step in reversed(steps):
        found = step.failure
        if found is not None and (found.type, found.message) == (failure.type, failure.message):
            cause = next((s for s in steps if s.id == step.parent_step and s.failure is not None), None)
            return step if cause is None else cause
    return None


def _late(run: RawRun) -> bool:
    if run.deadline_ms is None or run.completed_ms is None:
        return False
    return run.completed_ms + (999 if whole_seconds(run.completed_ms) else 0) >= run.deadline_ms


def _cancel_words(run: RawRun) -> str:
    return (
        "its deadline had passed" if _late(run) else "before any deadline: by an operator, its parent or code"
    )


def _cancel_facts(run: RawRun) -> tuple[str, ...]:
    deadline = "no deadline is set" if run.deadline_ms is None else f"deadline {run.deadline_ms} ms"
    return (deadline, f"cancelled at {run.completed_ms} ms", "DBOS does not record who cancels")
