"""A frame: what one picture of the timeline shows, as numbers. Pure; cost O(pixels), whatever the history.

Spans that are wide enough become *bars*; all others are cells of a raster, one row of pixels a lane, holding
the dominant tone and the worst one. No failed span is ever without a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.history import distinct
from engine_bridge.steps import Flag
from widgets.timeline.layout import Layout
from widgets.timeline.lod import DIRECT, Bytes, Columns, ranges
from widgets.timeline.markers import RUN_LANE
from widgets.timeline.scale import Floats, Scale
from widgets.timeline.tracks import Track

BAR_PX: Final = 5.0
"""Spans at least this wide are drawn as bars, or CROWDED_PX where there are more than CROWD of them."""
CROWDED_PX: Final = 14.0
CROWD: Final = 6_000
RASTER_ONLY: Final = 1e9
"""As the width of bars: there are none."""
DOT_PX: Final = 2
MARKER_PX: Final = 18
"""Moments shorter than this are glyphs."""
MARKER_GAP_PX: Final = 14
GLYPHS: Final = 400
"""More moments than this are drawn as narrow spans."""
_MOMENT: Final = int(Flag.MARKER | Flag.UNTIMED)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars by arrays: px from the plot's left edge, layout row, tone, flags, track number, step row."""

    x0: Floats
    x1: Floats
    at: NDArray[np.int64]
    tone: Bytes
    flags: Bytes
    track: NDArray[np.int32]
    row: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Marks:
    """Glyphs: px, layout row, track number; a step row or -1, an event row or -1; how many stand there."""

    x: Floats
    at: NDArray[np.int64]
    track: NDArray[np.int32]
    step: NDArray[np.int64]
    event: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """``dominant`` and ``worst`` are (rows ``first .. last`` of the layout, device px)."""

    first: int
    last: int
    dominant: Bytes
    worst: Bytes
    bars: Bars
    marks: Marks


