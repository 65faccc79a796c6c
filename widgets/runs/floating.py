"""A message that floats under an editor, so that nothing below it moves."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QLineEdit

from widgets.theme import GRID, theme


class FloatingMessage(QLabel):
    """Stands under the column of the editor's text that it talks about."""

    def __init__(self, line: QLineEdit) -> None:
        super().__init__(line)
        self._line = line
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def say(self, text: str, column: int) -> None:
        """Takes a text, and its place under a column of the editor."""
        window = self._line.window()
        if self.parent() is not window:
            shown = self.isVisible()
            self.setParent(window)
            self.setVisible(shown)
        tokens = theme().tokens
        self.setStyleSheet(
            f"color: {tokens['text']}; background: {tokens['raised']}; border: 1px solid {tokens['failed']};"
            " border-radius: 6px; padding: 3px 8px;"
        )
        self.setText(text)
        self.adjustSize()
        x = self._line.fontMetrics().horizontalAdvance(self._line.text()[:column])
        corner = self._line.mapTo(window, QPoint(x, self._line.height() + GRID // 2))
        self.move(max(0, min(corner.x(), window.width() - self.width() - GRID)), corner.y())
        self.raise_()
