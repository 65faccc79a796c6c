"""Small bars around a table: how far a scan is, and that new rows wait above."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QAbstractScrollArea, QHBoxLayout, QLabel, QPushButton, QWidget

from engine_bridge.format import count

_GAP: Final = 6


class ScanBar(QWidget):
    """ "searched n of m" with Continue or Cancel; hidden while there is nothing to say."""

    continued = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel(self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._continue = QPushButton("Continue", self)
        self._cancel = QPushButton("Cancel", self)
        self._continue.clicked.connect(self.continued)
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._label)
        row.addWidget(self._continue)
        row.addWidget(self._cancel)
        row.addStretch()
        self.hide()

    @property
    def text(self) -> str:
        return "" if self.isHidden() else self._label.text()

    def show_running(self, done: int, of: int | None, found: int) -> None:
        """A scan is under way."""
        self._show(f"searching: {searched(done, of)} · {count(found)} found", running=True)

    def show_paused(self, done: int, of: int | None, found: int) -> None:
        """A scan stopped before the end; more may match."""
        self._show(f"{searched(done, of)} · {count(found)} found · more may match", running=False)

    def _show(self, text: str, *, running: bool) -> None:
        self._label.setText(text)
        self._continue.setVisible(not running)
        self._cancel.setVisible(running)
        self.show()


def searched(done: int, of: int | None) -> str:
    """ "searched 1 200 of 30 000"."""
    return f"searched {count(done)}" + (f" of {count(of)}" if of is not None else "")


class NewAbove(QPushButton):
    """ "3 new above · show", floating over the table so that nothing moves. ``clicked`` shows them."""

    def __init__(self, table: QAbstractScrollArea) -> None:
        super().__init__(table)
        self._table = table
        self.setProperty("primary", True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.viewport().installEventFilter(self)
        self.hide()

    def show_count(self, number: int, *, at_least: bool = False) -> None:
        """How many rows wait; 0 hides."""
        self.setText(f"{count(number)}{'+' if at_least else ''} new above · show")
        self.setVisible(number > 0)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        self.adjustSize()
        area = self._table.viewport().geometry()
        self.move(area.left() + (area.width() - self.width()) // 2, area.top() + _GAP)
