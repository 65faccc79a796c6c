"""Commands of the gate page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command

if TYPE_CHECKING:
    from app.gate_page import GatePage


def gate_commands(page: GatePage) -> list[Command]:
    """What can be done on the page."""
    view = page.view
    make = partial(Command, scope=page.name)

    def idle() -> str:
        return "a replay is under way" if page.running else page.unready()

    def running() -> str:
        return "" if page.running else "nothing is under way"

    def report() -> str:
        return "" if view.shows_report else "replay first"

    def run() -> str:
        return report() or ("" if view.finding.result is not None else "choose a run first")

    return [
        make("gate.run", "Replay Runs against Code", view.bar.start, ("Ctrl+Shift+R",), idle, icon="checked"),
        make("gate.cancel", "Cancel the Replay", page.cancel, ("Ctrl+.",), running, icon="cancelled"),
        make("gate.code", "Choose Code …", page.code.choose, ("C",), idle, icon="folder"),
        make("gate.filter", "Choose Runs", view.bar.filter.setFocus, ("/",), icon="filter"),
        make("gate.open", "Open Run at the Finding", view.open_current, ("O",), run, icon="runs"),
        make("gate.json", "Save Report as JSON …", lambda: page.save("json"), (), report, icon="save"),
        make("gate.junit", "Save Report as JUnit XML …", lambda: page.save("junit"), (), report, icon="save"),
        make("gate.next_pane", "Next Tab", lambda: view.step_pane(1), ("]",), report, menu="View"),
        make("gate.previous_pane", "Previous Tab", lambda: view.step_pane(-1), ("[",), report, menu="View"),
    ]
