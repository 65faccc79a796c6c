"""Asks for a source's codec server: its address, and its bearer token. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.errors import PlayheadError
from engine_bridge.format import safe_lines
from widgets.shell.ask import ok_cancel
from widgets.shell.label import label

_ABOUT = (
    "Playhead asks this server of yours to decode payloads that it cannot read, and to encode what you send. What it "
    "decodes is kept in memory only."
)
_WAY = "The token goes over https:// or to this machine only."


@dataclass(frozen=True, slots=True)
class CodecAnswer:
    """What was asked for. ``address`` "": no codec server; ``token`` "": as it was."""

    address: str
    token: str
    remember: bool

    def __repr__(self) -> str:
        return f"CodecAnswer({self.address!r})"


class AskCodec(QDialog):
    """``answer`` gets a CodecAnswer, and may raise PlayheadError to refuse it: the dialog then says why and stays."""

    def __init__(
        self,
        parent: QWidget | None,
        address: str,
        doc: str,
        can_remember: bool,
        answer: Callable[[CodecAnswer], object],
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Codec Server")
        self._answer = answer
        self.address = QLineEdit(address)
        self.address.setPlaceholderText("https://codec.example:8081")
        self.token = QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("as it was" if address else "none")
        self.remember = QCheckBox("Remember the token in this system's keyring")
        self.remember.setVisible(can_remember)
        self.error = label(color="failed", wrap=True)
        self.error.hide()
        buttons = ok_cancel(self)
        if address:
            none = buttons.addButton("Use None", QDialogButtonBox.ButtonRole.DestructiveRole)
            none.clicked.connect(self._use_none)
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("&Address", self.address)
        form.addRow("Bearer &token", self.token)
        self.address.setAccessibleName("Address of the codec server")
        self.token.setAccessibleName("Bearer token of the codec server")
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(label(safe_lines(f"{_ABOUT} {doc}"), color="muted", wrap=True))
        column.addLayout(form)
        column.addWidget(label(_WAY, color="muted", wrap=True))
        column.addWidget(self.remember)
        column.addWidget(self.error)
        column.addWidget(buttons)
        self.setMinimumWidth(480)

    def _use_none(self) -> None:
        self.address.clear()
        self.accept()

    def accept(self) -> None:
        found = CodecAnswer(self.address.text().strip(), self.token.text().strip(), self.remember.isChecked())
        try:
            self._answer(found)
        except PlayheadError as error:
            self.error.setText(safe_lines(str(error)))
            self.error.show()
            return
        super().accept()
