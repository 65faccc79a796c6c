"""Starts by time, stacked by outcome, with a brush that chooses a time range."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Signal

from engine_bridge.bridge import Bucket
from engine_bridge.format import count, short_time
from engine_bridge.model import Status
from widgets.runs.chart_frame import ChartFrame
from widgets.runs.plot import Plot, count_axis
from widgets.theme import theme

#: Outcome groups from the bottom of the stack to its top: word, glyph, colour token.
GROUPS: Final = (
    ("ok", "completed", "completed"),
    ("open", "running", "running"),
    ("cancelled", "cancelled", "cancelled"),
    ("failed", "failed", "failed"),
)
_INSTANT_NS: Final = 1_000_000
_GROUP: Final[dict[str, str]] = {
    Status.COMPLETED: "ok",
    Status.CONTINUED: "ok",
    Status.CANCELLED: "cancelled",
    **{status: "failed" for status in Status if status.bad},
}


def outcomes(bucket: Bucket) -> dict[str, int]:
    """A bucket's counts by outcome group."""
    result = {group: 0 for group, *_ in GROUPS}
    for status, number in bucket.counts.items():
        result[_GROUP.get(status, "open")] += number
    return result


class Histogram(QObject):
    """Fills one frame. ``range_chosen`` carries (start_ns, end_ns), end exclusive, or None to clear."""

    range_chosen = Signal(object)

    def __init__(self, frame: ChartFrame) -> None:
        super().__init__(frame)
        self._frame = frame
        self._buckets: tuple[Bucket, ...] = ()
        self._width_ns = 1
        self._zone: tzinfo | None = None
        self._chosen: tuple[int, int] | None = None  # first and last bucket of the brush, while it is made
        self._range: tuple[int, int] | None = None
        self._plot = Plot(count_axis())
        self._bars: list[Any] = []
        self._brush = pg.LinearRegionItem(movable=False)
        self._brush.hide()
        self._plot.addItem(self._brush)
        self._plot.box.dragged.connect(self._on_dragged)
        self._plot.scene().sigMouseMoved.connect(self._on_moved)
        frame.put_plot(self._plot)
        frame.key_pressed.connect(self._on_key)
        self.tint()

    def set_data(self, buckets: tuple[Bucket, ...], width_ns: int, zone: tzinfo | None) -> None:
        """Shows counts of starts; ``width_ns`` is the length of each bucket."""
        # What began in one instant stands in a millisecond, which an axis of seconds since 1970 can show.
        least = _INSTANT_NS if len(buckets) == 1 else 1
        self._buckets, self._width_ns, self._zone = buckets, max(least, width_ns), zone
        self._chosen = None
        self._plot.time_axis.zone = zone
        self._draw()
        self._frame.read_out(self._whole())
        self._show_brush()

    def _whole(self) -> str:
        totals = [outcomes(bucket) for bucket in self._buckets]
        return _told({group: sum(found[group] for found in totals) for group, *_ in GROUPS})

    def set_range(self, bounds: tuple[int, int] | None) -> None:
        """Shows the range that the filter has, nanoseconds UTC."""
        self._range = bounds
        self._chosen = None
        self._show_brush()

    def tint(self) -> None:
        """Takes the colours of the theme in force."""
        self._plot.tint()
        color = theme().color("accent")
        color.setAlpha(60)
        self._brush.setBrush(color)
        self._frame.set_legend(GROUPS)
        for line in self._brush.lines:
            line.setPen(pg.mkPen(theme().color("accent")))
        self._draw()

    def _draw(self) -> None:
        for bar in self._bars:
            self._plot.removeItem(bar)
        self._bars = []
        if not self._buckets:
            return
        left = np.array([bucket.start_ns for bucket in self._buckets]) / 1e9
        width = self._width_ns / 1e9
        counts = [outcomes(bucket) for bucket in self._buckets]
        base = np.zeros(len(counts))
        for group, _, token in GROUPS:
            height = np.array([found[group] for found in counts], float)
            bar = pg.BarGraphItem(
                x0=left, y0=base, width=width * 0.86, height=height, pen=None, brush=theme().color(token)
            )
            self._plot.addItem(bar)
            self._bars.append(bar)
            base = base + height
        self._plot.setXRange(left[0], left[-1] + width, padding=0)
        self._plot.setYRange(0, max(1.0, base.max() * 1.1), padding=0)

    def _bucket_at(self, x: float) -> int:
        first = self._buckets[0].start_ns
        return int((x * 1e9 - first) // self._width_ns)

    def _bounds(self, low: int, high: int) -> tuple[int, int]:
        first = self._buckets[0].start_ns
        return first + low * self._width_ns, first + (high + 1) * self._width_ns

    @property
    def _last(self) -> int:
        return (self._buckets[-1].start_ns - self._buckets[0].start_ns) // self._width_ns

    def _on_dragged(self, drag: tuple[float, float, bool]) -> None:
        if not self._buckets:
            return
        low, high, finished = drag
        ends = (max(0, self._bucket_at(low)), min(self._last, self._bucket_at(high)))
        if ends[0] > ends[1]:
            return
        self._chosen = ends
        self._show_brush()
        if finished:
            self.range_chosen.emit(self._bounds(*ends))

    def _on_moved(self, point: Any) -> None:
        if self._buckets and self._plot.box.sceneBoundingRect().contains(point):
            number = self._bucket_at(self._plot.box.mapSceneToView(point).x())
            self._read_out(max(0, min(self._last, number)))

    def _on_key(self, pressed: tuple[Qt.Key, bool]) -> None:
        key, shift = pressed
        if key == Qt.Key.Key_Escape:
            self._chosen = None
            self.range_chosen.emit(None)
        elif not self._buckets:
            return
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._step(-1 if key == Qt.Key.Key_Left else 1, shift)
        elif self._chosen is not None:
            self.range_chosen.emit(self._bounds(*self._chosen))

    def _step(self, direction: int, extend: bool) -> None:
        if self._chosen is None:
            low = high = self._last
        elif extend:
            low, high = self._chosen[0], self._chosen[1] + direction
        else:
            low = high = self._chosen[1] + direction
        high = max(0, min(self._last, high))
        self._chosen = (max(0, min(low, high)), high)
        self._show_brush()
        self._read_out(high)

    def _show_brush(self) -> None:
        bounds = self._bounds(*self._chosen) if self._chosen and self._buckets else self._range
        self._brush.setVisible(bounds is not None)
        if bounds is not None:
            self._brush.setRegion((bounds[0] / 1e9, bounds[1] / 1e9))

    def _read_out(self, number: int) -> None:
        start, end = self._bounds(number, number)
        bucket = next((b for b in self._buckets if b.start_ns == start), Bucket(start_ns=start, counts={}))
        found = outcomes(bucket)
        now = self._buckets[-1].start_ns
        times = f"{short_time(start, now, self._zone)} – {short_time(end, now, self._zone)}"
        self._frame.read_out(f"{times}   {_told(found)}")


def _told(found: dict[str, int]) -> str:
    return " · ".join(f"{count(found[group])} {group}" for group, *_ in GROUPS if found[group]) or "none"
