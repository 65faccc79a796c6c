"""Groups the events of one history into steps, batch by batch: for whole files, pages and tails alike.

Positions are event ids. A step's id is the id of the event that began it, in decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from sys import intern
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME, NONE, STEP_STATUSES, code
from engine_bridge.engines.temporal import group_types as types
from engine_bridge.engines.temporal.events import NUMBERS, TYPES, UNKNOWN, Heads
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.group_facts import PendingActivity, PendingNexus
from engine_bridge.engines.temporal.group_types import Role
from engine_bridge.history import ATTEMPT_COLUMNS, EVENT_COLUMNS, STEP_COLUMNS, Batch, Columns, empty_columns
from engine_bridge.model import EventKind, Provenance, Run, RunRef, StepKind, StepStatus

Ints = NDArray[np.int64]

_ENDED: Final = np.array([status.closed for status in STEP_STATUSES] + [False] * (256 - len(STEP_STATUSES)))
_BAD: Final = np.array([status.bad for status in STEP_STATUSES] + [False] * (256 - len(STEP_STATUSES)))
_CANCELLED: Final = code(StepStatus.CANCELLED)
_RETRYING: Final = code(StepStatus.RETRYING)
_RUNNING: Final = code(StepStatus.RUNNING)
_WAITING: Final = code(StepStatus.WAITING)
_INFERRED: Final = code(Provenance.INFERRED)
_STEP: Final = code(StepKind.STEP)
_STARTED: Final = NUMBERS["ActivityTaskStarted"]
_TASKS: Final = (NUMBERS["WorkflowTaskScheduled"], NUMBERS["WorkflowTaskFailed"])
_ANSWERED: Final = NUMBERS["WorkflowTaskCompleted"]
_OPERATOR: Final = code(EventKind.OPERATOR)
_PAUSED: Final = NUMBERS["WorkflowExecutionPaused"]


class Closed(msgspec.Struct, frozen=True, array_like=True):
    """How the run ended: the closing event's id, type and time (None when not recorded)."""

    id: int
    type: str
    time_ns: int | None


class StepRecord(msgspec.Struct, frozen=True, array_like=True):
    """What ``decode_step`` makes a Step of: its events as recorded, and what is known beside them.

    Records of events are tuples: (the event as recorded, the name of its step, the run), and the id of its step where
    the event itself does not name that.

    ``closed``: how the run ended while this step was open; ``parent``: the step whose handler issued it; ``namespace``:
    that of the run, "" where it is not known.
    """

    ref: RunRef
    id: int
    name: str
    events: tuple[Any, ...]
    closed: Closed | None = None
    pending: PendingActivity | PendingNexus | None = None
    parent: str | None = None
    namespace: str = ""


