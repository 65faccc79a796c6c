"""What both charts share: a themed plot with axes of ours. Imports pyqtgraph, so it is imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal

from widgets.runs.ticks import Tick, count_ticks, duration_ticks, time_ticks
from widgets.theme import font, theme

_LABEL_PX = 70
_LINE_PX = 22
_LEFT_PX = 44


class TicksAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """An axis whose ticks come from one of our functions."""

    def __init__(self, orientation: str, make: Callable[[float, float, float], list[Tick]]) -> None:
        super().__init__(orientation)
        self._make = make
        self._labels: dict[float, str] = {}
        self.setStyle(tickFont=font(11), tickLength=3, maxTickLevel=0)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        ticks = self._make(low, high, size)
        self._labels = dict(ticks)
        return [(1.0, [at for at, _ in ticks])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [self._labels.get(value, "") for value in values]


def count_axis() -> TicksAxis:
    """Whole numbers."""
    return TicksAxis(
        "left", lambda low, high, size: count_ticks(_below(low, high, size), int(size / _LINE_PX))
    )


def _below(low: float, high: float, size: float) -> float:
    # A label at the very top would be cut in half.
    return high - (high - low) * min(1.0, 8 / max(1.0, size))


class TimeAxis(TicksAxis):
    """Seconds UTC, labelled in a zone."""

    def __init__(self) -> None:
        self.zone: tzinfo | None = None
        super().__init__(
            "bottom", lambda low, high, size: time_ticks(low, high, int(size / _LABEL_PX), self.zone)
        )


def duration_axis() -> TicksAxis:
    """log10 of seconds, labelled as durations."""
    return TicksAxis(
        "left", lambda low, high, size: duration_ticks(low, _below(low, high, size), int(size / _LINE_PX))
    )


class DragBox(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph is untyped
    """A view box in which dragging chooses a range of x. Wheel and menu are off."""

    dragged = Signal(object)  # (x0, x1, finished)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(False, False)
        self.setDefaultPadding(0.0)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            ev.ignore()
            return
        ev.accept()
        start = self.mapSceneToView(ev.buttonDownScenePos()).x()
        end = self.mapSceneToView(ev.scenePos()).x()
        self.dragged.emit((min(start, end), max(start, end), ev.isFinish()))

    def wheelEvent(self, ev: Any, axis: int | None = None) -> None:
        ev.ignore()


class Plot(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph is untyped
    """A view box between two axes. ``tint`` takes the theme's colours.

    pyqtgraph's PlotWidget would bring a menu of forty widgets, whose making takes longer than a frame.
    """

    def __init__(self, left: TicksAxis) -> None:
        super().__init__()
        self.box = DragBox()
        self.time_axis = TimeAxis()
        self._axes = (left, self.time_axis)
        grid = pg.GraphicsLayout()
        grid.setContentsMargins(1, 1, 1, 1)
        grid.setSpacing(0)
        for item, row, column in ((left, 0, 0), (self.box, 0, 1), (self.time_axis, 1, 1)):
            grid.addItem(item, row, column)
        for axis in self._axes:
            axis.linkToView(self.box)
            axis.setZValue(0.5)  # over the plot's own items, as pyqtgraph has it
        self.setCentralItem(grid)
        self.setAntialiasing(True)
        left.setWidth(_LEFT_PX)
        self.addItem, self.removeItem = self.box.addItem, self.box.removeItem
        self.setXRange, self.setYRange = self.box.setXRange, self.box.setYRange
        self.tint()

    def tint(self) -> None:
        """Takes the colours of the theme in force."""
        self.setBackground(theme().color("panel"))
        for axis in self._axes:
            axis.setPen(pg.mkPen(theme().color("line")))
            axis.setTextPen(pg.mkPen(theme().color("muted")))
