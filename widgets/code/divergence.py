"""A divergence side by side: history and code by step, the line that leaves the history, and what to do. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain
from engine_bridge.history import History
from engine_bridge.replay.model import Divergence, Place
from widgets.code.divergence_rows import Pair, advice, pairs, sentence, title
from widgets.code.source import CodeSource
from widgets.code.store import SourceStore
from widgets.code.view import CodeView
from widgets.run.labels import Glyph, Link, Text
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import label
from widgets.theme import ROW

_EMPTY = CodeSource("")


class DivergenceView(QWidget):
    """``opened`` carries the id of the step that the user wants to see in the run ("" for its end).

    ``store`` is where source files come from: its owner's, so that each is read once.
    """

    opened = Signal(object)

    def __init__(self, store: SourceStore | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.store = store or SourceStore(self)
        self.divergence: Divergence | None = None
        self.pairs: list[Pair] = []
        self._at = Place()
        self.glyph, self.title = Glyph("failed", "failed", 16), Text(bold=True, least=120)
        self.link = Link("Open the run there")
        self.sentence = Text(tone="muted", least=120)
        self.table = ListTable(
            "History and code by step", ("step", "the history has", "the code has"), (64, 190)
        )
        self.table.setMinimumHeight(4 * ROW)
        self.advice = QWidget()
        self.code, self.no_source = CodeView(), Text(tone="muted", least=80)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self._lay_out()
        self.store.loaded.connect(self._on_file)
        self.store.coloured.connect(lambda file: self.code.viewport().update())
        self.table.opened.connect(self._on_opened)
        self.link.activated.connect(self._on_link)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.setSpacing(8)
        for widget in (self.glyph, self.title, self.link):
            head.addWidget(widget)
        head.addStretch(1)
        column.addLayout(head)
        words = QHBoxLayout()
        words.setContentsMargins(8, 0, 8, 0)
        words.addWidget(self.sentence)
        words.addStretch(1)
        column.addLayout(words)
        column.addWidget(self.split, 1)
        self.split.addWidget(_stacked(self.table, self.advice))
        self.split.addWidget(_stacked(self.no_source, self.code, stretch=1))
        self.split.setSizes([520, 480])
        self.split.setChildrenCollapsible(False)
        self._grid = QGridLayout(self.advice)
        self._grid.setContentsMargins(8, 4, 8, 6)
        self._grid.setHorizontalSpacing(12)
        self._grid.setColumnStretch(1, 1)

    def show_divergence(self, divergence: Divergence, at: Place, history: History | None) -> None:
        """Shows one. ``at`` is the line, also where the divergence knows none; ``history`` None: not read."""
        same = divergence == self.divergence and at == self._at
        self.divergence, self._at = divergence, at
        self.pairs = pairs(divergence, history)
        self.title.set_text(title(divergence, at))
        self.sentence.set_text(sentence(divergence))
        self.table.list_model.set_rows(0, lambda row: ())
        self.table.list_model.set_rows(len(self.pairs), lambda row: _cells(self.pairs[row]))
        row = next(n for n, pair in enumerate(self.pairs) if pair.mark == "parts")
        self.table.selectRow(row)
        self.table.scrollTo(self.table.list_model.index(row, 0))
        if not same:
            self._advise(divergence)
            self._show_file()

    def _advise(self, divergence: Divergence) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, text) in enumerate(advice(divergence)):
            self._grid.addWidget(label(name, bold=True), row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(label(text, color="muted", wrap=True), row, 1)

    def _show_file(self) -> None:
        found = self.store.get(self._at.file) if self._at.file else None
        if isinstance(found, CodeSource):
            self.code.show_source(found)
            kind = self.divergence.kind if self.divergence is not None else ""
            self.code.set_marks({self._at.line: ("divergence", kind)} if self._at.line else {})
            self.code.set_current(self._at.line)
            self._say("")
        else:
            self.code.show_source(_EMPTY)
            self.code.set_marks({})
            reading = "Reading the source …" if self._at.file else "The line is not known."
            self._say(found.message if isinstance(found, PlayheadError) else reading)

    def _say(self, words: str) -> None:
        self.no_source.set_text(plain(words, 400))
        self.no_source.setVisible(bool(words))

    def _on_file(self, file: str) -> None:
        if file == self._at.file:
            self._show_file()

    def _on_opened(self, row: int) -> None:
        self.opened.emit(self.pairs[row].step_id)

    def _on_link(self) -> None:
        if self.divergence is not None:
            self.opened.emit(self.divergence.step_id)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.divergence is not None:
            self.glyph.update()


def _cells(pair: Pair) -> tuple[Cell, ...]:
    tone = {"same": "text", "parts": "failed"}.get(pair.mark, "muted")
    status = {"same": "completed", "parts": "failed"}.get(pair.mark, "pending")
    step = pair.step_id or "end"
    return (
        Cell(step, status, tone=tone, code=True),
        Cell(pair.expected, code=True, tone=tone, tooltip=pair.expected),
        Cell(pair.actual, code=True, tone=tone, tooltip=pair.actual),
    )


def _stacked(*widgets: QWidget, stretch: int = 0) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    for number, widget in enumerate(widgets):
        column.addWidget(widget, 1 if number == stretch else 0)
    return holder