class _Maker:
    """Collects the parts of one frame, track by track."""

    def __init__(
        self,
        layout: Layout,
        scale: Scale,
        rows: tuple[int, int],
        ratio: float,
        clock_ns: int | None,
        least: float,
    ) -> None:
        self.layout, self.scale, self.least = layout, scale, least
        self.first, self.last = first, last = rows
        self.ratio, self.clock_ns = ratio, clock_ns
        self.width = max(1, round(scale.width * ratio))
        shape = (last - first, self.width)
        self.dominant, self.worst = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self.edges = np.floor(scale.offset(np.arange(self.width + 1) / ratio)).astype(np.int64)
        self.bars: list[Bars] = []
        self.marks: list[Marks] = []

    def add(self, number: int, track: Track) -> None:
        here = np.arange(self.first, self.last)[self.layout.track[self.first : self.last] == number]
        row_of = np.full(track.index.lanes + len(track.lanes.order) + 2, -1, np.int64)
        row_of[self.layout.lane[here]] = here
        shift = track.origin_ns - self.scale.axis.origin_ns
        lanes = self.layout.lane[here]
        self._index(number, track, lanes[(lanes != RUN_LANE) & (lanes < track.index.lanes)], row_of, shift)
        loose = track.loose_columns(self.clock_ns)
        if len(loose):
            inside = (row_of[loose.lane] >= 0) & (loose.start + shift <= self.edges[-1])
            inside &= loose.end + shift >= self.edges[0]
            self._spans(number, loose.pick(np.flatnonzero(inside)), row_of, shift, self.least)
        self._events(number, track, row_of, shift)

    def _index(
        self, number: int, track: Track, lanes: NDArray[np.int32], row_of: NDArray[Any], shift: int
    ) -> None:
        index = track.index
        if not len(lanes) or not len(index):
            return
        first, last = int(self.edges[0]) - shift, int(self.edges[-1]) - shift
        least = self.least
        if index.count(lanes, first, last, int(least * self.scale.per_px)) > CROWD:
            least = max(least, CROWDED_PX)
        if index.pyramid is None or index.count(lanes, first, last) <= DIRECT:
            found = index.visible(lanes, first, last)
        else:
            at = row_of[lanes] - self.first
            self.dominant[at], self.worst[at] = index.rows(lanes, self.edges - shift)
            wide = index.visible(lanes, first, last, int(least * self.scale.per_px))
            sparse = lanes[index.pyramid.slot[lanes] < 0]
            found = (
                distinct(np.concatenate([wide, index.visible(sparse, first, last)])) if len(sparse) else wide
            )
        spans = index.spans.pick(found)
        if len(track.outdated):
            spans = spans.pick(np.flatnonzero(~np.isin(spans.row, track.outdated)))
        self._spans(number, spans, row_of, shift, least)

    def _spans(self, number: int, spans: Columns, row_of: NDArray[Any], shift: int, least: float) -> None:
        """Splits spans into bars and raster cells."""
        x0, x1 = self.scale.x(spans.start + shift), self.scale.x(spans.end + shift)
        at = row_of[spans.lane]
        wide = x1 - x0 >= least
        marker = (x1 - x0 < MARKER_PX) & ((spans.flags & _MOMENT) != 0)
        if marker.sum() > GLYPHS:
            marker[:] = False
        wide &= ~marker
        narrow = ~wide & ~marker
        self._raster(x0[narrow], x1[narrow], at[narrow] - self.first, spans.tone[narrow])
        self._step_marks(number, spans, x0, at, np.flatnonzero(marker))
        take = np.flatnonzero(wide)
        self.bars.append(
            Bars(
                x0[take],
                x1[take],
                at[take],
                spans.tone[take],
                spans.flags[take],
                np.full(len(take), number, np.int32),
                spans.row[take],
            )
        )

    def _raster(self, x0: Floats, x1: Floats, line: NDArray[np.int64], tone: Bytes) -> None:
        """Paints narrow spans, the worst last; each at least DOT_PX wide, parted by a gap where that leaves enough."""
        if not len(x0):
            return
        order = np.argsort(tone, kind="stable")
        dot = max(1, round(DOT_PX * self.ratio))
        a = np.floor(x0[order] * self.ratio).astype(np.int64)
        b = np.ceil(x1[order] * self.ratio).astype(np.int64)
        b -= np.where(b - a > 2 * dot, dot // 2, 0)
        b = np.maximum(b, a + dot)
        line = line[order] * self.width
        a, b = line + a.clip(0, self.width - dot), line + b.clip(dot, self.width)
        cells = ranges(a, b)
        colour = np.repeat(tone[order], np.maximum(b - a, 0))
        flat_worst, flat_main = self.worst.reshape(-1), self.dominant.reshape(-1)
        np.maximum(flat_worst[cells], colour, out=colour)
        flat_worst[cells] = colour
        flat_main[cells] = colour

    def _step_marks(self, number: int, spans: Columns, x0: Floats, at: NDArray[np.int64], take: Any) -> None:
        self._add_marks(number, x0[take], at[take], spans.row[take].astype(np.int64), np.full(len(take), -1))

    def _events(self, number: int, track: Track, row_of: NDArray[Any], shift: int) -> None:
        marks = track.markers
        if not len(marks.offset):
            return
        offset = marks.offset + shift
        seen = (offset >= self.edges[0]) & (offset <= self.edges[-1]) & (row_of[marks.lane] >= 0)
        pick = np.flatnonzero(seen)
        x = self.scale.x(offset[pick])
        self._add_marks(number, x, row_of[marks.lane[pick]], np.full(len(pick), -1), marks.row[pick])

    def _add_marks(self, number: int, x: Floats, at: Any, step: Any, event: Any) -> None:
        """Glyphs that would cover each other become one with a count."""
        if not len(x):
            return
        order = np.lexsort((x, at))
        bucket = np.floor(x / MARKER_GAP_PX)[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(at[order]) != 0) | (np.diff(bucket) != 0)
        first = np.flatnonzero(new)
        count = np.diff(np.append(first, len(order)))
        pick = order[first]
        self.marks.append(
            Marks(x[pick], at[pick], np.full(len(pick), number, np.int32), step[pick], event[pick], count)
        )

    def done(self) -> Frame:
        return Frame(
            self.first,
            self.last,
            self.dominant,
            self.worst,
            _joined(Bars, self.bars, (float, float, np.int64, np.uint8, np.uint8, np.int32, np.int32)),
            _joined(Marks, self.marks, (float, np.int64, np.int32, np.int64, np.int64, np.int64)),
        )


def _joined(kind: Any, parts: list[Any], types: tuple[Any, ...]) -> Any:
    if len(parts) == 1:
        return parts[0]
    names = kind.__slots__
    if not parts:
        return kind(*(np.zeros(0, t) for t in types))
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def make_frame(
    tracks: list[Track],
    layout: Layout,
    scale: Scale,
    rows: tuple[int, int],
    ratio: float = 1.0,
    clock_ns: int | None = None,
    least: float = BAR_PX,
) -> Frame:
    """The frame of layout rows ``rows[0] .. rows[1]`` at a scale; ``ratio`` is device px per px.

    Spans narrower than ``least`` px go to the raster.
    """
    maker = _Maker(layout, scale, rows, ratio, clock_ns, least)
    for number in distinct(layout.track[rows[0] : rows[1]]).tolist():
        maker.add(number, tracks[number])
    return maker.done()
