"""The whole run in a strip, with failure ticks and the visible window, which can be dragged and resized. GUI thread."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from engine_bridge import format as fmt
from engine_bridge.history import distinct
from widgets import theme
from widgets.timeline.frame import RASTER_ONLY, make_frame
from widgets.timeline.gestures import WHEEL_ZOOM
from widgets.timeline.paint_frame import GUTTER, RIGHT
from widgets.timeline.palette import paints
from widgets.timeline.scale import Scale
from widgets.timeline.state import TimelineState
from widgets.timeline.tones import FAILED

HEIGHT: Final = 34
_STRIP: Final = 22
_LINES: Final = 9
_ROWS: Final = 400
_HANDLE: Final = 6


class Minimap(QWidget):
    """``changed`` after a drag moved the state's scale."""

    changed = Signal()

    def __init__(self, state: TimelineState, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self._picture: tuple[object, QImage] | None = None
        self._drag = ""
        self._last = 0.0
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Whole run")
        self.setAccessibleDescription(
            "The visible part of the run; plus, minus, Home and End in the timeline move it."
        )

    @property
    def area(self) -> QRectF:
        return QRectF(GUTTER, (HEIGHT - _STRIP) / 2, max(1, self.width() - GUTTER - RIGHT), _STRIP)

    def scale(self) -> Scale:
        """The whole run over the strip's width, on the same axis as the view."""
        first, last = self._state.limits()
        scale = replace(self._state.scale, width=self.area.width())
        origin = scale.axis.origin_ns
        return scale.framed(first - origin, last - origin, 0.01)

    def window_px(self) -> tuple[float, float]:
        """Left and right of the visible part, in px of the strip."""
        scale, state = self.scale(), self._state.scale
        return (state.u0 - scale.u0) / scale.per_px, (state.u1 - scale.u0) / scale.per_px

    def paintEvent(self, event: QPaintEvent) -> None:
        look = paints()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look.tokens["panel"])
            if self._state.empty:
                return
            scale, area = self.scale(), self.area
            painter.setFont(theme.font(11))
            painter.setPen(look.tokens["muted"])
            words = f"whole run · {fmt.duration(self._length())}" if not self._state.ordinal else "whole run"
            painter.drawText(QRectF(12, 0, GUTTER - 16, HEIGHT), Qt.AlignmentFlag.AlignVCenter, words)
            painter.fillRect(area, look.tokens["bg"])
            painter.drawImage(area, self._image(scale, painter.device().devicePixelRatioF()))
            self._paint_playhead(painter, scale)
            self._paint_window(painter)

    def _length(self) -> int:
        first, last = self._state.limits()
        return last - first

    def _image(self, scale: Scale, ratio: float) -> QImage:
        """All lanes squeezed into a few lines; made anew only when something changed by a px."""
        state = self._state
        step = max(scale.per_px, 1.0)
        key = (
            tuple((id(t.built), t.history.version) for t in state.tracks),
            id(scale.axis),
            (round(scale.u0 / step), round(scale.u1 / step), scale.width, ratio, theme.theme().name),
        )
        if self._picture is None or self._picture[0] != key:
            self._picture = (key, self._render(scale, ratio))
        return self._picture[1]

    def _render(self, scale: Scale, ratio: float) -> QImage:
        state = self._state
        rows = min(len(state.layout), _ROWS)
        frame = make_frame(state.tracks, state.layout, scale, (0, rows), ratio, state.clock_ns, RASTER_ONLY)
        lines = min(rows, _LINES)
        cuts = np.linspace(0, rows, lines + 1).astype(np.int64)[:-1]
        worst = np.maximum.reduceat(frame.worst, cuts, axis=0)
        height = round(_STRIP * ratio)
        image = QImage(worst.shape[1], height, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(QColor(0, 0, 0, 0))
        pixels = np.frombuffer(image.bits(), np.uint32).reshape(height, -1)
        thick = max(1, round(min(2.0, _STRIP / lines - 1) * ratio))
        for i, y in enumerate(
            np.linspace(3 * ratio, height - 3 * ratio - thick, max(lines, 2)).astype(int)[:lines]
        ):
            pixels[y : y + thick, : worst.shape[1]] = paints().full[worst[i]]
        pixels[:, self._failures(scale, ratio)] = paints().full[FAILED]
        return image

    def _failures(self, scale: Scale, ratio: float) -> NDArray[np.int64]:
        """Device px at which something failed."""
        origin = scale.axis.origin_ns
        x = [scale.x(track.failures() + (track.origin_ns - origin)) for track in self._state.tracks]
        return (
            distinct(np.floor(np.concatenate(x) * ratio))
            .astype(np.int64)
            .clip(0, round(scale.width * ratio) - 1)
        )

    def _paint_playhead(self, painter: QPainter, scale: Scale) -> None:
        at = self._state.playhead_ns
        if at is not None:
            x = self.area.x() + scale.x_of(at)
            painter.setPen(QPen(paints().tokens["playhead"], 1.5))
            painter.drawLine(QPointF(x, self.area.y() - 3), QPointF(x, self.area.bottom() + 3))

    def _paint_window(self, painter: QPainter) -> None:
        area, (x0, x1) = self.area, self.window_px()
        x0, x1 = max(x0, 0.0), min(x1, area.width())
        for left, right in ((0.0, x0), (x1, area.width())):
            if right > left:
                painter.fillRect(
                    QRectF(area.x() + left, area.y(), right - left, area.height()), paints().veil
                )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(paints().tokens["accent"], 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(area.x() + x0, area.y(), max(x1 - x0, 3), area.height()), 3, 3)

    # Mouse.

    def _part(self, x: float) -> str:
        x0, x1 = self.window_px()
        if abs(x - x0) <= _HANDLE:
            return "left"
        if abs(x - x1) <= _HANDLE:
            return "right"
        return "inside" if x0 < x < x1 else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._state.empty or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x() - self.area.x()
        self._drag, self._last = self._part(x), x
        if not self._drag:
            x0, x1 = self.window_px()
            self._shift(x - (x0 + x1) / 2)
            self._drag = "inside"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._state.empty:
            return
        x = event.position().x() - self.area.x()
        part = self._drag or self._part(x)
        self.setCursor(
            Qt.CursorShape.SizeHorCursor if part in ("left", "right") else Qt.CursorShape.ArrowCursor
        )
        if self._drag == "inside":
            self._shift(x - self._last)
        elif self._drag:
            self._resize_window(x)
        self._last = x

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = ""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._state.empty:
            self._state.zoom(WHEEL_ZOOM ** event.angleDelta().y())
            self.changed.emit()
        event.accept()

    def _shift(self, dx: float) -> None:
        self._state.pan(dx * self.scale().per_px / self._state.scale.per_px)
        self.changed.emit()

    def _resize_window(self, x: float) -> None:
        scale, x0, x1 = self.scale(), *self.window_px()
        x0, x1 = (min(x, x1 - 1), x1) if self._drag == "left" else (x0, max(x, x0 + 1))
        self._state.show_range(scale.time_ns(x0), scale.time_ns(x1), 0.0)
        self.changed.emit()
