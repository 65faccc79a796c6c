"""The sheet on the right that holds a form, a review or an execution. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from widgets import glyphs
from widgets.shell.label import ElidedLabel
from widgets.shell.top_bar import ENVIRONMENTS, Badge
from widgets.theme import font, theme

_LEAST, _WIDTH = 340, 460


class ActionSheet(QWidget):
    """One page at a time under a title that names the source and its environment. Escape asks to close it.

    Pages stay in it, hidden, until their owner drops them.
    """

    close_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(_LEAST)
        self.resize(_WIDTH, 400)
        self.title, self.where = ElidedLabel("text"), ElidedLabel("muted")
        self.title.setFont(font(13, bold=True))
        self.environment = Badge()
        self.close_button = QToolButton()
        self.close_button.setProperty("flat", "true")
        self.close_button.setAccessibleName("Close the sheet (Esc)")
        self.close_button.setToolTip("Close (Esc); what is staged stays staged")
        self.close_button.clicked.connect(self.close_requested)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.where)
        head = QHBoxLayout()
        head.setContentsMargins(16, 10, 8, 6)
        head.setSpacing(8)
        head.addLayout(words, 1)
        head.addWidget(self.environment)
        head.addWidget(self.close_button)
        self._stack = QStackedWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        self.setAccessibleName("Operator actions")
        self._tint()
        self.hide()

    @property
    def shown_page(self) -> QWidget | None:
        """The page on show, None while the sheet is closed."""
        return None if self.isHidden() else self._stack.currentWidget()

    def show_page(self, page: QWidget, title: str, where: str, environment: str) -> None:
        """Shows a page instead of the one before."""
        if self._stack.indexOf(page) < 0:
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)
        self.title.set_text(title)
        self.where.set_text(where)
        word, state = ENVIRONMENTS.get(environment, (environment.upper(), "muted"))
        self.environment.set(word, state, "warning" if environment == "production" else "")
        self.setAccessibleDescription(f"{title}, {where}, {word}")
        self.show()

    def drop(self, page: QWidget) -> None:
        """Deletes a page; the sheet closes when it was the one on show."""
        if self._stack.currentWidget() is page:
            self.hide()
        self._stack.removeWidget(page)
        page.hide()
        page.deleteLater()

    def event(self, event: QEvent) -> bool:
        # Escape belongs to the sheet while the keyboard is in it, not to the page behind it.
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_requested.emit()
        else:
            super().keyPressEvent(event)

    def _tint(self) -> None:
        self.close_button.setIcon(glyphs.icon("close", theme().color("muted")))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), t.color("bg"))
            painter.fillRect(0, 0, 2, self.height(), t.color("playhead"))
            painter.fillRect(0, 0, self.width(), 2, t.color("playhead"))
