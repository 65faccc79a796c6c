"""Small histories for tests of the run page, made by hand."""

from __future__ import annotations

from engine_bridge.codes import NONE, code
from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import (
    Attempt,
    Event,
    EventKind,
    Failure,
    Provenance,
    Run,
    RunRef,
    Status,
    Step,
    StepKind,
    StepStatus,
)
from tests import fakes

S = fakes.S
T0 = fakes.T0


def fake_history(index: int) -> tuple[Run, History]:
    """Run ``index`` of the fake engine with its whole history."""
    run, history = fakes.make_run(index), History()
    events, steps = fakes.make_history(run)
    history.append(BatchBuilder().build(run, events, steps, engine_now_ns=fakes.NOW))
    return run, history


def long_history(events: int, every: int = 10) -> tuple[Run, History]:
    """``events`` events of half as many steps; each ``every``-th step fails."""
    run = Run(
        ref=RunRef("workflow", "long", "long"),
        id="long",
        type="load_test",
        status=Status.COMPLETED,
        engine_status="DONE",
        engine="fake",
        started_ns=T0,
        ended_ns=T0 + events * S,
    )
    found: list[tuple[Event, int]] = []
    steps: list[Step] = []
    for i in range(events // 2):
        bad = i % every == every - 1
        end = StepStatus.FAILED if bad else StepStatus.COMPLETED
        start_ns, end_ns = T0 + 2 * i * S, T0 + (2 * i + 1) * S
        name = f"step_{i % 7}"
        steps.append(
            Step(id=str(i), name=name, kind=StepKind.STEP, status=end, start_ns=start_ns, end_ns=end_ns)
        )
        kinds = (
            (EventKind.STEP_STARTED, StepStatus.RUNNING, start_ns, f"item {i}"),
            (EventKind.STEP_FAILED if bad else EventKind.STEP_COMPLETED, end, end_ns, ""),
        )
        for kind, status, time_ns, detail in kinds:
            event = Event(
                position=len(found) + 1,
                kind=kind,
                name=kind.value,
                time_ns=time_ns,
                step_id=str(i),
                step_name=name,
                status=status,
                detail=detail,
                provenance=Provenance.INFERRED if i == 1 else Provenance.RECORDED,
            )
            found.append((event, NONE))
    history = History()
    history.append(BatchBuilder().build(run, found, steps))
    return run, history


def retried_history() -> tuple[Run, History]:
    """One step with three attempts, of which only the last has an event; the run waits for nothing."""
    failure = Failure(type="Timeout", message="after 5 s")
    tries = tuple(
        Attempt(
            number=n,
            status=StepStatus.FAILED,
            start_ns=T0 + n * S,
            end_ns=T0 + n * S + S // 2,
            failure=failure,
        )
        for n in (1, 2, 3)
    )
    step = Step(
        id="a",
        name="charge",
        kind=StepKind.STEP,
        status=StepStatus.FAILED,
        start_ns=T0 + S,
        end_ns=T0 + 4 * S,
        attempts=3,
        attempt_list=tries,
        failure=failure,
    )
    run = Run(
        ref=RunRef("workflow", "retried", "retried"),
        id="retried",
        type="pay",
        status=Status.FAILED,
        engine_status="ERROR",
        engine="fake",
        started_ns=T0,
        ended_ns=T0 + 5 * S,
        failure=failure,
    )
    rows = [
        (EventKind.RUN_STARTED, T0, None, None, code(Status.RUNNING)),
        (EventKind.STEP_STARTED, T0 + S, step, StepStatus.RUNNING, NONE),
        (EventKind.STEP_FAILED, T0 + 4 * S, step, StepStatus.FAILED, NONE),
        (EventKind.RUN_FAILED, T0 + 5 * S, None, None, code(Status.FAILED)),
    ]
    events = [
        (
            Event(
                position=i + 1,
                kind=kind,
                name=kind.value,
                time_ns=at,
                step_id=owner.id if owner else None,
                step_name=owner.name if owner else None,
                status=status,
                failure=failure if kind is EventKind.STEP_FAILED else None,
            ),
            run_status,
        )
        for i, (kind, at, owner, status, run_status) in enumerate(rows)
    ]
    history = History()
    history.append(BatchBuilder().build(run, events, [step]))
    return run, history
