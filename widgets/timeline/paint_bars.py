"""Paints a frame's raster and its bars. GUI thread.

A few bars are painted one by one, with attempts, hatches and labels; many are painted by tone in one call each,
and only the widest get a label.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen

from engine_bridge.codes import STEP_STATUSES
from engine_bridge.history import distinct
from engine_bridge.model import StepStatus
from engine_bridge.steps import Flag
from widgets import theme
from widgets.prim import FragmentArray, RectArray
from widgets.timeline import text, tones
from widgets.timeline.frame import Bars, Frame
from widgets.timeline.paint_attempts import paint_attempts
from widgets.timeline.palette import GLYPH, Paints, atlas, font, paints, tone_glyph
from widgets.timeline.scale import Floats
from widgets.timeline.state import TimelineState

FINE: Final = 64
"""Up to this many bars are painted one by one."""
OUTLINED: Final = 1_200
"""More bars than this have a fill and an edge, but no outline."""
LABELS: Final = 40
_EDGE: Final = 3
_STRIP: Final = 5
_GLYPH_FROM: Final = 20.0
_LABEL_FROM: Final = 48.0
_FAR: Final = 40.0
# Plain integers: an enumeration's own operators cost a microsecond each.
_OPEN: Final = int(Flag.OPEN)
_SKEW: Final = int(Flag.SKEW)
_PLANNED: Final = int(Flag.PLANNED)
_INFERRED: Final = int(Flag.INFERRED)
_GUESS: Final = int(Flag.INFERRED | Flag.UNTIMED | Flag.NO_END)
_SPECIAL: Final = int(Flag.INFERRED | Flag.SKEW | Flag.OPEN | Flag.PLANNED | Flag.UNTIMED | Flag.NO_END)


class BarPainter:
    """Keeps the buffers between frames."""

    def __init__(self) -> None:
        self._rects = RectArray()
        self._glyphs = FragmentArray()

    def paint(self, painter: QPainter, state: TimelineState, frame: Frame, ratio: float) -> None:
        """Paints into the plot: the painter's origin is the plot's top left, scrolled by nothing."""
        self._paint_raster(painter, state, frame)
        bars, look = frame.bars, paints()
        tone, faded = _at_playhead(state, bars)
        if len(bars) <= FINE:
            for i in range(len(bars)):
                _Bar(painter, state, bars, i, int(tone[i]), look, ratio).paint(faded=bool(faded[i]))
            return
        special = ((bars.flags & _SPECIAL) != 0) | faded
        for track in distinct(bars.track).tolist():
            special |= (bars.track == track) & state.tracks[track].retried(bars.row)
        few = np.flatnonzero(special)[:FINE]
        special[:] = False
        special[few] = True
        self._paint_many(painter, state, bars, np.flatnonzero(~special), tone, ratio)
        for i in few.tolist():
            _Bar(painter, state, bars, i, int(tone[i]), look, ratio).paint(faded=bool(faded[i]))

    def _paint_raster(self, painter: QPainter, state: TimelineState, frame: Frame) -> None:
        """Each lane's row of pixels, stretched to the height of its bars; below, a strip of what went wrong."""
        look, width = paints(), frame.worst.shape[1]
        lines = np.flatnonzero(frame.worst.any(axis=1))
        if not len(lines):
            return
        worst, main = frame.worst[lines], frame.dominant[lines]
        bad = _spread(np.where(worst >= tones.RETRYING, worst, np.uint8(0)))
        troubled = bad.max(axis=1).tolist()
        cells = np.empty((2 * len(lines), width), np.uint8)
        cells[0::2] = main
        cells[1::2] = np.where(bad > 0, bad + np.uint8(len(tones.TONES)), main)
        image = look.cells.take(cells)
        picture = QImage(
            image.data, width, 2 * len(lines), width * 4, QImage.Format.Format_ARGB32_Premultiplied
        )
        for i, line in enumerate(lines.tolist()):
            any_bad = troubled[i]
            y, height = state.layout.bar_y(line + frame.first)
            strip = min(_STRIP, height // 2) if any_bad else 0
            area = QRectF(0, y - state.top, state.scale.width, height - strip)
            painter.drawImage(area, picture, QRectF(0, 2 * i, width, 1))
            if any_bad:
                area = QRectF(0, y - state.top + height - strip, state.scale.width, strip)
                painter.drawImage(area, picture, QRectF(0, 2 * i + 1, width, 1))

    def _paint_many(
        self,
        painter: QPainter,
        state: TimelineState,
        bars: Bars,
        pick: NDArray[np.intp],
        tone: NDArray[np.uint8],
        ratio: float,
    ) -> None:
        order = pick[np.argsort(tone[pick], kind="stable")]
        x = np.maximum(bars.x0[order], -_FAR)
        width = np.minimum(bars.x1[order], state.scale.width + _FAR) - x - 1
        y, height = _vertical(state, bars.at[order])
        look, cuts = paints(), np.searchsorted(tone[order], np.arange(len(tones.TONES) + 1)).tolist()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        plain = len(order) > OUTLINED
        self._rects.fill(x, y, width + plain, height - (not plain))
        painter.setPen(Qt.PenStyle.NoPen)
        for t in range(1, len(tones.TONES)):
            if not plain:
                painter.setPen(look.pen[t])
            painter.setBrush(look.brush[t])
            self._rects.draw(painter, cuts[t], cuts[t + 1])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.hatch)
        self._rects.draw(painter, cuts[tones.CANCELLED], cuts[tones.CANCELLED + 1])
        self._rects.fill(x, y, np.minimum(width, _EDGE), height)
        for t in range(1, len(tones.TONES)):
            painter.setBrush(look.solid[t])
            self._rects.draw(painter, cuts[t], cuts[t + 1])
        room = (width >= _GLYPH_FROM) & (height >= GLYPH)
        self._glyphs.draw(
            painter,
            atlas(theme.theme().name, ratio),
            np.maximum(x, 0)[room] + _EDGE + 3 + GLYPH / 2,
            (y + height / 2)[room],
            tone[order][room],
            GLYPH,
        )
        wide = np.flatnonzero(width >= _LABEL_FROM)
        for i in order[wide[np.argsort(-width[wide], kind="stable")][:LABELS]].tolist():
            _Bar(painter, state, bars, i, int(tone[i]), look, ratio).label()


