"""Paints the rows of a paged table at once: glyph and text, elided, laid out once and kept.

Asking a delegate cell by cell, and the model role by role, costs several times as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPixmap, QStaticText

from widgets import glyphs
from widgets.table.columns import Clock, Column
from widgets.theme import ROW, font, theme

_PAD: Final = 8
_GLYPH: Final = 14
_COLOR: Final = {"muted": "muted", "link": "accent"}


@dataclass(frozen=True, slots=True)
class Section:
    """One shown column: its number, place and width in the viewport."""

    number: int
    column: Column
    left: int
    width: int


@lru_cache(maxsize=4)
def _font(code: bool) -> tuple[QFont, QFontMetrics]:
    chosen = font(12, code=code)
    return chosen, QFontMetrics(chosen)


@lru_cache(maxsize=16_384)
def _text(text: str, width: int, code: bool, middle: bool) -> tuple[QStaticText, float]:
    chosen, metrics = _font(code)
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    static = QStaticText(metrics.elidedText(text, mode, width))
    static.setTextFormat(Qt.TextFormat.PlainText)
    static.prepare(font=chosen)
    return static, static.size().width()


class RowPainter:
    """Paints rows into a viewport. GUI thread; one per paint event, so that it sees the theme in force."""

    def __init__(self, painter: QPainter, sections: list[Section], clock: Clock) -> None:
        self._painter = painter
        self._sections = sections
        self._clock = clock
        self._ratio = painter.device().devicePixelRatioF()
        self._colors: dict[str, QColor] = {}
        self._right = max((s.left + s.width for s in sections), default=0)

    def row(self, number: int, top: int, item: Any, background: str, current: int) -> None:
        """Paints one row; ``background`` is a token or ""; ``current`` the column that has the focus, -1 none."""
        if background:
            self._painter.fillRect(0, top, self._right, ROW - 1, self._color(background))
        self._painter.fillRect(0, top + ROW - 1, self._right, 1, self._color("line"))
        for section in self._sections:
            if item is None:
                self._placeholder(section, top, number)
            elif section.column.check:
                self._check(section, top, checked=background == "selection")
            else:
                self._cell(section, top, item)
            if section.number == current:
                self._painter.setPen(self._color("accent"))
                self._painter.drawRect(section.left, top, section.width - 1, ROW - 2)

    def _color(self, token: str) -> QColor:
        found = self._colors.get(token)
        if found is None:
            found = self._colors[token] = theme().color(token)
        return found

    def _placeholder(self, section: Section, top: int, number: int) -> None:
        width = min(section.width - 2 * _PAD, 40 + (number * 37 + section.number * 23) % 60)
        if width > 0:
            self._painter.fillRect(section.left + _PAD, top + ROW // 2 - 3, width, 7, self._color("raised"))

    def _check(self, section: Section, top: int, *, checked: bool) -> None:
        token = self._color("accent" if checked else "muted").name()
        image = glyphs.pixmap("checked" if checked else "unchecked", token, _GLYPH, self._ratio)
        left = section.left + (section.width - _GLYPH) // 2
        self._painter.drawPixmap(left, top + (ROW - _GLYPH) // 2, image)

    def _cell(self, section: Section, top: int, item: Any) -> None:
        column = section.column
        left, right = section.left + _PAD, section.left + section.width - _PAD
        text = column.text(item, self._clock)
        pixmap = self._pixmap(column, item, text)
        if pixmap is not None:
            self._painter.drawPixmap(left, top + (ROW - _GLYPH) // 2, pixmap)
            left += _GLYPH + 4
        if not text or right <= left:
            return
        code = column.code
        tail = column.tail(item) if column.tail is not None else ""
        room = right - left
        if tail:
            room = max(room // 2, room - _font(code)[1].horizontalAdvance(tail) - 6)
        static, width = _text(text, room, code, code and column.kind == "text")
        self._painter.setFont(_font(code)[0])
        tone = column.tone(item) if column.tone is not None else ""
        self._painter.setPen(self._color(tone or _COLOR.get(column.kind, "text")))
        x = right - width if column.right else left
        y = top + (ROW - _font(code)[1].height()) / 2
        self._painter.drawStaticText(QPointF(x, y), static)
        if tail:
            self._painter.setPen(self._color("playhead"))
            left_over = max(1, int(right - x - width - 4))
            self._painter.drawStaticText(QPointF(x + width + 4, y), _text(tail, left_over, code, False)[0])

    def _pixmap(self, column: Column, item: Any, text: str) -> QPixmap | None:
        if column.state is not None:
            status = column.state(item)
            return glyphs.pixmap(
                glyphs.state_glyph(status), _state_color(status, theme().name), _GLYPH, self._ratio
            )
        if column.kind == "warning" and text:
            return glyphs.pixmap("warning", theme().tokens["retrying"], _GLYPH, self._ratio)
        return None


@lru_cache(maxsize=64)
def _state_color(status: str, theme_name: str) -> str:
    return theme().state(status).name()
