"""Paints the cells of the events table: glyphs, faded later rows, the playhead's row. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from engine_bridge.model import Provenance
from widgets import glyphs
from widgets.run.event_model import DETAIL, EVENT, NUMBER, STEP, TIME, EventModel
from widgets.run.labels import draw_glyph
from widgets.theme import ROW, Theme, font, mix, theme

_LATER = 0.42
_TOKENS = {NUMBER: "muted", TIME: "muted", EVENT: "text", STEP: "text", DETAIL: "muted"}
_CENTER = int(Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)


class EventDelegate(QStyledItemDelegate):
    """Asks the model directly: one call per cell instead of one per role."""

    def __init__(self, model: EventModel) -> None:
        super().__init__()
        self._model = model
        self._words, self._code = font(12), font(12, code=True)
        self.current = -1

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row, column = index.row(), index.column()
        t, rect = theme(), option.rect
        painter.save()
        self._ground(painter, option, t, row, column)
        if self._model.later(row):
            painter.setOpacity(_LATER)
        painter.setFont(self._words if column in (EVENT, STEP) else self._code)
        painter.setPen(t.color(_TOKENS[column]))
        inner = rect.adjusted(8, 0, -8, 0)
        if column == EVENT:
            inner = self._glyph(painter, t, row, inner)
        text = self._model.text(row, column)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, _RIGHT if column == NUMBER else _CENTER, shown)
        painter.restore()

    def _ground(self, p: QPainter, option: QStyleOptionViewItem, t: Theme, row: int, column: int) -> None:
        rect = option.rect
        hairline, chosen = _mixed(t)
        if row == self.current:
            p.fillRect(rect, t.color("selection"))
        elif self._model.of_step(row):
            p.fillRect(rect, chosen)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            p.fillRect(rect, t.color("raised"))
        if column == NUMBER and (row == self.current or self._model.of_step(row)):
            tone = "playhead" if row == self.current else "accent"
            p.fillRect(rect.left(), rect.top(), 3, rect.height(), t.color(tone))
        p.fillRect(rect.left(), rect.bottom(), rect.width(), 1, hairline)

    def _glyph(self, p: QPainter, t: Theme, row: int, inner: QRect) -> QRect:
        event = self._model.event_at(row)
        if event is None:
            return inner
        name, token = glyphs.EVENT[event.kind]
        draw_glyph(p, name, t.state(token).name(), inner.left(), inner.center().y() - 6)
        if event.provenance is not Provenance.RECORDED:
            p.setPen(t.color("muted"))
            italic = font(12)
            italic.setItalic(True)
            p.setFont(italic)
        return inner.adjusted(20, 0, 0, 0)


_MIXED: dict[str, tuple[QColor, QColor]] = {}


def _mixed(t: Theme) -> tuple[QColor, QColor]:
    """Hairline and ground of the selected step's rows: the same for each of the hundred cells of a frame."""
    if t.name not in _MIXED:
        panel = t.color("panel")
        _MIXED[t.name] = (mix(t.color("line"), panel, 0.5), mix(t.color("selection"), panel, 0.45))
    return _MIXED[t.name]
