"""Steps that have no row yet: waits, gathered steps in flight, and what the code is doing now.

The rules of reference/dbos.md §2.3. Everything here is inferred and carries its evidence.
"""

from __future__ import annotations

from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos.history_rows import RawStep, ns
from engine_bridge.engines.dbos.infer_context import Context
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.engines.dbos.steps_names import GET_RESULT, SLEEP
from engine_bridge.model import Evidence, Provenance, Step, StepKind, StepStatus


def open_steps(index: Index, context: Context) -> list[Step]:
    """Inferred steps of a run, in the order of their ids; none that a row exists for."""
    run = index.story.run
    found = [_wait(index, context, id_) for id_ in pending_waits(index)]
    if run.status == rows.PENDING:
        found += [_gap(index, id_) for id_ in in_flight(index)]
    if frontier(index):
        found.append(_frontier_step(index))
    return sorted(found, key=lambda step: int(step.id))


def pending_waits(index: Index) -> list[int]:
    """Ids of recv or getEvent calls without a row whose time-out row exists."""
    return sorted(id_ for id_ in index.timeouts if id_ not in index.rows)


def in_flight(index: Index) -> list[int]:
    """Ids reserved below recorded ones, without a row: gathered steps that have not finished."""
    return [id_ for id_ in index.gaps() if id_ not in index.timeouts]


def sleeping(index: Index) -> RawStep | None:
    """The last row, when it is a sleep whose planned end lies ahead."""
    row = index.rows.get(index.last_id)
    if row is None or row.name != SLEEP or index.is_timeout(row):
        return None
    planned = index.planned(row)
    return row if planned is not None and planned > index.story.now_ms else None


def awaited(index: Index) -> RawStep | None:
    """The first open child among the launches that end the record, when its result was not read yet."""
    trailing: list[RawStep] = []
    id_ = index.last_id
    while (row := index.rows.get(id_)) is not None and row.child is not None and row.name != GET_RESULT:
        trailing.append(row)
        id_ -= 1
    for row in reversed(trailing):
        child = index.story.children.get(row.child or "")
        if child is not None and child.status in rows.OPEN and row.child not in index.results:
            return row
    return None


def frontier(index: Index) -> bool:
    """Whether the code itself must be at work after the last row (or was, when a run was given up)."""
    run = index.story.run
    if run.status == rows.EXHAUSTED:
        return not pending_waits(index)
    if run.status != rows.PENDING or pending_waits(index):
        return False
    busy = any(_parallel(index, id_) for id_ in in_flight(index))
    return not busy and sleeping(index) is None and awaited(index) is None


def progress_ms(index: Index) -> int | None:
    """When the run last made recorded progress: the newest step end, else its start, else its creation."""
    run = index.story.run
    ends = [end for row in index.story.steps if (end := _end_of(index, row)) is not None]
    return max(ends) if ends else run.dispatched_ms or run.created_ms


def _end_of(index: Index, row: RawStep) -> int | None:
    if row.name != SLEEP:
        return row.completed_ms
    planned = row.started_ms if index.is_timeout(row) else index.planned(row)
    return planned if planned is not None and planned <= index.story.now_ms else row.started_ms


def _wait(index: Index, context: Context, id_: int) -> Step:
    timeout, run = index.timeouts[id_], index.story.run
    likely = context.topic is not None and id_ == pending_waits(index)[0]
    how = {"start_ns": Provenance.REBUILT, "planned_end_ns": Provenance.REBUILT, "name": Provenance.INFERRED}
    return Step(
        id=str(id_),
        name=context.topic or "" if likely else "recv or getEvent",
        kind=StepKind.SIGNAL_WAIT,
        status=StepStatus.WAITING if run.open else StepStatus.CANCELLED,
        start_ns=ns(timeout.started_ms),
        end_ns=None if run.open else ns(run.completed_ms),
        planned_end_ns=ns(index.planned(timeout)),
        provenance=Provenance.INFERRED,
        fields=how,
        evidence=(wait_evidence(index, id_), *([topic_evidence(context, id_)] if likely else [])),
    )


def topic_evidence(context: Context, id_: int) -> Evidence:
    """Why a topic is likely."""
    fact = f"{context.topic_from} received topic {context.topic} at step {id_}"
    return Evidence(rule="another run of this workflow waited here", facts=(fact,))


def wait_evidence(index: Index, id_: int) -> Evidence:
    """Why a wait without a row is believed."""
    timeout = index.timeouts[id_]
    facts = (f"step {id_} has no row", f"step {timeout.id} is its time-out, written when the wait began")
    return Evidence(
        rule="recv and getEvent write their time-out first and their own row when done", facts=facts
    )


def _parallel(index: Index, id_: int) -> bool:
    """Whether all later rows overlap: then the gap belongs to a gather that still runs."""
    later = [row for row in index.story.steps if row.id > id_ and row.name != SLEEP]
    if not later:
        return True
    starts = [row.started_ms for row in later if row.started_ms is not None]
    ends = [row.completed_ms for row in later if row.completed_ms is not None]
    return bool(starts) and bool(ends) and max(starts) <= min(ends)


def _gap(index: Index, id_: int) -> Step:
    parallel = _parallel(index, id_)
    near = index.rows.get(id_ + 1) or index.rows.get(id_ - 1)
    facts = [f"step {id_} has no row, later steps have"]
    facts.append(
        "those overlap: it runs beside them" if parallel else "it runs beside them, or was abandoned"
    )
    return Step(
        id=str(id_),
        name=f"step {id_}",
        kind=StepKind.STEP,
        status=StepStatus.RUNNING if parallel else StepStatus.UNKNOWN,
        start_ns=None if near is None else ns(near.started_ms),
        provenance=Provenance.INFERRED,
        fields={"name": Provenance.INFERRED, "start_ns": Provenance.INFERRED},
        evidence=(
            Evidence(
                rule="gathered steps reserve their ids and are recorded when they end", facts=tuple(facts)
            ),
        ),
    )


def _frontier_step(index: Index) -> Step:
    id_, run = index.last_id + 1, index.story.run
    given_up = run.status == rows.EXHAUSTED
    return Step(
        id=str(id_),
        name=f"step {id_}",
        kind=StepKind.STEP,
        status=StepStatus.UNKNOWN if given_up else StepStatus.RUNNING,
        start_ns=ns(progress_ms(index)),
        end_ns=ns(run.completed_ms) if given_up else None,
        detail="its name is not recorded before it ends",
        provenance=Provenance.INFERRED,
        fields={"name": Provenance.INFERRED, "start_ns": Provenance.INFERRED},
        evidence=(frontier_evidence(index),),
    )


def frontier_evidence(index: Index) -> Evidence:
    """Why something is believed to run after the last row."""
    last = f"the last recorded step is {index.last_id}" if index.last_id else "no step is recorded"
    facts = [f"the run is {index.story.run.status}", last]
    facts.append(f"step {index.last_id + 1}, or code before it, has not ended")
    return Evidence(rule="a step has no row while it runs", facts=tuple(facts))
