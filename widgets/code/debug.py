"""Where a debugger attaches to a replay, with what an IDE wants to be told, ready to be copied. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from widgets.actions.notes import Code
from widgets.run.labels import Glyph, Text
from widgets.shell.label import label

HOST: Final = "127.0.0.1"


def launch_json(port: int) -> str:
    """What VS Code's ``.vscode/launch.json`` wants: an attach of its Python debugger."""
    return _LAUNCH.replace("PORT", str(port))


def remote_address(port: int) -> str:
    """What PyCharm's run configuration *Attach to DAP* wants (jetbrains.com/help/pycharm, 2025.3 and 2026.1)."""
    return f"{HOST}:{port}"


def attach_json(port: int) -> str:
    """Parameters of an attach, for clients that take them as they are (nvim-dap, Emacs' dap-mode)."""
    return _ATTACH.replace("PORT", str(port))


_LAUNCH: Final = """{
  "version": "0.2.0",
  "configurations": [
    {
      "name": "Playhead: replay",
      "type": "debugpy", "request": "attach",
      "connect": {"host": "127.0.0.1", "port": PORT},
      "justMyCode": true
    }
  ]
}"""
_ATTACH: Final = """{
  "type": "python", "request": "attach",
  "connect": {"host": "127.0.0.1", "port": PORT},
  "justMyCode": true
}"""


class DebugPage(QWidget):
    """``copied`` carries a text for the clipboard; ``cancelled`` ends the wait."""

    copied = Signal(object)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.title, self.about = Text(bold=True, size=13, least=160), label(color="muted", wrap=True)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.cancelled)
        inner = QWidget()
        self._rows = QVBoxLayout(inner)
        self._rows.setContentsMargins(14, 12, 14, 12)
        self._rows.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Glyph("hourglass", "waiting", 16))
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.cancel)
        self._rows.addLayout(head)
        self._rows.addWidget(self.about)
        self.blocks = {
            "VS Code: .vscode/launch.json": launch_json,
            "PyCharm 2025.3 and newer: Attach to DAP, remote address": remote_address,
            "Other clients: parameters of an attach": attach_json,
        }
        self.codes: dict[str, Code] = {}
        for name in self.blocks:
            self._rows.addLayout(self._block(name))
            self._rows.addWidget(self.codes[name])
        self._rows.addStretch(1)
        area = QScrollArea(self)
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(area)
        self.setAccessibleName("Waiting for a debugger")

    def _block(self, name: str) -> QHBoxLayout:
        code = self.codes[name] = Code("", name)
        copy = QPushButton("Copy")
        copy.setAccessibleName(f"Copy: {name}")
        copy.clicked.connect(lambda: self.copied.emit(code.toPlainText()))
        row = QHBoxLayout()
        row.addWidget(label(name, bold=True), 1)
        row.addWidget(copy, 0, Qt.AlignmentFlag.AlignRight)
        return row

    def show_port(self, port: int, debugpy: str) -> None:
        """Where the runner waits, and with which debugpy."""
        self.title.set_text(f"Waiting for a debugger at {HOST}:{port}")
        self.about.setText(
            f"{debugpy} speaks the Debug Adapter Protocol there. Set breakpoints in your workflow, then attach: your"
            " code is imported when the debugger is there. Recorded steps still answer with what they returned, none is"
            " executed, and the guards stay up; no limit of time ends it."
        )
        for name, made in self.blocks.items():
            self.codes[name].setPlainText(made(port))
