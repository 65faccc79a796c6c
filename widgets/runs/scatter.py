"""Durations by start time on a log scale, with the 95th percentile; failed runs have a shape of their own."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Signal

from engine_bridge.bridge import DurationPoint
from engine_bridge.format import duration, short_time
from engine_bridge.model import Status
from widgets.runs.chart_frame import ChartFrame
from widgets.runs.plot import Plot, duration_axis
from widgets.runs.ticks import log_position
from widgets.theme import font, theme

_MOST: Final = 4_000
_BAD: Final = frozenset(status.value for status in Status if status.bad)


class Scatter(QObject):
    """Fills one frame. ``run_opened`` carries the RunRef of the point that was clicked, or entered."""

    run_opened = Signal(object)

    def __init__(self, frame: ChartFrame) -> None:
        super().__init__(frame)
        self._frame = frame
        self._points: list[DurationPoint] = []
        self._all: list[int] = []
        self._zone: tzinfo | None = None
        self._current = -1
        self._plot = Plot(duration_axis())
        self._good = pg.ScatterPlotItem(size=4, symbol="o", pxMode=True, hoverable=True, tip=None)
        self._bad = pg.ScatterPlotItem(size=7, symbol="x", pxMode=True, hoverable=True, tip=None)
        self._mark = pg.ScatterPlotItem(size=12, symbol="s", pxMode=True)
        self._p95 = pg.InfiniteLine(
            angle=0, label="", labelOpts={"position": 0.995, "anchors": [(1, 1), (1, 1)]}
        )
        for item in (self._good, self._bad, self._mark, self._p95):
            self._plot.addItem(item)
        for item in (self._good, self._bad):
            item.sigClicked.connect(self._on_clicked)
            item.sigHovered.connect(self._on_hovered)
        frame.put_plot(self._plot)
        frame.key_pressed.connect(self._on_key)
        self.tint()

    def set_data(self, points: tuple[DurationPoint, ...], zone: tzinfo | None) -> None:
        """Shows a sample of finished runs."""
        self._all = sorted(point.duration_ns for point in points)
        self._points = sorted(_sample(points), key=lambda point: point.start_ns)
        self._zone, self._current = zone, -1
        self._plot.time_axis.zone = zone
        self._draw()

    @property
    def p95_ns(self) -> int | None:
        """The 95th percentile (nearest rank) of the durations known, nanoseconds."""
        # numpy's percentile imports for 70 ms on its first call, in the GUI thread.
        return self._all[(len(self._all) * 95 - 1) // 100] if self._all else None

    def tint(self) -> None:
        """Takes the colours of the theme in force."""
        self._plot.tint()
        good, bad = theme().color("completed"), theme().color("failed")
        good.setAlpha(170)
        self._good.setBrush(good)
        self._good.setPen(None)
        self._bad.setBrush(bad)
        self._bad.setPen(None)
        self._mark.setBrush(None)
        self._mark.setPen(pg.mkPen(theme().color("accent"), width=2))
        self._p95.setPen(pg.mkPen(theme().color("retrying"), style=Qt.PenStyle.DashLine))
        self._p95.label.setColor(theme().color("text"))
        self._p95.label.setFont(font(11))

    def _draw(self) -> None:
        bad = np.array([point.status in _BAD for point in self._points], bool)
        x = np.array([point.start_ns / 1e9 for point in self._points])
        y = np.array([log_position(point.duration_ns) for point in self._points])
        self._mark.clear()
        for item, chosen in ((self._good, ~bad), (self._bad, bad)):
            item.setData(x=x[chosen], y=y[chosen], data=np.flatnonzero(chosen))
        p95 = self.p95_ns
        self._p95.setVisible(p95 is not None)
        if p95 is None:
            return
        self._p95.setValue(log_position(p95))
        self._p95.label.setFormat(f"p95 {duration(p95)}")
        gap = max(1.0, (x.max() - x.min()) * 0.02)
        self._plot.setXRange(x.min() - gap, x.max() + gap, padding=0)
        room = max(0.4, (y.max() - y.min()) * 0.3)  # for the label of the line at the top
        self._plot.setYRange(y.min() - room / 3, y.max() + room, padding=0)

    def _on_clicked(self, item: Any, points: Any, event: Any) -> None:
        if len(points):
            self.run_opened.emit(self._points[int(points[0].data())].ref)

    def _on_hovered(self, item: Any, points: Any, event: Any) -> None:
        if len(points):
            self._read_out(int(points[0].data()))

    def _on_key(self, pressed: tuple[Qt.Key, bool]) -> None:
        key, _ = pressed
        if not self._points:
            return
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = -1 if key == Qt.Key.Key_Left else 1
            start = self._current if self._current >= 0 else len(self._points) - (step > 0)
            self._current = max(0, min(len(self._points) - 1, start + step))
            point = self._points[self._current]
            self._mark.setData(x=[point.start_ns / 1e9], y=[log_position(point.duration_ns)])
            self._read_out(self._current)
        elif key != Qt.Key.Key_Escape and self._current >= 0:
            self.run_opened.emit(self._points[self._current].ref)

    def _read_out(self, number: int) -> None:
        point = self._points[number]
        at = short_time(point.start_ns, self._points[-1].start_ns, self._zone)
        self._frame.read_out(
            f"{point.ref.label}  {point.status.replace('_', ' ')}  {duration(point.duration_ns)}  {at}"
        )


def _sample(points: tuple[DurationPoint, ...]) -> list[DurationPoint]:
    """At most about _MOST points, evenly taken, failed ones first: what fits on a chart of this size."""
    bad = [point for point in points if point.status in _BAD]
    good = [point for point in points if point.status not in _BAD]
    return bad[:: 1 + 2 * len(bad) // _MOST] + good[:: 1 + 2 * len(good) // _MOST]
