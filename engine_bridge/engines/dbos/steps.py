"""Recorded step rows as Steps. Pure functions; any thread.

One row of operation_outputs is one Step; nothing is merged or dropped. What the row does not hold (a
child's end, the topic of a wait, whether a sleep woke) is rebuilt from other rows or inferred, and says so.
"""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos.history_rows import RawChild, RawStep, ns, run_ref
from engine_bridge.engines.dbos.steps_failures import attempts_of, failure_of
from engine_bridge.engines.dbos.steps_index import Index, small_value
from engine_bridge.engines.dbos.steps_names import kind_of, title_of
from engine_bridge.model import Evidence, Failure, Provenance, Step, StepKind, StepStatus

_REBUILT: Final = Provenance.REBUILT
_INFERRED: Final = Provenance.INFERRED
_CHILD_STATUS: Final = {
    rows.PENDING: StepStatus.RUNNING,
    rows.ENQUEUED: StepStatus.SCHEDULED,
    rows.DELAYED: StepStatus.SCHEDULED,
    rows.SUCCESS: StepStatus.COMPLETED,
    rows.ERROR: StepStatus.FAILED,
    rows.CANCELLED: StepStatus.CANCELLED,
    rows.EXHAUSTED: StepStatus.FAILED,
}


def make_step(index: Index, row: RawStep) -> Step:
    """The Step of one recorded row."""
    kind = kind_of(row)
    if kind is StepKind.TIMER:
        return _timeout(index, row) if index.is_timeout(row) else _sleep(index, row)
    if kind is StepKind.SIGNAL_WAIT:
        return _signal_wait(index, row)
    if kind is StepKind.CHILD:
        return _child(index, row)
    if kind is StepKind.RESULT_WAIT:
        return _result_wait(index, row)
    if kind in (StepKind.EVENT_SET, StepKind.STREAM):
        return _publish(index, row, kind)
    return _plain(row, kind)


def _base(row: RawStep, kind: StepKind, **more: Any) -> Step:
    fields: dict[str, Any] = {
        "id": str(row.id),
        "name": title_of(row),
        "kind": kind,
        "status": StepStatus.COMPLETED,
        "engine_name": row.name,
        "start_ns": ns(row.started_ms),
        "end_ns": ns(row.completed_ms),
        "output": row.output,
        "error": row.error_ref,
    }
    fields.update(more)
    return Step(**fields)


def _plain(row: RawStep, kind: StepKind) -> Step:
    if not row.failed:
        return _base(row, kind)
    failure = failure_of(row)
    count, tries, limit, fields = attempts_of(row, failure)
    return _base(
        row,
        kind,
        status=failed_status(failure),
        failure=failure,
        attempts=count,
        attempt_list=tries,
        max_attempts=limit,
        fields=fields,
    )


def failed_status(failure: Failure) -> StepStatus:
    """TIMED_OUT for a step that DBOS cancelled at its own time-out, else FAILED."""
    timed_out = failure.type.rpartition(".")[2] == "DBOSStepTimeoutError"
    return StepStatus.TIMED_OUT if timed_out else StepStatus.FAILED


def _sleep(index: Index, row: RawStep) -> Step:
    """``completed_at`` of a sleep is its *planned* end; that it woke follows from later records only."""
    planned = index.planned(row)
    status, certain, why = _sleep_status(index, row, planned)
    end = planned if status is StepStatus.COMPLETED else _stopped(index, row, status)
    fields = {} if status is StepStatus.WAITING else {"status": certain}
    if end is not None:
        fields["end_ns"] = certain
    return _base(
        row,
        StepKind.TIMER,
        status=status,
        end_ns=ns(end),
        planned_end_ns=ns(planned),
        fields=fields,
        evidence=(Evidence(rule="a sleep records its planned end only", facts=(why,)),),
        attributes=_completed_at(row),
    )


def _sleep_status(index: Index, row: RawStep, planned: int | None) -> tuple[StepStatus, Provenance, str]:
    run, later = index.story.run, index.last_start_after(row.id)
    woke = later is not None and planned is not None and later >= planned
    untimed = planned is None and row.id < index.last_id
    if woke or untimed:
        return StepStatus.COMPLETED, _REBUILT, "a later step began at or after it"
    if run.status in (rows.SUCCESS, rows.ERROR):
        return StepStatus.COMPLETED, _REBUILT, f"the run ended with {run.status}"
    due = planned is not None and planned <= (index.story.now_ms if run.open else run.completed_ms or 0)
    if due:
        return StepStatus.COMPLETED, _INFERRED, "its planned end has passed; no later step is recorded"
    if run.open:
        return StepStatus.WAITING, Provenance.RECORDED, "its planned end lies ahead"
    return StepStatus.CANCELLED, _INFERRED, f"the run ended with {run.status} before the planned end"


