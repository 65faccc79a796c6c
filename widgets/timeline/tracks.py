"""A track: one history made ready to draw, and kept ready while it grows. Pure; a track belongs to one thread.

Closed spans live in an immutable Index; *loose* ones (open, new or changed since) are few and are drawn
from small arrays until a rebuild takes them in.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME
from engine_bridge.history import Columns as HistoryColumns
from engine_bridge.history import History, distinct
from engine_bridge.steps import OPEN_END, Flag, Spans, spans_of
from widgets.timeline import tones
from widgets.timeline.build import Built, Snapshot, build
from widgets.timeline.lod import Columns
from widgets.timeline.markers import RUN_LANE

Ints = NDArray[np.int64]

SMALL: Final = 500
"""Histories up to this many steps are simply built anew whenever they change."""
IN_PLACE: Final = 10_000
"""Histories up to this many steps are built where they are needed; larger ones in the background, and painted coarsely
before: built in place, 11,000 steps made turns of the GUI thread of 18 to 20 ms."""
_LOOSE: Final = 2_048
"""New rows that are worth a build: placing each on its lane takes a microsecond."""


class Track:
    """One history on the time axis. ``key`` and ``parent_row`` name the step under which a child hangs."""

    def __init__(self, history: History, key: str | None = None, parent_row: int = -1) -> None:
        self.history = history
        self.key = key
        self.parent_row = parent_row
        self.building = False
        snapshot = Snapshot.of(history)
        self.adopt(build(snapshot, sample=history.n_steps > IN_PLACE))

    def adopt(self, built: Built) -> None:
        """Takes a finished build, and catches up with what the history learnt meanwhile."""
        self.built = built
        self.lanes = built.lanes
        self.index = built.index
        self.origin_ns = built.origin_ns
        self._loose_rows = built.open_rows
        self._seen = built.version
        self.outdated = np.zeros(0, np.int32)
        self.markers = built.markers
        self._columns: tuple[int, Columns] | None = None
        self._bounds: tuple[int, tuple[int, int]] | None = None
        self._attempt_order: tuple[int, NDArray[np.intp]] | None = None
        self.catch_up()

    @property
    def stale(self) -> bool:
        """The history was started over: this track must be dropped."""
        return self.built.epoch != self.history.epoch

    @property
    def wants_build(self) -> bool:
        """Whether a (new) build would pay."""
        if self.building:
            return False
        return (
            self.built.coarse
            or len(self.outdated) > 0
            or len(self._loose_rows) > max(_LOOSE, len(self.index) // 8)
        )

    def refresh(self) -> None:
        """Follows the history: by loose rows while few are new, else by a new build, of a sample when it is large."""
        steps = self.history.n_steps
        many = not self.built.coarse and steps - self._placed > _LOOSE
        if self.history.version != self._seen and (many or steps <= SMALL):
            self.adopt(build(Snapshot.of(self.history), sample=steps > IN_PLACE))
        else:
            self.catch_up()

    def catch_up(self) -> None:
        """Takes in what was appended. Cost O(rows appended + loose rows)."""
        history = self.history
        changed = history.changed_steps(self._seen)
        if not self.built.coarse:
            self._take(changed)
            self._seen = history.version
        self.loose = self._spans(self._loose_rows)
        if not self.built.coarse:
            self.lanes.place(self._spans(changed))
            self.markers = self.markers.extended(history.events, self.lanes.lane, self.origin_ns)
        self._placed = history.n_steps
        self._columns = self._bounds = None

    def _spans(self, rows: NDArray[Any]) -> Spans:
        history = self.history
        return spans_of(history.steps, history.events, history.run, np.asarray(rows, np.int64))

    def _take(self, changed: Ints) -> None:
        """Makes changed rows loose; those that the index holds are outdated there."""
        if not len(changed):
            return
        known = changed[changed < len(self.built.spans)]
        closed = known[self.built.spans.end[known] != OPEN_END]
        self.outdated = distinct(np.concatenate([self.outdated, closed])).astype(np.int32)
        self._loose_rows = distinct(np.concatenate([self._loose_rows, changed])).astype(np.int32)

    @property
    def has_run_lane(self) -> bool:
        return bool((self.markers.lane == RUN_LANE).any())

    def lane_of(self, row: int) -> int:
        """The lane id of a step row; RUN_LANE where it has none yet."""
        return int(self.lanes.lane[row]) if 0 <= row < len(self.lanes.lane) else RUN_LANE

    def retried(self, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which step rows have attempts of their own to show."""
        steps = self.history.attempts["step"]
        return np.isin(rows, steps) if len(steps) else np.zeros(len(rows), bool)

    def attempts_of(self, row: int) -> HistoryColumns:
        """The known attempts of a step, in order of their number."""
        attempts = self.history.attempts
        if not len(attempts["step"]):
            return attempts
        if self._attempt_order is None or self._attempt_order[0] != self.history.version:
            self._attempt_order = (self.history.version, np.lexsort((attempts["number"], attempts["step"])))
        order = self._attempt_order[1]
        steps = attempts["step"]
        first = np.searchsorted(steps, row, "left", sorter=order)
        last = np.searchsorted(steps, row, "right", sorter=order)
        pick = order[first:last]
        return {name: column[pick] for name, column in attempts.items()}

    def span(self, row: int) -> tuple[int, int, int]:
        """Start, end (OPEN_END while open) and flags of one step row."""
        one = self._spans(np.array([row]))
        return int(one.start[0]), int(one.end[0]), int(one.flags[0])

    @property
    def open_run(self) -> bool:
        run = self.history.run
        return run is not None and not run.status.closed

    def now_ns(self, clock_ns: int | None) -> int:
        """Where open bars end: the engine's clock, moved on to ``clock_ns``; a closed run's own end."""
        run, history = self.history.run, self.history
        if run is not None and run.status.closed and run.ended_ns is not None:
            return run.ended_ns
        known = [time for time in (clock_ns, history.engine_now_ns) if time is not None]
        if known:
            return max(known)
        return max(self.markers.last_ns, int(self.loose.start.max(initial=self.origin_ns)))

    def loose_columns(self, clock_ns: int | None) -> Columns:
        """The loose spans as columns, open ones ending now."""
        now = self.now_ns(clock_ns)
        if self._columns is None or self._columns[0] != now:
            loose = self.loose
            end = np.where(loose.flags & Flag.OPEN, np.maximum(now, loose.start), loose.end) - self.origin_ns
            lane = self.lanes.lane[loose.row] if len(loose.row) else np.zeros(0, np.int32)
            start, tone = loose.start - self.origin_ns, tones.OF_STATUS[loose.status]
            self._columns = (now, Columns(start, end, lane, tone, loose.row, loose.flags))
        return self._columns[1]

    def on_lane(self, lane: int, clock_ns: int | None) -> Columns:
        """All spans of a lane, by start."""
        loose = self.loose_columns(clock_ns)
        loose = loose.pick(np.flatnonzero(loose.lane == lane))
        known = lane < self.index.lanes
        span = slice(*self.index.bounds[lane : lane + 2].tolist()) if known else slice(0, 0)
        settled = self.index.spans.pick(span)
        if len(self.outdated):
            settled = settled.pick(np.flatnonzero(~np.isin(settled.row, self.outdated)))
        if not len(loose):
            return settled
        both = settled.plus(loose)
        return both.pick(np.argsort(both.start, kind="stable"))

    def at(self, lane: int, time_ns: int, slack_ns: float, clock_ns: int | None) -> int:
        """The row of the span under a time, else of the nearest within ``slack_ns``; -1. Cost O(log n + loose)."""
        offset = time_ns - self.origin_ns
        loose = self.loose_columns(clock_ns)
        if len(loose):
            gap = np.maximum(np.maximum(loose.start - offset, offset - loose.end), 0)
            gap[loose.lane != lane] = OPEN_END
            best = int(gap.argmin())
            if gap[best] <= slack_ns:
                return int(loose.row[best])
        found = self.index.at(lane, offset, round(slack_ns)) if lane < self.index.lanes else -1
        return int(self.index.spans.row[found]) if found >= 0 else -1

    def moments(self, now_ns: int) -> Ints:
        """When something happened, in ns: events, and the ends of spans and attempts. Cost O(history)."""
        history = self.history
        spans = spans_of(history.steps, history.events, history.run)
        ends = np.where(spans.end == OPEN_END, now_ns, spans.end)
        recorded = [history.events["time_ns"], history.attempts["start_ns"], history.attempts["end_ns"]]
        times = np.concatenate(recorded)
        return np.concatenate([spans.start, ends, times[times != NO_TIME]])

    def failures(self) -> Ints:
        """Offsets of failed steps, rising."""
        loose = self.loose.start[tones.OF_STATUS[self.loose.status] == tones.FAILED] - self.origin_ns
        return np.sort(np.concatenate([self.built.failed, loose])) if len(loose) else self.built.failed

    def bounds(self, clock_ns: int | None) -> tuple[int, int]:
        """First and last moment in ns, of steps and events; open spans, and an open run, reach to now. Cost O(loose),
        once a change."""
        now = self.now_ns(clock_ns)
        if self._bounds is None or self._bounds[0] != now:
            self._bounds = (now, self._measure(clock_ns, now))
        return self._bounds[1]

    def _measure(self, clock_ns: int | None, now_ns: int) -> tuple[int, int]:
        loose, origin = self.loose_columns(clock_ns), self.origin_ns
        first = [time for time in (self.markers.first_ns,) if time != OPEN_END]
        last = [time for time in (self.markers.last_ns,) if time != NO_TIME]
        if len(loose):
            first.append(origin + int(loose.start.min()))
            last.append(origin + int(loose.end.max()))
        if len(self.index):
            first.append(origin + self.index.low)
            last.append(origin + self.index.high)
        if self.open_run:
            last.append(now_ns)
        if not first:
            return origin, max(origin + 1_000_000_000, now_ns)
        return min(first), max(*last, min(first) + 1)