def _spread(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each cell's tone reaches one device px to both sides, so that a single failure can be seen."""
    wide = cells.copy()
    np.maximum(wide[:, 1:], cells[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], cells[:, 1:], out=wide[:, :-1])
    return wide


def _at_playhead(state: TimelineState, bars: Bars) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Tones as of the playhead, and which bars begin after it although they stand left of it."""
    tone, faded = bars.tone.copy(), np.zeros(len(bars), bool)
    if state.position is None or state.position_ns is None:
        return tone, faded
    mine = np.flatnonzero(bars.track == 0)
    steps, rows = state.main.history.steps, bars.row[mine]
    first, last = steps["first"][rows], steps["last"][rows]
    running = (first > 0) & (first <= state.position) & (state.position < last)
    tone[mine[running]] = tones.WHILE_OPEN[steps["kind"][rows[running]]]
    faded[mine] = (first > state.position) & (bars.x0[mine] < state.scale.x_of(state.position_ns) - 1)
    return tone, faded


def _vertical(state: TimelineState, at: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Top (in the plot) and height of the bars of some layout rows."""
    first = int(at.min()) if len(at) else 0
    last = int(at.max()) + 1 if len(at) else 0
    table = np.array([state.layout.bar_y(row) for row in range(first, last)], np.float64).reshape(-1, 2)
    return table[at - first, 0] - state.top, table[at - first, 1]


class _Bar:
    """One bar, painted with everything it has."""

    def __init__(
        self,
        painter: QPainter,
        state: TimelineState,
        bars: Bars,
        i: int,
        tone: int,
        look: Paints,
        ratio: float,
    ) -> None:
        self.painter, self.state, self.look, self.tone, self.ratio = painter, state, look, tone, ratio
        self.key = (int(bars.track[i]), int(bars.row[i]))
        self.flags = int(bars.flags[i])
        self.x0, self.x1 = float(bars.x0[i]), float(bars.x1[i])
        y, self.height = state.layout.bar_y(int(bars.at[i]))
        self.y = y - state.top
        x = max(self.x0, -_FAR)
        right = min(self.x1, state.scale.width + _FAR)
        self.rect = QRectF(x + 0.5, self.y + 0.5, max(right - x - 1.5, 1.5), self.height - 1)

    def paint(self, *, faded: bool) -> None:
        painter = self.painter
        painter.setOpacity(0.4 if faded else 1.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        self._planned()
        if paint_attempts(painter, self.state, self.key, self.rect, self.look, self.ratio):
            painter.setOpacity(1.0)
            return
        self._body()
        if self.rect.width() >= _GLYPH_FROM and self.height >= GLYPH:
            painter.drawPixmap(
                QPointF(max(self.rect.x(), 0) + _EDGE + 3, self.y + (self.height - GLYPH) / 2),
                tone_glyph(theme.theme().name, self.tone, self.ratio),
            )
        self.label()
        painter.setOpacity(1.0)

    def _body(self) -> None:
        painter, look, tone = self.painter, self.look, self.tone
        guess = self.flags & _GUESS
        painter.setPen(look.dashed[tone] if guess else look.pen[tone])
        painter.setBrush(look.brush[tone])
        painter.drawRoundedRect(self.rect, 2.5, 2.5)
        if tone == tones.CANCELLED or self.flags & _INFERRED:
            hatch(painter, self.rect, look.stroke[tone])
        painter.fillRect(
            QRectF(self.rect.x() - 0.5, self.y, min(_EDGE, self.rect.width()), self.height), look.stroke[tone]
        )
        if self.flags & _OPEN:
            self._open_end()
        if self.flags & _SKEW:
            painter.setPen(QPen(look.tokens["retrying"], 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect.adjusted(-2, -2, 2, 2))

    def _open_end(self) -> None:
        """An open bar has no right edge: it fades into what is not known yet."""
        edge, painter = self.rect.right(), self.painter
        painter.fillRect(QRectF(edge - 1, self.y, 2, self.height), self.look.tokens["panel"])
        painter.setPen(QPen(self.look.stroke[self.tone], 1.5, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(edge + 0.5, self.y), QPointF(edge + 0.5, self.y + self.height))

    def _planned(self) -> None:
        """What is planned and has not happened: dashed and hatched, from the end to the planned end."""
        if not self.flags & _PLANNED or not self.flags & _OPEN:
            return
        planned = self._column("planned_end_ns")
        right = min(self.state.scale.x_of(planned), self.state.scale.width + _FAR)
        left = max(self.rect.right(), -_FAR)
        if right - left < 2:
            return
        area = QRectF(left, self.y + 2.5, right - left, self.height - 5)
        faint = QColor(self.look.stroke[self.tone])
        faint.setAlphaF(0.55)
        self.painter.setPen(QPen(faint, 1, Qt.PenStyle.DashLine))
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.painter.drawRect(area)
        hatch(self.painter, area, faint)

    def label(self) -> None:
        """The words, from the visible left edge of the bar on, elided to it."""
        left = max(self.rect.x(), 0) + _EDGE + GLYPH + 7
        room = min(self.rect.right(), self.state.scale.width) - left - 4
        if room < _LABEL_FROM - GLYPH - 12 or self.height < GLYPH:
            return
        step = self.state.step(self.key)
        words = text.label(step, self.state.now_of(self.key[0]), self._status(self._column("status")))
        words_font, metrics = font(11)
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(room))
        if len(shown) < 3 and shown != words:
            return
        self.painter.setFont(words_font)
        self.painter.setPen(self.look.tokens["text"])
        baseline = self.y + (self.height + metrics.ascent() - metrics.descent()) / 2
        self.painter.drawText(QPointF(left, baseline), shown)

    def _column(self, name: str) -> int:
        return int(self.state.tracks[self.key[0]].history.steps[name][self.key[1]])

    def _status(self, final: int) -> StepStatus:
        """The status that goes with the tone: the final one, unless the playhead stands before the end."""
        if tones.OF_STATUS[final] == self.tone:
            return STEP_STATUSES[final]
        return StepStatus.WAITING if self.tone == tones.WAITING else StepStatus.RUNNING


def hatch(painter: QPainter, area: QRectF, color: QColor) -> None:
    """Diagonal lines over an area."""
    faint = QColor(color)
    faint.setAlphaF(0.35)
    painter.fillRect(area, QBrush(faint, Qt.BrushStyle.BDiagPattern))
