"""Bars above the page: notices of a source, and errors that the user has not put away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import safe_lines
from widgets import glyphs
from widgets.shell.label import label
from widgets.theme import theme

_KEPT: Final = 3


def details(error: PlayheadError) -> str:
    """An error as text to copy: what, hint, details."""
    return "\n".join(filter(None, (type(error).__name__ + ": " + error.message, error.hint, error.detail)))


class Bar(QWidget):
    """One message with a glyph, buttons and a way to put it away. ``dismissed`` is emitted by that."""

    dismissed = Signal()

    def __init__(self, text: str, hint: str = "", *, state: str = "retrying", glyph: str = "warning") -> None:
        super().__init__()
        self._state, self._glyph = state, glyph
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._words(text, "text"))
        if hint:
            words.addWidget(self._words(hint, "muted"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(40, 6, 8, 6)
        self._row.setSpacing(8)
        self._row.addLayout(words, 1)
        self.add_button("Dismiss", self.dismissed.emit)
        self.setAccessibleName(text)

    @staticmethod
    def _words(text: str, color: str) -> QLabel:
        result = label(safe_lines(text), color=color, wrap=True)
        result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return result

    def add_button(self, text: str, run: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.clicked.connect(lambda: run())
        self._row.insertWidget(max(1, self._row.count() - 1), button, 0, Qt.AlignmentFlag.AlignTop)
        return button

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), t.fill(self._state, 0.16))
            painter.fillRect(0, 0, 3, self.height(), t.state(self._state))
            image = glyphs.pixmap(self._glyph, t.state(self._state).name(), 16, self.devicePixelRatioF())
            painter.drawPixmap(14, 10, image)


class Bars(QWidget):
    """The stack of bars above the page: at most one error more than the newest few is kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self._errors: list[tuple[str, Bar]] = []
        self._notices: list[Bar] = []
        self._seen: set[tuple[str, str]] = set()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    @property
    def texts(self) -> list[str]:
        """What the bars say, top to bottom."""
        return [bar.accessibleName() for bar in (*self._notices, *(bar for _, bar in self._errors))]

    def show_error(self, error: PlayheadError, *, retry: Callable[[], None] | None = None) -> None:
        """Adds an error's bar; the same error again replaces its older bar."""
        text = details(error)
        for old_text, old in list(self._errors):
            if old_text == text:
                self._drop_error(old)
        if len(self._errors) == _KEPT:
            self._drop_error(self._errors[0][1])
        bar = Bar(error.message, error.hint, state="failed", glyph="failed")
        bar.add_button("Copy details", lambda: QGuiApplication.clipboard().setText(text))
        if retry is not None:
            bar.add_button("Retry", retry).clicked.connect(lambda: self._drop_error(bar))
        bar.dismissed.connect(lambda: self._drop_error(bar))
        self._errors.append((text, bar))
        self._layout.addWidget(bar)

    def show_note(self, text: str) -> None:
        """Adds something to know that is no error."""
        bar = Bar(text, state="waiting", glyph="info")
        bar.dismissed.connect(lambda: self._drop_error(bar))
        self._errors.append((text, bar))
        self._layout.addWidget(bar)

    def _drop_error(self, bar: Bar) -> None:
        self._errors = [(text, b) for text, b in self._errors if b is not bar]
        self._drop(bar)

    def _drop(self, bar: Bar) -> None:
        self._layout.removeWidget(bar)
        bar.hide()
        bar.deleteLater()

    def dismiss_errors(self) -> bool:
        """Puts all errors away; false when there were none."""
        errors = list(self._errors)
        for _, bar in errors:
            self._drop_error(bar)
        return bool(errors)

    def set_notices(self, owner: str, notices: tuple[str, ...]) -> None:
        """Shows a source's notices; those that the user put away stay away."""
        for bar in self._notices:
            self._drop(bar)
        self._notices = []
        for text in notices:
            if (owner, text) not in self._seen:
                self._add_notice(owner, text)

    def _add_notice(self, owner: str, text: str) -> None:
        bar = Bar(text)
        self._notices.append(bar)
        self._layout.insertWidget(len(self._notices) - 1, bar)

        def dismiss() -> None:
            self._seen.add((owner, text))
            self._notices.remove(bar)
            self._drop(bar)

        bar.dismissed.connect(dismiss)
