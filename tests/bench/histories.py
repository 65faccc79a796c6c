"""Histories of any size for benchmarks and tests: made from columns, in a moment, from a seed."""

from __future__ import annotations

import msgspec
import numpy as np

from engine_bridge.codes import NO_TIME, NONE, code
from engine_bridge.history import EVENT_COLUMNS, STEP_COLUMNS, Batch, History, empty_columns
from engine_bridge.model import EventKind, Provenance, Run, RunRef, Status, Step, StepKind, StepStatus

S = 1_000_000_000
T0 = 1_800_000_000 * S
LENGTH = 10_000 * S
_RECORD = msgspec.msgpack.encode(
    Step(
        id="1",
        name="charge_card",
        kind=StepKind.STEP,
        status=StepStatus.COMPLETED,
        start_ns=T0,
        end_ns=T0 + S,
    )
)
_STATUSES = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED)


def make_batches(
    steps: int,
    *,
    names: int = 40,
    burst: bool = False,
    failures: float = 0.02,
    seed: int = 0,
    size: int = 2_000,
) -> list[Batch]:
    """Steps on about ``names`` lanes over 10,000 s, two events each, in batches of ``size``.

    ``burst``: nine tenths of them within 0.02 % of the time.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, LENGTH, steps)
    if burst:
        dense = rng.random(steps) < 0.9
        start[dense] = LENGTH // 2 + rng.integers(0, LENGTH // 5_000, int(dense.sum()))
    start.sort()
    # Names take turns and a step ends before the next of its name, so that each name is one lane.
    start = np.maximum.accumulate(start + np.arange(steps))
    following = np.append(start[names:], np.full(min(names, steps), start[-1] + LENGTH // steps * names))
    end = start + ((following - start) * rng.uniform(0.3, 0.95, steps)).astype(np.int64)
    status = rng.choice([code(s) for s in _STATUSES], steps, p=[0.97 - failures, failures, 0.03])
    columns = empty_columns(STEP_COLUMNS, steps)
    values = {
        "start_ns": start + T0,
        "end_ns": end + T0,
        "planned_end_ns": NO_TIME,
        "status": status,
        "name": np.arange(steps) % names,
        "provenance": code(Provenance.RECORDED),
        "parent": -1,
        "first": np.arange(steps) * 2 + 1,
        "last": np.arange(steps) * 2 + 2,
    }
    for name, value in values.items():
        columns[name][:] = value
    batches = [_batch(columns, a, min(a + size, steps)) for a in range(0, steps, size)]
    batches[0].names = [f"activity_{i}" for i in range(names)]
    batches[0].run = _run(int(start[0]) + T0)
    batches[-1].engine_now_ns = int(end.max()) + T0
    return batches


def _batch(columns: dict[str, np.ndarray], a: int, b: int) -> Batch:
    events = empty_columns(EVENT_COLUMNS, 2 * (b - a))
    events["position"][:] = np.arange(2 * a, 2 * b) + 1
    events["time_ns"][:] = np.stack([columns["start_ns"][a:b], columns["end_ns"][a:b]], 1).reshape(-1)
    events["kind"][:] = np.tile([code(EventKind.STEP_STARTED), code(EventKind.STEP_COMPLETED)], b - a)
    events["step"][:] = np.repeat(np.arange(a, b), 2)
    running = np.full(b - a, code(StepStatus.RUNNING))
    events["step_status"][:] = np.stack([running, columns["status"][a:b]], 1).reshape(-1)
    events["run_status"][:] = NONE
    return Batch(
        events=events,
        event_records=[b""] * (2 * (b - a)),
        steps={name: column[a:b] for name, column in columns.items()},
        step_rows=np.arange(a, b),
        step_records=[_RECORD] * (b - a),
    )


def _run(start_ns: int) -> Run:
    return Run(
        ref=RunRef("workflow", "big", "big"),
        id="big",
        type="import_catalog",
        status=Status.RUNNING,
        engine_status="PENDING",
        engine="fake",
        created_ns=start_ns,
        started_ns=start_ns,
    )


def make_history(steps: int, **options: object) -> History:
    """All batches in one History."""
    history = History()
    for batch in make_batches(steps, size=max(steps, 1), **options):
        history.append(batch)
    return history
