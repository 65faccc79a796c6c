"""Both charts above the runs table. Their room is kept from the start; plots come when pyqtgraph is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from engine_bridge.bridge import Facets
from widgets.qt_types import make_types
from widgets.runs.chart_frame import ChartFrame
from widgets.unveiling import in_turn

if TYPE_CHECKING:
    from widgets.runs.histogram import Histogram
    from widgets.runs.scatter import Scatter


class Charts(QWidget):
    """``range_chosen`` carries (start_ns, end_ns) or None; ``run_opened`` a RunRef. Nothing here blocks."""

    range_chosen = Signal(object)
    run_opened = Signal(object)
    drawn = Signal()
    _imported = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.starts = ChartFrame("Starts · drag to filter", self)
        self.durations = ChartFrame("Durations · click opens the run", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.starts, 2)
        row.addWidget(self.durations, 1)
        self.histogram: Histogram | None = None
        self.scatter: Scatter | None = None
        self._facets = Facets()
        self._counted = True
        self._steps: list[Callable[[], None]] = []
        self._waiting = False  # for a turn
        self._zone: tzinfo | None = None
        self._range: tuple[int, int] | None = None
        self._importing = False
        self._imported.connect(self._on_imported, Qt.ConnectionType.QueuedConnection)

    def set_data(self, facets: Facets | None, zone: tzinfo | None) -> None:
        """Shows new figures, as soon as the drawing library is there; None: nobody counted."""
        shown = facets or Facets()
        if (shown, zone, facets is not None) == (self._facets, self._zone, self._counted):
            return
        self._facets, self._zone, self._counted = shown, zone, facets is not None
        if self.scatter is not None:
            self._later(self._fill_histogram, self._fill_scatter)
        elif not self._importing and facets is not None:
            self._importing = True
            make_types()
            # Half a second of imports belongs into a thread; only making the plots needs this one.
            threading.Thread(target=self._import, name="playhead-charts", daemon=True).start()

    def set_range(self, bounds: tuple[int, int] | None) -> None:
        """Shows the time range that the filter has."""
        self._range = bounds
        if self.histogram is not None:
            self.histogram.set_range(bounds)

    def _import(self) -> None:
        import pyqtgraph  # noqa: F401  what matters is that it is loaded

        with suppress(RuntimeError):  # the page may be gone by then
            self._imported.emit()

    def _on_imported(self) -> None:
        self._later(self._make_histogram, self._make_scatter, self._fill_histogram, self._fill_scatter)

    def _later(self, *steps: Callable[[], None]) -> None:
        """One step each turn of the event loop, so that none of them makes a frame late."""
        self._steps = list(steps)
        self._go_on()

    def _go_on(self) -> None:
        if not self._waiting:
            self._waiting = True
            in_turn(self, self._next)

    def _next(self) -> None:
        self._waiting = False
        if self._steps:
            self._steps.pop(0)()
        if self._steps:
            self._go_on()
        else:
            self.drawn.emit()

    def _make_histogram(self) -> None:
        from widgets.runs.histogram import Histogram

        self.histogram = Histogram(self.starts)
        self.histogram.range_chosen.connect(self.range_chosen)
        self.histogram.set_range(self._range)

    def _make_scatter(self) -> None:
        from widgets.runs.scatter import Scatter

        self.scatter = Scatter(self.durations)
        self.scatter.run_opened.connect(self.run_opened)

    def _fill_histogram(self) -> None:
        if self.histogram is not None:
            self.histogram.set_data(self._facets.buckets, self._facets.bucket_ns, self._zone)
            if not self._facets.buckets:
                self.starts.read_out(self._nothing("no starts to show"))

    def _fill_scatter(self) -> None:
        if self.scatter is not None:
            self.scatter.set_data(self._facets.durations, self._zone)
            nothing = self._nothing("no finished runs to show")
            self.durations.read_out("" if self._facets.durations else nothing)

    def _nothing(self, words: str) -> str:
        return words if self._counted else "not counted for this filter"

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if (
            event.type() == QEvent.Type.PaletteChange
            and self.histogram is not None
            and self.scatter is not None
        ):
            self.histogram.tint()
            self.scatter.tint()
