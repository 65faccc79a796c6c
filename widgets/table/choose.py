"""Which columns of a paged table are shown: read, set, and chosen from a menu. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from widgets.table.view import PagedView


def shown_columns(table: PagedView) -> list[str]:
    """Ids of the columns that are shown."""
    return [column.id for n, column in enumerate(table.paged.columns) if not table.isColumnHidden(n)]


def show_columns(table: PagedView, ids: frozenset[str]) -> None:
    """Shows these columns, and those that only mark rows, and hides the others; unknown ids are ignored."""
    columns = table.paged.columns
    if not ids & {column.id for column in columns}:
        return
    for number, column in enumerate(columns):
        table.setColumnHidden(number, column.id not in ids and not column.check)
    table.fit_columns()


def column_menu(parent: QWidget, table: PagedView, changed: Callable[[list[str]], None]) -> QMenu:
    """A menu of the columns, that deletes itself when closed; ``changed`` gets the ids shown after each choice."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for number, column in enumerate(table.paged.columns):
        if column.check:
            continue
        action = menu.addAction(column.title)
        action.setCheckable(True)
        action.setChecked(not table.isColumnHidden(number))
        action.toggled.connect(partial(_toggle, table, number, changed))
    return menu


def _toggle(table: PagedView, number: int, changed: Callable[[list[str]], None], on: bool) -> None:
    marks = sum(column.check for column in table.paged.columns)
    if on or len(shown_columns(table)) > 1 + marks:
        table.setColumnHidden(number, not on)
        table.fit_columns()
        changed(shown_columns(table))
