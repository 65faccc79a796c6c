"""The order of a run's events. DBOS records steps, not events, so the order is rebuilt from recorded facts.

Positions are counted when a run is read. While a run is followed, new events are appended, never inserted: a
gathered step that ended later than its neighbours keeps its own times, but its start then stands after theirs;
reading the run again puts it where its times say. Rows that vanish or change make the tail yield Restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine_bridge.codes import NONE
from engine_bridge.engines.dbos.history_rows import RawStep
from engine_bridge.engines.dbos.steps_names import SLEEP
from engine_bridge.format import duration
from engine_bridge.model import EventKind, Failure, PayloadRef, Provenance, RunRef, StepStatus

ORDER_DOC: Final = (
    "Rebuilt: DBOS keeps one row for each finished step, not a history. Events are ordered by the recorded start "
    "and end times of the steps, ties by step id; a step starts before it ends. Where the order in which rows were "
    "written contradicts their times (clocks of different workers), the order of writing wins, and a note says so. "
    "The run's creation and start come first, its end after its own steps. A live run appends what it learns."
)

# Gathered steps wait for SQLite's write lock in any order; only more than this is a clock's fault.
_TOLERANCE_MS: Final = 2_000

SortKey = tuple[int, int, int, int, int]
FIRST, BODY, LAST, AFTER = range(4)


class Draft(NamedTuple):
    """An event before it has a position. ``key`` identifies it between two readings of the run."""

    sort: SortKey
    key: str
    kind: EventKind
    name: str
    time_ns: int | None = None
    step_id: str | None = None
    step_name: str | None = None
    status: StepStatus | None = None
    run_code: int = NONE
    provenance: Provenance = Provenance.RECORDED
    detail: str = ""
    payloads: tuple[PayloadRef, ...] = ()
    failure: Failure | None = None
    ref: RunRef | None = None
    facts: tuple[str, ...] = ()
    failed_step: str | None = None


class Clock:
    """Sort keys of a run's events: the stretch of consistent clocks that a step belongs to, then its time.

    A missing time is that of the steps before it. ``notes`` says where times go back.
    """

    def __init__(self, rows: Sequence[RawStep]) -> None:
        self.notes: list[str] = []
        self._segments = self._find_segments(rows)
        self.last_segment = max(self._segments.values(), default=0)
        self._known: dict[int, int] = {}
        front = 0
        for row in rows:
            front = max((t for t in (row.started_ms, row.completed_ms) if t is not None), default=front)
            self._known[row.id] = front

    def key(self, id_: int, time_ms: int | None, phase: int, *, rank: int = BODY) -> SortKey:
        """The place of an event of step ``id_``; without a time, that of the steps before it."""
        time = self._known.get(id_, 0) if time_ms is None else time_ms
        return (rank, self._segments.get(id_, self.last_segment), time, id_, phase)

    def _find_segments(self, rows: Sequence[RawStep]) -> dict[int, int]:
        timed = [row for row in rows if row.written is not None and row.started_ms is not None]
        found: dict[int, int] = {}
        segment, front = 0, None
        for row in sorted(timed, key=lambda r: (r.written or 0, r.id)):
            start, end = row.started_ms or 0, _written_ms(row)
            if front is not None and end + _TOLERANCE_MS < front:
                segment += 1
                self._note(row, front - end)
                front = start
            front = start if front is None else max(front, start)
            found[row.id] = segment
        return found

    def _note(self, row: RawStep, gap_ms: int) -> None:
        if len(self.notes) < 3:
            gap = duration(gap_ms * 1_000_000)
            self.notes.append(
                f"Times go back by {gap} at step {row.id}: the clocks of two workers differ. "
                "The order here is that in which the rows were written."
            )


def _written_ms(row: RawStep) -> int:
    """When the row was written, by its worker's clock: a sleep's when it began, any other's when it ended."""
    if row.name == SLEEP or row.completed_ms is None:
        return row.started_ms or 0
    return row.completed_ms
