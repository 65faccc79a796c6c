"""What the timeline shows, without a widget: tracks, layout, scale, playhead, selection. GUI thread; knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final

import msgspec
import numpy as np

from engine_bridge.codes import STEP_KINDS, STEP_STATUSES, time_or_none
from engine_bridge.errors import PlayheadError
from engine_bridge.history import History
from engine_bridge.model import Step, StepKind
from engine_bridge.playback import position_at_time, time_at
from engine_bridge.steps import OPEN_END
from widgets.timeline.frame import Frame, make_frame
from widgets.timeline.layout import Layout, arrange
from widgets.timeline.markers import RUN_LANE
from widgets.timeline.scale import Axis, Scale, active_axis, idle_share, planned_bound, with_plan
from widgets.timeline.ticks import Mode
from widgets.timeline.tracks import IN_PLACE, Track

ACTIVE_LIMIT: Final = 20_000
"""Longer histories keep the plain axis: they have no idle time worth squeezing."""

MOSTLY_IDLE: Final = 0.8
"""A run that was idle for more of its time than this is shown with its idle time squeezed, unless somebody chose."""

_STEADY: Final = 5_000
"""Events of a run that is followed, from which on it is not judged anew whether it was idle."""

Key = tuple[int, int]
"""A span: track number and step row."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A mark across all lanes: when, what to say of it, and whether it is only staged (then ``words`` stand beside it).

    ``glyph`` and ``tone`` "" are those of an operator.
    """

    time_ns: int
    words: str
    staged: bool = False
    glyph: str = ""
    tone: str = ""


class TimelineState:
    """The one state that all painters and gestures of a timeline share.

    ``top`` is the scroll offset in px; ``selected`` and ``hovered`` are keys; ``position`` None is LIVE.
    """

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.layout: Layout = arrange([])
        self.scale = Scale(Axis(0), 0.0, 1e9, 800.0)
        self.mode = Mode.CLOCK
        self.active = False
        self.zone: tzinfo | None = None
        self.height = 300
        self.top = 0
        self.position: int | None = None
        self.position_ns: int | None = None
        self.selected: Key | None = None
        self.hovered: Key | None = None
        self.fitted = True
        self.range_px: tuple[float, float] | None = None
        self.stamps: tuple[Stamp, ...] = ()
        self.findings: tuple[Stamp, ...] = ()
        self.dropped_ns: int | None = None  # from here on a staged action drops what is recorded
        self.clock_ns: int | None = None
        self._chosen = False  # whether somebody said if idle time is squeezed
        self._laid_out: object = None
        self._steps: dict[tuple[int, int, int, int], Step] = {}
        self._axis: tuple[tuple[object, ...], Axis] | None = None  # the active axis, and of what

    @property
    def history(self) -> History | None:
        return self.tracks[0].history if self.tracks else None

    @property
    def main(self) -> Track:
        """The run's own track. Only with a history."""
        return self.tracks[0]

    @property
    def empty(self) -> bool:
        return not self.tracks or not len(self.layout)

    @property
    def now_ns(self) -> int:
        """The engine's clock, as far as it is known; for a closed run, its end."""
        history = self.history
        if history is None:
            return 0
        return self.main.now_ns(self.clock_ns)

    def now_of(self, number: int) -> int:
        """Now, as seen by one track."""
        return self.tracks[number].now_ns(self.clock_ns)

    @property
    def start_ns(self) -> int:
        """Zero of elapsed time."""
        run = self.history.run if self.history else None
        begin = None if run is None else run.started_ns or run.created_ns
        return begin if begin is not None else self.scale.axis.origin_ns

    def set_history(self, history: History | None) -> None:
        """Shows another history from its beginning, fitted."""
        self.tracks = [] if history is None else [Track(history)]
        self.selected = self.hovered = self.position = self.position_ns = self.clock_ns = None
        self.top = 0
        self.fitted = True
        self._steps.clear()
        self._chosen = False
        self.active = self.idle_share > MOSTLY_IDLE
        self.relayout()
        self.fit()

    def refresh(self) -> None:
        """Follows histories that have grown, or begun again."""
        for number, track in enumerate(self.tracks):
            if track.stale:
                self.tracks[number] = Track(track.history, track.key, track.parent_row)
            else:
                track.refresh()
        if len(self._steps) > 4_096:
            self._steps.clear()
        self.relayout()
        self._place_playhead()
        if self.fitted:
            if not self.active and not self._chosen and self.tracks and len(self.main.history) <= _STEADY:
                self.active = self.idle_share > MOSTLY_IDLE
            self.fit()

    def relayout(self) -> None:
        """Arranges the lanes anew if there are others than before."""
        lanes = tuple((id(t.lanes), len(t.lanes), t.has_run_lane, t.parent_row) for t in self.tracks)
        if lanes != self._laid_out:
            self._laid_out = lanes
            self.layout = arrange(self.tracks)
        self.top = max(0, min(self.top, self.layout.height - self.height))

    def set_now(self, now_ns: int) -> None:
        self.clock_ns = now_ns
        if self.fitted and not self.empty:
            self.fit()

    def set_position(self, position: int | None) -> None:
        self.position = position
        self._place_playhead()

    def _place_playhead(self) -> None:
        history = self.history
        if history is None or self.position is None:
            self.position_ns = None
            return
        self.position_ns = time_at(history, max(history.row_of(self.position), 0))

    @property
    def playhead_ns(self) -> int | None:
        """The time under the playhead: of its event; while LIVE, of the latest moment of all."""
        history = self.history
        if history is None:
            return None
        if self.position is not None:
            return self.position_ns
        return max(self.now_ns, self.main.bounds(self.clock_ns)[1])

    def position_at(self, x: float) -> int | None:
        """The position nearest before a px; the first one left of all; None without events."""
        history = self.history
        if history is None or not len(history):
            return None
        found = position_at_time(history, self.scale.time_ns(x + 0.5))
        return found if found is not None else int(history.events["position"][0])

    def step(self, key: Key) -> Step:
        """The step of a key, decoded once a version."""
        track = self.tracks[key[0]]
        full = (key[0], key[1], track.history.version, track.history.epoch)
        if full not in self._steps:
            self._steps[full] = _readable(track.history, key[1])
        return self._steps[full]

    def frame(self, ratio: float) -> Frame:
        rows = self.layout.visible(self.top, self.height)
        return make_frame(self.tracks, self.layout, self.scale, rows, ratio, self.clock_ns)

    def span(self, key: Key) -> tuple[int, int, int]:
        """Start and drawn end in ns, and flags."""
        start, end, flags = self.tracks[key[0]].span(key[1])
        return start, max(start, self.now_of(key[0])) if end == OPEN_END else end, flags

    def row_of(self, key: Key) -> int:
        """The layout row of a span; -1 where it has none."""
        return self.layout.row_of(key[0], self.tracks[key[0]].lane_of(key[1]))

    # The visible part.

    def limits(self) -> tuple[int, int]:
        """First and last time of everything shown, in ns."""
        if not self.tracks:
            return 0, 1_000_000_000
        all_bounds = [track.bounds(self.clock_ns) for track in self.tracks]
        first, last = min(b[0] for b in all_bounds), max(b[1] for b in all_bounds)
        run = self.main.history.run
        if run is not None and run.started_ns is not None and not self.main.built.spans.ordinal:
            first = min(first, run.started_ns)
        return first, last

    def shown_limits(self) -> tuple[int, int]:
        """As :meth:`limits`, with the planned ends that are near."""
        first, last = self.limits()
        for track in self.tracks:
            last = planned_bound(track.loose, first, last)
        return first, last

    def fit(self) -> None:
        """Shows the whole run."""
        if not self.tracks:
            return
        first, last = self.shown_limits()
        self._set_axis()
        origin = self.scale.axis.origin_ns
        self.scale = self.scale.framed(first - origin, last - origin)
        self.fitted = True

    def _set_axis(self) -> None:
        origin = self.main.origin_ns
        axis = Axis(origin)
        if self.active and self.main.history.n_steps <= ACTIVE_LIMIT:
            axis = self._active_axis()
        if axis.squeezed or self.scale.axis.origin_ns != origin or self.scale.axis.squeezed:
            self.scale = replace(self.scale, axis=axis)

    def _active_axis(self) -> Axis:
        origin = self.main.origin_ns
        nows = [self.now_of(i) for i in range(len(self.tracks))]
        of = (origin, *((t.history, t.history.epoch, t.history.version) for t in self.tracks), *nows)
        if self._axis is None or self._axis[0] != of:
            moments = [track.moments(now) for track, now in zip(self.tracks, nows, strict=True)]
            axis = active_axis(origin, np.concatenate(moments) - origin)
            self._axis = (of, with_plan(axis, self.shown_limits()[1] - origin))
        return self._axis[1]

    @property
    def idle_share(self) -> float:
        """How much of the run's time an active axis would hide, 0 to 1."""
        if not self.tracks or self.main.history.n_steps > IN_PLACE:
            return 0.0
        return idle_share(self._active_axis())

    def set_active(self, active: bool) -> None:
        """Squeezes idle time, or stops to."""
        self.active, self._chosen = active, True
        self.fit()

    def show_range(self, first_ns: int, last_ns: int, pad: float = 0.1) -> None:
        origin = self.scale.axis.origin_ns
        self._move(self.scale.framed(first_ns - origin, last_ns - origin, pad))

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Zooms in (> 1) or out at a px, the middle without one."""
        self._move(self.scale.zoomed(factor, self.scale.width / 2 if x is None else x))

    def pan(self, dx: float) -> None:
        self._move(self.scale.panned(dx))

    def _move(self, scale: Scale) -> None:
        first, last = self.limits()
        axis = scale.axis
        low, high = axis.to_u(first - axis.origin_ns), axis.to_u(last - axis.origin_ns)
        self.scale = scale.kept_within(float(low), float(high))
        self.fitted = False

    def resize(self, width: float, height: int) -> None:
        """The plot's size in px."""
        self.scale = replace(self.scale, width=max(width, 1.0))
        self.height = height
        self.top = max(0, min(self.top, self.layout.height - height))

    def scroll(self, top: int) -> None:
        self.top = max(0, min(top, self.layout.height - self.height))

    def reveal(self, key: Key) -> None:
        """Scrolls and pans until a span is in sight."""
        row = self.row_of(key)
        if row >= 0:
            y0, y1 = int(self.layout.y[row]), int(self.layout.y[row + 1])
            if y0 < self.top or y1 > self.top + self.height:
                self.scroll(y0 - self.height // 3)
        start, end, _ = self.span(key)
        x0, x1 = self.scale.x_of(start), self.scale.x_of(end)
        if x1 < 0 or x0 > self.scale.width:
            self.pan((x0 + min(x1, x0 + self.scale.width)) / 2 - self.scale.width / 2)

    @property
    def ordinal(self) -> bool:
        """Whether nothing has a time, so that the axis counts positions."""
        return bool(self.tracks) and self.main.built.spans.ordinal

    # Children.

    def expandable(self, row: int) -> bool:
        """Whether a lane's steps are child runs that can be opened in place."""
        number, lane = int(self.layout.track[row]), int(self.layout.lane[row])
        if number or lane == RUN_LANE:
            return False
        lanes = self.main.lanes
        return not lanes.sub[lane] and STEP_KINDS[lanes.kind[lane]] is StepKind.CHILD

    def opened(self, row: int) -> bool:
        """Whether a child of this lane is open."""
        lane = int(self.layout.lane[row])
        return any(self.main.lane_of(track.parent_row) == lane for track in self.tracks[1:])

    def set_child(self, key: str, row: int, history: History | None) -> None:
        """Opens a child's lanes under a step's lane, or closes them."""
        self.tracks = [track for track in self.tracks if track.key != key]
        if history is not None:
            self.tracks.append(Track(history, key, row))
        if self.selected and self.selected[0]:
            self.selected = None
        self.hovered = None
        self.relayout()
        if self.fitted:
            self.fit()

    # Finding spans.

    def hit(self, x: float, y: int, slack: float = 3.0) -> Key | None:
        """The span under a point of the plot (px; ``y`` without the scroll offset)."""
        row = self.layout.row_at(y + self.top)
        if row < 0 or self.layout.lane[row] == RUN_LANE:
            return None
        number, lane = int(self.layout.track[row]), int(self.layout.lane[row])
        found = self.tracks[number].at(lane, self.scale.time_ns(x), slack * self.scale.per_px, self.clock_ns)
        return None if found < 0 else (number, found)


def _readable(history: History, row: int) -> Step:
    """A step, or what its columns tell of it where its record cannot be read."""
    try:
        return history.step(row)
    except (msgspec.MsgspecError, PlayheadError, ValueError):
        columns = {name: int(column[row]) for name, column in history.steps.items()}
        return Step(
            id="",
            name=history.names[columns["name"]],
            kind=STEP_KINDS[columns["kind"]],
            status=STEP_STATUSES[columns["status"]],
            start_ns=time_or_none(columns["start_ns"]),
            end_ns=time_or_none(columns["end_ns"]),
            detail="its record cannot be read",
        )
