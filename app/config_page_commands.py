"""The config page's commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app.commands import Command
from widgets.configs.page import PANES

if TYPE_CHECKING:
    from app.config_page import ConfigPage


def config_commands(page: ConfigPage) -> list[Command]:
    """Every command of the config page, alive there only."""
    return [*_findings(page), *_panes(page), *_rest(page)]


def _unread(page: ConfigPage) -> str:
    return "" if page.view.shows_config else "no config is on show"


def _findings(page: ConfigPage) -> list[Command]:
    lint = page.view.lint
    make = partial(Command, scope=page.name)

    def none() -> str:
        return _unread(page) or ("" if lint.table.findings else "there are no findings")

    def step(direction: int) -> None:
        page.view.panes.show_pane("findings")
        lint.step(direction)

    def entities() -> None:
        lint.entities.click()

    def no_entities() -> str:
        found = lint.table.current()
        return "" if found is not None and found.filter else "choose a finding about entities first"

    def no_origin() -> str:
        return "" if not lint.follow.isHidden() else "the caret is not in the merged text"

    return [
        make("config.next_finding", "Next Finding", lambda: step(1), ("F8",), none, icon="forward"),
        make(
            "config.previous_finding", "Previous Finding", lambda: step(-1), ("Shift+F8",), none, icon="back"
        ),
        make("config.entities", "Show the Finding's Entities", entities, ("O",), no_entities, icon="runs"),
        make(
            "config.origin",
            "Go to the Origin of the Value",
            lint.go_to_origin,
            ("F12",),
            no_origin,
            icon="link",
        ),
        make("config.text", "Go to the Text", lint.text.setFocus, ("E",), lambda: _unread(page)),
        make("config.copy", "Copy Findings", page.copy_findings, ("Ctrl+Shift+C",), none, icon="copy"),
    ]


def _panes(page: ConfigPage) -> list[Command]:
    make = partial(Command, scope=page.name, when=lambda: _unread(page), menu="View")

    def show(pane: str) -> Callable[[], None]:
        return partial(page.view.panes.show_pane, pane)

    return [
        *(
            make(f"config.show_{pane}", f"Show {pane.capitalize()}", show(pane), (f"Alt+{number}",))
            for number, pane in enumerate(PANES, 1)
        ),
        make("config.next_pane", "Next Tab", lambda: page.view.step_pane(1), ("]",)),
        make("config.previous_pane", "Previous Tab", lambda: page.view.step_pane(-1), ("[",)),
        make("config.fit", "Fit the Graph", page.view.graph.fit, ("F",), icon="fit"),
        make("config.next_tenant", "Next Tenant", page.view.header.step_tenant, ("T",)),
    ]


def _rest(page: ConfigPage) -> list[Command]:
    make = partial(Command, scope=page.name, when=lambda: _unread(page))
    simulation, replay = page.view.simulation, page.view.replay

    def simulate() -> None:
        page.view.panes.show_pane("simulation")
        simulation.start()

    def start() -> None:
        page.view.panes.show_pane("replay")
        replay.start()

    return [
        make("config.simulate", "Simulate", simulate, ("S",), icon="running"),
        make("config.replay", "Replay Recorded Moves", start, ("R",), icon="timeline"),
        make("config.impact", "Impact of a Change …", page.show_impact, ("I",), icon="swap"),
        make("config.save_report", "Save Report as HTML …", page.save_report, ("Ctrl+S",), icon="export"),
    ]
