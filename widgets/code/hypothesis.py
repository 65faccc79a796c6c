"""Marks what is shown as hypothetical, and lays what the code would do beside what it did. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from engine_bridge.replay.model import EditKind
from widgets.actions.notes import Note
from widgets.code.answering import AnswerBar
from widgets.code.would import NONE, Would
from widgets.run.labels import Glyph, Link, Text
from widgets.run.list_table import Cell, ListTable
from widgets.theme import ROW, theme

_ROWS, _MOST_ROWS = 5, 8


class WouldTable(ListTable):
    """Commands of a hypothetical replay beside those of the record; ``chosen`` as of a ListTable."""

    def __init__(self) -> None:
        titles = ("recorded", "the code would", "line")
        super().__init__("What the code would do, beside what it did", titles, (130, 180))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.set_placeholder("Replaying …")
        self.rows: tuple[Would, ...] = ()

    def show_rows(self, rows: Sequence[Would], nothing: str = "") -> None:
        """All rows; ``nothing`` is said in the place of none."""
        self.rows = tuple(rows)
        self.set_placeholder(nothing or "Replaying …")
        self.list_model.set_rows(0, lambda row: ())
        self.list_model.set_rows(len(self.rows), lambda row: _cells(self.rows[row]))
        self.setColumnHidden(0, all(row.then == NONE for row in rows))
        self.clearSpans()
        for place in (place for place, row in enumerate(self.rows) if row.heading):
            self.setSpan(place, 1, 1, 2)
        self.setMinimumHeight(2 * ROW + 6)
        most = _MOST_ROWS if any(row.heading for row in rows) else _ROWS
        self.setMaximumHeight(ROW * (min(max(len(self.rows), 1), most) + 1) + 6)
        if most == _MOST_ROWS:
            self.scrollToBottom()


class Hypothesis(QWidget):
    """Hidden while the record is on show. ``left`` comes when the user wants it back, ``edit_requested`` to edit more,
    ``step_chosen`` with the index of a step of the trace, ``answer_requested`` with the EditKind that a command is to
    be answered with, None for what else could happen then."""

    left = Signal()
    edit_requested = Signal()
    step_chosen = Signal(object)
    answer_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.words = Text(bold=True, least=100, elide=Qt.TextElideMode.ElideRight)
        self.words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.outcome, nothing = (
            Text(least=100),
            Text("Nothing was sent or written.", tone="muted", size=11, least=60),
        )
        self.edit, self.back = Link("Edit …"), Link("Back to the record (Esc)")
        self.unfit, self.answers = Note("failed", "failed", ""), AnswerBar()
        self._next: tuple[EditKind, ...] = ()
        self.table = WouldTable()
        head, end, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 6)
        column.setSpacing(4)
        head.setSpacing(8)
        head.addWidget(Glyph("fork", "signal", 16))
        head.addWidget(self.words, 1)
        for link in (self.edit, self.back):
            head.addWidget(link)
        end.addWidget(self.outcome)
        end.addStretch(1)
        end.addWidget(nothing)
        column.addLayout(head)
        for widget in (self.table, self.unfit, self.answers):
            column.addWidget(widget)
        column.addLayout(end)
        self.unfit.hide()
        self.edit.activated.connect(self.edit_requested)
        self.back.activated.connect(self.left)
        self.table.chosen.connect(self._on_row)
        self.table.opened.connect(self._on_opened)
        self.answers.chosen.connect(self.answer_requested)
        self.setAccessibleName("Hypothetical replay")
        self.hide()

    @property
    def text(self) -> str:
        """All that it says; "" while the record is on show."""
        lines = [
            self.words.text,
            *("\t".join((w.then, w.now, w.place)) for w in self.table.rows),
            self.unfit.words.text() if self.unfit.isVisibleTo(self) else "",
            self.answers.text,
            self.outcome.text,
        ]
        return "" if self.isHidden() else "\n".join(filter(None, lines))

    def show_edits(self, edits: Sequence[str]) -> None:
        """What was edited; none: the record is shown."""
        what = "; then ".join(edits)
        self.words.set_text(f"HYPOTHETICAL: {what}", "\n".join(edits))
        self.setAccessibleDescription(self.words.text if edits else "")
        self.setVisible(bool(edits))

    def show_outcome(
        self, rows: Sequence[Would], outcome: str, next_: Sequence[EditKind] = (), unfit: str = ""
    ) -> None:
        """What the code would do, what would come of it, and what can be made of that (``End.next``)."""
        self.table.show_rows(rows, "No command: the code does nothing about it." if outcome else "")
        self.outcome.set_text(outcome)
        self.outcome.setVisible(bool(outcome))
        self.unfit.set_note("failed", "failed", unfit)
        self.unfit.setVisible(bool(unfit))
        self._next = tuple(next_)
        steps = {kind.step for kind in next_ if kind.step >= 0}
        first = next((row for row, one in enumerate(rows) if one.index in steps and not one.heading), -1)
        self._show_answers(rows[first].index if first >= 0 else min(steps, default=-1))
        if first >= 0:
            self.table.selectRow(first)

    def _show_answers(self, step: int) -> None:
        kinds = [kind for kind in self._next if kind.step == step >= 0]
        self.answers.show_kinds(kinds, [kind for kind in self._next if kind not in kinds])

    def _on_row(self, row: int) -> None:
        if 0 <= row < len(self.table.rows) and self.table.rows[row].index >= 0:
            self._show_answers(self.table.rows[row].index)
            self.step_chosen.emit(self.table.rows[row].index)

    def _on_opened(self, row: int) -> None:
        """Enter on a command: answers it, where it waits for something."""
        self._on_row(row)
        if 0 <= row < len(self.table.rows) and not self.table.rows[row].heading:
            self.answers.first()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as p:
            p.fillRect(self.rect(), t.fill("signal", 0.16))
            # Hatched as all is that did not happen.
            p.fillRect(self.rect(), QBrush(t.fill("signal", 0.22), Qt.BrushStyle.BDiagPattern))
            p.fillRect(QRectF(0, 0, 4, self.height()), t.state("signal"))


def _cells(row: Would) -> tuple[Cell, ...]:
    if row.heading:
        return Cell(""), Cell(row.now, tooltip=row.now), Cell("")
    tone = "muted" if row.same else "text"
    state, glyph = ("completed", "completed") if row.same else ("signal", "fork")
    now = (
        Cell(row.now, code=True, tone=tone)
        if row.now == NONE
        else Cell(row.now, state, True, tone, glyph=glyph)
    )
    then = Cell(row.then, code=True, tone="muted" if row.then == NONE else tone)
    return then, now, Cell(row.place, code=True, tone="muted")
