"""What the page says when there is no run to show: loading, not found, unreachable. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from widgets.run.labels import Glyph, Text


class MessagePage(QWidget):
    """A glyph, what happened, what to do, and buttons that do it."""

    back_requested = Signal()
    retry_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._error: PlayheadError | None = None
        self._glyph = Glyph("clock", "waiting", 32)
        self._title = Text(size=18, bold=True)
        self._hint = Text(size=13, tone="muted")
        self.retry = QPushButton("Try again")
        self.back = QPushButton("Back to runs")
        self.copy = QPushButton("Copy details")
        self.retry.clicked.connect(self.retry_requested)
        self.back.clicked.connect(self.back_requested)
        self.copy.clicked.connect(self._copy)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.back, self.retry, self.copy):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(2)
        for widget in (self._glyph, self._title, self._hint):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(buttons)
        layout.addStretch(3)

    @property
    def text(self) -> str:
        return f"{self._title.text} {self._hint.text}".strip()

    def show_words(self, title: str, hint: str = "") -> None:
        """Something that is neither an error nor forever."""
        self._error = None
        self._glyph.set_glyph("clock", "waiting")
        self._show(title, hint)

    def show_error(self, error: PlayheadError) -> None:
        self._error = error
        self._glyph.set_glyph("warning", "failed")
        self._show(error.message, error.hint)

    def _show(self, title: str, hint: str) -> None:
        self._title.set_text(title)
        self._hint.set_text(hint)
        for button in (self.retry, self.copy):
            button.setVisible(self._error is not None)

    def _copy(self) -> None:
        if self._error is not None:
            parts = (self._error.message, self._error.hint, self._error.detail)
            QGuiApplication.clipboard().setText("\n".join(part for part in parts if part))
