"""Narrowing the failure log: by the current cell, by a menu of what it holds, by a correlation id. GUI thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QApplication, QMenu

from engine_bridge.bridge import FailureRow
from engine_bridge.format import count, plain
from widgets.actions.menu import add_actions
from widgets.failures.columns import COLUMNS
from widgets.failures.sieve import TITLES, Condition
from widgets.failures.tally import FACETS
from widgets.shell.ask import ask_text
from widgets.table.cell_menu import Entry, cell_menu
from widgets.table.columns import Column, row_text

if TYPE_CHECKING:
    from app.failures_page import FailuresPage

_VALUES: Final = 25  # of a field that the menu lists
_BY_ID: Final = "correlation_id"


class FailureCells(QObject):
    """What a cell offers, and the menu of all conditions."""

    def __init__(self, page: FailuresPage) -> None:
        super().__init__(page)
        self._page = page
        self._view = page.view

    # -- the current cell -----------------------------------------------------------------------------------

    def _cell(self) -> tuple[Column, FailureRow] | None:
        table = self._view.table
        if self._view.is_grouped or table.current_item is None:
            return None
        return COLUMNS[max(0, table.currentIndex().column())], table.current_item

    def condition(self, *, negated: bool = False) -> Condition | None:
        """What the current cell, or the cause of the current group, narrows to."""
        if self._view.is_grouped:
            group = self._view.group_table.current_item
            return None if group is None else Condition("error", group.type, negated)
        cell = self._cell()
        if cell is None or cell[0].value is None:
            return None
        return Condition(cell[0].id, cell[0].value(cell[1]), negated)

    def unfit(self) -> str:
        """Why the current cell cannot narrow the log, "" when it can."""
        if self._view.current() is None:
            return "choose a failure first"
        return "" if self.condition() is not None else "choose a cell that failures have in common"

    def narrow(self, *, negated: bool = False) -> None:
        """Lists only failures with (``negated``: without) the current cell's value."""
        condition = self.condition(negated=negated)
        if condition is not None:
            self._page.set_sieve(self._page.sieve.with_(condition))

    def copy_cell(self) -> None:
        cell = self._cell()
        if cell is not None:
            self._copy(cell[0].whole(cell[1], self._view.model.clock))

    def copy_row(self) -> None:
        """Copies the selected rows, tab-separated, shown columns only."""
        table = self._view.group_table if self._view.is_grouped else self._view.table
        shown = [c for n, c in enumerate(table.paged.columns) if not table.isColumnHidden(n)]
        items = table.selected_items() or [item for item in (table.current_item,) if item is not None]
        self._copy("\n".join(row_text(shown, item, table.paged.clock) for item in items))

    def _copy(self, text: str) -> None:
        QApplication.clipboard().setText(text)
        self._page.context.notify("Copied.")

    def menu(self) -> QMenu:
        """What can be done with the current cell, and to what is chosen."""
        open_run: list[Entry] = [("Open run", partial(self._page.open_run, self._view.current()))]
        copies: list[Entry] = [("Copy row", self.copy_row), ("Copy failure", self._page.copy)]
        if self._cell() is not None:
            copies.insert(0, ("Copy cell", self.copy_cell))
        menu = cell_menu(self._view, [open_run, self._narrowings(), copies])
        add_actions(menu, self._page.offered.with_reasons(), self._page.action_requested.emit)
        return menu

    def _narrowings(self) -> list[Entry]:
        one, other = self.condition(), self.condition(negated=True)
        if one is None or other is None:
            return []
        return [
            (f"Only  {one.words}", self.narrow),
            (f"Not  {one.words}", partial(self.narrow, negated=True)),
        ]

    # -- the menu of conditions ------------------------------------------------------------------------------

    def filter_menu(self) -> QMenu:
        """Every tenant, workflow, error … of what was counted, a correlation id, and how to list all again."""
        menu = cell_menu(self._view, [])
        tally = self._page.tallies.shown
        for name in FACETS:
            values = tally.values(name) if tally is not None else []
            if values:
                self._add_values(menu, name, values)
        if "correlation_id" in self._view.shown_optional:
            menu.addAction("Correlation id …").triggered.connect(self.ask_correlation_id)
        menu.addSeparator()
        clear = menu.addAction("Show all again")
        clear.triggered.connect(self._page.clear_sieve)
        clear.setEnabled(not self._page.sieve.open)
        return menu

    def _add_values(self, menu: QMenu, name: str, values: list[tuple[Any, int]]) -> None:
        below = menu.addMenu(TITLES.get(name, name).capitalize())
        for value, number in values[:_VALUES]:
            condition = Condition(name, value)
            action = below.addAction(f"{plain(str(value), 60)}   {count(number)}".replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(condition in self._page.sieve.conditions)
            action.triggered.connect(lambda on, one=condition: self._toggle(one, on))

    def _toggle(self, condition: Condition, on: bool) -> None:
        sieve = self._page.sieve
        self._page.set_sieve(sieve.with_(condition) if on else sieve.without(condition))

    def open_filter_menu(self) -> None:
        button = self._view.filter
        self.filter_menu().popup(button.mapToGlobal(QPoint(0, button.height())))

    def ask_correlation_id(self) -> None:
        """Asks for a correlation id, which is often at hand from a log or a ticket."""
        held = next((str(c.value) for c in self._page.sieve.conditions if c.field == _BY_ID), "")

        def answered(text: str) -> None:
            sieve = self._page.sieve
            old = next((c for c in sieve.conditions if c.field == _BY_ID), None)
            if text:
                self._page.set_sieve(sieve.with_(Condition(_BY_ID, text)))
            elif old is not None:
                self._page.set_sieve(sieve.without(old))

        ask_text(self._view, "Correlation id", "List only failures with this correlation id.", held, answered)
