"""The pages of the window: built on first show, fed with every change of the focus."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtWidgets import QStackedWidget

from app.context import Context, PageController, Source
from engine_bridge.bridge import Capability
from engine_bridge.focus import Focus


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page: its name in the focus, its title in the panel ("" when it is reached otherwise), where its class is.

    ``capability`` None: it needs no source. ``quiet``: not listed for sources that lack the capability.
    """

    name: str
    title: str
    place: str
    capability: Capability | None
    icon: str
    count: str = ""
    quiet: bool = False


PAGES: Final = (
    PageSpec(
        "entities",
        "Entities",
        "app.entities_page:EntitiesPage",
        Capability.POPULATION,
        "entities",
        "runs",
        quiet=True,
    ),
    PageSpec("runs", "Runs", "app.runs_page:RunsPage", Capability.RUNS, "runs", "runs"),
    PageSpec(
        "failures", "Failures", "app.failures_page:FailuresPage", Capability.FAILURES, "failures", "failures"
    ),
    PageSpec("resources", "Resources", "app.resources_page:ResourcesPage", Capability.RESOURCES, "resources"),
    PageSpec("config", "Config", "app.config_page:ConfigPage", Capability.CONFIG, "config", quiet=True),
    PageSpec("replay", "Replay", "app.gate_page:GatePage", Capability.REPLAY, "checked", quiet=True),
    PageSpec("journal", "Journal", "app.journal_page:JournalPage", None, "journal", "journal"),
    PageSpec("run", "", "app.run_page:RunPage", Capability.RUNS, "timeline"),
    PageSpec("impact", "", "app.impact_page:ImpactPage", Capability.CONFIG, "swap", quiet=True),
)


def spec_of(name: str) -> PageSpec | None:
    return next((spec for spec in PAGES if spec.name == name), None)


def page_titles() -> dict[str, str]:
    """Page names with the titles under which the key sheet and the docs list their commands."""
    return {spec.name: f"{spec.title or spec.name.capitalize()} page" for spec in PAGES}


def home(source: Source | None) -> str:
    """The page that a source opens on: its entities where it has some, else its runs."""
    return "entities" if source is not None and not source.can(Capability.POPULATION) else "runs"


def missing(spec: PageSpec, source: Source | None) -> str:
    """Why a source has no such page now, "" when it has."""
    if spec.capability is None:
        return ""
    return "no source is open" if source is None else source.can(spec.capability)


class Pages:
    """Builds pages and routes the focus to them. GUI thread. ``built`` hears of each new page.

    While ``ready`` is false their modules are being imported in another thread, and none should be built.
    """

    def __init__(
        self, context: Context, stack: QStackedWidget, built: Callable[[PageController], None]
    ) -> None:
        self._context = context
        self._stack = stack
        self._built = built
        self._pages: dict[str, PageController] = {}
        self._building: dict[str, Iterator[PageController | None]] = {}
        self.ready = True

    def all(self) -> list[PageController]:
        """The pages that have been built."""
        return list(self._pages.values())

    def get(self, name: str) -> PageController:
        """A page, built now if need be; it then hears of the focus once. Raises KeyError for an unknown name."""
        while name not in self._pages:
            self._build_piece(name)
        return self._pages[name]

    def build_next(self) -> bool:
        """Builds a piece of the next page that is not there yet, for idle moments; whether there is more to build."""
        missing = next((spec.name for spec in PAGES if spec.name not in self._pages), None)
        if missing is not None:
            self._build_piece(missing)
        return missing is not None

    def _build_piece(self, name: str) -> None:
        if name not in self._building:
            spec = next(spec for spec in PAGES if spec.name == name)
            module, _, cls = spec.place.partition(":")
            self._building[name] = getattr(importlib.import_module(module), cls).build(self._context)
        page = next(self._building[name])
        if page is not None:
            del self._building[name]
            self._add(name, page)

    def _add(self, name: str, page: PageController) -> None:
        self._pages[name] = page
        self._stack.addWidget(page.widget)
        self._context.commands.add(*page.commands())
        self._built(page)
        page.focus_changed(self._context.focus.current, Focus())

    def build_all(self) -> None:
        """Builds every page, so that every command is known: for the key sheet."""
        for spec in PAGES:
            self.get(spec.name)

    def focus_changed(self, new: Focus, old: Focus) -> None:
        for page in self.all():
            page.focus_changed(new, old)

    def close(self) -> None:
        for page in self.all():
            page.close()
