"""Paints what surrounds the bars: axis, gutter, bands, markers, playhead. GUI thread."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from engine_bridge import format as fmt
from engine_bridge.codes import EVENT_KINDS, NO_TIME, STEP_KINDS, STEP_STATUSES
from widgets import glyphs, theme
from widgets.timeline import text
from widgets.timeline.frame import GLYPHS, Frame
from widgets.timeline.markers import RUN_LANE
from widgets.timeline.palette import GLYPH, font, paints
from widgets.timeline.state import TimelineState
from widgets.timeline.ticks import ticks

AXIS: Final = 34
RIGHT: Final = 10
GUTTER: Final = 216
EXPANDER: Final = 20
INDENT: Final = 18
FLAG_HEIGHT: Final = 18
_EDGED: Final = 4.0  # px from which on a break has edges of its own


def paint_axis(painter: QPainter, state: TimelineState, plot: QRect) -> None:
    """Tick labels above the plot and hairlines through it."""
    look = paints()
    digits, metrics = font(11, code=True)
    painter.setFont(digits)
    marks = ticks(state.scale, state.mode, state.zone, state.start_ns, ordinal=state.ordinal)
    flag = flag_rect(state, plot) or QRectF()
    right = -1.0
    for tick in marks:
        x = plot.x() + round(tick.x) + 0.5
        painter.setPen(QPen(look.tokens["line"], 1))
        painter.drawLine(QPointF(x, plot.y() - 6), QPointF(x, plot.bottom()))
        end = x + 4 + metrics.horizontalAdvance(tick.label)
        hidden = not flag.isNull() and end > flag.left() - 14 and x < flag.right() + 14
        if x + 4 > right and end <= plot.right() and not hidden:
            painter.setPen(look.tokens["text" if tick.major else "muted"])
            painter.drawText(QPointF(x + 4, plot.y() - 12), tick.label)
            right = end + 8


def paint_breaks(painter: QPainter, state: TimelineState, plot: QRect) -> None:
    """Where idle time is squeezed: a hatched column, with its length where it fits."""
    axis = state.scale.axis
    if axis.breaks is None or axis.knots_t is None or not axis.squeezed:
        return
    at = state.scale.x(axis.knots_t)
    left, right = np.maximum(at[axis.breaks], 0), np.minimum(at[axis.breaks + 1], state.scale.width)
    seen = np.flatnonzero(right > left)
    look = paints()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.tokens["bg"])
    areas = [QRectF(plot.x() + left[i], plot.y(), right[i] - left[i], plot.height()) for i in seen.tolist()]
    painter.drawRects(areas)
    painter.setFont(font(11)[0])
    for i, area in zip(axis.breaks[seen].tolist(), areas, strict=True):
        if area.width() >= _EDGED:
            _paint_break(painter, area, int(axis.knots_t[i + 1] - axis.knots_t[i]))


def _paint_break(painter: QPainter, area: QRectF, ns: int) -> None:
    look = paints()
    painter.setPen(QPen(look.tokens["line"], 1, Qt.PenStyle.DashLine))
    painter.drawLine(area.topLeft(), area.bottomLeft())
    painter.drawLine(area.topRight(), area.bottomRight())
    words = fmt.duration(ns)
    if painter.fontMetrics().horizontalAdvance(words) + 4 <= area.width():
        painter.setPen(look.tokens["muted"])
        bottom = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        painter.drawText(area.adjusted(0, 0, 0, -4), bottom, words)


def paint_bands(painter: QPainter, state: TimelineState, plot: QRect, width: int) -> None:
    """The band of the selected lane, across gutter and plot."""
    if state.selected is None:
        return
    row = state.row_of(state.selected)
    if row >= 0:
        y = plot.y() + int(state.layout.y[row]) - state.top
        height = int(state.layout.y[row + 1] - state.layout.y[row])
        painter.fillRect(0, y, width, height, paints().tokens["selection"])


def paint_gutter(painter: QPainter, state: TimelineState, plot: QRect, first: int, last: int) -> None:
    """Lane names; children indented, an expander where a child run can be opened in place."""
    look = paints()
    words, metrics = font(12)
    painter.setFont(words)
    for row in range(first, last):
        number, lane = int(state.layout.track[row]), int(state.layout.lane[row])
        if state.layout.slim[row]:
            continue
        y = plot.y() + int(state.layout.y[row]) - state.top
        height = int(state.layout.y[row + 1] - state.layout.y[row])
        left = 12 + (INDENT if number else 0)
        baseline = y + (height + metrics.ascent() - metrics.descent()) / 2
        if state.expandable(row):
            glyph = "collapse" if state.opened(row) else "expand"
            painter.drawPixmap(
                QPointF(left - 10, y + (height - 12) / 2),
                glyphs.pixmap(glyph, look.tokens["muted"].name(), 12, painter.device().devicePixelRatio()),
            )
            left += 6
        name, note = lane_words(state, number, lane)
        room = GUTTER - left - 8
        noted = metrics.horizontalAdvance(note) if note else 0
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, max(room - noted, 40))
        painter.setPen(look.tokens["text"])
        painter.drawText(QPointF(left, baseline), shown)
        if note:
            painter.setPen(look.tokens["muted"])
            painter.drawText(QPointF(left + metrics.horizontalAdvance(shown), baseline), note)


def lane_words(state: TimelineState, number: int, lane: int) -> tuple[str, str]:
    """A lane's name, and its muted note: "pack_items", " × 12"."""
    if lane == RUN_LANE:
        return "run", " · signals"
    lanes = state.tracks[number].lanes
    if lanes.sub[lane]:
        return "", ""
    name = fmt.plain(lanes.names[lanes.name[lane]], 120)
    count = lanes.count[lanes.name[lane]]
    kind = text.kind_note(STEP_KINDS[lanes.kind[lane]])
    if state.tracks[number].built.coarse:
        count = 0
    note = (f" × {count}" if count > 1 else "") + (f" · {kind}" if kind and kind != name else "")
    return name, note


