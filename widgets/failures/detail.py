"""What one failure says: its chain, its stack trace, and the way to its run."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from engine_bridge.bridge import FailureRow
from engine_bridge.format import plain, timestamp
from widgets.failures.chain import chain_text
from widgets.shell.label import ElidedLabel
from widgets.theme import font

_NAMES = {"status": "status then", "state": "status now"}


class FailureDetail(QWidget):
    """Shows one FailureRow. ``opened`` carries it when its run is wanted."""

    opened = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row: FailureRow | None = None
        self._title = ElidedLabel(parent=self)
        self._title.setFont(font(13, bold=True))
        self._open = QPushButton("Open run at this step", self)
        self._open.clicked.connect(lambda: self.opened.emit(self._row))
        self._text = QPlainTextEdit(self)
        self._text.setReadOnly(True)
        self._text.setFont(font(12, code=True))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setAccessibleName("Failure chain and stack trace")
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._open)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addLayout(top)
        column.addWidget(self._text, 1)
        self.show_row(None)

    @property
    def text(self) -> str:
        """The chain and traces as shown."""
        return self._text.toPlainText()

    def show_row(self, row: FailureRow | None, zone: tzinfo | None = None) -> None:
        """Shows a failure; None shows how to get one."""
        self._open.setEnabled(row is not None)
        if row is None:
            self._row = None
            self._title.set_text("Choose a failure to read what happened")
            self._text.setPlainText("")
            return
        self._open.setText("Open run at this step" if row.step_id else "Open run")
        place = f"{row.run_type} · {row.step_name or row.step_id}" if row.step_id else row.run_type
        self._title.set_text(f"{plain(place, 120)} · {row.ref.label} · {timestamp(row.time_ns, zone)[:19]}")
        if row is not self._row:
            self._row = row
            told = facts(row, zone)
            self._text.setPlainText("\n\n".join(filter(None, (chain_text(row.failure, zone), told))))


def facts(row: FailureRow, zone: tzinfo | None = None) -> str:
    """What the log says beyond the failure, a line each; "" where it says nothing."""
    lines = []
    if row.resolved is not None:
        lines.append(("failure", "resolved" if row.resolved else "open"))
    for name, value in row.attributes.items():
        if name.endswith("_ns") and isinstance(value, int):
            lines.append((name.removesuffix("_ns"), timestamp(value, zone)))
        elif value is not None:
            lines.append((_NAMES.get(name, name.replace("_", " ")), plain(str(value), 2_000)))
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)
