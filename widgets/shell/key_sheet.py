"""The key sheet: every command that has keys, by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from widgets.shell.fitting import fitted
from widgets.shell.label import label
from widgets.theme import font

_SIZE = QSize(980, 620)
_COLUMN = 300  # px that a column needs


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A command's keys, as this system writes them, and its title."""

    keys: tuple[str, ...]
    title: str


class KeySheet(QDialog):
    """Groups of keys in columns; typing narrows them, Esc closes."""

    def __init__(self, groups: Sequence[tuple[str, Sequence[KeyRow]]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.line = QLineEdit()
        self.line.setPlaceholderText("Narrow down")
        self.line.setAccessibleName("Narrow down keys")
        self.line.textChanged.connect(self._narrow)
        self._blocks: list[tuple[QWidget, list[tuple[QWidget, QWidget, str]]]] = []
        self._pending: list[tuple[QVBoxLayout, str, Sequence[KeyRow]]] = []
        inner = QWidget()
        across = QHBoxLayout(inner)
        across.setSpacing(32)
        size = fitted(self, _SIZE)
        for members in _columns(groups, max(1, min(3, size.width() // _COLUMN))):
            column = QVBoxLayout()
            column.setSpacing(16)
            column.addStretch(1)
            across.addLayout(column, 1)
            self._pending += [(column, title, rows) for title, rows in members]
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addWidget(self.line)
        layout.addWidget(scroll)
        self.resize(size)

        # A group a turn: all of them at once would take longer than a frame.
        self._turn = QTimer(self)
        self._turn.timeout.connect(self._add_group)
        self._turn.start(0)

    def _add_group(self) -> None:
        if not self._pending:
            self._turn.stop()
            return
        column, title, rows = self._pending.pop(0)
        column.insertWidget(column.count() - 1, self._block(title, rows))
        self._narrow(self.line.text())

    @property
    def complete(self) -> bool:
        """Whether every group has its place."""
        return not self._pending

    def _block(self, title: str, rows: Sequence[KeyRow]) -> QWidget:
        block = QWidget()
        grid = QGridLayout(block)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, 96)
        grid.setHorizontalSpacing(12)
        grid.addWidget(label(title.upper(), color="muted", size=11, bold=True), 0, 0, 1, 2)
        entries: list[tuple[QWidget, QWidget, str]] = []
        for number, row in enumerate(rows, 1):
            keys = QLabel("  ".join(row.keys))
            keys.setTextFormat(Qt.TextFormat.PlainText)
            keys.setFont(font(12, code=True))
            words = label(row.title)
            grid.addWidget(keys, number, 0)
            grid.addWidget(words, number, 1)
            entries.append((keys, words, f"{title} {row.title} {' '.join(row.keys)}".lower()))
        self._blocks.append((block, entries))
        return block

    def _narrow(self, text: str) -> None:
        wanted = text.lower().strip()
        for block, entries in self._blocks:
            for keys, words, searched in entries:
                keys.setVisible(wanted in searched)
                words.setVisible(wanted in searched)
            block.setVisible(any(wanted in searched for *_, searched in entries))

    @property
    def shown(self) -> list[str]:
        """The titles that are not narrowed away."""
        return [
            w.text()
            for _, entries in self._blocks
            for _, w, _ in entries
            if isinstance(w, QLabel) and not w.isHidden()
        ]


def _columns(
    groups: Sequence[tuple[str, Sequence[KeyRow]]], number: int
) -> list[list[tuple[str, Sequence[KeyRow]]]]:
    """Groups in order, cut into columns of about the same height."""
    columns: list[list[tuple[str, Sequence[KeyRow]]]] = [[] for _ in range(number)]
    whole = sum(len(rows) + 2 for _, rows in groups)
    done = 0
    for title, rows in groups:
        columns[min(number - 1, done * number // max(1, whole))].append((title, rows))
        done += len(rows) + 2
    return columns