def paint_marks(painter: QPainter, state: TimelineState, frame: Frame, ratio: float) -> None:
    """Glyphs of moments, and of steps that are only known by their order; painter at the plot's origin."""
    marks = frame.marks
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for i in range(min(len(marks.x), 2 * GLYPHS)):
        event, step, number = int(marks.event[i]), int(marks.step[i]), int(marks.track[i])
        y, height = state.layout.bar_y(int(marks.at[i]))
        at = QPointF(float(marks.x[i]), y - state.top + height / 2)
        glyph, color = _event_look(state, number, event) if event >= 0 else _step_look(state, number, step)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paints().tokens["panel"])
        painter.drawEllipse(at, GLYPH / 2 + 1, GLYPH / 2 + 1)
        painter.drawPixmap(
            at - QPointF(GLYPH / 2, GLYPH / 2), glyphs.pixmap(glyph, color.name(), GLYPH, ratio)
        )
        if step >= 0 and state.tracks[number].history.steps["start_ns"][step] == NO_TIME:
            painter.setFont(font(11)[0])
            painter.setPen(paints().tokens["muted"])
            painter.drawText(at + QPointF(GLYPH / 2 + 5, 4), "no time recorded: placed by order")


def _event_look(state: TimelineState, number: int, event: int) -> tuple[str, QColor]:
    kind = state.tracks[number].history.events["kind"][event]
    glyph, state_name = glyphs.EVENT[EVENT_KINDS[int(kind)]]
    return glyph, theme.theme().state(state_name)


def _step_look(state: TimelineState, number: int, step: int) -> tuple[str, QColor]:
    """A moment shows its kind, unless it failed; any other step shows its status."""
    steps = state.tracks[number].history.steps
    kind, status = STEP_KINDS[int(steps["kind"][step])], STEP_STATUSES[int(steps["status"][step])]
    if status.bad or not text.is_moment(kind):
        return glyphs.state_glyph(status), theme.theme().state(status)
    return glyphs.KIND[kind], paints().tokens["signal"]


def paint_selection(painter: QPainter, state: TimelineState) -> None:
    """The outline of the selected span, and a lighter one of the hovered; painter at the plot's origin."""
    for key, token, width in ((state.hovered, "muted", 1.0), (state.selected, "accent", 2.0)):
        if key is None:
            continue
        row = state.row_of(key)
        if row < 0:
            continue
        start, end, _ = state.span(key)
        x0, x1 = (min(max(state.scale.x_of(t), -9.0), state.scale.width + 9) for t in (start, end))
        y, height = state.layout.bar_y(row)
        area = QRectF(x0 - 1, y - state.top - 1.5, max(x1 - x0 + 1, 4), height + 3)
        painter.setPen(QPen(paints().tokens[token], width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(area, 3, 3)


def flag_words(state: TimelineState) -> str:
    """What the playhead's flag says: "event 31 · 14:06:58.204", or LIVE."""
    at = state.playhead_ns
    time = "" if at is None or state.ordinal else fmt.clock(at, state.zone)
    if state.position is None:
        return f"LIVE · {time}" if state.main.open_run else f"end · {time}"
    return f"event {state.position} · {time}" if time else f"event {state.position}"


def flag_rect(state: TimelineState, plot: QRect) -> QRectF | None:
    """Where the flag stands, in the canvas; None when the playhead is out of sight."""
    at = state.playhead_ns
    if at is None:
        return None
    x = state.scale.x_of(at)
    if not -1 <= x <= state.scale.width + 1:
        return None
    width = font(11, code=True)[1].horizontalAdvance(flag_words(state)) + 12
    left = plot.x() + x + 8
    if left + width > plot.right():
        left = plot.x() + x - width - 8
    return QRectF(left, plot.y() - AXIS + 7, width, FLAG_HEIGHT)


def paint_playhead(painter: QPainter, state: TimelineState, plot: QRect) -> None:
    """The veil over what comes later, the line, its handle and its flag."""
    at = state.playhead_ns
    if at is None:
        return
    x = plot.x() + state.scale.x_of(at)
    look = paints()
    if state.position is not None and x < plot.right():
        left = max(x, plot.x())
        painter.fillRect(QRectF(left, plot.y(), plot.right() - left + RIGHT + 1, plot.height()), look.veil)
    flag = flag_rect(state, plot)
    if flag is None:
        return
    color = look.tokens["playhead"]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    live = state.position is None
    painter.setPen(QPen(color, 1.0 if live else 1.5, Qt.PenStyle.DashLine if live else Qt.PenStyle.SolidLine))
    painter.drawLine(QPointF(x, plot.y() - AXIS + 14), QPointF(x, plot.bottom()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    top = plot.y() - AXIS + 8
    corners = ((-5.5, 0.0), (5.5, 0.0), (5.5, 8.0), (0.0, 14.0), (-5.5, 8.0))
    painter.drawPolygon(QPolygonF([QPointF(x + dx, top + dy) for dx, dy in corners]))
    painter.drawRoundedRect(flag, 3, 3)
    painter.setPen(look.tokens["bg"] if theme.theme().dark else look.tokens["panel"])
    painter.setFont(font(11, code=True)[0])
    painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, flag_words(state))
