"""Hand-made traces and histories: a workflow of one file, with a helper, a gathered part and a wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_bridge.codes import NONE
from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Event, EventKind, Run, RunRef, Status, Step, StepKind, StepStatus
from engine_bridge.replay.model import (
    Divergence,
    Drift,
    End,
    Frame,
    LineHit,
    Now,
    Outcome,
    Place,
    Task,
    TraceStep,
)
from engine_bridge.replay.trace import Trace

SOURCE = '''"""Orders."""


def helper(order):
    total = order["total"]
    return total * 2


def fulfil(order):
    reserve(order)
    total = helper(order)
    charge(total)
    decision = recv("approval")
    if decision:
        ship(order)
'''
NAMES = ("reserve", "charge", "recv")
LINES = (10, 12, 13)
ENGINE = "/lib/engine/core.py"


def write(folder: Path, text: str = SOURCE) -> str:
    """The source file of the traces."""
    path = folder / "orders.py"
    path.write_text(text, "utf-8")
    return str(path)


def history(names: tuple[str, ...] = NAMES) -> History:
    """Two events a step (positions 2n-1 and 2n); the last step has only begun."""
    builder, made = BatchBuilder(), History()
    run = Run(
        ref=RunRef("workflow", "", "run-1"),
        id="run-1",
        type="fulfil",
        status=Status.RUNNING,
        engine_status="PENDING",
        engine="toy",
    )
    events, steps = [], []
    for n, name in enumerate(names):
        last = n == len(names) - 1
        status = StepStatus.WAITING if last else StepStatus.COMPLETED
        steps.append(Step(id=str(n + 1), name=name, kind=StepKind.STEP, status=status, start_ns=n * 1000 + 1))
        events.append((_event(2 * n + 1, EventKind.STEP_STARTED, name, str(n + 1)), NONE))
        if not last:
            events.append((_event(2 * n + 2, EventKind.STEP_COMPLETED, name, str(n + 1)), NONE))
    made.append(builder.build(run, events, steps))
    return made


def _event(position: int, kind: EventKind, name: str, step_id: str) -> Event:
    return Event(position=position, kind=kind, name=name, step_id=step_id)


def frame(file: str, line: int, **values: Any) -> Frame:
    """A frame of the workflow with locals."""
    return Frame(file=file, line=line, function="fulfil", locals=tuple(values.items()))


def engine_frames(count: int) -> tuple[Frame, ...]:
    """Frames of the engine's library."""
    return tuple(Frame(file=ENGINE, line=n + 1, function=f"core{n}", kind="engine") for n in range(count))


def steps(file: str) -> list[TraceStep]:
    """Three steps; the last is not recorded yet."""
    order = {"t": "dict", "n": 2, "m": [["id", "o1"], ["total", 21]]}
    grown = {"t": "dict", "n": 2, "m": [["id", "o1"], ["total", 42]]}
    locals_ = ({"order": order}, {"order": order, "total": 42}, {"order": grown, "total": 42})
    return [
        TraceStep(
            n=n,
            name=name,
            step_id=str(n + 1),
            recorded=None if n == 2 else name,
            stack=(*engine_frames(2), frame(file, LINES[n], **locals_[n]), *engine_frames(3)),
        )
        for n, name in enumerate(NAMES)
    ]


def now(file: str) -> Now:
    return Now(kind="waiting", what="recv", step_id="3", at=Place(file=file, line=13, function="fulfil"))


def trace(file: str, end: End | None = None, made: History | None = None) -> Trace:
    """A whole trace of a waiting run."""
    found = Trace("run-1")
    for step in steps(file):
        found.add(step, made or history())
    coverage = {file: {"10": 1, "11": 1, "5": 1, "6": 1, "12": 1, "13": 1}}
    found.end = end or End(outcome=Outcome.STOPPED, run_id="run-1", steps=3, now=now(file), coverage=coverage)
    return found


def lines(file: str) -> tuple[LineHit, ...]:
    """The lines on the way from reserve to charge: through the helper."""
    order = {"t": "dict", "n": 2, "m": [["id", "o1"], ["total", 21]]}
    return (
        LineHit(file=file, line=11, function="fulfil", changed=(("order", order),)),
        LineHit(file=file, line=5, function="helper", changed=(("order", order),)),
        LineHit(file=file, line=6, function="helper", changed=(("total", 21),)),
        LineHit(file=file, line=12, function="fulfil", changed=(("total", 42),)),
    )


def diverged(file: str) -> End:
    """Code that charges where the history has recv."""
    found = Divergence(
        kind="other step",
        expected="recv",
        actual="ship",
        step_id="3",
        at=Place(file=file, line=15, function="fulfil"),
    )
    return End(outcome=Outcome.DIVERGED, run_id="run-1", steps=3, divergence=found)


def drifting(file: str) -> TraceStep:
    """A step that the engine passes although its input is another."""
    return TraceStep(
        n=1,
        name="charge",
        step_id="2",
        recorded="charge",
        stack=(frame(file, 12, total=43),),
        drift=(Drift(what="input", recorded=42, replayed=43),),
    )


def gathered(file: str, count: int) -> TraceStep:
    """A step whose line is known from one of many tasks."""
    tasks = tuple(
        Task(name=f"Task-{n}", frames=(frame(file, 5 + n % 10),), step_id=str(1 + n % 3))
        for n in range(count)
    )
    return TraceStep(n=0, name="charge", step_id="2", recorded="charge", tasks=tasks, via="task")
