"""The failures page's controller: the failure log of the focused source, searched, live."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.actions_specs import Offered
from app.again import Again
from app.commands import Command
from app.context import Context, PageController, Source
from app.runs_page_feed import Feed
from app.runs_page_fresh import Fresh
from app.runs_page_live import Live
from app.runs_page_scan import Scan
from engine_bridge.actions.model import Target
from engine_bridge.bridge import Capability, Changes, FailureRow, Page
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from engine_bridge.session import Session
from widgets.actions.menu import add_actions
from widgets.failures.page import FailuresView
from widgets.table.blocks import Fetch
from widgets.table.cell_menu import cell_menu
from widgets.table.empty import error_details

_GROUPED: Final = 2_000  # failures that are read before groups are called complete


class FailuresPage(PageController):
    """Lists failed runs and steps, newest first."""

    name = "failures"
    title = "Failures"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.view = FailuresView()
        self.text = ""
        self._loaded: tuple[str | None, Session | None, str] | None = None
        self._error: PlayheadError | None = None
        self._again = Again(self._load_again, self)
        self.offered = Offered()
        view = self.view
        self.feed = Feed(self.jobs, view.model, "failures")
        self.scan = Scan(self.jobs, self.feed, view.model, view.scan)
        self.fresh = Fresh(self.feed, view.model, view.table, view.new_above, self.refresh)
        self.live = Live(self, view.table)
        self.feed.read.connect(self._on_read)
        self.feed.failed.connect(self._on_failed)
        self.feed.cancelled.connect(self._on_cancelled)
        self.live.moved.connect(self._on_moved)
        view.search.searched.connect(self.search)
        view.opened.connect(self.open_run)
        view.empty.chosen.connect(self._on_chosen)
        view.grouped.toggled.connect(lambda _: self._read_more_for_groups())
        for table in (view.table, view.group_table):
            table.selection_moved.connect(self.targets_changed)
            table.current_moved.connect(self.targets_changed)
            table.menu_requested.connect(lambda point: self.menu().popup(point))
        view.grouped.toggled.connect(lambda _: self.targets_changed.emit())
        context.sources.changed.connect(self._on_source)

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._pause()
            return
        source = self.source()
        if self._loaded != (new.source, source.session if source else None, self.text):
            self._load(source)
        self.live.start()

    def _on_source(self, key: str) -> None:
        focus = self.context.focus.current
        if key == focus.source and focus.page == self.name:
            self.focus_changed(focus, focus)

    def refresh(self) -> None:
        self._load(self.source(), keep=True)

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._again.stop()
        self._pause()
        super().close()

    def targets(self) -> tuple[Target, ...]:
        if self.view.is_grouped:
            group = self.view.group_table.current_item
            found = dict.fromkeys(sorted(group.refs), group.sample.run_type) if group is not None else {}
        else:
            rows = self.view.table.selected_items() or [row for row in (self.view.current(),) if row]
            found = {row.ref: row.run_type for row in rows}
        return tuple(Target(kind="run", id=str(ref), title=title, ref=ref) for ref, title in found.items())

    def targets_words(self) -> str:
        group = self.view.group_table.current_item if self.view.is_grouped else None
        if group is None:
            return ""
        return f"{count(group.runs)} runs that failed with {plain(group.type, 40)} {plain(group.message, 60)}"

    def show_actions(self, offered: Offered) -> None:
        self.offered = offered

    def menu(self) -> QMenu:
        """What can be done to the runs of the chosen failures, or of the whole group."""
        menu = cell_menu(self.view, [[("Open run", partial(self.open_run, self.view.current()))]])
        add_actions(menu, self.offered.with_reasons(), self.action_requested.emit)
        return menu

    def _load_again(self) -> None:
        self._loaded = None
        self._on_source(self.context.focus.current.source or "")

    def _pause(self) -> None:
        self.live.stop()
        self.fresh.stop()

    def search(self, text: str) -> None:
        """Lists only failures that contain a text."""
        if text != self.text:
            self.text = text
            self._load(self.source())

    def open_run(self, row: FailureRow | None) -> None:
        """Goes to the run of a failure, at the step that failed."""
        if row is not None:
            self.context.focus.change(page="run", run=row.ref, position=None, step_id=row.step_id)

    def _load(self, source: Source | None, *, keep: bool = False) -> None:
        session = source.session if source else None
        self._loaded = (self.context.focus.current.source, session, self.text)
        self._again.stop()
        self.jobs.cancel_all()
        if source is None or session is None:
            self._show_nothing("No source is open", "Choose one in the sources panel, or connect.")
            return
        reason = source.can(Capability.FAILURES)
        if reason:
            self._show_nothing("No failure log", f"It cannot be read: {reason}.")
            return
        self.view.model.clock.zone = self.context.settings.zone()
        text = self.text

        def arguments(fetch: Fetch) -> tuple[object, ...]:
            return None, text, fetch.cursor, fetch.limit

        self.live.begin(session)
        self.feed.open(session, "failures", arguments, keep=keep and self.view.model.rowCount() > 0)

    def _on_read(self, page: Page) -> None:
        model = self.view.model
        self._error = None
        if model.rowCount() or model.blocks.resume is not None or self.feed.busy:
            self.view.regroup()
            self.view.show_rows()
        elif self.text:
            clear = ("clear", "Clear search")
            self._show_nothing(
                "No failure contains this text", "Try a part of the type or the message.", clear
            )
        else:
            self._show_nothing("Nothing has failed", "Failed runs and steps appear here, newest first.")
        self._read_more_for_groups()
        self._show_status()

    def _read_more_for_groups(self) -> None:
        model = self.view.model
        if self.view.is_grouped and model.blocks.more and model.blocks.end < _GROUPED:
            model.want(model.blocks.end, model.blocks.end)

    def _show_status(self) -> None:
        blocks = self.view.model.blocks
        known = blocks.end + len(blocks.head)
        more = "" if not blocks.more else "+"
        noun = "failure" if known == 1 else "failures"
        grouped = f" in {count(self.view.groups.rowCount())} groups" if self.view.is_grouped else ""
        self.status_changed.emit(f"{count(known)}{more} {noun}{grouped}" if known else "")

    def _show_nothing(self, title: str, text: str, *actions: tuple[str, str]) -> None:
        self.view.model.clear()
        self.view.empty.show_state("failures", title, text, *actions)
        self.view.show_empty()
        self.status_changed.emit("")

    def _on_moved(self, changes: Changes) -> None:
        if not self.scan.active:
            self.fresh.look()

    def _on_cancelled(self) -> None:
        if self.view.model.rowCount() == 0 and self.view.model.blocks.resume is None:
            self._show_nothing("Search cancelled", "Nothing was found until then.", ("retry", "Search again"))

    def _on_failed(self, error: PlayheadError) -> None:
        self._error = error
        if self.view.model.rowCount():
            self.context.report(error)
        else:
            self.view.empty.show_error(error)
            self.view.show_empty()
            self._again.failed(error)

    def _on_chosen(self, action: str) -> None:
        if action == "clear":
            self.view.search.clear()
            self.search("")
        elif action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action == "retry":
            self._load(self.source())

    def focus_search(self) -> None:
        self.view.search.setFocus()
        self.view.search.selectAll()

    def copy(self) -> None:
        """Copies the chosen failure's chain and traces."""
        QApplication.clipboard().setText(self.view.detail.text)
        self.context.notify("Copied.")

    def commands(self) -> list[Command]:
        view = self.view
        make = partial(Command, scope="failures")

        def none_chosen() -> str:
            return "" if view.current() is not None else "choose a failure first"

        def open_current() -> None:
            self.open_run(view.current())

        def toggle_groups() -> None:
            view.show_grouped(not view.is_grouped)

        return [
            make(
                "failures.search",
                "Search Failures",
                self.focus_search,
                keys=("/",),
                icon="search",
                menu="View",
            ),
            make(
                "failures.group", "Group by Cause", toggle_groups, keys=("G",), icon="collapse", menu="View"
            ),
            make("failures.show_new", "Show New Failures", self.fresh.show_new, keys=("N",), icon="live"),
            make("failures.open", "Open Run at the Failure", open_current, keys=("O",), when=none_chosen),
            make("failures.copy", "Copy Failure", self.copy, keys=("Ctrl+C",), when=none_chosen, icon="copy"),
        ]
