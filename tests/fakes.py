"""An engine that exists in memory only: for tests of everything above the seam.

``FakeBridge`` holds a few hundred deterministic runs and a history for each; it is picklable by factory,
so it runs in a thread and in a child process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine_bridge.bridge import (
    Bridge,
    Bucket,
    Capability,
    Changes,
    Cost,
    DurationPoint,
    Facets,
    FailureRow,
    Field,
    FieldType,
    Page,
    Relation,
    Relations,
    Resource,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.codes import NONE, code
from engine_bridge.errors import NotFoundError
from engine_bridge.history import Batch, BatchBuilder, Restart
from engine_bridge.model import (
    Attempt,
    Blocked,
    Event,
    EventKind,
    Evidence,
    Failure,
    PayloadRef,
    Provenance,
    Run,
    RunRef,
    Status,
    Step,
    StepKind,
    StepStatus,
)

S = 1_000_000_000
T0 = 1_800_000_000 * S
NOW = T0 + 3_600 * S
TYPES = ("fulfil_order", "import_catalog", "send_invoice", "research_agent")
STATES = (Status.COMPLETED, Status.FAILED, Status.RUNNING, Status.COMPLETED, Status.QUEUED, Status.CANCELLED)


def ref(run_id: str) -> RunRef:
    return RunRef("workflow", run_id, run_id)


def make_run(i: int) -> Run:
    status = STATES[i % len(STATES)]
    created = T0 + i * 10 * S
    started = None if status is Status.QUEUED else created + S
    failed = status is Status.FAILED
    return Run(
        ref=ref(f"run-{i:04d}"),
        id=f"run-{i:04d}",
        type=TYPES[i % len(TYPES)],
        status=status,
        engine_status=status.value.upper(),
        engine="fake",
        created_ns=created,
        started_ns=started,
        ended_ns=started + (i % 50 + 1) * S if started and status.closed else None,
        updated_ns=created + 2 * S,
        queue="orders" if i % 3 == 0 else None,
        version="v2" if i % 2 else "v1",
        attempts=None,
        steps_done=4,
        now="CardDeclined: insufficient funds" if failed else "",
        error="CardDeclined: insufficient funds" if failed else None,
        failure=Failure(type="CardDeclined", message="insufficient funds") if failed else None,
        blocked_on=_blocked(created) if status is Status.RUNNING else None,
        input=PayloadRef(key=f"in:{i}", label="input", encoding="json", size=20),
        attributes={"tenant": "acme" if i % 2 else "globex"},
        extra={"executor": "local"},
    )


def _blocked(created: int) -> Blocked:
    return Blocked(
        kind="signal",
        what="signal approve_order",
        since_ns=created + 5 * S,
        until_ns=created + 3_605 * S,
        step_id="4",
        evidence=(Evidence(rule="a time-out row without a result row", facts=("step 4 has no row",)),),
    )


Drafts = list[tuple[Event, int]]


def make_history(run: Run) -> tuple[Drafts, list[Step]]:
    """Four steps: a plain one, a retried one, a child, and a last one that fails, waits or completes."""
    t = run.started_ns or run.created_ns or T0
    events: Drafts = []
    waiting = run.status is Status.RUNNING
    names = ("validate_order", "charge_card", "fraud_check", "approval" if waiting else "create_shipment")
    steps = [make_step(run, t, i, name) for i, name in enumerate(names, 1)]
    _add(events, EventKind.RUN_STARTED, t, None, None, code(Status.RUNNING))
    for step in steps:
        began = StepStatus.WAITING if step.status is StepStatus.WAITING else StepStatus.RUNNING
        _add(events, EventKind.STEP_STARTED, step.start_ns or t, step, began)
        if step.status.closed:
            kind = EventKind.STEP_FAILED if step.status.bad else EventKind.STEP_COMPLETED
            _add(events, kind, step.end_ns or t, step, step.status, failure=step.failure)
    if run.status is Status.FAILED:
        _add(events, EventKind.RUN_FAILED, t + 5 * S, None, None, code(run.status), failure=run.failure)
    elif run.status is Status.COMPLETED:
        _add(events, EventKind.RUN_COMPLETED, t + 5 * S, None, None, code(run.status))
    elif run.status is Status.CANCELLED:
        _add(events, EventKind.RUN_CANCELLED, t + 5 * S, None, None, code(run.status))
    return events, steps


def make_step(run: Run, t: int, i: int, name: str) -> Step:
    """The ``i``-th step of a run that began at ``t``, counted from 1."""
    failed, waiting = i == 4 and run.status is Status.FAILED, i == 4 and run.status is Status.RUNNING
    start, end = t + i * S, t + i * S + S // 2
    status = StepStatus.FAILED if failed else StepStatus.WAITING if waiting else StepStatus.COMPLETED
    tries = _two_attempts(start, end) if i == 2 else ()
    return Step(
        id=str(i),
        name=name,
        kind=StepKind.CHILD if i == 3 else StepKind.SIGNAL_WAIT if waiting else StepKind.STEP,
        status=status,
        start_ns=start,
        end_ns=None if waiting else end,
        planned_end_ns=t + 3_600 * S if waiting else None,
        attempts=2 if tries else None,
        attempt_list=tries,
        failure=Failure(type="CardDeclined", message="insufficient funds", stack="Traceback\n  x")
        if failed
        else None,
        child=ref(f"{run.id}-child") if i == 3 else None,
        output=PayloadRef(key=f"out:{i}", label="output", encoding="json", size=12),
        provenance=Provenance.INFERRED if waiting else Provenance.RECORDED,
    )


def _two_attempts(start: int, end: int) -> tuple[Attempt, ...]:
    first = Attempt(
        number=1,
        status=StepStatus.FAILED,
        start_ns=start,
        end_ns=start + S // 10,
        failure=Failure(type="Timeout"),
    )
    return first, Attempt(number=2, status=StepStatus.COMPLETED, start_ns=start + S // 5, end_ns=end)


def _add(
    events: Drafts,
    kind: EventKind,
    at: int,
    step: Step | None,
    status: StepStatus | None,
    run_code: int = NONE,
    failure: Failure | None = None,
) -> None:
    event = Event(
        position=len(events) + 1,
        kind=kind,
        name=kind.value,
        time_ns=at,
        step_id=step.id if step else None,
        step_name=step.name if step else None,
        status=status,
        failure=failure,
    )
    events.append((event, run_code))


class FakeBridge(Bridge):
    """``runs`` many runs, newest first; ``delay_s`` makes every page call slow but cancellable."""

    engine = "fake"
    concurrent = True

    def __init__(self, runs: int = 300, delay_s: float = 0.0) -> None:
        self._runs = [make_run(i) for i in range(runs)][::-1]
        self._delay_s = delay_s
        self._mark = 0
        self.pending: list[Run] = []

    def open(self, cancel: CancelToken) -> SourceInfo:
        return SourceInfo(
            engine="fake",
            engine_title="Fake",
            title="fake",
            location="memory",
            order="positions are counted",
            capabilities=frozenset(Capability)
            - {Capability.ACTIONS, Capability.REPLAY, Capability.DEFINITION}
            - {
                Capability.CONFIG,
                Capability.POPULATION,
                Capability.WHAT_IF,
                Capability.DECODE,
                Capability.QUERIES,
            },
            resource_kinds=("queues", "versions"),
        )

    def close(self) -> None:
        self._runs = []

    def fields(self, cancel: CancelToken) -> list[Field]:
        return [
            Field(name="status", type=FieldType.STATUS, values=tuple(Status), cost=Cost.INDEXED),
            Field(name="type", type=FieldType.TEXT, values=TYPES),
            Field(name="id", type=FieldType.TEXT, cost=Cost.INDEXED),
            Field(name="created", type=FieldType.TIME, cost=Cost.INDEXED, sortable=True),
            Field(name="started", type=FieldType.TIME, sortable=True),
            Field(name="duration", type=FieldType.DURATION, sortable=True),
            Field(name="error", type=FieldType.TEXT, cost=Cost.DECODED),
            Field(name="attributes", type=FieldType.JSON, values=("tenant",)),
        ]

    def _matching(self, query: object) -> list[Run]:
        if query is None:
            return self._runs
        from engine_bridge.query.predicate import matches

        return [run for run in self._runs if matches(query, run, NOW)]

    def runs(self, query, sort: Sort, cursor, direction, limit: int, cancel: CancelToken) -> Page:
        cancel.wait(self._delay_s)
        cancel.raise_if_cancelled()
        rows = self._matching(query)
        if not sort.descending:
            rows = rows[::-1]
        at = int(cursor) if cursor is not None else (0 if direction == "forward" else len(rows))
        start, end = (at, at + limit) if direction == "forward" else (max(0, at - limit), at)
        return Page(
            items=tuple(rows[start:end]),
            before=str(start).encode() if start > 0 else None,
            after=str(end).encode() if end < len(rows) else None,
        )

    def anchors(self, query, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        return [str(i).encode() for i in range(0, len(self._matching(query)), every)]

    def count(self, query, cancel: CancelToken) -> int:
        return len(self._matching(query))

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        for run in self._runs:
            if run.ref == ref:
                return run
        raise NotFoundError(f"No run {ref}.", "It may have been deleted.")

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        return [run for run in self._runs if run.id.startswith(text)][:limit]

    def facets(self, query, buckets: int, cancel: CancelToken) -> Facets:
        rows = self._matching(query)
        by_status: dict[str, int] = {}
        by_type: dict[str, int] = {}
        cells: dict[int, dict[str, int]] = {}
        for run in rows:
            by_status[run.status] = by_status.get(run.status, 0) + 1
            by_type[run.type] = by_type.get(run.type, 0) + 1
            cell = cells.setdefault((run.created_ns or 0) // (60 * S) * 60 * S, {})
            cell[run.status] = cell.get(run.status, 0) + 1
        points = tuple(
            DurationPoint(ref=r.ref, start_ns=r.started_ns or 0, duration_ns=r.duration_ns, status=r.status)
            for r in rows
            if r.duration_ns is not None
        )
        return Facets(
            by_status=by_status,
            by_type=by_type,
            buckets=tuple(Bucket(start_ns=k, counts=v) for k, v in sorted(cells.items())),
            bucket_ns=60 * S,
            durations=points,
            total=len(rows),
        )

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        new, self.pending = self.pending, []
        self._runs = new[::-1] + self._runs
        self._mark += bool(new)
        return Changes(mark=str(self._mark).encode(), moved=bool(new), changed=tuple(new), new=len(new))

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        run = self.run(ref, cancel)
        events, steps = make_history(run)
        yield BatchBuilder().build(run, events, steps, total=len(events), engine_now_ns=NOW)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        while not cancel.wait(0.05):
            yield Batch(engine_now_ns=NOW)

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        data = b'{"key": "%s", "ok": true}' % key.encode()
        return data[offset:] if length < 0 else data[offset : offset + length]

    def failures(self, query, text: str, cursor, limit: int, cancel: CancelToken) -> Page:
        rows = [r for r in self._matching(query) if r.failure and text.lower() in (r.error or "").lower()]
        rows.sort(key=lambda run: run.ended_ns or 0, reverse=True)
        at = int(cursor or 0)
        items = tuple(
            FailureRow(
                ref=r.ref,
                run_type=r.type,
                time_ns=r.ended_ns,
                failure=r.failure,
                step_id="4",
                step_name="create_shipment",
                run_status=r.status,
            )
            for r in rows[at : at + limit]
            if r.failure
        )
        return Page(items=items, after=str(at + limit).encode() if at + limit < len(rows) else None)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        child = RunRef("workflow", f"{ref.run}-child", f"{ref.run}-child")
        return Relations(items=(Relation(role="child", run=None, ref=child, step_id="3"),))

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        return [
            Resource(kind=kind, id="orders", title="orders", cells={"depth": 3, "oldest_ns": T0}, warning="")
        ]

    def now_ns(self, cancel: CancelToken) -> int:
        return NOW + int(time.monotonic()) * 0
