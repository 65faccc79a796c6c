"""Look-ups over one run's rows that steps, events and inference share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from engine_bridge.engines.dbos.history_rows import LIMIT_MS, RawEvent, RawMessage, RawStep, RawStream, Story
from engine_bridge.engines.dbos.steps_names import CLOSE_STREAM, GET_RESULT, SET_EVENT, SLEEP, STREAMS, WAITS


class Index:
    """Rows of a story by step id, wait and child; ``floor`` is the lowest id that was read.

    ``timeouts`` maps a wait's id N to its time-out row N+1 (reference/dbos.md §2.2), also where the wait
    itself has no row yet.
    """

    def __init__(self, story: Story, floor: int = 1) -> None:
        self.story = story
        self.floor = floor
        self.rows: dict[int, RawStep] = {row.id: row for row in story.steps}
        self.last_id = max(self.rows, default=0)
        self.wakes: dict[int, int | None] = {row.id: wake_ms(row) for row in story.steps if row.name == SLEEP}
        self.timeouts = {id_ - 1: self.rows[id_] for id_ in self.wakes if self._is_timeout(id_)}
        self.results: dict[str, RawStep] = {}
        for row in story.steps:
            if row.name == GET_RESULT and row.child is not None:
                self.results.setdefault(row.child, row)
        self.launches: dict[str, RawStep] = {}
        for row in story.steps:
            if row.child is not None and row.name != GET_RESULT:
                self.launches.setdefault(row.child, row)
        self.messages: dict[int, RawMessage] = {
            m.consumed_by: m for m in story.messages if m.consumed_by is not None
        }
        self.events: dict[int, list[RawEvent]] = _by_step(_placed_events(story))
        self.streams: dict[int, list[RawStream]] = _by_step(_placed_streams(story))
        self._last_starts: dict[int, int | None] | None = None

    def _is_timeout(self, id_: int) -> bool:
        before = self.rows.get(id_ - 1)
        if before is not None:
            return before.name in WAITS
        if id_ <= self.floor:
            return False
        # A plain sleep records its planned end as its completion; a time-out records the instant.
        row, wake = self.rows[id_], self.wakes[id_]
        return wake is None or row.completed_ms is None or row.completed_ms < wake

    def is_timeout(self, row: RawStep) -> bool:
        """Whether a sleep is the time-out of the wait before it."""
        return self.timeouts.get(row.id - 1) is row

    def planned(self, row: RawStep) -> int | None:
        """When a sleep is due."""
        wake = self.wakes.get(row.id)
        return row.completed_ms if wake is None else wake

    def last_start_after(self, id_: int) -> int | None:
        """The latest recorded start among rows with a higher id; None when there is none."""
        if self._last_starts is None:
            self._last_starts = {}
            latest: int | None = None
            for row in reversed(self.story.steps):
                self._last_starts[row.id] = latest
                latest = max((t for t in (latest, row.started_ms) if t is not None), default=None)
        return self._last_starts[id_]

    def gaps(self) -> list[int]:
        """Ids without a row below the highest one, in order: reserved, but not recorded."""
        return [id_ for id_ in range(self.floor, self.last_id) if id_ not in self.rows]

    def unplaced_events(self) -> list[RawEvent]:
        """Values of set events whose step is not known."""
        return [] if any(self.events.values()) else [e for e in self.story.events if e.step is None]

    def unplaced_streams(self) -> list[RawStream]:
        """Stream values whose step is not known."""
        placed = {(s.key, s.offset) for streams in self.streams.values() for s in streams}
        return [s for s in self.story.streams if (s.key, s.offset) not in placed]


def wake_ms(row: RawStep) -> int | None:
    """The absolute wake time that a sleep recorded (epoch seconds, JSON or a pickled float)."""
    value = small_value(row)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value * 1000) if number and -LIMIT_MS < value * 1000 < LIMIT_MS else None


def small_value(row: RawStep) -> Any:
    """The decoded small output of a built-in; ``...`` when there is none or it cannot be decoded."""
    if row.small is None:
        return ...
    if row.encoding == "portable_json" and row.small[:1].isdigit():
        return _number(row.small)
    from engine_bridge.payloads import decode

    decoded = decode(row.small.encode("utf-8", "surrogateescape"), row.encoding)
    return ... if decoded.error else decoded.tree


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return ...


def _by_step(items: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for item in items:
        if item.step is not None:
            found[item.step].append(item)
    return found


def _placed_events(story: Story) -> list[RawEvent]:
    """Schemas without a history keep one value a key: it is placed only where one row can have set it."""
    if any(event.step is not None for event in story.events):
        return story.events
    setters = [row.id for row in story.steps if row.name == SET_EVENT]
    if len(setters) == 1 and len(story.events) == 1:
        return [RawEvent(story.events[0].key, setters[0], story.events[0].payload)]
    return []


def _placed_streams(story: Story) -> list[RawStream]:
    """Schemas that do not record the writer: one key's values pair with the writing rows in order."""
    known = [stream for stream in story.streams if stream.step]
    if known:
        return known
    writers = [row for row in story.steps if row.name in STREAMS]
    if len(writers) != len(story.streams) or len({s.key for s in story.streams}) != 1:
        return []
    ordered = sorted(story.streams, key=lambda s: s.offset)
    return [
        RawStream(s.key, s.offset, row.id, s.closed or row.name == CLOSE_STREAM, s.payload)
        for s, row in zip(ordered, writers, strict=True)
    ]
