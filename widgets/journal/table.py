"""Entries of the journal in a table: on its page, and on the run that they are about. GUI thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import tzinfo

from PySide6.QtCore import Signal

from widgets.journal.entries import COLUMNS, Entry, cells
from widgets.run.list_table import Cell, ListTable

_WIDTHS = {"when": 120, "who": 90, "source": 120, "target": 170, "action": 150, "outcome": 170, "reason": 200}
_CODE = ("when", "target")


class EntryTable(ListTable):
    """Newest first; ``columns`` are some of COLUMNS.

    ``moved`` carries the current Entry or None, ``entry_opened`` that of Enter or a double click.
    """

    moved = Signal(object)
    entry_opened = Signal(object)

    def __init__(self, name: str, columns: tuple[str, ...] = COLUMNS) -> None:
        super().__init__(name, columns, tuple(_WIDTHS[column] for column in columns[:-1]))
        self._columns = columns
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
        made = dict(zip(COLUMNS, cells(entry, self._now_ns, self._zone), strict=True))
        return tuple(
            Cell(
                made[name][0], entry.state if name == "outcome" else "", name in _CODE, "text", made[name][1]
            )
            for name in self._columns
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
