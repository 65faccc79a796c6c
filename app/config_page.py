"""The config page's controller: lint, paths, simulation and replay of the focused source's configs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from app.actions_work import Work
from app.commands import Command
from app.config_page_commands import config_commands
from app.context import Context, PageController, Source
from engine_bridge.bridge import Capability
from engine_bridge.configs import Divergence, LintReport, ReplayReport, Simulation
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import plain
from engine_bridge.session import Session
from widgets.configs.header import verdict
from widgets.configs.page import ConfigView, findings_of, tenants_of, types_of
from widgets.table.empty import error_details

_REPLAY = "replay"
_SIMULATE = "simulate"


def entity_page(source: Source | None) -> str:
    """The page that lists a source's entities."""
    return "entities" if source is not None and not source.can(Capability.POPULATION) else "runs"


class ConfigPage(PageController):
    """Shows one workflow type of the focused source's configs, as one tenant sees it."""

    name = "config"
    title = "Config"

    def __init__(self, context: Context, view: ConfigView | None = None) -> None:
        super().__init__(context)
        self.view = view = view or ConfigView()
        self.report: LintReport | None = None
        self.tenant = ""
        self.dialog: QFileDialog | None = None
        self._loaded: tuple[str | None, Session | None] = (None, None)
        self._error: PlayheadError | None = None
        self._work = Work(context.sources, context.report, self)
        view.header.type_chosen.connect(lambda name: context.focus.change(type=name))
        view.header.tenant_chosen.connect(self.show_tenant)
        view.header.wanted.connect(self._run_command)
        view.empty.chosen.connect(self._on_chosen)
        view.lint.entities_wanted.connect(self.show_entities)
        view.simulation.run_requested.connect(self.simulate)
        view.simulation.cancel_requested.connect(lambda: self._give_up(_SIMULATE))
        view.replay.run_requested.connect(self.replay)
        view.replay.cancel_requested.connect(lambda: self._give_up(_REPLAY))
        view.replay.entity_opened.connect(self.open_entity)
        self.jobs.busy.connect(self._on_busy)
        self.jobs.given_up.connect(self._on_given_up)
        context.sources.changed.connect(self._on_source)

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = ConfigView(whole=False)
        for _ in view.pieces:
            yield None
        yield cls(context, view)

    @property
    def widget(self) -> QWidget:
        return self.view

    @property
    def type(self) -> str:
        """The workflow type on show: the focused one, or the first there is."""
        types = types_of(self.report) if self.report is not None else ()
        wanted = self.context.focus.current.type
        return wanted if wanted in types else types[0] if types else ""

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            return
        source = self.source()
        if self._loaded != (new.source, source.session if source else None):
            self._load(source)
        elif self.report is not None and new.type != old.type:
            self._show()

    def refresh(self) -> None:
        self._load(self.source(), keep=self.report is not None)

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._work.stop()
        super().close()

    # -- what is read ---------------------------------------------------------------------------------------

    def _load(self, source: Source | None, *, keep: bool = False) -> None:
        session = source.session if source else None
        self._loaded = (self.context.focus.current.source, session)
        if not keep:
            self.jobs.cancel_all()
            self._rest()
            self.report, self.tenant = None, ""
        if source is None or session is None or source.info is None:
            self._show_nothing("No source is open", "Choose one in the sources panel, or connect.")
            return
        reason = source.can(Capability.CONFIG)
        if reason:
            self._show_nothing("No configs", f"They cannot be read: {reason}.")
            return
        if not keep:
            self.tenant = source.info.tenant
            self._show_nothing(
                "Checking the configs …", "Every file is read and every rule is applied.", "hourglass"
            )
        self.jobs.run("lint", session, "lint", (), None, on_result=self._on_lint, on_error=self._on_failed)

    def _on_lint(self, report: LintReport) -> None:
        self.report, self._error = report, None
        if not types_of(report) and not report.findings:
            self._show_nothing(
                "The mapping names no config",
                "Name config files in the mapping; statuses and moves are then checked against them.",
            )
            return
        self._show()
        self.view.replay.place.suggest([file.name for file in report.files if file.type])

    def _show(self) -> None:
        if self.report is None:
            return
        tenants = tenants_of(self.report, self.type)
        if self.tenant not in tenants:
            self.tenant = tenants[0] if tenants else ""
        self.view.show_report(self.report, self.type, self.tenant)
        self.status_changed.emit(f"{plain(self.type, 60)} · {verdict(findings_of(self.report, self.type))}")

    def _show_nothing(self, title: str, text: str, glyph: str = "config") -> None:
        self.view.empty.show_state(glyph, title, text)
        self.view.show_empty()
        self.status_changed.emit("")

    def _on_failed(self, error: PlayheadError) -> None:
        self._error = error
        if self.view.shows_config:
            self.context.report(error)
        else:
            self.view.empty.show_error(error)
            self.view.show_empty()

    def _on_chosen(self, action: str) -> None:
        if action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action == "retry":
            self._load(self.source())

    def show_tenant(self, tenant: str) -> None:
        """Shows the configs as another tenant sees them; "" is the base."""
        self.tenant = tenant
        self._show()

    # -- simulation and replay ------------------------------------------------------------------------------

    def simulate(self, settings: dict[str, Any]) -> None:
        """Draws lives through the configs by chance."""
        session = self._loaded[1]
        if session is None or self.report is None:
            return
        asked = {"type": self.type, "tenant": self.tenant or None, **settings}
        self.view.simulation.show_running()
        self.jobs.run(
            _SIMULATE,
            session,
            "simulate",
            (),
            {name: value for name, value in asked.items() if value is not None},
            on_result=self._on_simulated,
            on_error=self.view.simulation.show_error,
        )

    def _on_simulated(self, found: tuple[Simulation, ...]) -> None:
        mine = next((one for one in found if one.type == self.type), None)
        if mine is None:
            self.view.simulation.show_nothing("The engine gave no result for this workflow type.", "failed")
        else:
            self.view.show_simulation(mine)

    def replay(self, asked: tuple[tuple[str, ...], str]) -> None:
        """Runs recorded moves through the source's own configs or those of other places."""
        places, text = asked
        source, session, pane = self.source(), self._loaded[1], self.view.replay
        if source is None or session is None or self.report is None:
            return
        from engine_bridge.query import parse

        self.view.panes.set_count("replay", "")
        try:
            node = parse(text, source.fields, self.context.settings.zone()) if text else None
        except PlayheadError as error:
            pane.show_error(error)
            pane.filter.setFocus()
            return
        pane.show_running()
        self.jobs.run(
            _REPLAY,
            session,
            "replay_moves",
            places,
            self.type,
            node,
            on_result=partial(self._on_replayed, pane.place.words()),
            on_error=pane.show_error,
        )

    def _on_replayed(self, against: str, report: ReplayReport) -> None:
        self.view.replay.show_report(report, against)
        groups = sum(group.count for group in report.groups)
        self.view.panes.set_count("replay", str(groups) if groups else "")

    def _give_up(self, slot: str) -> None:
        self.jobs.cancel(slot)
        self._on_given_up(slot)

    def _on_given_up(self, slot: str) -> None:
        if slot == _SIMULATE:
            self.view.simulation.show_nothing("Cancelled. Nothing was kept.")
        elif slot == _REPLAY:
            self.view.replay.show_nothing("Replay cancelled", "Nothing was kept. Replay starts it again.")
        elif slot == "lint" and self.report is None:
            retry = ("retry", "Check again")
            self.view.empty.show_state("config", "Cancelled", "The configs were not checked.", retry)

    def _rest(self) -> None:
        self.view.simulation.show_nothing()
        self.view.replay.show_nothing()

    def _on_busy(self, busy: tuple[str, str | None, int, int | None, Any]) -> None:
        slot, text, done, total, _ = busy
        view = self.view
        lines = {
            _SIMULATE: (view.simulation.progress, "Simulating"),
            _REPLAY: (view.replay.progress, "Replaying"),
        }
        if slot in lines and text is not None:
            line, words = lines[slot]
            line.show_far(words, done, total)

    # -- where it leads -------------------------------------------------------------------------------------

    def open_entity(self, found: Divergence) -> None:
        """Goes to an entity, at the move that diverges."""
        self.context.focus.change(page="run", run=found.ref, position=found.position, step_id=None)

    def show_entities(self, query: str) -> None:
        """Goes to the list of the entities that a finding is about."""
        self.context.focus.change(page=entity_page(self.source()), query=query)

    def show_impact(self) -> None:
        """Goes to the impact page of this workflow type."""
        self.context.focus.change(page="impact", type=self.type or None)

    def save_report(self) -> None:
        """Asks for a file, and writes the whole report into it."""
        dialog = self.dialog = QFileDialog(self.view, "Save the report")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["HTML (*.html)"])
        dialog.setDefaultSuffix("html")
        dialog.selectFile(f"{plain(self.type, 60).replace('/', '_') or 'configs'}.html")
        dialog.fileSelected.connect(lambda path: self.write_report(Path(path)))
        dialog.open()

    def write_report(self, path: Path) -> None:
        """Writes the whole report as one HTML file."""
        source, report = self.source(), self.report
        if source is None or source.info is None or report is None:
            return
        engine = source.info.engine

        def work() -> None:
            from engine_bridge.bridge import load_engine

            tools = load_engine(engine).configs
            if tools is None:
                raise PlayheadError("This engine writes no reports.", "Its findings can be copied.")
            try:
                path.write_text(tools().html(report), "utf-8")
            except OSError as error:
                raise PlayheadError(
                    f"{plain(path.name, 80)} cannot be written: {error.strerror}.", "Choose another folder."
                ) from None

        def done(_: None) -> None:
            self.context.notify(f"Saved {plain(path.name, 80)}.")

        self._work.run("report", work, done)

    def copy_findings(self) -> None:
        """Copies the chosen finding, or all of them, as text."""
        table = self.view.lint.table
        chosen = table.current()
        found = (chosen,) if chosen is not None else table.findings
        lines = [
            f"{f.file}:{f.line}:{f.column}: {f.severity} {f.code} at {f.pointer or '/'}: {f.reason} {f.fix}".strip()
            for f in found
        ]
        QApplication.clipboard().setText("\n".join(lines))
        self.context.notify("Copied.")

    def _run_command(self, command_id: str) -> None:
        try:
            self.context.commands.run(command_id)
        except PlayheadError as error:
            self.context.notify(error.message)

    def commands(self) -> list[Command]:
        return config_commands(self)
