"""What a dry run found: the commands that the run's code would issue. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from widgets.actions.notes import Note
from widgets.code.hypothesis import WouldTable
from widgets.code.would import Would
from widgets.run.labels import Glyph, Link, Text


class Rehearsal(QWidget):
    """Hidden until the first dry run. ``step_chosen`` carries the index of a step of its trace; ``code_wanted`` comes
    when the user wants to see the code."""

    step_chosen = Signal(object)
    code_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table, self.outcome = WouldTable(), Text(least=100)
        self.trouble = Note("failed", "failed", "", boxed=True)
        self.code = Link("Show it in the code")
        head, column = QHBoxLayout(), QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        head.setSpacing(8)
        head.addWidget(Glyph("fork", "signal", 14))
        head.addWidget(Text("Dry run: nothing was sent", bold=True))
        head.addStretch(1)
        head.addWidget(self.code)
        column.addLayout(head)
        for widget in (self.trouble, self.table, self.outcome):
            column.addWidget(widget)
        self.code.activated.connect(self.code_wanted)
        for signal in (self.table.chosen, self.table.opened):
            signal.connect(self._on_row)
        self.setAccessibleName("Dry run")
        self.hide()

    @property
    def text(self) -> str:
        """All that it says."""
        rows = ["\t".join((row.then, row.now, row.place)) for row in self.table.rows]
        trouble = self.trouble.words.text() if not self.trouble.isHidden() else ""
        return "\n".join(filter(None, (trouble, *rows, self.outcome.text)))

    def show_running(self) -> None:
        """The code is replayed."""
        self._show((), "Replaying …", "")

    def show_outcome(self, rows: Sequence[Would], outcome: str) -> None:
        """What the code would do, and what would come of it."""
        self._show(rows, "", outcome)

    def show_trouble(self, words: str) -> None:
        """Why there is no answer."""
        self._show((), "", "", words)

    def _show(self, rows: Sequence[Would], running: str, outcome: str, trouble: str = "") -> None:
        self.show()
        self.trouble.set_note("failed", "failed", trouble)
        self.trouble.setVisible(bool(trouble))
        self.table.setVisible(not trouble)
        self.table.show_rows(rows, running or "No command: the code does nothing about it.")
        self.outcome.set_text(outcome)
        self.outcome.setVisible(bool(outcome))

    def _on_row(self, row: int) -> None:
        if 0 <= row < len(self.table.rows) and self.table.rows[row].index >= 0:
            self.step_chosen.emit(self.table.rows[row].index)
