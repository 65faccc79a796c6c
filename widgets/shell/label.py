"""Labels for foreign text: plain, elided, whole in the tooltip."""

from __future__ import annotations

import re
from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QLayout, QSizePolicy, QWidget

from engine_bridge.format import plain
from widgets.theme import font, theme

_LONG_WORD: Final = re.compile(r"[^\s\u200b]{32}(?=[^\s\u200b])")
_MOST: Final = 4_000  # characters: more is for the clipboard


def plain_tooltip(text: str) -> str:
    """Text as a tooltip that Qt cannot take for rich text."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    return f"<span>{safe}</span>" if text else ""


class Wrapped(QLabel):
    """Plain text over several lines. A long word breaks too: it would make the window as wide as itself."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setText(text)

    def setText(self, text: str) -> None:
        self._text = text
        super().setText(_LONG_WORD.sub("\\g<0>\u200b", text[:_MOST]))

    def text(self) -> str:
        """As it was set, without the places where it may break."""
        return self._text


def label(
    text: str = "", *, color: str = "text", size: int = 12, bold: bool = False, wrap: bool = False
) -> QLabel:
    """A plain-text label in a theme colour; it follows theme changes through its ``color`` property."""
    result = Wrapped(text) if wrap else QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setFont(font(size, bold=bold))
    result.setProperty("color", color)
    return result


def clear(layout: QLayout) -> None:
    """Empties a layout and deletes its widgets."""
    while layout.count():
        item = layout.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.deleteLater()


def fill(painter: QPainter, rect: QRect, color: QColor) -> None:
    """Fills a rectangle. ``fillRect`` would make PySide build the 180 gradient presets before the first paint."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRect(rect)


class ElidedLabel(QWidget):
    """One line of foreign text that shortens itself; its tooltip holds the whole."""

    def __init__(self, color: str = "text", parent: QWidget | None = None, *, code: bool = False) -> None:
        super().__init__(parent)
        self._text = ""
        self._color = color
        self.setFont(font(12, code=code))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str, color: str | None = None) -> None:
        self._text = plain(text, 1000)
        self._color = color or self._color
        self.setToolTip(plain_tooltip(self._text))
        self.setAccessibleName(self._text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 2, metrics.height() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(40, self.sizeHint().width()), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        shown = self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideMiddle, self.width())
        with QPainter(self) as painter:
            painter.setPen(theme().color(self._color))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
