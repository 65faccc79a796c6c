"""Small questions, asked without blocking: a line of text, a password."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import safe_lines
from widgets.shell.label import label


def ok_cancel(dialog: QDialog) -> QDialogButtonBox:
    """The buttons of a question."""
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons


class Ask(QDialog):
    """One line with OK and Cancel. An error of ``answer`` is shown in the dialog, which stays open."""

    def __init__(
        self, parent: QWidget | None, title: str, text: str, value: str, answer: Callable[[str], object]
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self._answer = answer
        self.line = QLineEdit(value)
        self.line.setAccessibleName(safe_lines(text))
        self.error = label(color="failed", wrap=True)
        self.error.hide()
        self.column = QVBoxLayout(self)
        self.column.setSpacing(12)
        self.column.addWidget(label(safe_lines(text), color="muted", wrap=True))
        self.column.addWidget(self.line)
        self.column.addWidget(self.error)
        self.column.addWidget(ok_cancel(self))
        self.setMinimumWidth(420)
        self.line.selectAll()

    def accept(self) -> None:
        try:
            self._answer(self.line.text().strip())
        except PlayheadError as error:
            self.error.setText(safe_lines(str(error)))
            self.error.show()
            return
        super().accept()


def ask_text(parent: QWidget, title: str, text: str, value: str, answer: Callable[[str], object]) -> Ask:
    """Asks for a line of text; ``answer`` gets it, and may raise PlayheadError to refuse it."""
    dialog = Ask(parent, title, text, value, answer)
    dialog.open()
    return dialog


class AskPassword(Ask):
    """Asks for a password; ``answer`` gets it, ``remember`` says whether to keep it in the keyring."""

    def __init__(
        self, parent: QWidget | None, text: str, can_remember: bool, answer: Callable[[str], object]
    ) -> None:
        super().__init__(parent, "Password", text, "", answer)
        self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.line.setAccessibleName("Password")
        self._box = QCheckBox("Remember it in this system's keyring")
        self._box.setVisible(can_remember)
        self.column.insertWidget(2, self._box)
        if not can_remember:
            text = "This system has no keyring, so it is kept until Playhead ends and asked for each time."
            self.column.insertWidget(2, label(text, color="muted", wrap=True))

    @property
    def remember(self) -> bool:
        return self._box.isChecked()

    def accept(self) -> None:
        # A password may begin or end with spaces.
        if self.line.text():
            self._answer(self.line.text())
            QDialog.accept(self)
