"""The runs page's controller: filter and source come from the focus, rows from the source's session."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from PySide6.QtWidgets import QApplication, QWidget

from app.actions_specs import Offered
from app.again import Again
from app.commands import Command
from app.context import Context, PageController, Source
from app.runs_page_cells import Cells
from app.runs_page_facts import Facts
from app.runs_page_feed import Feed
from app.runs_page_fresh import Fresh
from app.runs_page_live import Live
from app.runs_page_scan import Scan
from engine_bridge.actions.model import Target
from engine_bridge.bridge import Capability, Changes, FieldType, Page, Sort
from engine_bridge.errors import PlayheadError, QueryError
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from engine_bridge.model import Run, RunRef
from engine_bridge.query.ast import Node
from engine_bridge.query.doubts import doubt
from engine_bridge.session import Session
from widgets.runs.clauses import statuses, time_range, type_of, with_statuses, with_time_range, with_type
from widgets.runs.page import RunsView
from widgets.table.blocks import Fetch
from widgets.table.empty import error_details


class RunsPage(PageController):
    """Lists the runs of the focused source that match the focus' filter, live."""

    name = "runs"
    title = "Runs"

    def __init__(self, context: Context, view: RunsView | None = None) -> None:
        super().__init__(context)
        self.view = view or RunsView()
        self.sort = Sort()
        self.node: Node | None = None
        self.offered = Offered()
        self._loaded: tuple[str | None, Session | None, str] | None = None
        self._selected: frozenset[RunRef] = frozenset()
        self._error: PlayheadError | None = None
        self._again = Again(self._load_again, self)
        self._first_page_s: float | None = None
        self.feed = Feed(self.jobs, self.view.model, "runs")
        self.scan = Scan(self.jobs, self.feed, self.view.model, self.view.scan)
        self.facts = Facts(self)
        self.fresh = Fresh(self.feed, self.view.model, self.view.table, self.view.new_above, self.refresh)
        self.live = Live(self, self.view.table, lambda: self.facts.now_ns)
        self.cells = Cells(self)
        self._connect()

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = RunsView()
        yield None
        yield cls(context, view)

    def _connect(self) -> None:
        view = self.view
        self._show_chosen_columns()
        view.columns_changed.connect(self._on_columns)
        view.types.chosen.connect(self._on_type)
        self.feed.opened.connect(self._on_opened)
        self.feed.read.connect(self._on_read)
        self.feed.failed.connect(self._on_failed)
        self.jobs.busy.connect(self._on_busy)
        self.feed.cancelled.connect(self._on_cancelled)
        view.filter_bar.applied.connect(self.apply_filter)
        view.table.opened.connect(self.open_run)
        view.table.sort_requested.connect(self.sort_by)
        view.empty.chosen.connect(self._on_chosen)
        view.chips.toggled.connect(self._on_chip)
        view.charts.range_chosen.connect(self._on_range)
        view.charts.run_opened.connect(self._open_ref)
        self.live.moved.connect(self._on_moved)
        view.table.selection_moved.connect(self.targets_changed)
        view.table.current_moved.connect(self.targets_changed)
        self.context.sources.changed.connect(self._on_source)

    @property
    def _columns_setting(self) -> str:
        return "life_columns" if self.view.of_entities else "runs_columns"

    def _show_chosen_columns(self) -> None:
        self.view.show_columns(frozenset(str(self.context.settings.get(self._columns_setting)).split(",")))

    def _on_columns(self, ids: list[str]) -> None:
        """Keeps the choice; that of columns which this source has not stays for those that have them."""
        here = {column.id for column in self.view.model.columns}
        before = str(self.context.settings.get(self._columns_setting)).split(",")
        elsewhere = [name for name in before if name and name not in here]
        self.context.settings.set(self._columns_setting, ",".join([*ids, *elsewhere]))

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._pause()
            return
        source = self.source()
        session = source.session if source else None
        if self._loaded != (new.source, session, new.query):
            self._load(source)
        else:
            self.facts.go_on()
        self.live.start()
        if old.page != self.name and not self.view.filter_bar.line.hasFocus():
            self.view.table.setFocus()

    def refresh(self) -> None:
        self._load(self.source(), keep=True)

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._again.stop()
        self._pause()
        super().close()

    def _load_again(self) -> None:
        self._loaded = None
        self._on_source(self.context.focus.current.source or "")

    def _pause(self) -> None:
        self.live.stop()
        self.fresh.stop()
        self.facts.stop()

    def targets(self) -> tuple[Target, ...]:
        runs = self.view.table.selected_items() or [run for run in (self.view.current_run(),) if run]
        return tuple(Target(kind="run", id=str(run.ref), title=run.type, ref=run.ref) for run in runs)

    def targets_words(self) -> str:
        count, whole = len(self.targets()), self.view.table.selected_count
        return f"the {count} of {whole} selected runs that were read" if whole > count else ""

    def matching(self) -> tuple[str, Node | None] | None:
        query = self.context.focus.current.query
        return (query, self.node) if self.view.showing_rows else None

    def show_actions(self, offered: Offered) -> None:
        self.offered = offered

    def apply_filter(self, text: str) -> None:
        """Makes a text the filter in force."""
        self.view.table.setFocus()
        self.context.focus.change(query=text)

    def open_run(self, run: Run) -> None:
        """Goes to a run's page."""
        self._open_ref(run.ref)

    def _open_ref(self, ref: RunRef) -> None:
        self.context.focus.change(page="run", run=ref, position=None, step_id=None)

    def _on_chip(self, toggled: tuple[str, bool]) -> None:
        status, add = toggled
        active = statuses(self.node)
        wanted = active ^ {status} if add or active == {status} else {status}
        self.apply_filter(with_statuses(self.context.focus.current.query, self.node, wanted))

    def _on_type(self, name: str | None) -> None:
        self.apply_filter(with_type(self.context.focus.current.query, self.node, name))

    def _on_range(self, bounds: tuple[int, int] | None) -> None:
        self.apply_filter(with_time_range(self.context.focus.current.query, self.node, bounds))

    def toggle_charts(self) -> None:
        self.view.charts.setVisible(self.view.charts.isHidden())

    def focus_chart(self) -> None:
        """Gives the start histogram the keyboard: arrows choose, Enter applies, Esc clears."""
        self.view.charts.show()
        self.view.charts.starts.setFocus()

    def open_current(self) -> None:
        run = self.view.current_run()
        if run is not None:
            self.open_run(run)

    def sort_by_current(self) -> None:
        """Sorts by the column of the current cell."""
        self.sort_by(max(0, self.view.table.currentIndex().column()))

    def sort_by(self, column: int) -> None:
        """Sorts by a column, or turns its order round; says why when the source cannot."""
        chosen = self.view.model.columns[column]
        name = chosen.field
        if not self._sortable(name):
            self.context.notify(f"This source cannot sort by {chosen.title}.")
            return
        turned = (
            not self.sort.descending if self.sort.field == name else name in ("created", "started", "ended")
        )
        self.sort = Sort(field=name, descending=turned)
        self._load(self.source())

    def _sortable(self, name: str) -> bool:
        source = self.source()
        return any(field.name == name and field.sortable for field in (source.fields if source else ()))

    def _load(self, source: Source | None, *, keep: bool = False) -> None:
        query = self.context.focus.current.query
        session = source.session if source else None
        keep = keep and self.view.showing_rows and session is not None
        self._selected = frozenset(self.view.selected_refs()) if keep else frozenset()
        before, self._loaded = self._loaded, (self.context.focus.current.source, session, query)
        self._again.stop()
        self.jobs.cancel_all()
        if before is not None and before[:2] != self._loaded[:2]:
            self.facts.clear()
        self._fit_to(source)
        self._show_sort()
        if source is None or session is None:
            self._show_closed(source)
            return
        self.view.model.clock.zone = self.context.settings.zone()
        self.view.filter_bar.set_fields(source.fields)
        self.view.filter_bar.set_text(query)
        if self._parse(query, source):
            self._read(session, keep=keep)

    def _fit_to(self, source: Source | None) -> None:
        """Columns and types are those of what the source has: entities, or other runs."""
        if source is None or source.info is None:
            return
        entities, before = Capability.POPULATION in source.info.capabilities, self.view.of_entities
        known = next((field.values for field in source.fields if field.type is FieldType.JSON), ())
        counted = not source.fields or any(field.name == "steps" for field in source.fields)
        lacking = frozenset[str]() if counted else frozenset({"steps"})
        if self.view.use_columns(entities=entities, attributes=known, lacking=lacking):
            self._show_chosen_columns()
        if entities is not before:
            self.sort = Sort()
        self.view.types.set_types(source.info.entity_types)

    def _parse(self, query: str, source: Source) -> bool:
        self.node = None
        if not query.strip():
            return True
        from engine_bridge.query import parse

        try:
            self.node = parse(query, source.fields, self.context.settings.zone())
        except QueryError as error:
            self._show_error(error)
            return False
        return True

    def _read(self, session: Session, *, keep: bool) -> None:
        node, sort = self.node, self.sort
        self.view.chips.set_active(statuses(node))
        self.view.types.set_active(type_of(node))
        self.view.charts.set_range(time_range(node))
        if not keep:
            self.view.show_rows()

        def arguments(fetch: Fetch) -> tuple[object, ...]:
            return node, sort, fetch.cursor, fetch.direction, fetch.limit

        self.live.begin(session)
        self.feed.open(session, "runs", arguments, keep=keep)

    def _on_opened(self, opened: tuple[Page, float]) -> None:
        page, self._first_page_s = opened
        source = self.source()
        self._error = None
        self.view.filter_bar.warm()
        if source is not None and source.session is not None:
            self.facts.load(source, source.session, scanned=page.searched is not None)
        if self._selected:
            self.view.select(self._selected)
        self.show_status()

    def _on_read(self, _: Page) -> None:
        self.show_status()
        if self.view.model.rowCount() or self.view.model.blocks.resume is not None or self.feed.busy:
            self.view.show_rows()
            return
        if self.context.focus.current.query:
            source = self.source()
            told = plain(doubt(self.node, source.fields), 400) if source is not None else ""
            self._show_nothing(
                "No run matches this filter",
                told or "It may be too narrow, or its time range past.",
                ("clear", "Clear filter"),
            )
        else:
            self._show_nothing(
                "This source has no runs yet",
                "They appear here as soon as a workflow is started.",
                ("retry", "Look again"),
            )

    def _show_nothing(self, title: str, text: str, *actions: tuple[str, str]) -> None:
        self.view.empty.show_state("filter" if self.node else "runs", title, text, *actions)
        self.view.show_empty()

    def _on_moved(self, changes: Changes) -> None:
        gone = [self.view.model.find(ref) for ref in changes.removed]
        lost = [
            msgspec.structs.replace(run, now="no longer in the source") for run in gone if run is not None
        ]
        self.fresh.update([*changes.changed, *lost])
        self.facts.outdate()
        if not self.scan.active and (changes.new or not self.view.model.rowCount()):
            self.fresh.look()

    def _on_busy(self, _: object) -> None:
        # Jobs tell what lasts longer than a moment; until then an empty table is calmer than a notice.
        if self.feed.opening and self.view.model.rowCount() == 0 and not self.view.scan.isVisible():
            self.view.empty.show_state("hourglass", "Reading runs …", "The source has not answered yet.")
            self.view.show_empty()

    def _on_cancelled(self) -> None:
        if self.view.model.rowCount() == 0 and self.view.model.blocks.resume is None:
            again, clear = ("retry", "Search again"), ("clear", "Clear filter")
            self._show_nothing("Search cancelled", "Nothing was found until then.", again, clear)

    def _on_failed(self, error: PlayheadError) -> None:
        if self.view.model.rowCount() == 0:
            self._show_error(error)
        else:
            self.context.report(error)

    def _show_error(self, error: PlayheadError) -> None:
        self._error = error
        self.view.model.clear()
        self.view.empty.show_error(error)
        self.view.show_empty()
        self.status_changed.emit(error.message)
        self._again.failed(error)

    def _show_closed(self, source: Source | None) -> None:
        self.view.model.clear()
        if source is not None and source.error is not None:
            self._error = source.error
            self.view.empty.show_error(source.error)
        elif source is not None and source.state == "opening":
            self.view.empty.show_state("database", f"Opening {source.title} …")
        else:
            self.view.empty.show_state(
                "database", "No source is open", "Choose one in the sources panel, or connect."
            )
        self.view.show_empty()
        self.status_changed.emit("")

    def _on_chosen(self, action: str) -> None:
        if action == "clear":
            self.apply_filter("")
        elif action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action == "retry":
            self._retry()

    def _retry(self) -> None:
        source = self.source()
        if source is not None and source.session is None:
            self.context.sources.retry(source.key)
        else:
            self._load(source)

    def _show_sort(self) -> None:
        columns = self.view.model.columns
        number = next((n for n, c in enumerate(columns) if c.field == self.sort.field), -1)
        self.view.model.show_sort(number, self.sort.descending)

    def show_status(self) -> None:
        """Tells the status bar what is listed, in true figures."""
        parts = [self.facts.summary() or self._found()]
        if self._first_page_s is not None:
            parts.append(f"first page {self._first_page_s * 1000:.1f} ms")
        self.status_changed.emit(" · ".join(part for part in parts if part))

    def _found(self) -> str:
        """What a scan has found when it is through; nobody counts its runs."""
        rows = self.view.model.rowCount()
        return f"{count(rows)} {'run' if rows == 1 else 'runs'} found" if self.scan.through else ""

    def commands(self) -> list[Command]:
        from app.runs_page_commands import commands

        return commands(self)
