"""Paints the cells of a paged table: glyph and text, elided, without asking the model role by role."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, cast

from PySide6.QtCore import QObject, QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from widgets import glyphs
from widgets.table.columns import Column
from widgets.table.model import Index, PagedModel
from widgets.theme import font, theme

_PAD: Final = 8
_GLYPH: Final = 14
_COLOR: Final = {"muted": "muted", "link": "accent"}
_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


@lru_cache(maxsize=4)
def _font(code: bool) -> tuple[QFont, QFontMetrics]:
    chosen = font(12, code=code)
    return chosen, QFontMetrics(chosen)


@lru_cache(maxsize=16_384)
def _elided(text: str, width: int, code: bool, middle: bool) -> str:
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    return _font(code)[1].elidedText(text, mode, width)


class CellDelegate(QStyledItemDelegate):
    """Paints every kind of Column over the model's items. GUI thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hover_row = -1

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = cast(PagedModel, index.model())
        column = model.columns[index.column()]
        rect = cast(QRect, cast(Any, option).rect)
        self._background(painter, option, rect, index.row())
        item = model.item(index.row())
        if item is None:
            _placeholder(painter, rect, index.row(), column)
        else:
            _cell(painter, rect, column, column.text(item, model.clock), item)
        if cast(Any, option).state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(theme().color("accent"))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def _background(self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, row: int) -> None:
        if cast(Any, option).state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme().color("selection"))
        elif row == self.hover_row:
            painter.fillRect(rect, theme().color("raised"))
        painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, theme().color("line"))


def _placeholder(painter: QPainter, rect: QRect, row: int, column: Column) -> None:
    width = min(rect.width() - 2 * _PAD, 40 + (row * 37 + len(column.id) * 23) % 60)
    if width > 0:
        painter.fillRect(rect.left() + _PAD, rect.center().y() - 3, width, 7, theme().color("raised"))


def _cell(painter: QPainter, rect: QRect, column: Column, text: str, item: Any) -> None:
    left, right = rect.left() + _PAD, rect.right() - _PAD
    if column.state is not None:
        status = column.state(item)
        if status:
            _glyph(painter, left, rect, glyphs.state_glyph(status), theme().state(status))
        left += _GLYPH + 4
    elif column.kind == "warning" and text:
        _glyph(painter, left, rect, "warning", theme().color("retrying"))
        left += _GLYPH + 4
    if not text or right <= left:
        return
    code = column.code
    painter.setFont(_font(code)[0])
    painter.setPen(theme().color(_COLOR.get(column.kind, "text")))
    shown = _elided(text, right - left, code, code and column.kind == "text")
    painter.drawText(left, rect.top(), right - left, rect.height(), _RIGHT if column.right else _LEFT, shown)


def _glyph(painter: QPainter, left: int, rect: QRect, name: str, color: QColor) -> None:
    ratio = painter.device().devicePixelRatioF()
    pixmap = glyphs.pixmap(name, color.name(), _GLYPH, ratio)
    painter.drawPixmap(left, rect.top() + (rect.height() - _GLYPH) // 2, pixmap)