def _stopped(index: Index, row: RawStep, status: StepStatus) -> int | None:
    """The end of the run, for what it cut short."""
    closed = index.story.run.completed_ms
    cut = status is StepStatus.CANCELLED and closed is not None
    return closed if cut and (row.started_ms or 0) <= (closed or 0) else None


def _completed_at(row: RawStep) -> dict[str, Any]:
    return {} if row.completed_ms is None else {"completed_at_epoch_ms": row.completed_ms}


def _timeout(index: Index, row: RawStep) -> Step:
    """The time-out of the wait before it: it fired, was not needed, or is still running."""
    planned, wait = index.planned(row), index.rows.get(row.id - 1)
    if wait is not None:
        fired = wait_timed_out(index, wait)
        status = StepStatus.COMPLETED if fired else StepStatus.CANCELLED
        end = planned if fired else wait.completed_ms
        why = f"step {wait.id} returned {'nothing at its time-out' if fired else 'before it'}"
    else:
        status, end, why = _pending_timeout(index, row, planned)
    how = _INFERRED if wait is None else _REBUILT
    fields = {} if status is StepStatus.WAITING else {"status": how, "end_ns": how}
    return _base(
        row,
        StepKind.TIMER,
        name="time-out",
        status=status,
        end_ns=ns(end),
        planned_end_ns=ns(planned),
        parent_step=str(row.id - 1),
        fields=fields,
        evidence=(
            Evidence(rule="recv and getEvent use two step ids: N, and N+1 for the time-out", facts=(why,)),
        ),
        attributes=_completed_at(row),
    )


def _pending_timeout(index: Index, row: RawStep, planned: int | None) -> tuple[StepStatus, int | None, str]:
    run = index.story.run
    until = index.story.now_ms if run.open else run.completed_ms or 0
    if planned is not None and planned <= until:
        return StepStatus.COMPLETED, planned, f"its planned end has passed; step {row.id - 1} has no record"
    if run.open:
        return StepStatus.WAITING, None, f"step {row.id - 1} has no record yet"
    why = f"the run ended with {run.status} while it waited"
    return StepStatus.CANCELLED, _stopped(index, row, StepStatus.CANCELLED), why


def wait_timed_out(index: Index, row: RawStep) -> bool:
    """Whether a recorded recv or getEvent gave up: it returned None at its deadline, and no message was eaten."""
    if row.failed or row.id in index.messages or small_value(row) is not None:
        return False
    timeout = index.timeouts.get(row.id)
    planned = None if timeout is None else index.planned(timeout)
    return planned is None or row.completed_ms is None or row.completed_ms >= planned


def _signal_wait(index: Index, row: RawStep) -> Step:
    timeout, message = index.timeouts.get(row.id), index.messages.get(row.id)
    fields: dict[str, Provenance] = {}
    evidence: tuple[Evidence, ...] = ()
    status = StepStatus.FAILED if row.failed else StepStatus.COMPLETED
    if wait_timed_out(index, row):
        status, fields["status"] = StepStatus.TIMED_OUT, _INFERRED
        evidence = (
            Evidence(rule="returned None at or after its time-out", facts=(_deadline(index, timeout),)),
        )
    if message is not None:
        fields["name"] = _REBUILT
    if timeout is not None:
        fields["planned_end_ns"] = _REBUILT
    return _base(
        row,
        StepKind.SIGNAL_WAIT,
        name=message.topic or "recv" if message is not None else title_of(row),
        status=status,
        planned_end_ns=None if timeout is None else ns(index.planned(timeout)),
        failure=failure_of(row) if row.failed else None,
        detail="" if message is None or not message.topic else f"topic {message.topic}",
        fields=fields,
        evidence=evidence,
    )


def _deadline(index: Index, timeout: RawStep | None) -> str:
    if timeout is None:
        return "no time-out row"
    return f"step {timeout.id}: planned end {index.planned(timeout)} ms"


