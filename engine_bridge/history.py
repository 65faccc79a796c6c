"""History: one run's events and steps as numpy columns; objects are made only when looked at.

A bridge yields :class:`Batch` values (arrays and flat records, nothing else, so that they may cross a
process boundary); a :class:`History` takes them in order. Rows of steps are *upserts*: a later batch may
replace a step's row. Events are append-only and sorted by position. A History belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME, NONE, code, time_code
from engine_bridge.model import Event, Run, Step, StepKind

Ints = NDArray[np.int64]
BLOCK: Final = 256
"""Events in which :class:`Looker` looks for words at once."""


class Looker(Protocol):
    """Looks for words in the records of one history, which it is given in blocks, the last of which may grow."""

    def prepare(self, block: int, records: Sequence[Any]) -> None:
        """Notes what makes later looks at a block cheap; a look does so itself where it was not done."""

    def holding(self, block: int, records: Sequence[Any], words: Sequence[str]) -> list[int]:
        """Places of the records that hold every word, in any case, payloads in clear, escaped characters too."""


EVENT_COLUMNS: Final[dict[str, Any]] = {
    "position": np.int64,  # in the run's order, from 1, strictly rising
    "time_ns": np.int64,  # NO_TIME when not recorded
    "kind": np.uint8,  # codes of EventKind
    "step": np.int32,  # row of its step, -1 for the run itself
    "step_status": np.uint8,  # the step's status from here on; NONE: unchanged
    "run_status": np.uint8,  # the run's status from here on; NONE: unchanged
    "attempt": np.int32,  # 0: unknown
    "provenance": np.uint8,
}
STEP_COLUMNS: Final[dict[str, Any]] = {
    "start_ns": np.int64,
    "end_ns": np.int64,  # NO_TIME while open
    "planned_end_ns": np.int64,
    "kind": np.uint8,
    "status": np.uint8,
    "provenance": np.uint8,  # of the step's existence: inferred steps are drawn hatched
    "name": np.int32,  # index into History.names
    "first": np.int64,  # position of its first event
    "last": np.int64,  # position of its last event
    "parent": np.int32,  # row of the enclosing step, -1
}
ATTEMPT_COLUMNS: Final[dict[str, Any]] = {
    "step": np.int32,
    "number": np.int32,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "status": np.uint8,
}

Columns = dict[str, NDArray[Any]]

_encoder = msgspec.msgpack.Encoder()
_event_decoder = msgspec.msgpack.Decoder(Event)
_step_decoder = msgspec.msgpack.Decoder(Step)


def empty_columns(spec: dict[str, Any], rows: int = 0) -> Columns:
    """Zeroed columns of a given specification."""
    return {name: np.zeros(rows, dtype) for name, dtype in spec.items()}


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, rising. ``np.unique`` imports numpy.ma on its first call, which stalls a window for 30 ms."""
    ordered = np.sort(values)
    keep = np.ones(len(ordered), bool)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]


@dataclass(slots=True)
class Batch:
    """A piece of a history.

    ``events`` and ``steps`` follow EVENT_COLUMNS and STEP_COLUMNS; ``step_rows`` says which row each of
    ``steps`` is. ``event_records`` and ``step_records`` are flat values that the engine's decoders turn into an
    Event or a Step (bytes: msgpack of the struct, by default). ``names`` appends to the name table. ``run`` is the
    header as of this batch. ``total`` is the expected number of events, None when unknown. ``notes`` are
    things that the user must be told about this history (skew, rows that cannot be read).
    """

    run: Run | None = None
    events: Columns = field(default_factory=lambda: empty_columns(EVENT_COLUMNS))
    event_records: list[Any] = field(default_factory=list)
    steps: Columns = field(default_factory=lambda: empty_columns(STEP_COLUMNS))
    step_rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    step_records: list[Any] = field(default_factory=list)
    step_ids: list[str] = field(default_factory=list)  # of ``steps``, where they are known without decoding
    attempts: Columns = field(default_factory=lambda: empty_columns(ATTEMPT_COLUMNS))
    names: list[str] = field(default_factory=list)
    total: int | None = None
    engine_now_ns: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Restart:
    """The engine rewrote this history (a rewind or reset deleted rows): drop it and start over."""

    reason: str


def decode_event(record: bytes) -> Event:
    """The default event decoder: msgpack of an Event."""
    return _event_decoder.decode(record)


