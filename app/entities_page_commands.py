"""The commands of the entities page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command
from app.runs_page_commands import cell_commands

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage


def commands(page: EntitiesPage) -> list[Command]:
    """What a user can do on the entities page; moves first, for the status bar teaches the first ones."""
    return [*_moves(page), *_graph(page), *_list(page), *_rows(page), *cell_commands(page.cells, page.name)]


def _moves(page: EntitiesPage) -> list[Command]:
    make = partial(Command, scope=page.name, menu="Actions")
    moves = page.moves
    return [
        make("entities.move", "Stage Move …", moves.choose, ("M",), moves.why_not, icon="right"),
        make("entities.undo", "Undo Staging", moves.undo, ("U",), moves.no_undo, icon="back"),
    ]


def _graph(page: EntitiesPage) -> list[Command]:
    make = partial(Command, scope=page.name, menu="View")
    badges = page.view.header.badges

    def one_type() -> str:
        return "" if len(page.types) > 1 else "there is one workflow type"

    def badge(name: str) -> Callable[[], str]:
        return lambda: "" if not badges[name].isHidden() else f"there is nothing to show: {name}"

    return [
        make("entities.graph", "Go to the Status Graph", page.focus_graph, ("G",), icon="graph"),
        make("entities.fit", "Fit the Status Graph", page.view.graph.fit, ("F",), icon="fit"),
        make("entities.next_type", "Next Workflow Type", lambda: page.ways.step_type(1), ("]",), one_type),
        make(
            "entities.previous_type",
            "Previous Workflow Type",
            lambda: page.ways.step_type(-1),
            ("[",),
            one_type,
        ),
        *(
            make(
                f"entities.{name}",
                f"List: {title}",
                partial(page.ways.press_badge, name),
                (key,),
                badge(name),
                icon="filter",
            )
            for name, title, key in (
                ("drift", "Drifted Entities", "D"),
                ("stuck", "Stuck Claims", "K"),
                ("unknown", "Unknown Statuses", "W"),
                ("failures", "Open Failures", "E"),
            )
        ),
        make(
            "entities.lint",
            "Findings of the Config",
            partial(page.ways.press_badge, "lint"),
            ("L",),
            badge("lint"),
        ),
        *(
            make(
                f"entities.{name}",
                title,
                partial(page.ways.go, name),
                (key,),
                partial(page.ways.why_not, name),
            )
            for name, title, key in (
                ("steps", "Step Resolution", "R"),
                ("simulate", "Simulate", "Y"),
                ("impact", "Impact of a Change …", "X"),
            )
        ),
    ]


def _list(page: EntitiesPage) -> list[Command]:
    view = page.view
    make = partial(Command, scope=page.name, menu="View")

    def no_filter() -> str:
        return "" if page.context.focus.current.query else "there is no filter"

    def no_news() -> str:
        return "" if page.rows.fresh.waiting else "nothing new"

    def clear() -> None:
        page.apply_filter("")

    return [
        make("entities.focus_filter", "Edit Filter", view.filter_bar.focus, ("/",), icon="filter"),
        make("entities.clear_filter", "Clear Filter", clear, ("Shift+Esc",), no_filter, icon="close"),
        make(
            "entities.show_new", "Show New Entities", page.rows.fresh.show_new, ("N",), no_news, icon="live"
        ),
        make("entities.sort", "Sort by Current Column", page.sort_by_current, ("S",)),
        make("entities.columns", "Choose Columns …", view.choose_columns, ("C",), icon="columns"),
    ]


def _rows(page: EntitiesPage) -> list[Command]:
    def none() -> str:
        return "" if page.chosen_run is not None else "choose an entity first"

    def row(name: str, title: str, run: Callable[[], None], *keys: str, icon: str = "") -> Command:
        return Command(f"entities.{name}", title, run, keys, none, scope=page.name, icon=icon)

    return [
        row("open", "Open Entity", page.open_current, "O", icon="right"),
        row("copy_cell", "Copy Cell", page.cells.copy_cell, "Ctrl+C", icon="copy"),
        row("copy_row", "Copy Rows", page.cells.copy_row, "Ctrl+Shift+C", icon="copy"),
        row("copy_id", "Copy Entity Id", page.cells.copy_id, "I", icon="copy"),
    ]
