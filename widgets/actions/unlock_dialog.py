"""Asks whether a source may be written to, and says what that means. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from engine_bridge.format import plain
from widgets.actions.notes import Note, fit
from widgets.shell.label import label
from widgets.shell.top_bar import ENVIRONMENTS


class UnlockDialog(QDialog):
    """``unlocked`` comes when the user agreed; ``typed`` is what must be typed first, "" for nothing."""

    unlocked = Signal()

    def __init__(
        self, parent: QWidget | None, title: str, environment: str, minutes: int, typed: str
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        word, state = ENVIRONMENTS.get(environment, (environment.upper(), "muted"))
        self.setWindowTitle(f"Unlock {plain(title, 60)} · {word}")
        self._typed = typed
        self.line = QLineEdit()
        self.line.setAccessibleName(f"Type {typed} to confirm")
        self.line.setPlaceholderText(f"type {plain(typed, 60)} to confirm")
        self.line.setVisible(bool(typed))
        self.line.textChanged.connect(lambda _: self._show())
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.unlock_button = QPushButton(f"Unlock for {minutes} min")
        self.unlock_button.setProperty("primary", "true")
        self.unlock_button.setDefault(True)
        self.buttons.addButton(self.unlock_button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(
            label(
                f"Allow writing to {plain(title, 60)} for {minutes} minutes?", bold=True, size=13, wrap=True
            )
        )
        if environment == "production":
            column.addWidget(Note("warning", state, "This is PRODUCTION.", boxed=True))
        for glyph, text in _MEANING:
            column.addWidget(Note(glyph, "muted", text))
        column.addWidget(self.line)
        column.addSpacing(4)
        column.addWidget(self.buttons)
        fit(self, 460)
        self._show()

    def _show(self) -> None:
        self.unlock_button.setEnabled(not self._typed or self.line.text().strip() == self._typed)

    def accept(self) -> None:
        if self.unlock_button.isEnabled():
            self.unlocked.emit()
            super().accept()


_MEANING = (
    ("operator", "Only actions that you plan, review and confirm are sent; nothing else is written."),
    ("journal", "Each one stands in the journal with its reason, before it is sent."),
    ("database", "The reading connection stays read-only; actions use a connection of their own."),
    ("lock", "It locks itself when the time is up, when the source is closed, or with Ctrl+Shift+L."),
)
