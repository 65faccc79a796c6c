"""The impact page's controller: compares configs, and hands degrades of stranded entities to the bulk path."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from PySide6.QtWidgets import QApplication, QWidget

from app.commands import Command
from app.config_page import entity_page
from app.context import Context, PageController, Source
from engine_bridge.actions.model import Staged
from engine_bridge.bridge import Capability
from engine_bridge.configs import Impact, ImpactReport, LintReport
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.configs.impact_page import ImpactView, findings_words, item_words
from widgets.configs.stranded import StrandedPane
from widgets.table.empty import error_details

Parts = tuple[tuple[Staged, Node | None], ...]
_SLOT = "impact"
_HOW = (
    "Name the new configs: a file, a folder, or REV:path in git. "
    "An empty place stands for the source's own configs."
)


class ImpactPage(PageController):
    """Shows what a change of the focused source's configs means for its entities."""

    name = "impact"
    title = "Impact"

    def __init__(self, context: Context, view: ImpactView | None = None) -> None:
        super().__init__(context)
        self.view = view = view or ImpactView()
        self.report: ImpactReport | None = None
        self._number = 0
        self._loaded: tuple[str | None, Session | None] = (None, None)
        self._error: PlayheadError | None = None
        view.compare_requested.connect(self.compare)
        view.cancel_requested.connect(lambda: self._give_up(_SLOT))
        view.item_chosen.connect(self.show_number)
        view.empty.chosen.connect(self._on_chosen)
        view.stranded.stage_requested.connect(self.stage)
        view.stranded.entities_wanted.connect(self.show_entities)
        view.stranded.copied.connect(lambda: context.notify("Copied."))
        view.lint.entities_wanted.connect(self.show_entities)
        self.jobs.busy.connect(self._on_busy)
        self.jobs.given_up.connect(self._on_given_up)
        context.sources.changed.connect(self._on_source)

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = ImpactView(whole=False)
        for _ in view.pieces:
            yield None
        yield cls(context, view)

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            return
        source = self.source()
        if self._loaded != (new.source, source.session if source else None):
            self._load(source)
        elif new.type != old.type:
            self._show_type(new.type)

    def refresh(self) -> None:
        if self.report is not None:
            self.compare()

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        super().close()

    def _load(self, source: Source | None) -> None:
        session = source.session if source else None
        self._loaded = (self.context.focus.current.source, session)
        self.jobs.cancel_all()
        self.view.rest()
        self.report = None
        if source is None or session is None:
            self.view.show_message("No source is open", "Choose one in the sources panel, or connect.")
            return
        reason = source.can(Capability.CONFIG)
        if reason:
            self.view.show_message("No configs", f"They cannot be read: {reason}.")
            return
        self.view.show_message("What would a change do?", _HOW)
        self.jobs.run(
            "files", session, "lint", (), None, on_result=self._on_files, on_error=lambda error: None
        )

    def _on_files(self, report: LintReport) -> None:
        names = [file.name for file in report.files if file.type]
        for picker in (self.view.old, self.view.new):
            picker.suggest(names)

    # -- comparing ------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compares the two places."""
        session, old, new = self._loaded[1], self.view.old.places(), self.view.new.places()
        if session is None:
            return
        if old == new:
            self.report = None
            self.view.show_message("Both places are the same", _HOW)
            self.view.new.setFocus()
            return
        self.view.show_running()
        self.jobs.run(
            _SLOT, session, "impact", old, new, None, on_result=self._on_compared, on_error=self._on_failed
        )

    def _on_compared(self, report: ImpactReport) -> None:
        self.report, self._error = report, None
        self.view.rest()
        self.status_changed.emit(findings_words(report))
        if not report.items:
            self.view.show_findings_only(report)
            return
        self._show_type(self.context.focus.current.type)

    def _show_type(self, type_: str | None) -> None:
        """Shows the worst item of a workflow type: where most entities would be stranded."""
        items = self.report.items if self.report is not None else ()
        if items:
            mine = [n for n, item in enumerate(items) if item.type == type_] or list(range(len(items)))
            self.show_number(max(mine, key=lambda n: (bool(items[n].problem), _stranded(items[n]), -n)))

    def show_number(self, number: int) -> None:
        """Shows one item of the report."""
        if self.report is None:
            return
        self._number = number
        source = self.source()
        blocked = source.can(Capability.ACTIONS) if source is not None else "the source is not open"
        self.view.show_item(self.report, number, blocked)

    def _on_failed(self, error: PlayheadError) -> None:
        self._error = error
        self.report = None
        self.view.rest()
        actions = (("retry", "Try again"), ("copy", "Copy details"))
        self.view.show_message(error.message, error.hint, *actions, glyph="warning", color="failed")

    def _on_chosen(self, action: str) -> None:
        if action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action == "retry":
            self.compare()

    def _give_up(self, slot: str) -> None:
        self.jobs.cancel(slot)
        self._on_given_up(slot)

    def _on_given_up(self, slot: str) -> None:
        if slot == _SLOT:
            self.report = None
            self.view.rest()
            self.view.show_message("Cancelled", "Nothing was compared. Compare starts it again.")

    def _on_busy(self, busy: tuple[str, str | None, int, int | None, Any]) -> None:
        slot, text, done, total, _ = busy
        if slot == _SLOT and text is not None:
            self.view.progress.show_far("Comparing", done, total)

    # -- where it leads -------------------------------------------------------------------------------------

    def stage(self, parts: tuple[tuple[Staged, str], ...]) -> None:
        """Hands degrades over to be found, planned and confirmed as one bulk job."""
        source, item = self.source(), self.view.impact
        if source is None or item is None:
            return
        from engine_bridge.query import parse

        zone = self.context.settings.zone()
        try:
            found: Parts = tuple((staged, parse(query, source.fields, zone)) for staged, query in parts)
        except PlayheadError as error:
            self.context.report(error)
            return
        where = parts[0][0].target.title if len(parts) == 1 else f"{count(len(parts))} statuses"
        words = f"Degrade stranded entities: {plain(where, 80) or item_words(item)}"
        self.bulk_requested.emit((words, found, " or ".join(f"({query})" for _, query in parts)))

    def show_entities(self, query: str) -> None:
        """Goes to the list of the entities of a filter."""
        self.context.focus.change(page=entity_page(self.source()), query=query)

    def commands(self) -> list[Command]:
        view = self.view
        make = partial(Command, scope=self.name)

        def none() -> str:
            return "" if view.shows_impact else "compare two places first"

        def unstageable() -> str:
            pane: StrandedPane = view.stranded
            reasons = [pane.why_not(number) for number in range(len(pane.rows))]
            return none() or ("" if "" in reasons else reasons[0] if reasons else "nobody is stranded")

        def no_row() -> str:
            return none() or ("" if view.stranded.table.currentRow() >= 0 else "choose a row first")

        def step(direction: int) -> None:
            view.panes.show_pane("findings")
            view.lint.step(direction)

        def fit() -> None:
            view.old_graph.fit()
            view.new_graph.fit()

        def no_source() -> str:
            source = self.source()
            return "no source is open" if source is None else source.can(Capability.CONFIG)

        return [
            Command("impact.open", "Impact of a Config Change …", self.open, when=no_source, icon="swap"),
            make("impact.compare", "Compare", self.compare, ("Ctrl+Shift+R",), icon="swap"),
            make(
                "impact.stage_all", "Stage Degrade for All …", view.stranded.stage_every, ("M",), unstageable
            ),
            make(
                "impact.entities",
                "Show Stranded Entities",
                view.stranded.list_current,
                ("O",),
                no_row,
                icon="runs",
            ),
            make("impact.next_finding", "Next Finding", lambda: step(1), ("F8",), none, icon="forward"),
            make(
                "impact.previous_finding",
                "Previous Finding",
                lambda: step(-1),
                ("Shift+F8",),
                none,
                icon="back",
            ),
            make("impact.next_pane", "Next Tab", lambda: view.step_pane(1), ("]",), none, menu="View"),
            make(
                "impact.previous_pane", "Previous Tab", lambda: view.step_pane(-1), ("[",), none, menu="View"
            ),
            make("impact.fit", "Fit the Graphs", fit, ("F",), none, menu="View", icon="fit"),
            make("impact.turn", "Graphs beside or above Each Other", view.turn, ("B",), none, menu="View"),
        ]

    def open(self) -> None:
        """Comes to this page."""
        self.context.focus.change(page=self.name)


def _stranded(item: Impact) -> int:
    return sum(row.count or 0 for row in item.stranded)
