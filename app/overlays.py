"""Palette, quick open, key sheet, documentation: what opens over the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtGui import QDesktopServices

from app.jobs import Jobs
from app.keys import groups, native
from app.pages import PAGES, missing, page_titles
from app.panel_rows import listed
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import plain
from engine_bridge.model import Run
from widgets.glyphs import state_glyph
from widgets.shell.chooser import Choice, Chooser
from widgets.shell.key_sheet import KeyRow, KeySheet

if TYPE_CHECKING:
    from app.actions_specs import Offered
    from app.window import MainWindow
    from engine_bridge.actions.bulk_model import Job

_FIND_MS: Final = 60
_FOUND: Final = 20


class Overlays:
    """Opens them, and carries out what was chosen. GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._jobs = Jobs(window)
        self.chooser = Chooser(window.center)
        self._finding = False
        self._sheet: KeySheet | None = None
        self._timer = QTimer(window)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FIND_MS)
        self._timer.timeout.connect(self._find)
        chooser = self.chooser
        chooser.chosen.connect(self._on_chosen)
        chooser.refused.connect(window.notify)
        chooser.typed.connect(self._on_typed)

    def close(self) -> None:
        self._timer.stop()
        self._jobs.cancel_all()
        self.chooser.close_overlay()

    @staticmethod
    def _on_chosen(run: Callable[[], None]) -> None:
        run()

    def palette(self) -> None:
        """Every command, with its keys, or why it cannot run now."""
        self._finding = False
        self.chooser.open_overlay("Run a command", self._commands())

    def _commands(self) -> list[Choice]:
        window, scope = self._window, self._window.router.scope
        titles = {spec.name: spec.title or spec.name.capitalize() for spec in PAGES}
        found = []
        for command in window.commands:
            elsewhere = "" if command.scope in ("", scope) else f"only on the page {titles[command.scope]}"
            keys = native(command.keys[0]) if command.keys else ""
            found.append(
                Choice(
                    command.title,
                    lambda name=command.id: window.run_command(name),
                    titles.get(command.scope, command.menu),
                    keys=keys,
                    reason=elsewhere or command.when(),
                    icon=command.icon,
                )
            )
        return sorted(found, key=lambda choice: bool(choice.reason))

    def actions(self, offered: Offered, start: Callable[[str], None]) -> None:
        """Every action on what is chosen; disabled ones with their reason."""
        self._finding = False
        words = (
            "Choose an action"
            if len(offered.targets) < 2
            else f"Choose an action on {len(offered.targets)} runs"
        )
        choices = [
            Choice(
                plain(spec.title, 80),
                lambda action=spec.id: start(action),
                "action",
                plain(spec.effect, 120),
                reason=offered.why_not(spec.id),
                icon=spec.glyph or "operator",
            )
            for spec in offered.specs
        ]
        self.chooser.open_overlay(words, choices)

    def matching_actions(self, offered: Offered, query: str, start: Callable[[str], None]) -> None:
        """What can be done to all runs that match; the first chosen run stands for them."""
        self._finding = False
        choices = [
            Choice(
                plain(spec.title, 80),
                lambda action=spec.id: start(action),
                "action",
                plain(query, 80) or "all runs",
                reason="" if spec.bulk else "it works on one run at a time",
                icon=spec.glyph or "operator",
            )
            for spec in offered.specs
        ]
        self.chooser.open_overlay("Choose an action on all runs that match", choices)

    def jobs(self, jobs: list[Job], start: Callable[[Job], None]) -> None:
        """Bulk jobs that can go on."""
        self._finding = False
        choices = [
            Choice(
                plain(job.title, 80),
                lambda job=job: start(job),
                job.state.value,
                f"{job.done} of {job.total} · {plain(job.source, 80)}",
                icon="operator",
            )
            for job in jobs
        ]
        self.chooser.open_overlay("Go on with a bulk job", choices)

    def quick_open(self) -> None:
        """Runs by the beginning of their id, pages, sources, saved views, and every command."""
        self._finding = True
        self.chooser.open_overlay("Go to a run's id, page, source, view or command", self._places())

    def _places(self) -> list[Choice]:
        return [*self._page_choices(), *self._source_choices(), *self._view_choices(), *self._commands()]

    def _page_choices(self) -> list[Choice]:
        window = self._window
        source = window.router.source()
        key = source.key if source is not None else None
        return [
            Choice(
                spec.title,
                lambda name=spec.name: window.focus.set(Focus(page=name, source=key)),
                "page",
                plain(source.title) if source is not None else "",
                reason=missing(spec, source),
                icon=spec.icon,
            )
            for spec in PAGES
            if (listed(spec, source) if source is not None else spec.title and not spec.capability)
        ]

    def _source_choices(self) -> list[Choice]:
        actions = self._window.actions_of_sources
        return [
            Choice(s.title, lambda key=s.key: actions.go_to(key), "source", s.state, icon="database")
            for s in self._window.sources.all()
        ]

    def _view_choices(self) -> list[Choice]:
        actions = self._window.actions_of_sources
        return [
            Choice(
                view.title, lambda v=view: actions.show_view(v), "view", plain(view.query, 80), icon="filter"
            )
            for view in self._window.views()
        ]

    def _on_typed(self, text: str) -> None:
        self._jobs.cancel("find")
        if self._finding and text.strip():
            self._timer.start()
        elif self._finding:
            self.chooser.set_choices(self._places())

    def _find(self) -> None:
        source, text = self._window.router.source(), self.chooser.line.text().strip()
        if source is None or source.session is None or not text or not self.chooser.isVisible():
            return
        self._jobs.run(
            "find",
            source.session,
            "find",
            text,
            _FOUND,
            on_result=self._on_found,
            on_error=self._on_find_failed,
        )

    def _on_found(self, runs: list[Run]) -> None:
        found = [
            Choice(
                run.id,
                lambda ref=run.ref: self._window.focus.change(
                    page="run", run=ref, position=None, step_id=None
                ),
                "run",
                f"{plain(run.type, 60)} · {plain(run.status_words, 60)}",
                icon=state_glyph(run.status),
                pinned=True,
            )
            for run in runs
        ]
        self.chooser.set_choices([*found, *self._places()])

    def _on_find_failed(self, error: PlayheadError) -> None:
        self._window.notify(error.message)

    def key_sheet(self) -> None:
        """Every command with keys; pages not shown yet are built for it, so that none is missing."""
        window = self._window
        window.router.pages.build_all()
        window.scope_changed()
        titles = page_titles()
        rows = [
            (title, [KeyRow(tuple(map(native, c.keys)), c.title) for c in members if c.keys])
            for title, members in groups(window.commands, titles)
        ]
        self._sheet = KeySheet([(title, members) for title, members in rows if members], window)
        self._sheet.open()

    def docs(self) -> None:
        """Opens the user guide with the desktop's own viewer."""
        docs = Path(__file__).parent.parent / "docs"
        page = next(
            (p for p in (docs / "index.md", docs / "guide.md", docs.parent / "README.md") if p.exists()), None
        )
        if page is None or not QDesktopServices.openUrl(QUrl.fromLocalFile(str(page))):
            self._window.notify("The documentation is in the folder docs of Playhead's source.")

    def about(self) -> None:
        from importlib.metadata import version

        self._window.notify(f"Playhead {version('playhead')}: a desktop debugger for durable workflows")
