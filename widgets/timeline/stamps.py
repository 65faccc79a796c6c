"""What operators did to the run or staged on it, and what a replay found: dotted lines with a glyph. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen

from widgets import glyphs
from widgets.timeline.palette import font, paints
from widgets.timeline.state import Stamp, TimelineState

_SIZE: Final = 14
_MOST: Final = 200
_FOOT: Final = 10


def paint_stamps(painter: QPainter, state: TimelineState, plot: QRect) -> None:
    """The stamps in sight; painter at the canvas' origin."""
    _dropped(painter, state, plot)
    ratio = painter.device().devicePixelRatioF()
    for stamp in (*state.findings[:_MOST], *state.stamps[:_MOST]):
        color = paints().tokens[stamp.tone or "playhead"]
        x = state.scale.x_of(stamp.time_ns)
        if not 0 <= x <= state.scale.width:
            continue
        foot = QPointF(plot.x() + x, plot.bottom() - _FOOT)
        painter.setPen(QPen(color, 1, Qt.PenStyle.DashLine if stamp.staged else Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(foot.x(), plot.y()), QPointF(foot.x(), foot.y() - _SIZE / 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paints().tokens["panel"])
        painter.drawEllipse(foot, _SIZE / 2 + 2, _SIZE / 2 + 2)
        name = stamp.glyph or ("pin" if stamp.staged else "operator")
        corner = foot - QPointF(_SIZE / 2, _SIZE / 2)
        painter.drawPixmap(corner, glyphs.pixmap(name, color.name(), _SIZE, ratio))
        if stamp.staged:
            _words(painter, stamp, foot, plot)


def _dropped(painter: QPainter, state: TimelineState, plot: QRect) -> None:
    """Hatches what a staged action drops."""
    if state.dropped_ns is None:
        return
    left = max(0.0, state.scale.x_of(state.dropped_ns))
    color = QColor(paints().tokens["playhead"])
    color.setAlpha(70)
    painter.fillRect(
        QRectF(plot.x() + left, plot.y(), max(0.0, plot.width() - left), plot.height()),
        QBrush(color, Qt.BrushStyle.BDiagPattern),
    )


def _words(painter: QPainter, stamp: Stamp, foot: QPointF, plot: QRect) -> None:
    painter.setFont(font(11)[0])
    wide = painter.fontMetrics().horizontalAdvance(stamp.words) + 12
    right = foot.x() + _SIZE + wide < plot.right()
    left = foot.x() + _SIZE / 2 + 4 if right else foot.x() - _SIZE / 2 - 4 - wide
    area = QRectF(left, foot.y() - 9, wide, 18)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setBrush(paints().tokens["panel"])
    painter.setPen(QPen(paints().tokens["playhead"], 1, Qt.PenStyle.DashLine))
    painter.drawRoundedRect(area, 9, 9)
    painter.setPen(paints().tokens["text"])
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, stamp.words)


def stamp_at(state: TimelineState, plot: QRect, x: float, y: float) -> Stamp | None:
    """The stamp whose glyph is at a point of the canvas."""
    if y < plot.bottom() - _FOOT - _SIZE:
        return None
    stamps = (*state.findings, *state.stamps)
    near = [s for s in stamps if abs(plot.x() + state.scale.x_of(s.time_ns) - x) <= _SIZE / 2 + 2]
    return near[-1] if near else None
