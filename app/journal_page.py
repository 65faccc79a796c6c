"""The journal page's controller: reads the journal off the GUI thread, with or without an open source."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from app.commands import Command
from app.context import Context, PageController
from app.journal_follow import Follow
from app.journal_work import Entries, Reader
from engine_bridge.actions.model import ActionSpec, Staged, Target
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import count, plain
from engine_bridge.model import Run
from engine_bridge.session import Session
from widgets.journal.entries import Entry, as_text
from widgets.journal.page import JournalView


class JournalPage(PageController):
    """Shows what operators did, newest first."""

    name = "journal"
    title = "Journal"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.view = JournalView()
        self.text = ""
        self._older: int | None = None
        self._shown: tuple[str | None, str, bool] | None = None
        self._reader = Reader(context, self)
        self._follow = Follow(context, self)
        view = self.view
        view.search.searched.connect(self.search)
        view.only_source.toggled.connect(lambda _: self.refresh())
        view.verify_requested.connect(self.verify)
        view.export_requested.connect(self.export)
        view.more_requested.connect(self._read_more)
        view.table.moved.connect(lambda entry: view.detail.show_entry(entry, context.settings.zone()))
        view.table.entry_opened.connect(self.open_run)
        view.detail.run_requested.connect(self.open_run)
        view.detail.new_run_requested.connect(lambda entry: self._go(entry, entry.new_ref))

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            return
        self.view.only_source.setEnabled(new.source is not None)
        self.refresh()

    def search(self, text: str) -> None:
        """Shows only entries that hold a text in any of their rows."""
        self.text = text
        self.refresh()

    def refresh(self) -> None:
        self._older = None
        self._read(())

    def _read_more(self) -> None:
        self._read(self.view.table.entries)

    def _read(self, before: tuple[Entry, ...]) -> None:
        key = self.context.focus.current.source if self.view.only_source.isChecked() else None

        def arrived(found: Entries) -> None:
            entries, self._older = found
            known = {entry.request_id for entry in before if entry.request_id}
            self._show((*before, *(entry for entry in entries if entry.request_id not in known)))

        self._reader.read(
            arrived, self._failed, key=key, text=self.text, before_seq=self._older if before else None
        )

    def _show(self, entries: tuple[Entry, ...]) -> None:
        self.view.table.set_entries(self._follow.told(entries), self.context.settings.zone())
        self._follow.look(entries, self._on_followed)
        if entries:
            self.view.show_rows(more=self._older is not None)
            if self.view.table.current() is None:
                self.view.table.selectRow(0)
        elif self.text or self.view.only_source.isChecked():
            self.view.show_nothing("No entry matches", "Clear the search, or show all sources.")
        else:
            self.view.show_nothing(
                "Nobody has acted yet",
                "What you execute or try to execute stands here: who, when, what, why, and what became of it.",
            )
        more = "+" if self._older is not None else ""
        words = "entry" if len(entries) == 1 else "entries"
        self.status_changed.emit(f"{count(len(entries))}{more} {words}" if entries else "")

    def _on_followed(self, moved: bool) -> None:
        if moved:
            self.refresh()
        else:
            table = self.view.table
            table.set_entries(self._follow.told(table.entries), self.context.settings.zone())

    def close(self) -> None:
        self._reader.stop()
        self._follow.stop()
        super().close()

    def _failed(self, error: PlayheadError) -> None:
        self.view.show_nothing(error.message, error.hint)

    # -- what the user does ---------------------------------------------------------------------------------

    def verify(self) -> None:
        """Checks the chain and names the first bad row; asks again about what is awaited."""
        self._follow.again()
        self.refresh()
        self.view.tell("hourglass", "waiting", "Verifying every row …")

        def done(result: tuple[Any, int]) -> None:
            bad, rows = result
            if bad is None:
                self.view.tell(
                    "completed", "completed", f"All {count(rows)} rows fit the chain and the anchor."
                )
                return
            where = f"Row {bad.seq} does not fit" if bad.seq else "The anchor does not fit"
            self.view.tell(
                "failed", "failed", f"{where}: {bad.why}. The journal was changed outside Playhead."
            )
            self.view.table.choose(bad.seq)

        self._reader.verify(done, self.context.report)

    def export(self) -> None:
        dialog = QFileDialog(self.view, "Export the journal")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["JSON lines with hashes (*.jsonl)", "Spreadsheet (*.csv)"])
        dialog.setDefaultSuffix("jsonl")
        dialog.fileSelected.connect(self.export_to)
        dialog.open()

    def export_to(self, path: str) -> None:
        """Writes all rows to a file, as its ending says."""

        def done(rows: int) -> None:
            self.context.notify(f"Exported {count(rows)} rows to {plain(Path(path).name, 80)}.")

        self._reader.export(Path(path), done, self.context.report)

    def open_run(self, entry: Entry | None) -> None:
        """Goes to the run of an entry, if its source is open here."""
        if entry is not None:
            self._go(entry, entry.target)

    def _go(self, entry: Entry, run: str, then: Callable[[Session, Run], None] = lambda *_: None) -> None:
        key = self._reader.key_of(entry.source)
        if entry.target_kind not in ("run", "step"):
            self.context.notify("This entry is not about a run.")
        elif key is None:
            self.context.notify(f"Open {plain(entry.source_title, 80)} first: it is not open now.")
        else:
            self._find(key, run, then)

    def undo(self, entry: Entry | None) -> None:
        """Goes to the run of an entry, and plans what takes the entry back, if its source knows how."""
        if entry is not None:
            self._go(entry, entry.target, partial(self._plan_undo, entry))

    def _plan_undo(self, entry: Entry, session: Session, run: Run) -> None:
        if entry.outcome != "applied":
            self.context.notify(f"There is nothing to undo: it was {entry.words}.")
            return
        target = Target(kind="run", id=str(run.ref), title=run.type, ref=run.ref)

        def told(specs: list[ActionSpec]) -> None:
            spec = next((one for one in specs if entry.action in one.undoes), None)
            if spec is None:
                self.context.notify(f"No action takes {plain(entry.action, 60)} back.")
            elif spec.disabled:
                self.context.notify(plain(spec.disabled, 400))
            else:
                self.staging_requested.emit((Staged(target=target, action=spec.id),))

        self.jobs.run("undo", session, "actions", target, on_result=told, on_error=self.context.report)

    def _find(self, key: str, run: str, then: Callable[[Session, Run], None]) -> None:
        source = self.context.sources.get(key)
        if source is None or source.session is None:
            self.context.notify("Its source is closed: open it first.")
            return

        session = source.session

        def found(runs: list[Any]) -> None:
            exact = next((r for r in runs if str(r.ref) == run), None)
            if exact is None:
                self.context.notify(f"There is no run {plain(run, 80)} any more.")
            else:
                focus = self.context.focus.current
                self.context.focus.set(
                    focus.with_(page="run", source=key, run=exact.ref, position=None, step_id=None)
                )
                then(session, exact)

        self.jobs.run("find", session, "find", run, 5, on_result=found, on_error=self.context.report)

    def show_entry(self, seq: int) -> None:
        """Chooses an entry by its row number, once it is read."""
        self.view.table.choose(seq)

    def copy(self) -> None:
        entry = self.view.table.current()
        if entry is not None:
            text = f"{as_text([entry], self.context.settings.zone())}\n{self.view.detail.text}"
            QApplication.clipboard().setText(text)
            self.context.notify("Copied.")

    def _toggle_source(self) -> None:
        self.view.only_source.toggle()

    def _focus_search(self) -> None:
        self.view.search.setFocus()
        self.view.search.selectAll()

    def commands(self) -> list[Command]:
        make = partial(Command, scope="journal", menu="View")

        def none() -> str:
            return "" if self.view.table.current() is not None else "choose an entry first"

        def no_source() -> str:
            return "" if self.context.focus.current.source is not None else "no source is chosen"

        def open_current() -> None:
            self.open_run(self.view.table.current())

        def undo_current() -> None:
            self.undo(self.view.table.current())

        return [
            make("journal.search", "Search the Journal", self._focus_search, keys=("/",), icon="search"),
            make("journal.verify", "Verify the Journal", self.verify, keys=("V",), icon="completed"),
            make("journal.export", "Export the Journal …", self.export, keys=("X",), icon="export"),
            make(
                "journal.source",
                "This Source Only",
                self._toggle_source,
                keys=("S",),
                when=no_source,
                icon="filter",
            ),
            make("journal.open", "Open Its Run", open_current, keys=("O",), when=none, icon="right"),
            make("journal.undo", "Undo It …", undo_current, keys=("U",), when=none, icon="back"),
            make("journal.copy", "Copy Entry", self.copy, keys=("Ctrl+C",), when=none, icon="copy"),
        ]
