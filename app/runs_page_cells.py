"""What can be done with the current cell of the runs table: filter by it, copy it, open its run."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject, QPoint, SignalInstance
from PySide6.QtWidgets import QApplication, QMenu

from app.actions_specs import Offered
from app.context import Context, Source
from engine_bridge.bridge import Field
from engine_bridge.model import Run
from widgets.actions.menu import add_actions
from widgets.table.cell_menu import Entry, cell_menu
from widgets.table.columns import Column, row_text
from widgets.table.conditions import choices, condition
from widgets.table.model import PagedModel
from widgets.table.view import PagedView


class ListView(Protocol):
    """What a page's view must have."""

    @property
    def table(self) -> PagedView: ...
    @property
    def model(self) -> PagedModel: ...
    def shown_columns(self) -> list[str]: ...


class ListPage(Protocol):
    """What a page must have, so that something can be done with its cells."""

    @property
    def context(self) -> Context: ...
    @property
    def view(self) -> ListView: ...
    @property
    def offered(self) -> Offered: ...
    @property
    def action_requested(self) -> SignalInstance: ...
    def source(self) -> Source | None: ...
    def apply_filter(self, text: str) -> None: ...
    def open_run(self, run: Run) -> None: ...


class Cells(QObject):
    """Acts on the current cell of a list of runs, which are called by ``noun``. GUI thread."""

    def __init__(self, page: ListPage, noun: str = "run") -> None:
        super().__init__()
        self._page = page
        self._noun = noun
        self._view = page.view
        self._view.table.menu_requested.connect(self._on_menu)

    def _current(self) -> tuple[Column, Any] | None:
        index = self._view.table.currentIndex()
        item = self._view.table.current_item
        return None if item is None else (self._view.model.columns[index.column()], item)

    def _field(self, column: Column) -> Field | None:
        source = self._page.source()
        fields = {field.name: field for field in source.fields} if source and column.value else {}
        found = fields.get(column.field) or fields.get(column.field.partition(".")[0])
        return found and msgspec.structs.replace(found, name=column.field)

    def unfit(self) -> str:
        """Why the current cell cannot be filtered by, "" when it can."""
        cell = self._current()
        if cell is None:
            return "choose a cell first"
        return "" if self._field(cell[0]) else f"this source cannot filter by {cell[0].title}"

    def _apply(self, op: str, *, narrow: bool) -> None:
        from engine_bridge.query.text import and_

        cell = self._current()
        field = self._field(cell[0]) if cell else None
        if cell is None or field is None or cell[0].value is None:
            return
        clause = condition(field, cell[0].value(cell[1]), op)
        current = self._page.context.focus.current.query
        self._page.apply_filter(and_(current, clause) if narrow else clause)

    def filter_by(self) -> None:
        """The cell's value becomes the filter."""
        self._apply("==", narrow=False)

    def filter_and(self) -> None:
        """The cell's value narrows the filter."""
        self._apply("==", narrow=True)

    def filter_not(self) -> None:
        """Everything but the cell's value stays."""
        self._apply("!=", narrow=True)

    def copy_cell(self) -> None:
        cell = self._current()
        if cell is not None:
            self._copy(cell[0].whole(cell[1], self._view.model.clock))

    def copy_row(self) -> None:
        """Copies the selected rows, tab-separated, shown columns only."""
        shown = self._view.shown_columns()
        columns = [c for c in self._view.model.columns if c.id in shown and not c.check]
        items = self._view.table.selected_items()
        self._copy("\n".join(row_text(columns, item, self._view.model.clock) for item in items))

    def copy_id(self) -> None:
        cell = self._current()
        if cell is not None:
            self._copy(cell[1].id)

    def _copy(self, text: str) -> None:
        QApplication.clipboard().setText(text)
        self._page.context.notify("Copied.")

    def _on_menu(self, point: QPoint) -> None:
        self.menu().popup(point)

    def menu(self) -> QMenu:
        """The menu of the current cell."""
        cell = self._current()
        menu = cell_menu(self._view.table, self._entries(*cell) if cell else [])
        offered = self._page.offered
        add_actions(menu, offered.with_reasons(), self._page.action_requested.emit)
        return menu

    def _entries(self, column: Column, item: Any) -> list[list[Entry]]:
        field = self._field(column)
        query = self._page.context.focus.current.query
        offered = choices(field, column.value(item), query) if field and column.value else []
        return [
            [(f"Open {self._noun}", partial(self._page.open_run, item))],
            [(title, partial(self._page.apply_filter, text)) for title, text in offered],
            [("Copy cell", self.copy_cell), ("Copy row", self.copy_row), ("Copy id", self.copy_id)],
        ]
