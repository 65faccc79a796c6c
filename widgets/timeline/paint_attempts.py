"""Paints a step's attempts: a numbered bar each, and the back-off between them dotted. GUI thread."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from engine_bridge.codes import NO_TIME
from engine_bridge.history import Columns
from widgets import theme
from widgets.timeline import tones
from widgets.timeline.palette import GLYPH, Paints, font, tone_glyph
from widgets.timeline.state import Key, TimelineState

MIN_PX: Final = 26.0
"""Steps narrower than this show their attempts in the tooltip only."""
_EDGE: Final = 3


def paint_attempts(
    painter: QPainter, state: TimelineState, key: Key, rect: QRectF, look: Paints, ratio: float
) -> bool:
    """Paints the attempts of a step over its place; false when it has none with times, or no room."""
    if rect.width() < MIN_PX:
        return False
    tries = state.tracks[key[0]].attempts_of(key[1])
    if len(tries["step"]) < 2 or (tries["start_ns"] == NO_TIME).any():
        return False
    spans = _spans(state, key, tries)
    middle = rect.center().y()
    painter.setPen(QPen(look.tokens["retrying"], 1.5, Qt.PenStyle.DotLine))
    for (_, end, _, _), (start, _, _, _) in pairwise(spans):
        painter.drawLine(QPointF(end, middle), QPointF(start, middle))
    if spans[-1][1] < rect.right() - 2:
        painter.drawLine(QPointF(spans[-1][1], middle), QPointF(rect.right(), middle))
    for x0, x1, tone, number in spans:
        _paint_one(
            painter,
            QRectF(x0 + 0.5, rect.y(), max(x1 - x0 - 1.5, 2), rect.height()),
            tone,
            number,
            look,
            ratio,
        )
    return True


def _spans(state: TimelineState, key: Key, tries: Columns) -> list[tuple[float, float, int, int]]:
    """Left and right px, tone and number of each attempt; one without an end reaches to the next, or to the step's."""
    _, step_end, _ = state.span(key)
    starts = tries["start_ns"].tolist()
    result = []
    for i, (start, end) in enumerate(zip(starts, tries["end_ns"].tolist(), strict=True)):
        if end == NO_TIME:
            end = starts[i + 1] if i + 1 < len(starts) else step_end
        x0 = max(state.scale.x_of(start), -40.0)
        x1 = min(state.scale.x_of(end), state.scale.width + 40)
        result.append((x0, x1, int(tones.OF_STATUS[tries["status"][i]]), int(tries["number"][i])))
    return result


def _paint_one(painter: QPainter, rect: QRectF, tone: int, number: int, look: Paints, ratio: float) -> None:
    painter.setPen(look.pen[tone])
    painter.setBrush(look.brush[tone])
    painter.drawRoundedRect(rect, 2.5, 2.5)
    painter.fillRect(
        QRectF(rect.x() - 0.5, rect.y() - 0.5, min(_EDGE, rect.width()), rect.height() + 1), look.stroke[tone]
    )
    left = max(rect.x(), 0.0) + _EDGE + 2
    if rect.right() - left >= GLYPH:
        glyph = tone_glyph(theme.theme().name, tone, ratio)
        painter.drawPixmap(QPointF(left, rect.center().y() - GLYPH / 2), glyph)
        left += GLYPH + 1
    digits, metrics = font(11, code=True)
    painter.setFont(digits)
    words = str(number)
    width = metrics.horizontalAdvance(words)
    if rect.right() - left >= width:
        painter.setPen(look.tokens["text"])
        painter.drawText(QPointF(left, rect.center().y() + 4), words)
