"""The commands of the failures page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command

if TYPE_CHECKING:
    from app.failures_page import FailuresPage


def commands(page: FailuresPage) -> list[Command]:
    """What a user can do on the failures page."""
    return [*_list(page), *_row(page), *_cell(page)]


def _list(page: FailuresPage) -> list[Command]:
    view, bar = page.view, page.view.bar
    make = partial(Command, scope="failures", menu="View")

    def toggle_groups() -> None:
        view.show_grouped(not view.is_grouped)

    def no_states() -> str:
        tally = page.tallies.shown
        known = tally is not None and tally.keeps_resolutions
        return "" if known or page.sieve.resolved is not None else "this log does not keep what was resolved"

    def unfiltered() -> str:
        return "nothing is left out" if page.sieve.open else ""

    return [
        make("failures.search", "Search Failures", page.focus_search, keys=("/",), icon="search"),
        make("failures.filter", "Filter Failures …", page.cells.open_filter_menu, keys=("F",), icon="filter"),
        make(
            "failures.all",
            "Show All Failures Again",
            page.clear_sieve,
            ("Shift+Esc",),
            unfiltered,
            icon="close",
        ),
        make(
            "failures.open_only",
            "Open Failures Only",
            partial(bar.toggle, False),
            ("U",),
            no_states,
            icon="failed",
        ),
        make(
            "failures.resolved",
            "Resolved Failures Only",
            partial(bar.toggle, True),
            when=no_states,
            icon="completed",
        ),
        make("failures.weeks", "Select Weeks", view.weeks.setFocus, keys=("T",), icon="clock"),
        make("failures.group", "Group by Cause", toggle_groups, keys=("G",), icon="collapse"),
        make("failures.show_new", "Show New Failures", page.fresh.show_new, keys=("N",), icon="live"),
    ]


def _row(page: FailuresPage) -> list[Command]:
    view = page.view
    make = partial(Command, scope="failures")

    def none_chosen() -> str:
        return "" if view.current() is not None else "choose a failure first"

    def open_current() -> None:
        page.open_run(view.current())

    return [
        make("failures.open", "Open Run at the Failure", open_current, keys=("O",), when=none_chosen),
        make("failures.copy", "Copy Failure", page.copy, keys=("Ctrl+C",), when=none_chosen, icon="copy"),
        make(
            "failures.copy_row", "Copy Rows", page.cells.copy_row, ("Ctrl+Shift+C",), none_chosen, icon="copy"
        ),
    ]


def _cell(page: FailuresPage) -> list[Command]:
    cells = page.cells
    make = partial(Command, scope="failures", when=cells.unfit, icon="filter")
    return [
        make("failures.filter_and", "Only What Has This Cell", cells.narrow, keys=("=", "+")),
        make(
            "failures.filter_not",
            "Only What Has Not This Cell",
            partial(cells.narrow, negated=True),
            keys=("-",),
        ),
    ]
