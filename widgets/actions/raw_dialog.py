"""Asks before runs are exported with their secrets. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QPushButton, QVBoxLayout, QWidget

from widgets.actions.notes import Note, fit
from widgets.shell.label import label


class RawDialog(QDialog):
    """Accepted once the user has said that the file is to hold everything as it is stored."""

    def __init__(self, parent: QWidget | None, runs: int) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Export raw")
        noun = "this run" if runs == 1 else f"these {runs} runs"
        self.box = QCheckBox("The file may hold secrets; I know who will read it")
        self.export_button = QPushButton("Export Raw …")
        self.export_button.setEnabled(False)
        self.box.toggled.connect(self.export_button.setEnabled)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.export_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(f"Export {noun} as stored?", bold=True, size=13, wrap=True))
        column.addWidget(
            Note("warning", "retrying", "Nothing is masked: passwords, tokens and personal data stay in it.")
        )
        column.addWidget(Note("journal", "muted", "The export stands in the journal."))
        column.addWidget(self.box)
        column.addWidget(buttons)
        fit(self, 440)
