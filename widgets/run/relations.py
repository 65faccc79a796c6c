"""The relations tab: parent, children, forks, retries … as a list that opens runs. GUI thread."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.bridge import Relation
from engine_bridge.errors import PlayheadError
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import label

_EMPTY = "This run has no parent, children, forks or retries."


class RelationsPane(QWidget):
    """``run_opened`` carries a RunRef; ``step_selected`` the step that a row belongs to; ``more_requested`` pages."""

    run_opened = Signal(object)
    step_selected = Signal(object)
    more_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._items: tuple[Relation, ...] = ()
        self._zone: tzinfo | None = None
        self._message = label(color="failed", wrap=True)
        self._message.setContentsMargins(12, 8, 12, 8)
        self._message.hide()
        titles = ("role", "status", "run", "type", "started", "note")
        self.table = ListTable("Relations", titles, (80, 104, 220, 120, 104), firm=(0, 1, 4))
        self.table.opened.connect(self._on_opened)
        self.table.chosen.connect(self._on_chosen)
        self.more = QPushButton("Load more")
        self.more.clicked.connect(self.more_requested)
        self.more.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._message)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        self.setFocusProxy(self.table)

    @property
    def items(self) -> tuple[Relation, ...]:
        return self._items

    @property
    def message(self) -> str:
        """What went wrong, "" for nothing."""
        return "" if self._message.isHidden() else self._message.text()

    def set_zone(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self.table.viewport().update()

    def set_items(self, items: tuple[Relation, ...], *, more: bool) -> None:
        """All relations read so far; ``more`` offers to read on. The chosen run stays chosen."""
        row = self.table.currentIndex().row()
        chosen = self._items[row].ref if 0 <= row < len(self._items) else None
        self._items = items
        self.table.list_model.set_rows(len(items), self._cells)
        at = next((row for row, item in enumerate(items) if item.ref == chosen), -1)
        if at >= 0 and chosen is not None:
            self.table.selectRow(at)
        self.table.set_placeholder(_EMPTY)
        self.more.setVisible(more)
        self._message.hide()

    def show_none(self, words: str) -> None:
        """No relations, and why: they are being read, or cannot be."""
        self.set_items((), more=False)
        self.table.set_placeholder(words)

    def set_error(self, error: PlayheadError) -> None:
        """They cannot be read; the rest of the page works."""
        self._message.setText(fmt.safe_lines(f"{error.message} {error.hint}".strip()))
        self.table.set_placeholder("")
        self._message.show()

    def _cells(self, row: int) -> tuple[Cell, ...]:
        item = self._items[row]
        run = item.run
        role = Cell(item.role.replace("_", " "), tone="muted")
        name = Cell(fmt.plain(item.ref.label), code=True, tone="accent", tooltip=str(item.ref))
        note = fmt.plain(item.note or (f"step {item.step_id}" if item.step_id else ""))
        if run is None:
            return role, Cell("not readable", "unknown", tone="muted"), name, Cell(""), Cell(""), Cell(note)
        started = run.started_ns if run.started_ns is not None else run.created_ns
        return (
            role,
            Cell(run.status.value.replace("_", " "), run.status.value),
            name,
            Cell(fmt.plain(run.type)),
            Cell(fmt.clock(started, self._zone), code=True, tooltip=fmt.timestamp(started, self._zone)),
            Cell(note, tone="muted"),
        )

    def _on_opened(self, row: int) -> None:
        self.run_opened.emit(self._items[row].ref)

    def _on_chosen(self, row: int) -> None:
        step = self._items[row].step_id
        if step is not None:
            self.step_selected.emit(step)