def _child(index: Index, row: RawStep) -> Step:
    """From the launch to the child's own end. The row itself spans the launch only."""
    child = index.story.children.get(row.child or "")
    result = index.results.get(row.child or "")
    status, end, why = _child_end(index, row, child, result)
    fields = {"status": _REBUILT}
    if end is not None:
        fields["end_ns"] = _REBUILT
    failure = _child_failure(row, child, result) if status is StepStatus.FAILED else None
    return _base(
        row,
        StepKind.CHILD,
        status=StepStatus.FAILED if row.failed else status,
        end_ns=ns(row.completed_ms if row.failed else end),
        child=run_ref(row.child or ""),
        failure=failure_of(row) if row.failed else failure,
        output=row.output if result is None else result.output,
        detail=_child_detail(child),
        fields={} if row.failed else fields,
        evidence=(Evidence(rule="the row records the launch; the end is the child's", facts=why),),
        attributes={} if row.completed_ms is None else {"launched_at_epoch_ms": row.completed_ms},
    )


def _child_detail(child: RawChild | None) -> str:
    if child is None:
        return "the child run is not in the database any more"
    return f"queue {child.queue}" if child.queue and child.queue != rows.INTERNAL_QUEUE else ""


def _child_end(
    index: Index, row: RawStep, child: RawChild | None, result: RawStep | None
) -> tuple[StepStatus, int | None, tuple[str, ...]]:
    got = None if result is None else result.completed_ms
    if child is None or child.status not in _CHILD_STATUS:
        if result is None:
            return StepStatus.UNKNOWN, None, ("no row of the child run",)
        status = StepStatus.FAILED if result.failed else StepStatus.COMPLETED
        return status, got, (f"its result was read by step {result.id}",)
    status = _CHILD_STATUS[child.status]
    if not status.closed:
        return status, None, (f"the child run is {child.status}",)
    facts = [f"the child run is {child.status}, completed_at {child.completed_ms} ms"]
    end, floor = child.completed_ms, row.started_ms
    if end is not None and child.last_ms is not None and end < child.last_ms <= end + 999:
        facts.append(f"which is in whole seconds; its last step ended at {child.last_ms} ms")
        end = child.last_ms
    if end is not None and floor is not None and end < floor:
        facts.append("which is before the launch: it is stored in whole seconds, or clocks differ")
        end = None
    if got is not None and (end is None or end > got):
        facts.append(f"step {result.id if result else ''} had its result at {got} ms")
        end = got
    return status, end, tuple(facts)


def _child_failure(row: RawStep, child: RawChild | None, result: RawStep | None) -> Failure | None:
    if result is not None and result.failed:
        return failure_of(result)
    if child is not None and child.error is not None:
        return failure_of(RawStep(row.id, row.name, error=child.error, encoding=child.encoding))
    if child is not None and child.status == rows.EXHAUSTED:
        return Failure(type=rows.EXHAUSTED, message="The child run was dispatched too often without an end.")
    return None


def _result_wait(index: Index, row: RawStep) -> Step:
    launch = index.launches.get(row.child or "")
    child = index.story.children.get(row.child or "")
    name = launch.name if launch is not None else child.name if child is not None else ""
    failure = failure_of(row) if row.failed else None
    return _base(
        row,
        StepKind.RESULT_WAIT,
        name=f"result of {name}" if name else title_of(row),
        status=StepStatus.COMPLETED if failure is None else failed_status(failure),
        failure=failure,
        child=None if row.child is None else run_ref(row.child),
        parent_step=None if launch is None else str(launch.id),
        fields={} if not name else {"name": _REBUILT},
    )


def _publish(index: Index, row: RawStep, kind: StepKind) -> Step:
    """setEvent and stream writes: the value stands in another table, joined by step id."""
    values = index.events.get(row.id, []) if kind is StepKind.EVENT_SET else index.streams.get(row.id, [])
    failure = failure_of(row) if row.failed else None
    keys = ", ".join(dict.fromkeys(value.key for value in values))
    return _base(
        row,
        kind,
        name=keys or title_of(row),
        status=StepStatus.COMPLETED if failure is None else failed_status(failure),
        failure=failure,
        output=values[0].payload if values else row.output,
        fields={"name": _REBUILT, "output": _REBUILT} if values else {},
    )
