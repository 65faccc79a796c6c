"""A one-line editor that colours the filter language and underlines where it is wrong."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QInputMethodEvent, QKeyEvent, QTextCharFormat
from PySide6.QtWidgets import QLineEdit, QWidget

from widgets.theme import font, theme

#: Colour token of each kind of token of the filter language; others stay text.
_COLORS: Final = {
    "operator": "accent",
    "keyword": "accent",
    "string": "signal",
    "number": "waiting",
    "duration": "waiting",
    "time": "waiting",
    "error": "failed",
}


class FilterLine(QLineEdit):
    """Colours itself after each change. ``popup_keys`` are taken from it while a popup is open."""

    left = Signal()
    stepped = Signal(object)  # -1 (older) or +1 (newer) in the history
    popup_key = Signal(object)
    focus_moved = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(font(12, code=True))
        self.setPlaceholderText("status == failed and started > 2h ago    ( / to come here)")
        self.setAccessibleName("Filter")
        self._wrong: tuple[int, int] | None = None
        self.popup_keys: frozenset[int] = frozenset()
        self.textChanged.connect(self.color)

    def mark(self, wrong: tuple[int, int] | None) -> None:
        """Underlines columns from start to end, exclusive; None clears."""
        self._wrong = wrong
        self.color()

    def color(self) -> None:
        """Applies the colours; Qt has no other way to format a QLineEdit than as an input method."""
        event = QInputMethodEvent("", self._formats())
        QCoreApplication.sendEvent(self, event)

    def _formats(self) -> list[QInputMethodEvent.Attribute]:
        text = self.text()
        if not text:
            return []
        from engine_bridge.query.highlight import tokens

        spans = [(start, end, _format(_COLORS.get(kind, "text"))) for start, end, kind in tokens(text)]
        if self._wrong is not None:
            start = min(self._wrong[0], len(text) - 1)
            spans.append((start, max(start + 1, self._wrong[1]), _wavy()))
        kind = QInputMethodEvent.AttributeType.TextFormat
        cursor = self.cursorPosition()
        return [QInputMethodEvent.Attribute(kind, start - cursor, end - start, f) for start, end, f in spans]

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.color()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_moved.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_moved.emit(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in self.popup_keys:
            self.popup_key.emit(key)
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.stepped.emit(-1 if key == Qt.Key.Key_Up else 1)
        elif key == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Tab takes a completion when the popup is up; Qt would move the keyboard focus first.
        if (
            event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Tab
            and Qt.Key.Key_Tab in self.popup_keys
        ):
            self.keyPressEvent(event)
            return True
        return super().event(event)


def _format(token: str) -> QTextCharFormat:
    result = QTextCharFormat()
    result.setForeground(theme().color(token))
    return result


def _wavy() -> QTextCharFormat:
    result = _format("failed")
    result.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    result.setUnderlineColor(QColor(theme().tokens["failed"]))
    return result
