"""The run page's commands. All are alive on the run page only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.commands import Command
from app.replay_commands import replay_commands
from widgets.run.panes import Panes

if TYPE_CHECKING:
    from app.run_page import RunPage


def commands(page: RunPage) -> list[Command]:
    """Every command of the run page."""
    return [*_playhead(page), *_run(page), *_tabs(page), *replay_commands(page), *_queries(page)]


def _command(
    page: RunPage, id_: str, title: str, run: Callable[[], None], *keys: str, menu: str, icon: str = ""
) -> Command:
    return Command(id_, title, run, keys, when=page.why_not, menu=menu, scope=page.name, icon=icon)


def _playhead(page: RunPage) -> list[Command]:
    rows: tuple[tuple[str, str, Callable[[], None], tuple[str, ...], str], ...] = (
        ("next_event", "Next event", lambda: page.step(1), (".",), "forward"),
        ("previous_event", "Previous event", lambda: page.step(-1), (",",), "back"),
        ("next_failure", "Next failure", lambda: page.step(1, failures=True), ("]",), "failures"),
        ("previous_failure", "Previous failure", lambda: page.step(-1, failures=True), ("[",), "failures"),
        ("first", "First event", page.first, ("Home",), ""),
        ("live", "Follow the newest event", page.live, ("L", "End"), "live"),
        ("play", "Play or pause", page.play, ("Space",), "running"),
        ("speed", "Next speed of playing", page.view.transport.next_speed, ("Shift+Space",), ""),
    )
    return [
        _command(page, f"playhead.{name}", title, run, *keys, menu="Playhead", icon=icon)
        for name, title, run, keys, icon in rows
    ]


def _run(page: RunPage) -> list[Command]:
    view = page.view
    rows: tuple[tuple[str, str, Callable[[], None], tuple[str, ...], str, str], ...] = (
        ("timeline.fit", "Fit the whole run", view.timeline.fit, ("F",), "View", "fit"),
        ("timeline.zoom_in", "Zoom in", lambda: view.timeline.zoom(1.5), ("+", "="), "View", ""),
        ("timeline.zoom_out", "Zoom out", lambda: view.timeline.zoom(1 / 1.5), ("-",), "View", ""),
        ("run.find", "Find in events or payload", view.begin_find, ("Ctrl+F", "/"), "Run", "search"),
        ("run.copy_id", "Copy the run's id", page.copy_id, ("Ctrl+Shift+C",), "Run", "copy"),
        ("run.evidence", "Evidence of what it is blocked on", page.evidence, ("B",), "Run", "evidence"),
        ("run.open_parent", "Open the parent run", page.open_parent, ("U",), "Run", "parent"),
        ("run.open_child", "Open the selected step's run", page.open_child, ("O",), "Run", "child"),
        ("run.clear_selection", "Select no step", page.clear_selection, ("N",), "Run", ""),
        ("payload.reveal", "Reveal or mask secrets", page.toggle_reveal, ("Ctrl+Alt+R",), "View", ""),
    )
    found = [
        _command(page, id_, title, run, *keys, menu=menu, icon=icon)
        for id_, title, run, keys, menu, icon in rows
    ]
    back = Command(
        "run.back_to_list",
        "Back to the list of runs",
        page.back_to_list,
        ("Escape", "Backspace"),
        menu="Run",
        scope=page.name,
        icon="runs",
    )
    return [*found, back]


def _queries(page: RunPage) -> list[Command]:
    """Questions to the run's code: a command is the user's asking."""
    queries = page.queries

    def ask(question: Callable[[], None]) -> Callable[[], None]:
        return lambda: queries.show(question)

    rows = (
        ("stack", "Ask where the code stands (stack trace)", queries.stack, "Shift+S", queries.why_no_stack),
        ("list", "Ask which queries there are", queries.list, "Shift+Q", queries.why_not),
    )
    return [
        Command(f"query.{name}", title, ask(question), (key,), when=when, menu="Run", scope=page.name)
        for name, title, question, key, when in rows
    ]


_TAB_KEYS: Final = {
    "events": "E",
    "failures": "X",
    "relations": "R",
    "operators": "P",
    "detail": "D",
    "graph": "G",
    "next": "T",
    "code": "C",
    "queries": "Q",
}
_TAB_TITLES: Final = {"next": "next steps"}
_NOT_SHOWN: Final = {
    "next": "this source's workflows are not declared in configs",
    "code": "runs of this source cannot be replayed",
    "queries": "runs of this source answer no queries",
}


def _tabs(page: RunPage) -> list[Command]:
    return [_tab(page, panes, pane) for panes in (page.view.left, page.view.right) for pane in panes.ids]


def _tab(page: RunPage, panes: Panes, pane: str) -> Command:
    return Command(
        f"run.show_{pane}",
        f"Show {_TAB_TITLES.get(pane, pane)}",
        lambda: page.show_pane(panes, pane),
        (_TAB_KEYS[pane],) if pane in _TAB_KEYS else (),
        lambda: "" if panes.is_shown(pane) else _NOT_SHOWN.get(pane, "it is not shown here"),
        menu="View",
        scope=page.name,
    )
