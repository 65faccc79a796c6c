"""The dialog for programmer errors: what to do, and a report to copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from widgets.shell.label import label
from widgets.theme import font


class CrashDialog(QDialog):
    """Shows a report; later ones are appended to the same dialog while it is open."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Something went wrong in Playhead")
        self.report = QPlainTextEdit(report)
        self.report.setReadOnly(True)
        self.report.setFont(font(12, code=True))
        self.report.setAccessibleName("Report")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        copy = buttons.addButton("Copy report", QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.report.toPlainText()))
        words = (
            "This is a mistake in Playhead, not in your data: nothing was written to the source. The window can "
            "still be used. The report says where it happened; it holds no values, names or passwords."
        )
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(label("Something went wrong in Playhead", size=18, bold=True))
        column.addWidget(label(words, color="muted", wrap=True))
        column.addWidget(self.report)
        column.addWidget(buttons)
        self.resize(720, 440)

    def append(self, report: str) -> None:
        if self.report.blockCount() < 500:
            self.report.appendPlainText("\n" + report)
