"""The canvas: gutter, axis and lanes, painted in one go; mouse and keys go to the gestures. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from widgets import theme
from widgets.shell.label import plain_tooltip
from widgets.timeline import paint_frame as paint
from widgets.timeline.gestures import Gestures
from widgets.timeline.paint_bars import BarPainter
from widgets.timeline.palette import paints
from widgets.timeline.stamps import paint_stamps, stamp_at
from widgets.timeline.state import TimelineState


class Canvas(QWidget):
    """Paints the state; knows how px of the widget become px of the plot. ``resized`` after each resize."""

    resized = Signal()

    def __init__(self, state: TimelineState, gestures: Gestures, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self._gestures = gestures
        self._bars = BarPainter()
        self._gutter: tuple[object, QPixmap] | None = None
        self.empty_text = ""
        self.note = ""
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    @property
    def plot(self) -> QRect:
        """The area of the bars, in px of the canvas."""
        return QRect(
            paint.GUTTER,
            paint.AXIS,
            max(1, self.width() - paint.GUTTER - paint.RIGHT),
            max(1, self.height() - paint.AXIS),
        )

    def sizeHint(self) -> QSize:
        rows = self._state.layout.height
        return QSize(900, paint.AXIS + max(104, min(rows, 416)))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), paints().tokens["panel"])
            if self._state.empty:
                self._paint_empty(painter)
            else:
                self._paint(painter, event.rect())
            if self.hasFocus():
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.setPen(paints().tokens["accent"])
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_empty(self, painter: QPainter) -> None:
        painter.setPen(paints().tokens["muted"])
        painter.setFont(theme.font(13))
        words = self.rect().adjusted(16, 0, -16, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty_text)

    def _paint(self, painter: QPainter, dirty: QRect) -> None:
        state, plot, ratio = self._state, self.plot, painter.device().devicePixelRatioF()
        if QRect(0, 0, plot.x(), plot.y()).contains(
            dirty
        ):  # the corner, for what the tools in it do not cover
            paint.paint_axis(painter, state, plot)
            return
        frame = state.frame(ratio)
        lanes = QRect(0, plot.y(), self.width(), plot.height())
        painter.setClipRect(lanes)
        paint.paint_bands(painter, state, plot, self.width())
        painter.setClipping(False)
        paint.paint_breaks(painter, state, plot)
        paint.paint_axis(painter, state, plot)
        painter.setClipRect(plot)
        painter.translate(plot.topLeft())
        self._bars.paint(painter, state, frame, ratio)
        paint.paint_marks(painter, state, frame, ratio)
        paint.paint_selection(painter, state)
        painter.translate(-plot.topLeft())
        paint_stamps(painter, state, plot)
        painter.setClipping(False)
        self._paint_gutter(painter, frame.first, frame.last, ratio)
        painter.setClipRect(plot.adjusted(-8, -paint.AXIS, paint.RIGHT, 0))
        paint.paint_playhead(painter, state, plot)
        painter.setClipping(False)
        self._paint_range(painter)
        if self.note:
            self._paint_note(painter)

    def _paint_gutter(self, painter: QPainter, first: int, last: int, ratio: float) -> None:
        """Names change seldom: they are kept as a picture until they do."""
        state = self._state
        key = (
            (first, last, state.top, self.height(), ratio, theme.theme().name, state.selected),
            tuple((id(track.lanes), track.history.version, len(track.lanes)) for track in state.tracks),
        )
        if self._gutter is None or self._gutter[0] != key:
            picture = QPixmap(round(paint.GUTTER * ratio), round(self.height() * ratio))
            picture.setDevicePixelRatio(ratio)
            picture.fill(QColor(0, 0, 0, 0))
            with QPainter(picture) as names:
                names.setClipRect(QRectF(0, paint.AXIS, paint.GUTTER, self.height() - paint.AXIS))
                paint.paint_gutter(names, state, self.plot, first, last)
            self._gutter = (key, picture)
        painter.drawPixmap(0, 0, self._gutter[1])

    def _paint_range(self, painter: QPainter) -> None:
        if self._state.range_px is None:
            return
        x0, x1 = sorted(self._state.range_px)
        area = QRectF(self.plot.x() + x0, 0, x1 - x0, self.height())
        color = QColor(paints().tokens["accent"])
        color.setAlphaF(0.18)
        painter.fillRect(area, color)
        painter.setPen(paints().tokens["accent"])
        painter.drawLine(area.topLeft(), area.bottomLeft())
        painter.drawLine(area.topRight(), area.bottomRight())

    def _paint_note(self, painter: QPainter) -> None:
        painter.setFont(theme.font(11))
        painter.setPen(paints().tokens["muted"])
        area = self.plot.adjusted(0, 0, -6, -4)
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, self.note)

    # Events.

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.resized.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._gestures.press(event, self.plot)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.setCursor(self._gestures.move(event, self.plot))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._gestures.release(event, self.plot)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._gestures.double_click(event, self.plot)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._gestures.wheel(event, self.plot)
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._gestures.leave()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            stamp = stamp_at(self._state, self.plot, event.pos().x(), event.pos().y())
            words = plain_tooltip(stamp.words) if stamp else self._gestures.tooltip(event.pos(), self.plot)
            QToolTip.showText(event.globalPos(), words, self) if words else QToolTip.hideText()
            return True
        return super().event(event)
