"""Asks before a window is closed that still executes something. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPushButton, QVBoxLayout, QWidget

from widgets.actions.notes import Note, fit
from widgets.shell.label import label

_ONE = (
    "An action is being executed",
    "What has not been sent is not sent. What has been sent is read back, and the journal gets its outcome.",
    "Cancel It and Close",
)
_MANY = (
    "A bulk job is running",
    "It is paused: what is under way ends, nothing more is sent. It is offered again at the next start.",
    "Pause It and Close",
)


class CloseDialog(QDialog):
    """``cancelled`` comes when the user wants it cancelled and the window closed."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None, *, bulk: bool) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title, text, button = _MANY if bulk else _ONE
        self.setWindowTitle(title)
        self.close_button = QPushButton(button)
        self.stay_button = QPushButton("Keep Open")
        self.stay_button.setDefault(True)
        self.stay_button.setProperty("primary", "true")
        buttons = QDialogButtonBox()
        buttons.addButton(self.close_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(self.stay_button, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(self.cancelled)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(f"{title}.", bold=True, size=13, wrap=True))
        column.addWidget(Note("journal", "muted", text))
        column.addWidget(buttons)
        fit(self, 440)
        self.stay_button.setFocus()
