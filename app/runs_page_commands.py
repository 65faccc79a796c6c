"""The commands of the runs page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands import Command

if TYPE_CHECKING:
    from app.runs_page import RunsPage


def commands(page: RunsPage) -> list[Command]:
    """What a user can do on the runs page."""
    view = page.view

    def has_run() -> str:
        return "" if view.current_run() is not None else "choose a run first"

    def has_filter() -> str:
        return "" if page.context.focus.current.query else "there is no filter"

    def has_new() -> str:
        return "" if page.live.above_waiting else "nothing new"

    return [
        Command(
            "runs.focus_filter", "Edit Filter", view.filter_bar.focus, keys=("/",), scope="runs", icon="filter",
            menu="View",
        ),
        Command(
            "runs.clear_filter", "Clear Filter", lambda: page.apply_filter(""), keys=("Shift+Esc",),
            when=has_filter, scope="runs", icon="close", menu="View",
        ),
        Command(
            "runs.open", "Open Run", lambda: page.open_current(), when=has_run, scope="runs", menu="Go", icon="right"
        ),
        Command(
            "runs.show_new", "Show New Runs", page.live.show_new, keys=("N",), when=has_new, scope="runs",
            menu="View",
        ),
        Command(
            "runs.sort", "Sort by Current Column", page.sort_by_current, keys=("S",), scope="runs", menu="View"
        ),
        Command(
            "runs.columns", "Choose Columns …", view.choose_columns, keys=("C",), scope="runs", icon="columns",
            menu="View",
        ),
    ]  # fmt: skip
