"""Failures by week: painted bars with a brush that chooses weeks. GUI thread."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from engine_bridge.format import count, day
from widgets.failures.sieve import Span
from widgets.failures.tally import Week
from widgets.runs.chart_frame import ChartFrame
from widgets.shell.label import fill
from widgets.theme import font, theme

HEIGHT: Final = 112
_WIDEST: Final = 44.0  # px of a bar with its gap
_LABEL: Final = 52  # px that a date wants
_TOP, _BOTTOM = 14, 16
_STACK: Final = (("resolved", "completed"), ("other", "failed"), ("open", "failed"))
_LEGEND: Final = (("open", "failed", "failed"), ("resolved", "completed", "completed"))


class WeekBars(QWidget):
    """The plot. ``dragged`` carries (first, last, finished) week numbers, ``pointed`` the one under the mouse."""

    dragged = Signal(object)
    pointed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.weeks: list[Week] = []
        self.chosen: tuple[int, int] | None = None
        self.zone: tzinfo | None = None
        self._from: int | None = None
        self.setMouseTracking(True)
        self.setFont(font(11))

    @property
    def step(self) -> float:
        """Px of one week."""
        return min(_WIDEST, self.width() / max(1, len(self.weeks)))

    def _at(self, x: float) -> int:
        return max(0, min(len(self.weeks) - 1, int(x // self.step)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.weeks and event.button() == Qt.MouseButton.LeftButton:
            self._from = self._at(event.position().x())
            self._drag(event, finished=False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self.weeks:
            return
        if self._from is not None:
            self._drag(event, finished=False)
        self.pointed.emit(self._at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._from is not None and self.weeks:
            self._drag(event, finished=True)
        self._from = None

    def _drag(self, event: QMouseEvent, *, finished: bool) -> None:
        ends = sorted((self._from or 0, self._at(event.position().x())))
        self.dragged.emit((ends[0], ends[1], finished))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.setFont(self.font())
            if self.weeks:
                self._paint(p)

    def _paint(self, p: QPainter) -> None:
        t, step = theme(), self.step
        most = max(1, *(week.total for week in self.weeks))
        floor, room = self.height() - _BOTTOM, self.height() - _TOP - _BOTTOM
        if self.chosen is not None:
            first, last = self.chosen
            shade = t.color("accent")
            shade.setAlpha(48)
            area = QRectF(first * step, 0, (last - first + 1) * step, floor).toAlignedRect()
            fill(p, area, shade)
        for number, week in enumerate(self.weeks):
            y = float(floor)
            for name, token in _STACK:
                height = getattr(week, name) / most * room
                if height > 0:
                    height = max(1.5, height)
                    y -= height
                    bar = QRectF(number * step + 1, y, max(1.0, step * 0.82), height)
                    p.setPen(Qt.PenStyle.NoPen)
                    p.setBrush(t.color(token))
                    p.drawRect(bar)
            if week.total and step >= 26:
                p.setPen(t.color("muted"))
                p.drawText(
                    QRectF(number * step, y - 14, step, 13), Qt.AlignmentFlag.AlignHCenter, count(week.total)
                )
        p.setPen(QPen(t.color("line"), 1))
        p.drawLine(0, floor, self.width(), floor)
        self._paint_dates(p, floor)

    def _paint_dates(self, p: QPainter, floor: int) -> None:
        every = max(1, -(-_LABEL // max(1, int(self.step))))
        p.setPen(theme().color("muted"))
        for number in range(0, len(self.weeks), every):
            words = day(self.weeks[number].span[0], self.zone)
            p.drawText(QRectF(number * self.step + 1, floor + 2, _LABEL, _BOTTOM - 2), 0, words)


class WeekStrip(ChartFrame):
    """``span_chosen`` carries (start, end) in ns of the chosen weeks, or None for all."""

    span_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Failures by week · drag to filter", parent)
        self.setFixedHeight(HEIGHT)
        self.bars = WeekBars()
        self._span: Span | None = None
        self._whole = True
        self._brush: tuple[int, int] | None = None  # while it is made
        self._anchor = self._cursor = 0
        self.put_plot(self.bars)
        self.bars.dragged.connect(self._on_dragged)
        self.bars.pointed.connect(self._read_week)
        self.key_pressed.connect(self._on_key)

    @property
    def weeks(self) -> list[Week]:
        return self.bars.weeks

    def set_weeks(self, weeks: list[Week], zone: tzinfo | None, *, whole: bool) -> None:
        """Shows counts; ``whole`` False: older failures are not counted."""
        if bool(self._open_or_resolved(weeks)) != bool(self._open_or_resolved(self.weeks)):
            self.set_legend(_LEGEND if self._open_or_resolved(weeks) else ())
        self.bars.weeks, self.bars.zone, self._whole = weeks, zone, whole
        self._brush = None
        self._show_brush()
        self._read_whole()

    @staticmethod
    def _open_or_resolved(weeks: list[Week]) -> int:
        return sum(week.open + week.resolved for week in weeks)

    def set_span(self, span: Span | None) -> None:
        """Shows the weeks that the list is narrowed to."""
        self._span, self._brush = span, None
        self._show_brush()
        self._read_whole()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.set_legend(_LEGEND if self._open_or_resolved(self.weeks) else ())

    def _show_brush(self) -> None:
        self.bars.chosen = self._brush or self._numbers(self._span)
        self.bars.update()

    def _numbers(self, span: Span | None) -> tuple[int, int] | None:
        if span is None:
            return None
        inside = [n for n, week in enumerate(self.weeks) if span[0] <= week.span[0] < span[1]]
        return (inside[0], inside[-1]) if inside else None

    def _span_of(self, brush: tuple[int, int]) -> Span:
        return self.weeks[brush[0]].span[0], self.weeks[brush[1]].span[1]

    def _on_dragged(self, drag: tuple[int, int, bool]) -> None:
        first, last, finished = drag
        self._brush = (first, last)
        self._anchor, self._cursor = first, last
        self._show_brush()
        self._read(*self._brush)
        if finished:
            self.span_chosen.emit(self._span_of(self._brush))

    def _on_key(self, pressed: tuple[Qt.Key, bool]) -> None:
        key, shift = pressed
        if key == Qt.Key.Key_Escape:
            self._brush = None
            self.span_chosen.emit(None)
        elif not self.weeks:
            return
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._step(-1 if key == Qt.Key.Key_Left else 1, extend=shift)
        elif self._brush is not None:
            self.span_chosen.emit(self._span_of(self._brush))

    def _step(self, direction: int, *, extend: bool) -> None:
        last = len(self.weeks) - 1
        now = self._brush or self._numbers(self._span)
        if now is None:
            self._anchor = self._cursor = last
        else:
            if self._brush is None:
                self._anchor, self._cursor = now
            self._cursor = max(0, min(last, self._cursor + direction))
            self._anchor = self._anchor if extend else self._cursor
        self._brush = (min(self._anchor, self._cursor), max(self._anchor, self._cursor))
        self._show_brush()
        self._read(*self._brush)

    def _read_week(self, number: int) -> None:
        self._read(number, number)

    def _read_whole(self) -> None:
        chosen = self.bars.chosen
        if chosen is not None:
            self._read(*chosen)
        elif self.weeks:
            self._read(0, len(self.weeks) - 1)
        else:
            self.read_out("")

    def _read(self, first: int, last: int) -> None:
        span, weeks = self._span_of((first, last)), self.weeks[first : last + 1]
        zone = self.bars.zone
        parts = [f"{day(span[0], zone)} – {day(span[1] - 1, zone)}"]
        for name in ("open", "resolved"):
            number = sum(getattr(week, name) for week in weeks)
            if number:
                parts.append(f"{count(number)} {name}")
        other = sum(week.other for week in weeks)
        if other or len(parts) == 1:
            parts.append(f"{count(other)} {'failure' if other == 1 else 'failures'}")
        if not self._whole and first == 0:
            parts.append("older ones not counted")
        self.read_out("   ".join((parts[0], " · ".join(parts[1:]))))
