"""Where the entities page leads: a status or a badge to its list, buttons to other pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QApplication, QMenu

from app.pages import missing, spec_of
from engine_bridge.errors import UsageError
from widgets.entities.filters import states, with_states
from widgets.entities.header import LINT
from widgets.table.cell_menu import Entry, cell_menu

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage

#: What a button asks for: the page, and the command that then shows the right part of it.
_PAGES: Final = {
    "steps": ("run", "run.show_next"),
    "simulate": ("config", "config.show_simulation"),
    "impact": ("impact", ""),
    LINT: ("config", "config.show_findings"),
}


class Ways(QObject):
    """Turns what is pressed into filters and focus. GUI thread."""

    def __init__(self, page: EntitiesPage) -> None:
        super().__init__(page)
        self._page = page
        view = page.view
        view.header.type_chosen.connect(self.show_type)
        view.header.badge_pressed.connect(self.press_badge)
        view.header.asked.connect(self.go)
        view.graph.toggled.connect(self._on_status)
        view.graph.menu_requested.connect(self._on_menu)

    # -- types ----------------------------------------------------------------------------------------------

    def show_type(self, name: str) -> None:
        """Shows another workflow type, without the filter of this one."""
        self._page.context.focus.change(type=name, query="")

    def step_type(self, step: int) -> None:
        """Shows the next or previous workflow type."""
        types, shown = self._page.types, self._page.type
        at = types.index(shown) if shown in types else -step
        self.show_type(types[(at + step) % len(types)])

    # -- statuses and badges --------------------------------------------------------------------------------

    def _on_status(self, toggled: tuple[str, bool]) -> None:
        status, add = toggled
        chosen = states(self._page.node)
        wanted = chosen ^ {status} if add or chosen == {status} else frozenset({status})
        self._filter(wanted)

    def _filter(self, wanted: frozenset[str]) -> None:
        page = self._page
        page.apply_filter(with_states(page.context.focus.current.query, page.node, wanted))

    def _on_menu(self, asked: tuple[str, QPoint]) -> None:
        status, point = asked
        self.status_menu(status).popup(point)

    def status_menu(self, status: str) -> QMenu:
        """What can be done with a status of the graph."""
        chosen = states(self._page.node)

        def only() -> None:
            self._filter(frozenset({status}))

        def toggle() -> None:
            self._filter(chosen ^ {status})

        def copy() -> None:
            QApplication.clipboard().setText(status)

        shown: list[Entry] = [("Show these only", only)]
        if chosen:
            shown.append(("Hide these" if status in chosen else "Show these too", toggle))
        return cell_menu(self._page.view.graph, [shown, [("Copy status", copy)]])

    def press_badge(self, name: str) -> None:
        """Lists what a badge counts, or all again; the config's badge leads to its page."""
        page, population = self._page, self._page.populations.shown
        if name == LINT:
            self.go(LINT)
        elif population is not None and name in population.filters:
            listed = population.filters[name]
            page.apply_filter("" if page.context.focus.current.query == listed else listed)

    def chosen_badge(self) -> str:
        """The badge whose list is shown, "" for none."""
        population, query = self._page.populations.shown, self._page.context.focus.current.query
        filters = population.filters if population is not None and query else {}
        return next((name for name, text in filters.items() if text == query), "")

    # -- other pages ----------------------------------------------------------------------------------------

    def why_not(self, name: str) -> str:
        """Why a button leads nowhere now, "" when it leads somewhere."""
        if name == "steps" and self._page.chosen_run is None:
            return "choose an entity first"
        spec = spec_of(_PAGES[name][0])
        return "there is no such page" if spec is None else missing(spec, self._page.source())

    def go(self, name: str) -> None:
        """Goes where a button leads: step resolution of the current entity, simulation, impact, findings."""
        context, run = self._page.context, self._page.chosen_run
        why = self.why_not(name)
        if why:
            context.notify(f"Not now: {why}.")
        elif name == "steps" and run is not None:
            context.focus.change(page="run", run=run.ref, position=None, step_id=None)
            self._show_part(_PAGES[name][1])
        else:
            page, command = _PAGES[name]
            context.focus.change(page=page, type=self._page.type, query="")
            self._show_part(command)

    def _show_part(self, command: str) -> None:
        try:
            if command:
                self._page.context.commands.get(command).run()
        except UsageError:
            # A page without that part shows itself.
            return

    def show(self) -> None:
        """Buttons that lead nowhere now say why."""
        self._page.view.header.set_reasons(
            {name: self.why_not(name) for name in self._page.view.header.buttons}
        )
