"""The commands of the runs page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command

if TYPE_CHECKING:
    from app.runs_page import RunsPage
    from app.runs_page_cells import Cells


def commands(page: RunsPage) -> list[Command]:
    """What a user can do on the runs page."""
    return [*_list_commands(page), *_row_commands(page), *cell_commands(page.cells, page.name)]


def _list_commands(page: RunsPage) -> list[Command]:
    view = page.view
    make = partial(Command, scope="runs", menu="View")

    def no_filter() -> str:
        return "" if page.context.focus.current.query else "there is no filter"

    def no_news() -> str:
        return "" if page.fresh.waiting else "nothing new"

    def one_type() -> str:
        return "this source has no types to choose from" if view.types.isHidden() else ""

    return [
        make("runs.focus_filter", "Edit Filter", view.filter_bar.focus, keys=("/",), icon="filter"),
        make(
            "runs.clear_filter",
            "Clear Filter",
            lambda: page.apply_filter(""),
            keys=("Shift+Esc",),
            when=no_filter,
            icon="close",
        ),
        make("runs.show_new", "Show New Runs", page.fresh.show_new, keys=("N",), when=no_news, icon="live"),
        make("runs.sort", "Sort by Current Column", page.sort_by_current, keys=("S",)),
        make("runs.type", "Choose a Type …", view.types.open_menu, keys=("W",), when=one_type, icon="filter"),
        make("runs.columns", "Choose Columns …", view.choose_columns, keys=("C",), icon="columns"),
        make("runs.charts", "Show or Hide Charts", page.toggle_charts, keys=("H",), icon="timeline"),
        make("runs.focus_chart", "Select a Time Range", page.focus_chart, keys=("T",), icon="clock"),
    ]


def _row_commands(page: RunsPage) -> list[Command]:
    def no_run() -> str:
        return "" if page.view.current_run() is not None else "choose a run first"

    def row(name: str, title: str, run: Callable[[], None], *keys: str, icon: str = "") -> Command:
        return Command(name, title, run, keys, no_run, scope="runs", icon=icon)

    return [
        row("runs.open", "Open Run", page.open_current, "O", icon="right"),
        row("runs.copy_cell", "Copy Cell", page.cells.copy_cell, "Ctrl+C", icon="copy"),
        row("runs.copy_row", "Copy Rows", page.cells.copy_row, "Ctrl+Shift+C", icon="copy"),
        row("runs.copy_id", "Copy Run Id", page.cells.copy_id, "I", icon="copy"),
    ]


def cell_commands(cells: Cells, scope: str) -> list[Command]:
    """Filters by the current cell of a list, on the page ``scope``."""

    def cell(name: str, title: str, run: Callable[[], None], key: str) -> Command:
        return Command(f"{scope}.{name}", title, run, (key,), cells.unfit, scope=scope, icon="filter")

    return [
        cell("filter_by", "Filter by This Cell", cells.filter_by, "="),
        cell("filter_and", "Filter: and This Cell", cells.filter_and, "+"),
        cell("filter_not", "Filter: and Not This Cell", cells.filter_not, "-"),
    ]