def decode_step(record: bytes) -> Step:
    """The default step decoder: msgpack of a Step."""
    return _step_decoder.decode(record)


class History:
    """The columns of one run's history, growing at the tail.

    ``events`` and ``steps`` map column names to arrays of exactly ``len(history)`` and ``n_steps`` rows
    (views; do not keep them across ``append``). ``version`` counts appends since the last ``clear``, ``epoch``
    counts clears.
    """

    def __init__(
        self,
        event_decoder: Callable[[Any], Event] = decode_event,
        step_decoder: Callable[[Any], Step] = decode_step,
        looker: Callable[[], Looker] | None = None,
    ) -> None:
        self._event_decoder = event_decoder
        self._step_decoder = step_decoder
        self._make_looker = looker
        self.epoch = 0
        self.clear()

    def look_through(self, event: Callable[[Event], Event], step: Callable[[Step], Step]) -> None:
        """Passes each event and step on its way to whoever looks; records stay as they are."""
        event_decoder, step_decoder = self._event_decoder, self._step_decoder
        self._event_decoder = lambda record: event(event_decoder(record))
        self._step_decoder = lambda record: step(step_decoder(record))

    def clear(self) -> None:
        """Back to the empty history (on Restart)."""
        self.run: Run | None = None
        self.names: list[str] = []
        self.notes: tuple[str, ...] = ()
        self.total: int | None = None
        self.engine_now_ns: int | None = None
        self.version = 0
        self.epoch += 1
        self._looker: Looker | None = None  # made when words are first looked for: it may have to be imported
        self._laid_out = 0  # blocks that the looker was prepared for
        self._put: list[Ints] = []
        self._mapped = 0  # rows whose id is in _row_of
        self._given: dict[int, str] = {}
        self._row_of: dict[str, int] = {}
        self._events = _Growing(EVENT_COLUMNS)
        self._steps = _Growing(STEP_COLUMNS)
        self._attempts = _Growing(ATTEMPT_COLUMNS)
        self._event_records: list[Any] = []
        self._step_records: list[Any] = []

    def __len__(self) -> int:
        return self._events.rows

    @property
    def n_steps(self) -> int:
        return self._steps.rows

    @property
    def events(self) -> Columns:
        return self._events.view()

    @property
    def steps(self) -> Columns:
        return self._steps.view()

    @property
    def attempts(self) -> Columns:
        """All known attempts, sorted as they came; ``step`` holds the row of their step."""
        return self._attempts.view()

    @property
    def last_position(self) -> int:
        """The newest position, 0 while empty."""
        return int(self._events.view()["position"][-1]) if len(self) else 0

    def append(self, batch: Batch) -> None:
        """Takes the next batch. Raises ValueError when positions do not rise."""
        positions = batch.events["position"]
        if len(positions) and (positions[0] <= self.last_position or (np.diff(positions) <= 0).any()):
            raise ValueError("event positions must rise from one batch to the next")
        if batch.run is not None:
            self.run = batch.run
        self.names.extend(batch.names)
        self.total = batch.total if batch.total is not None else self.total
        self.engine_now_ns = batch.engine_now_ns or self.engine_now_ns
        self.notes += tuple(note for note in batch.notes if note not in self.notes)
        self._events.extend(batch.events)
        self._event_records.extend(batch.event_records)
        self._upsert(batch)
        self._replace_attempts(batch.attempts)
        self._put.append(batch.step_rows)
        self.version += 1

    def _upsert(self, batch: Batch) -> None:
        if not len(batch.step_rows):
            return
        self._steps.put(batch.step_rows, batch.steps)
        missing = self._steps.rows - len(self._step_records)
        self._step_records.extend([b""] * missing)
        rows = batch.step_rows.tolist()
        for row, record in zip(rows, batch.step_records, strict=True):
            self._step_records[row] = record
        if batch.step_ids:
            self._given.update(zip(rows, batch.step_ids, strict=True))

    def _replace_attempts(self, attempts: Columns) -> None:
        if not len(attempts["step"]):
            return
        old = self._attempts.view()
        keep = ~np.isin(old["step"], attempts["step"])
        kept = {name: column[keep] for name, column in old.items()}
        self._attempts = _Growing(ATTEMPT_COLUMNS)
        self._attempts.extend(kept)
        self._attempts.extend(attempts)

    def changed_steps(self, since: int) -> Ints:
        """Rows of the steps that were put after version ``since`` (of this epoch), each once, rising."""
        rows = self._put[since:]
        return distinct(np.concatenate(rows)) if rows else np.zeros(0, np.int64)

    def event(self, row: int) -> Event:
        """The event of a row (0-based, not its position). Raises IndexError."""
        return self._event_decoder(self._event_records[row])

    @property
    def knows_words(self) -> bool:
        """Whether :meth:`holding` finds anything."""
        return self._make_looker is not None

    def holding(self, rows: Sequence[int], words: Sequence[str]) -> list[int]:
        """Which of some rows of one block were recorded with every word: looked for in the records as they are, at a
        fraction of decoding them. In any case, payloads in clear."""
        looker = self._look()
        if looker is None or not rows:
            return []
        block = rows[0] // BLOCK
        found = set(looker.holding(block, self._block(block), words))
        return [row for row in rows if row - block * BLOCK in found]

    def lay_out(self, most: int) -> bool:
        """Prepares at most ``most`` further blocks ahead of ``holding``; whether there were any."""
        first, blocks = self._laid_out, -(-len(self) // BLOCK)
        looker = self._look()
        if looker is None or first >= blocks:
            return False
        self._laid_out = min(first + most, blocks)
        for block in range(first, self._laid_out):
            looker.prepare(block, self._block(block))
        return True

    def _look(self) -> Looker | None:
        if self._looker is None and self._make_looker is not None:
            self._looker = self._make_looker()
        return self._looker

    def _block(self, block: int) -> list[Any]:
        return self._event_records[block * BLOCK : (block + 1) * BLOCK]

    def step(self, row: int) -> Step:
        """The step of a row. Raises IndexError."""
        return self._step_decoder(self._step_records[row])

    def all_steps(self) -> list[Step]:
        return [self.step(row) for row in range(self.n_steps)]

    def all_events(self) -> list[Event]:
        return [self.event(row) for row in range(len(self))]

    def snapshot(self) -> History:
        """A copy that another thread may read while this one grows."""
        copy = History(self._event_decoder, self._step_decoder, self._make_looker)
        copy.run, copy.notes, copy.total = self.run, self.notes, self.total
        copy.engine_now_ns, copy.version = self.engine_now_ns, self.version
        copy.names, copy._put = list(self.names), list(self._put)
        for mine, theirs in (
            (self._events, copy._events),
            (self._steps, copy._steps),
            (self._attempts, copy._attempts),
        ):
            theirs.extend(mine.view())
        copy._event_records = list(self._event_records)
        copy._step_records = list(self._step_records)
        copy._given = dict(self._given)
        return copy

    def row_of(self, position: int) -> int:
        """The row of the last event at or before ``position``; -1 before the first."""
        return int(np.searchsorted(self.events["position"], position, side="right")) - 1

    def step_row(self, step_id: str) -> int:
        """The row of a step id; -1 when there is none. Ids are read once a row, on the first call that needs them."""
        while step_id not in self._row_of and self.map_steps(1):
            pass
        return self._row_of.get(step_id, -1)

    def map_steps(self, most: int) -> bool:
        """Reads the ids of at most ``most`` further steps ahead of ``step_row``; whether there were any."""
        first = self._mapped
        for row in range(first, min(first + most, self.n_steps)):
            given = self._given.get(row)
            self._row_of.setdefault(self.step(row).id if given is None else given, row)
            self._mapped += 1
        return first < self.n_steps


class _Growing:
    """Columns with spare capacity, doubled when full."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._data = empty_columns(spec, 64)
        self.rows = 0

    def view(self) -> Columns:
        return {name: column[: self.rows] for name, column in self._data.items()}

    def _reserve(self, rows: int) -> None:
        capacity = len(next(iter(self._data.values())))
        if rows <= capacity:
            return
        grown = empty_columns(self._spec, max(rows, 2 * capacity))
        for name, column in self._data.items():
            grown[name][: self.rows] = column[: self.rows]
        self._data = grown

    def extend(self, columns: Columns) -> None:
        count = len(next(iter(columns.values())))
        self._reserve(self.rows + count)
        for name in self._spec:
            self._data[name][self.rows : self.rows + count] = columns[name]
        self.rows += count

    def put(self, rows: Ints, columns: Columns) -> None:
        end = max(self.rows, int(rows.max()) + 1)
        self._reserve(end)
        for name in self._spec:
            self._data[name][rows] = columns[name]
        self.rows = end


class BatchBuilder:
    """Builds batches from Event and Step structs: for engines whose histories are small.

    Keeps the step rows and the name table between batches. One builder serves one history.
    """

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._names: dict[tuple[str, StepKind], int] = {}
        self._new_names: list[str] = []
        self._bounds: dict[int, tuple[int, int]] = {}

    def row(self, step_id: str) -> int:
        """The row of a step id, assigned on first use."""
        return self._rows.setdefault(step_id, len(self._rows))

    def build(
        self,
        run: Run | None,
        events: Iterable[tuple[Event, int]],
        steps: Iterable[Step],
        **more: Any,
    ) -> Batch:
        """A batch of events (each with the run-status code that it brings, or NONE) and steps.

        ``more`` goes to Batch (total, engine_now_ns, notes). Every step named by an event must be among
        the steps of this or an earlier batch.
        """
        step_list = list(steps)
        for step in step_list:
            self.row(step.id)
        event_list = list(events)
        event_columns = self._event_columns(event_list)
        step_columns, attempts = self._step_columns(step_list)
        names, self._new_names = self._new_names, []
        return Batch(
            run=run,
            events=event_columns,
            event_records=[_encoder.encode(event) for event, _ in event_list],
            steps=step_columns,
            step_rows=np.array([self._rows[step.id] for step in step_list], np.int64),
            step_records=[_encoder.encode(step) for step in step_list],
            attempts=attempts,
            names=names,
            **more,
        )

    def _event_columns(self, events: list[tuple[Event, int]]) -> Columns:
        columns = empty_columns(EVENT_COLUMNS, len(events))
        for i, (event, run_status) in enumerate(events):
            row = -1 if event.step_id is None else self._rows[event.step_id]
            columns["position"][i] = event.position
            columns["time_ns"][i] = time_code(event.time_ns)
            columns["kind"][i] = code(event.kind)
            columns["step"][i] = row
            columns["step_status"][i] = code(event.status)
            columns["run_status"][i] = run_status
            columns["attempt"][i] = event.attempt or 0
            columns["provenance"][i] = code(event.provenance)
            first, _ = self._bounds.get(row, (event.position, 0))
            self._bounds[row] = (first, event.position)
        return columns

    def _name(self, step: Step) -> int:
        # By kind too: a wait for a signal and the event of the same name are told apart wherever names group.
        key = (step.name, step.kind)
        if key not in self._names:
            self._names[key] = len(self._names)
            self._new_names.append(step.name)
        return self._names[key]

    def _step_columns(self, steps: list[Step]) -> tuple[Columns, Columns]:
        columns = empty_columns(STEP_COLUMNS, len(steps))
        tries: list[tuple[int, int, int, int, int]] = []
        for i, step in enumerate(steps):
            row = self._rows[step.id]
            first, last = self._bounds.get(row, (0, 0))
            parent = -1 if step.parent_step is None else self._rows.get(step.parent_step, -1)
            columns["start_ns"][i] = time_code(step.start_ns)
            columns["end_ns"][i] = time_code(step.end_ns)
            columns["planned_end_ns"][i] = time_code(step.planned_end_ns)
            columns["kind"][i] = code(step.kind)
            columns["status"][i] = code(step.status)
            columns["provenance"][i] = code(step.provenance)
            columns["name"][i] = self._name(step)
            columns["first"][i] = first
            columns["last"][i] = last
            columns["parent"][i] = parent
            tries += [
                (row, a.number, time_code(a.start_ns), time_code(a.end_ns), code(a.status))
                for a in step.attempt_list
            ]
        attempts = empty_columns(ATTEMPT_COLUMNS, len(tries))
        for name, values in zip(ATTEMPT_COLUMNS, zip(*tries, strict=True), strict=True) if tries else ():
            attempts[name][:] = values
        return columns, attempts


__all__ = [
    "ATTEMPT_COLUMNS",
    "EVENT_COLUMNS",
    "NONE",
    "NO_TIME",
    "STEP_COLUMNS",
    "Batch",
    "BatchBuilder",
    "Columns",
    "History",
    "Restart",
    "decode_event",
    "decode_step",
    "distinct",
    "empty_columns",
]
