"""A few lines of JSON or plain text, with what is wrong marked where it is. GUI thread."""

from __future__ import annotations

import json
from typing import Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from widgets.theme import font, theme

_CHECK_MS: Final = 300
_LINES: Final = (3, 14)


class JsonEdit(QPlainTextEdit):
    """``checked`` carries what is wrong ("" for nothing) a moment after each edit. Empty text is right."""

    checked = Signal(object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.is_text = False
        self.setFont(font(12, code=True))
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self.check)
        self.textChanged.connect(self._on_changed)
        self._fit()

    @property
    def text(self) -> str:
        return self.toPlainText().strip()

    def show_value(self, value: str, *, is_text: bool = False) -> None:
        """A value to begin with: JSON over as many lines as are easy to read, or plain text as it is."""
        self.is_text = is_text
        self.setPlainText(value if is_text else _pretty(value))
        self.check()

    def check(self) -> str:
        """What is wrong, marked at its place; "" when the text is right."""
        self._timer.stop()
        words, at = "", -1
        if not self.is_text and self.text:
            try:
                json.loads(self.toPlainText())
            except json.JSONDecodeError as error:
                words, at = f"Line {error.lineno}, column {error.colno}: {error.msg}.", error.pos
            except RecursionError:
                words = "It is nested too deeply."
        self._mark(at)
        self.setAccessibleDescription(words)
        self.checked.emit(words)
        return words

    def stop(self) -> None:
        self._timer.stop()

    def _on_changed(self) -> None:
        self._fit()
        self._timer.start()

    def _mark(self, at: int) -> None:
        marks = []
        if at >= 0:
            mark, cursor = QTextEdit.ExtraSelection(), self.textCursor()
            last = max(0, self.document().characterCount() - 1)
            start = min(at, max(0, last - 1))
            cursor.setPosition(start)
            cursor.setPosition(min(start + 1, last), QTextCursor.MoveMode.KeepAnchor)
            wave = QTextCharFormat()
            wave.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            wave.setUnderlineColor(theme().state("failed"))
            wave.setBackground(theme().fill("failed", 0.3))
            mark.cursor, mark.format = cursor, wave
            marks.append(mark)
        self.setExtraSelections(marks)

    def _fit(self) -> None:
        lines = min(max(self.blockCount(), _LINES[0]), _LINES[1])
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 20)


def _pretty(value: str) -> str:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return json.dumps(found, indent=2, ensure_ascii=False) if isinstance(found, list | dict) else value