class Grouper:
    """The steps of one run as its events come. Belongs to one thread at a time.

    Call ``add`` with events (ids that rise; others are counted in ``skipped``, not in ``taken``), then ``batch`` for
    all that is new since the last batch. ``first`` and ``closing`` are the records of those events, for the header.
    With ``recall``, which gives the records of event ids, those of steps are kept there and not here. ``namespace`` is
    the run's, "" where it is not known.
    """

    def __init__(
        self,
        ref: RunRef,
        recall: Callable[[Sequence[int]], tuple[Any, ...]] | None = None,
        namespace: str = "",
    ) -> None:
        self.ref = ref
        self.namespace = namespace
        self._recall = recall
        self.last_id = 0
        self.last_ns: int | None = None
        self.skipped = self.taken = 0
        self.unknown: dict[str, int] = {}
        self.closed: Closed | None = None
        self.first: Any = None
        self.closing: Any = None
        self.task: tuple[str, int, int | None] | None = (
            None  # the last event of a workflow task: type, id, time
        )
        self.began_ns: int | None = None  # when its first workflow task was scheduled
        self.greeted: Any = None  # the record of the first completed workflow task, which names the SDK
        self.answered: Any = None  # that of the last one
        self.reset: Any = None  # the record of the reset that made this run
        self.paused: Any = None  # the record of the pause that is in force
        self.step_ids: list[int] = []
        self.step_names: list[str] = []
        self._held: list[tuple[Any, ...]] = []  # by step, its events' records, or their ids with ``recall``
        self.columns = empty_columns(STEP_COLUMNS)
        self._tries = np.zeros(0, np.int32)
        self._began = np.zeros(0, np.int64)
        self._head_ids = np.zeros(0, np.int64)
        self._head_rows = np.zeros(0, np.int64)
        self._orphans: dict[int, int] = {}
        self._causes: dict[str, int] = {}
        self._parents: dict[int, int] = {}
        self._name_of: dict[tuple[str, int], int] = {}
        self._fresh_names: list[str] = []
        self._touched: list[Ints] = []
        self._told: list[tuple[Columns, list[Any]]] = []
        self._pending: dict[int, PendingActivity | PendingNexus] = {}

    def __len__(self) -> int:
        return len(self.step_ids)

    def open_rows(self) -> list[int]:
        """Rows of the steps that have not ended, in the order in which they began."""
        rows: list[int] = np.flatnonzero(~_ENDED[self.columns["status"]]).tolist()
        return rows

    def failed_rows(self) -> list[int]:
        """Rows of the steps that failed or timed out."""
        rows: list[int] = np.flatnonzero(_BAD[self.columns["status"]]).tolist()
        return rows

    def rows_of(self, kind: StepKind) -> list[int]:
        """Rows of the steps of a kind."""
        rows: list[int] = np.flatnonzero(self.columns["kind"] == code(kind)).tolist()
        return rows

    def ended(self, *kinds: StepKind) -> int:
        """How many steps of some kinds have ended."""
        wanted = np.isin(self.columns["kind"], [code(kind) for kind in kinds])
        return int(np.count_nonzero(wanted & _ENDED[self.columns["status"]]))

    def add(self, heads: Heads) -> None:
        """Takes further events."""
        heads = self._rising(heads)
        if not len(heads):
            return
        role = types.ROLE[heads.type]
        begins = np.flatnonzero((role == Role.HEAD) | (role == Role.ALONE))
        rows = np.full(len(heads), -1, np.int64)
        rows[begins] = len(self) + np.arange(len(begins))
        self._begin(heads, begins, rows[begins])
        for i, key in heads.answers.items():
            self._causes[key] = int(rows[i])
        follows = np.flatnonzero(role == Role.FOLLOWER)
        rows[follows] = self._heads_of(heads, follows)
        self._continue(heads, rows, role)
        self._note_run(heads)
        self._parent(heads, rows)
        self._members(heads, rows)
        self._told.append((self._event_columns(heads, rows), self._event_records(heads, rows)))
        self._touched.append(rows[rows >= 0])

    def _rising(self, heads: Heads) -> Heads:
        """Without the events whose ids do not rise: those were told already, or are damaged."""
        highest = np.maximum.accumulate(np.concatenate(([self.last_id], heads.id)))
        keep = heads.id > highest[:-1]
        if not keep.all():
            self.skipped += int((~keep).sum())
            heads = heads.pick(np.flatnonzero(keep))
        if len(heads):
            self.last_id, self.taken = int(heads.id[-1]), self.taken + len(heads)
            if self.first is None:
                self.first = heads.record[0]
        return heads

    def _begin(self, heads: Heads, at: Ints, rows: Ints) -> None:
        if not len(at):
            return
        type_, time = heads.type[at], heads.time[at]
        kind = np.where(heads.kind[at] != NONE, heads.kind[at], types.STEP_KIND[type_])
        steps = self._grow(len(at))
        steps["kind"][rows] = kind
        steps["start_ns"][rows] = time
        planned = heads.planned[at]
        steps["planned_end_ns"][rows] = np.where((planned > 0) & (time != NO_TIME), time + planned, NO_TIME)
        names = heads.name
        ids, called = heads.id[at].tolist(), [intern(names.get(i, "")) for i in at.tolist()]
        steps["name"][rows] = [self._name(name, k) for name, k in zip(called, kind.tolist(), strict=True)]
        steps["first"][rows] = ids
        self.step_ids += ids
        self.step_names += called
        self._held += [()] * len(ids)
        self._head_ids = np.concatenate((self._head_ids, heads.id[at]))
        self._head_rows = np.concatenate((self._head_rows, rows))
        for i, (start, end) in heads.worker.items():
            row = rows[int(np.searchsorted(at, i))]
            steps["start_ns"][row], steps["end_ns"][row] = start, end

    def _grow(self, more: int) -> Columns:
        fresh = empty_columns(STEP_COLUMNS, more)
        for name in ("start_ns", "end_ns", "planned_end_ns"):
            fresh[name][:] = NO_TIME
        fresh["parent"][:] = -1
        self.columns = {name: np.concatenate((old, fresh[name])) for name, old in self.columns.items()}
        self._tries = np.concatenate((self._tries, np.zeros(more, np.int32)))
        self._began = np.concatenate((self._began, np.full(more, NO_TIME, np.int64)))
        return self.columns

    def _name(self, name: str, kind: int) -> int:
        # By kind too, as in BatchBuilder: a signal and the activity of the same name have lanes of their own.
        found = self._name_of.get((name, kind))
        if found is None:
            found = self._name_of[name, kind] = len(self._name_of)
            self._fresh_names.append(name)
        return found

    def _heads_of(self, heads: Heads, at: Ints) -> Ints:
        links = heads.link[at]
        place = np.searchsorted(self._head_ids, links)
        inside = np.minimum(place, max(len(self._head_ids) - 1, 0))
        found = np.full(len(at), -1, np.int64)
        if len(self._head_ids):
            hit = self._head_ids[inside] == links
            found[hit] = self._head_rows[inside[hit]]
        for i in np.flatnonzero(found < 0).tolist():
            found[i] = self._orphan(heads, int(at[i]))
        return found

    def _orphan(self, heads: Heads, i: int) -> int:
        """The row of a step whose first event is not in this history, or is not named: older servers name an update."""
        named = self._causes.get(heads.cause.get(i, ""))
        if named is not None and not heads.link[i]:
            return named
        link = int(heads.link[i]) or int(heads.id[i])
        if link in self._orphans:
            return self._orphans[link]
        row = self._orphans[link] = len(self)
        steps = self._grow(1)
        kind = int(types.STEP_KIND[heads.type[i]])
        name = heads.name.get(i) or "begun before these events"
        steps["kind"][row], steps["name"][row] = kind, self._name(name, kind)
        steps["first"][row], steps["provenance"][row] = heads.id[i], _INFERRED
        self.step_ids.append(link)
        self.step_names.append(name)
        self._held.append(())
        return row

    def _continue(self, heads: Heads, rows: Ints, role: NDArray[np.uint8]) -> None:
        steps, inside = self.columns, rows >= 0
        # numpy assigns repeated indices in order, so the last event of a step wins.
        steps["last"][rows[inside]] = heads.id[inside]
        status = self._step_status(heads)
        says = inside & (status != NONE)
        steps["status"][rows[says]] = status[says]
        ends = says & _ENDED[status]
        for i in heads.worker:
            ends[i] = False  # its end is the worker's own
        steps["end_ns"][rows[ends]] = heads.time[ends]
        begun = inside & (heads.type == _STARTED)
        self._tries[rows[begun]] = heads.attempt[begun]
        self._began[rows[begun]] = heads.time[begun]

    @staticmethod
    def _step_status(heads: Heads) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = np.where(heads.status != NONE, heads.status, types.STEP_STATUS[heads.type])
        return found

    def _note_run(self, heads: Heads) -> None:
        known = heads.time[heads.time != NO_TIME]
        if len(known):
            self.last_ns = max(int(known.max()), self.last_ns or int(known.max()))
        tasks = np.flatnonzero((heads.type >= _TASKS[0]) & (heads.type <= _TASKS[1]))
        if len(tasks):
            if self.task is None:
                self.began_ns = self._fact(heads, int(tasks[0]))[2]
            self.task = self._fact(heads, int(tasks[-1]))
            done = tasks[heads.type[tasks] == _ANSWERED]
            if len(done):
                self.answered = heads.record[int(done[-1])]
                self.greeted = heads.record[int(done[0])] if self.greeted is None else self.greeted
        resets = np.flatnonzero((heads.type == _TASKS[1]) & (heads.event == _OPERATOR))
        self.reset = heads.record[int(resets[-1])] if len(resets) else self.reset
        pauses = np.flatnonzero((heads.type == _PAUSED) | (heads.type == _PAUSED + 1))
        if len(pauses):
            last = int(pauses[-1])
            self.paused = heads.record[last] if heads.type[last] == _PAUSED else None
        closing = np.flatnonzero(types.CLOSING[heads.type])
        if len(closing):
            last = int(closing[-1])
            type_, id_, time_ns = self._fact(heads, last)
            self.closed, self.closing = Closed(id_, type_, time_ns), heads.record[last]
        for i in np.flatnonzero(heads.type == UNKNOWN).tolist():
            name = heads.name.get(i, "?")
            self.unknown[name] = self.unknown.get(name, 0) + 1

    @staticmethod
    def _fact(heads: Heads, i: int) -> tuple[str, int, int | None]:
        time = int(heads.time[i])
        return TYPES[int(heads.type[i])], int(heads.id[i]), None if time == NO_TIME else time

    def _parent(self, heads: Heads, rows: Ints) -> None:
        for i, key in heads.cause.items():
            parent, row = self._cause_row(key), int(rows[i])
            if row >= 0 and parent is not None and parent != row and row not in self._parents:
                self._parents[row] = parent
                self.columns["parent"][row] = parent

    def _cause_row(self, key: str) -> int | None:
        if not key.startswith("event "):
            return self._causes.get(key)
        at = int(np.searchsorted(self._head_ids, int(key[6:])))
        same = at < len(self._head_ids) and self._head_ids[at] == int(key[6:])
        return int(self._head_rows[at]) if same else None

    def _members(self, heads: Heads, rows: Ints) -> None:
        inside = np.flatnonzero(rows >= 0)
        order = inside[np.argsort(rows[inside], kind="stable")]
        if not len(order):
            return
        mine = rows[order]
        cuts = np.flatnonzero(np.diff(mine, prepend=-1))
        held = [heads.record[i] for i in order.tolist()] if self._recall is None else heads.id[order].tolist()
        bounds = [*cuts.tolist(), len(order)]
        for row, start, end in zip(mine[cuts].tolist(), bounds, bounds[1:], strict=False):
            self._held[row] += tuple(held[start:end])

    def members(self, row: int) -> tuple[Any, ...]:
        """The records of a step's events."""
        return self._held[row] if self._recall is None else self._recall(self._held[row])

    def _event_columns(self, heads: Heads, rows: Ints) -> Columns:
        columns = empty_columns(EVENT_COLUMNS, len(heads))
        columns["position"], columns["time_ns"], columns["step"] = heads.id, heads.time, rows.astype(np.int32)
        columns["kind"] = np.where(heads.event != NONE, heads.event, types.EVENT_KIND[heads.type])
        columns["step_status"] = np.where(rows >= 0, self._step_status(heads), NONE).astype(np.uint8)
        columns["run_status"] = types.RUN_STATUS[heads.type]
        columns["attempt"] = heads.attempt
        return columns

    def _event_records(self, heads: Heads, rows: Ints) -> list[Any]:
        names, ref = [*self.step_names, ""], self.ref  # the last one is that of row -1
        found: list[Any] = [
            (record, names[row], ref) for record, row in zip(heads.record, rows.tolist(), strict=True)
        ]
        unnamed = (rows >= 0) & (heads.link == 0) & (types.ROLE[heads.type] == Role.FOLLOWER)
        for i in np.flatnonzero(unnamed).tolist():
            found[i] = (*found[i], str(self.step_ids[int(rows[i])]))
        return found

    def set_pending(self, activities: Iterable[PendingActivity], nexus: Iterable[PendingNexus] = ()) -> None:
        """What is under way now; steps whose facts changed go into the next batch."""
        fresh: dict[int, PendingActivity | PendingNexus] = {}
        by_id: dict[str, int] | None = None
        both: list[PendingActivity | PendingNexus] = [*activities, *nexus]
        for one in both:
            row = self._cause_row(f"event {one.scheduled_event_id}")
            if row is None and isinstance(one, PendingActivity):
                by_id = self._open_activities() if by_id is None else by_id
                row = by_id.get(one.activity_id)
            if row is not None:
                fresh[row] = one
        changed = [
            row for row in fresh.keys() | self._pending.keys() if fresh.get(row) != self._pending.get(row)
        ]
        for row in changed:  # events tell of attempts when they are over
            self._tries[row] = getattr(fresh.get(row), "attempt", None) or self._tries[row]
        self._pending = fresh
        self._touched.append(np.array(sorted(changed), np.int64))

    def _open_activities(self) -> dict[str, int]:
        kinds = self.columns["kind"]
        rows = [row for row in self.open_rows() if kinds[row] == _STEP and self._held[row]]
        return {str(event_of(self.members(row)[0]).attributes.get("activityId")): row for row in rows}

    def batch(self, run: Run | None = None, **more: Any) -> Batch:
        """All that is new since the last batch. ``more`` goes to Batch (total, engine_now_ns, notes)."""
        told, self._told = self._told, []
        touched, self._touched = self._touched, []
        rows = self._changed(touched)
        names, self._fresh_names = self._fresh_names, []
        events = {
            name: np.concatenate([columns[name] for columns, _ in told]) if told else np.zeros(0, dtype)
            for name, dtype in EVENT_COLUMNS.items()
        }
        return Batch(
            run=run,
            events=events,
            event_records=[record for _, records in told for record in records],
            steps=self._step_columns(rows),
            step_rows=rows,
            step_records=self._step_records(rows),
            step_ids=[str(self.step_ids[row]) for row in rows.tolist()],
            attempts=self._attempts(rows),
            names=names,
            **more,
        )

    def _changed(self, touched: list[Ints]) -> Ints:
        if self.closed is not None:
            # The end of the run ends what was open.
            touched = [*touched, np.flatnonzero(~_ENDED[self.columns["status"]])]
        mark = np.zeros(len(self), bool)
        for rows in touched:
            mark[rows] = True
        return np.flatnonzero(mark)

    def _step_columns(self, rows: Ints) -> Columns:
        steps = {name: column[rows] for name, column in self.columns.items()}
        is_open = ~_ENDED[steps["status"]]
        if self.closed is not None:
            steps["status"][is_open] = _CANCELLED
            steps["end_ns"][is_open] = NO_TIME if self.closed.time_ns is None else self.closed.time_ns
        elif self._pending:
            for i in np.flatnonzero(is_open).tolist():
                one = self._pending.get(int(rows[i]))
                if one is not None:
                    steps["status"][i] = pending_status(one)
                    due = pending_due(one)
                    steps["planned_end_ns"][i] = steps["planned_end_ns"][i] if due is None else due
        return steps

    def _step_records(self, rows: Ints) -> list[Any]:
        return [self.record(row) for row in rows.tolist()]

    def record(self, row: int) -> StepRecord:
        """The record of a step."""
        parent = self._parents.get(row)
        return StepRecord(
            self.ref,
            self.step_ids[row],
            self.step_names[row],
            self.members(row),
            self.closed if self.closed is not None and not _ENDED[self.columns["status"][row]] else None,
            self._pending.get(row),
            None if parent is None else str(self.step_ids[parent]),
            self.namespace,
        )

    def _attempts(self, rows: Ints) -> Columns:
        """The attempt that the history holds of each step, which is the last one; of pending ones the present one."""
        tried = rows[self._tries[rows] > 0]
        columns = empty_columns(ATTEMPT_COLUMNS, len(tried))
        columns["step"], columns["number"] = tried.astype(np.int32), self._tries[tried]
        columns["start_ns"], columns["end_ns"] = self._began[tried], self.columns["end_ns"][tried]
        columns["status"] = self.columns["status"][tried]
        return columns


def pending_status(one: PendingActivity | PendingNexus) -> int:
    """The status code of a step that is under way."""
    if one.state in ("paused", "pause_requested", "blocked"):
        return _WAITING
    if one.state in ("started", "cancel_requested"):
        return _RUNNING
    if (one.attempt or 1) > 1:
        return _RETRYING
    return code(StepStatus.SCHEDULED)


def pending_due(one: PendingActivity | PendingNexus) -> int | None:
    """When the next attempt of a step that backs off is due."""
    return one.next_attempt_ns if one.state in ("scheduled", "backing_off") else None
