"""Entries of the journal in a table: on its page, and on the run that they are about. GUI thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import tzinfo

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from widgets.journal.entries import COLUMNS, Entry, cells
from widgets.run.list_table import Cell, ListTable

_WIDTHS = (120, 90, 120, 170, 90, 160)
_CODE = (0, 3)
_OUTCOME = 5


class EntryTable(ListTable):
    """Newest first. ``moved`` carries the current Entry or None, ``entry_opened`` that of Enter or a double click."""

    moved = Signal(object)
    entry_opened = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, COLUMNS, _WIDTHS)
        self.entries: tuple[Entry, ...] = ()
        self._zone: tzinfo | None = None
        self._now_ns = 0
        self.selectionModel().currentRowChanged.connect(lambda *_: self.moved.emit(self.current()))
        self.opened.connect(lambda row: self.entry_opened.emit(self.entries[row]))

    def set_entries(self, entries: Sequence[Entry], zone: tzinfo | None) -> None:
        """Replaces the rows; the chosen entry stays chosen while it is there."""
        held = self.current()
        self.entries, self._zone, self._now_ns = tuple(entries), zone, time.time_ns()
        self.list_model.set_rows(0, self._cells)
        self.list_model.set_rows(len(self.entries), self._cells)
        again = next((n for n, e in enumerate(self.entries) if held is not None and e.seq == held.seq), -1)
        if again >= 0:
            self.selectRow(again)
        else:
            self.moved.emit(None)

    def _cells(self, row: int) -> tuple[Cell, ...]:
        entry = self.entries[row]
        return tuple(
            Cell(text, entry.state if column == _OUTCOME else "", column in _CODE, "text", tip)
            for column, (text, tip) in enumerate(cells(entry, self._now_ns, self._zone))
        )

    def current(self) -> Entry | None:
        """The chosen entry, None when there is none."""
        row = self.currentIndex().row()
        return self.entries[row] if 0 <= row < len(self.entries) else None

    def choose(self, seq: int) -> None:
        """Chooses the entry of a row number of the journal."""
        row = next((n for n, entry in enumerate(self.entries) if entry.seq == seq), -1)
        if row >= 0:
            self.selectRow(row)
