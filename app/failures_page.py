"""The failures page's controller: the failure log of the focused source, searched, live."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.actions_specs import Offered
from app.again import Again
from app.commands import Command
from app.context import Context, PageController, Source
from app.failures_page_cells import FailureCells
from app.failures_page_tally import Tallies
from app.runs_page_feed import Feed
from app.runs_page_fresh import Fresh
from app.runs_page_live import Live
from app.runs_page_scan import Scan
from engine_bridge.actions.model import Target
from engine_bridge.bridge import Capability, Changes, FailureRow, Page
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from engine_bridge.model import RunRef
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.failures.page import FailuresView
from widgets.failures.sieve import Sieve, Span
from widgets.table.blocks import Fetch
from widgets.table.empty import error_details

_ROW = "failures"  # the kind of a log's own rows as targets
_SCANNED = 1_000  # rows read at once where few of them are listed
_AGAIN_MS = 2_000


class FailuresPage(PageController):
    """Lists failed runs and steps, newest first."""

    name = "failures"
    title = "Failures"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.view = FailuresView()
        self.text = ""
        self.sieve = Sieve()
        self._loaded: tuple[str | None, Session | None, str, Sieve] | None = None
        self._current: Hashable = None
        self._error: PlayheadError | None = None
        self._again = Again(self._load_again, self)
        self._relist = QTimer(self)
        self._relist.setSingleShot(True)
        self._relist.setInterval(_AGAIN_MS)
        self._relist.timeout.connect(self.refresh)
        self.offered = Offered()
        view = self.view
        self.feed = Feed(self.jobs, view.model, "failures")
        self.feed.sift = lambda page: self.sieve.page(page)
        self.scan = Scan(self.jobs, self.feed, view.model, view.scan)
        self.fresh = Fresh(self.feed, view.model, view.table, view.new_above, self.refresh)
        self.live = Live(self, view.table)
        self.tallies = Tallies(self)
        self.cells = FailureCells(self)
        self._connect()

    def _connect(self) -> None:
        view = self.view
        self.feed.opened.connect(lambda _: self._take_back_current())
        self.feed.read.connect(self._on_read)
        self.feed.failed.connect(self._on_failed)
        self.feed.cancelled.connect(self._on_cancelled)
        self.live.moved.connect(self._on_moved)
        self.tallies.counted.connect(self._on_counted)
        view.search.searched.connect(self.search)
        view.opened.connect(self.open_run)
        view.empty.chosen.connect(self._on_chosen)
        view.bar.changed.connect(self.set_sieve)
        view.weeks.span_chosen.connect(self.set_span)
        view.filter.clicked.connect(self.cells.open_filter_menu)
        for table in (view.table, view.group_table):
            table.selection_moved.connect(self.targets_changed)
            table.current_moved.connect(self.targets_changed)
            table.menu_requested.connect(lambda point: self.menu().popup(point))
        view.grouped.toggled.connect(lambda _: self._on_grouped())
        self.context.sources.changed.connect(self._on_source)

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._pause()
            return
        source = self.source()
        if self._loaded != (new.source, source.session if source else None, self.text, self.sieve):
            self._load(source)
        self.live.start()

    def refresh(self) -> None:
        self._load(self.source(), keep=True)

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._again.stop()
        self._pause()
        self.tallies.stop()
        super().close()

    def targets(self) -> tuple[Target, ...]:
        """The log's own row where it can be acted on, else the runs that failed: those of a group together."""
        if self.view.is_grouped:
            group = self.view.group_table.current_item
            return _run_targets(dict.fromkeys(sorted(group.refs), group.sample.run_type)) if group else ()
        rows = self.view.table.selected_items() or [row for row in (self.view.current(),) if row]
        if len(rows) == 1 and rows[0].id:
            row = rows[0]
            return (Target(kind=_ROW, id=row.id, title=row.run_type, ref=row.ref),)
        return _run_targets({row.ref: row.run_type for row in rows})

    def targets_words(self) -> str:
        group = self.view.group_table.current_item if self.view.is_grouped else None
        if group is None:
            return ""
        return f"{count(group.runs)} runs that failed with {plain(group.type, 40)} {plain(group.message, 60)}"

    def show_actions(self, offered: Offered) -> None:
        self.offered = offered

    def menu(self) -> QMenu:
        """What can be done with the current cell, and to the chosen failures or the whole group."""
        return self.cells.menu()

    def set_sieve(self, sieve: Sieve) -> None:
        """Lists only failures that pass a sieve."""
        if sieve != self.sieve:
            recount = sieve.conditions != self.sieve.conditions
            self.sieve = sieve
            self.view.show_sieve(sieve, self.context.settings.zone())
            self._load(self.source(), recount=recount)

    def set_span(self, span: Span | None) -> None:
        """Lists only failures of a stretch of time (ns, end exclusive); None: of all times."""
        self.set_sieve(replace(self.sieve, span=span))

    def clear_sieve(self) -> None:
        """Lists every failure again."""
        self.set_sieve(Sieve())

    def _load_again(self) -> None:
        self._loaded = None
        self._on_source(self.context.focus.current.source or "")

    def _pause(self) -> None:
        self.live.stop()
        self.fresh.stop()
        self._relist.stop()

    def search(self, text: str) -> None:
        """Lists only failures that contain a text."""
        if text != self.text:
            self.text = text
            self._load(self.source())

    def open_run(self, row: FailureRow | None) -> None:
        """Goes to the run of a failure, at the step that failed."""
        if row is not None:
            self.context.focus.change(page="run", run=row.ref, position=None, step_id=row.step_id)

    def _load(self, source: Source | None, *, keep: bool = False, recount: bool = True) -> None:
        session = source.session if source else None
        loaded = (self.context.focus.current.source, session, self.text, self.sieve)
        if self._loaded is not None and self._loaded[:2] != loaded[:2]:
            self._forget()
            loaded = (*loaded[:3], self.sieve)
        self._loaded = loaded
        self._again.stop()
        self._relist.stop()
        self._current = self._current_key() if keep else None
        shown = self.tallies.settled and not recount
        self.jobs.cancel_all()
        if source is None or session is None:
            self._show_nothing("No source is open", "Choose one in the sources panel, or connect.")
            return
        reason = source.can(Capability.FAILURES)
        if reason:
            self._show_nothing("No failure log", f"It cannot be read: {reason}.")
            return
        self.view.model.clock.zone = self.context.settings.zone()
        self.live.begin(session)
        self._open(session, keep=keep and self.view.model.rowCount() > 0)
        if keep:
            self.tallies.outdate()
        elif not shown:
            self.tallies.start(session, self.text, self.sieve)

    def _open(self, session: Session, *, keep: bool) -> None:
        text, sieved, query = self.text, not self.sieve.open, self.query()

        def arguments(fetch: Fetch) -> tuple[object, ...]:
            return query, text, fetch.cursor, max(fetch.limit, _SCANNED) if sieved else fetch.limit

        self.feed.open(session, "failures", arguments, keep=keep)

    def query(self) -> Node | None:
        """What of the conditions the source itself can answer."""
        source = self.source()
        return self.sieve.query(frozenset(field.name for field in (source.fields if source else ())))

    def _forget(self) -> None:
        """Another source: its log has columns, weeks and tenants of its own."""
        self.sieve = Sieve()
        self.tallies.stop()
        self.view.forget_columns()
        self.view.show_sieve(self.sieve, self.context.settings.zone())
        self.view.show_tally(None)

    def _current_key(self) -> Hashable:
        item = self.view.table.current_item
        return None if item is None else self.view.model.key(item)

    def _take_back_current(self) -> None:
        row = None if self._current is None else self.view.model.blocks.row_of(self._current)
        if row is not None:
            self.view.table.selectRow(row)

    def _on_read(self, page: Page) -> None:
        model = self.view.model
        self._error = None
        self.view.fit_columns(page.items)
        if model.rowCount() or model.blocks.resume is not None or self.feed.busy:
            self.view.show_rows()
        elif not self.sieve.open:
            clear = ("all", "Show all again")
            self._show_nothing(
                "No failure is like this", "Take a condition away, or choose other weeks.", clear
            )
        elif self.text:
            clear = ("clear", "Clear search")
            self._show_nothing(
                "No failure contains this text", "Try a part of the type or the message.", clear
            )
        else:
            self._show_nothing("Nothing has failed", "Failed runs and steps appear here, newest first.")
        self._show_status()

    def _on_counted(self) -> None:
        self.view.show_tally(self.tallies.shown)
        self._show_status()

    def _on_grouped(self) -> None:
        self._show_status()
        self.targets_changed.emit()

    def _show_status(self) -> None:
        blocks = self.view.model.blocks
        known = blocks.end + len(blocks.head)
        more = "" if not blocks.more else "+"
        noun = "failure" if known == 1 else "failures"
        told = f"{count(known)}{more} {noun}"
        tally = self.tallies.shown
        if self.view.is_grouped:
            whole = "" if tally is not None and tally.whole else " so far"
            told += f" in {count(self.view.groups.rowCount())} groups{whole}"
        elif tally is not None and tally.keeps_resolutions and self.sieve.resolved is None:
            told += f" · {count(tally.open)} open"
        self.status_changed.emit(told if known else "")

    def _show_nothing(self, title: str, text: str, *actions: tuple[str, str]) -> None:
        self.view.model.clear()
        self.view.empty.show_state("failures", title, text, *actions)
        self.view.show_empty()
        self.status_changed.emit("")

    def _on_moved(self, changes: Changes) -> None:
        self.tallies.outdate()
        tally = self.tallies.shown
        if not self.scan.active:
            self.fresh.look()
        elif not self._relist.isActive() and tally is not None and tally.whole and tally.read <= _SCANNED:
            # What is listed of a short log is read anew; a long one when the user asks.
            self._relist.start()

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
            self.status_changed.emit(error.message)
            self._again.failed(error)

    def _on_chosen(self, action: str) -> None:
        if action == "all":
            self.clear_sieve()
        elif action == "clear":
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
        from app.failures_page_commands import commands

        return commands(self)


def _run_targets(found: dict[RunRef, str]) -> tuple[Target, ...]:
    return tuple(Target(kind="run", id=str(ref), title=title, ref=ref) for ref, title in found.items())
