"""Runs bulk jobs in a worker thread, and shows how far they are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from app.context import Source
from engine_bridge.actions.bulk_model import ItemReport, ItemState, Job, JobState, Progress, Settings
from engine_bridge.actions.model import Plan
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from widgets.actions.bulk_progress import BulkProgress

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from app.target import Target
    from engine_bridge.actions.bulk import BulkRun
    from engine_bridge.actions.bulk_store import BulkStore

_LOOK_MS = 700
_ROWS = 5_000


def store() -> BulkStore:
    """The jobs beside the journal. Any thread."""
    from app.journal import folder, journal
    from engine_bridge.actions.bulk_store import BulkStore

    return BulkStore(folder(), journal().owner.dead)


def _caught_up(job_id: str) -> BulkStore:
    """As ``store``; what a job's report says is awaited is what the journal awaits."""
    from app.journal import journal
    from engine_bridge.actions.bulk_settle import catch_up

    jobs = store()
    catch_up(journal(), jobs, job_id)
    return jobs


class _Thread:
    """One run of a job, in its thread. ``told`` gets (this, kind, value)."""

    def __init__(self, told: Any) -> None:
        self._told = told
        self.token = CancelToken()
        self.run_: BulkRun | None = None
        self.done = False

    def make(
        self, plan: Plan, reason: str, settings: Settings, title: str, filter_text: str, target: Target
    ) -> None:
        """Keeps a confirmed plan as a job, and runs it."""
        from app.opening import source_id
        from engine_bridge.session import describe_error

        try:
            named = msgspec.structs.replace(plan, source=source_id(target.url))
            jobs = store()
            job = jobs.create(named, reason, settings, title=title, filter_text=filter_text)
            self._told((self, "job", job))
            self.work(job.id, target)
        except BaseException as error:  # noqa: BLE001  whatever it was is shown on the job
            self._told((self, "failed", describe_error(error)))

    def work(self, job_id: str, target: Target) -> None:
        """Runs a job until it is done, stops or asks."""
        from app.journal import journal
        from app.opening import actor_of
        from engine_bridge.actions.bulk import BulkRun
        from engine_bridge.session import describe_error

        try:
            with BulkRun(actor_of(target), journal(), store(), job_id) as run:
                self.run_ = run
                job = run.run(self.token, lambda progress: self._told((self, "progress", progress)))
            self._told((self, "ended", job))
        except BaseException as error:  # noqa: BLE001  whatever it was is shown on the job
            self._told((self, "failed", describe_error(error)))


class BulkRuns(QObject):
    """At most one runs at a time in this window. GUI thread. ``ended`` comes when it stands still."""

    ended = Signal()
    _told = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._thread: _Thread | None = None
        self.job: Job | None = None
        self._key = ""
        self.view: BulkProgress | None = None
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.read_items)
        desk.unlocks.changed.connect(self._on_lock)

    @property
    def running(self) -> bool:
        return self._thread is not None and not self._thread.done

    def start(
        self, source: Source, plan: Plan, reason: str, settings: Settings, title: str, filter_text: str
    ) -> None:
        """Makes a job of a confirmed plan and runs it."""
        self._fresh(source, title)
        thread = self._thread = _Thread(self._told.emit)
        target = self._desk.window.sources.target(source.key)
        self._desk.window.sources.in_thread(
            "playhead-bulk", thread.make, plan, reason, settings, title, filter_text, target
        )

    def open(self, source: Source, job: Job) -> None:
        """Shows a job that was left unfinished."""
        self._fresh(source, job.title)
        self.job = job
        if self.view is not None:
            self.view.show_job(job, running=False)
        self.read_items()

    def _fresh(self, source: Source, title: str) -> None:
        self.drop()
        self._key, self.job = source.key, None
        view = self.view = BulkProgress()
        view.go_requested.connect(self.resume)
        view.pause_requested.connect(self.pause)
        view.stop_requested.connect(self.cancel)
        view.close_requested.connect(self._desk.close_sheet)
        view.filtered.connect(lambda _: self.read_items())
        view.export_requested.connect(self._ask_export)
        view.item_opened.connect(self._open_item)
        self._desk.show(view, title, source)

    def show(self) -> None:
        """Brings the job back into the sheet."""
        source = self._desk.window.sources.get(self._key)
        if self.view is not None and source is not None:
            self._desk.show(self.view, self.job.title if self.job else "Bulk job", source)

    def _on_lock(self, key: str) -> None:
        if key == self._key and self.running and not self._desk.unlocks.unlocked(key):
            self.pause()
            self._desk.window.notify("The bulk job is paused: its source was locked.")

    # -- control --------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Goes on where it stands; needs the source unlocked."""
        if self.job is None or self.running:
            return
        if not self._desk.unlocks.unlocked(self._key):
            self._desk.window.notify("The source is read-only: unlock it first (Ctrl+L).")
            return
        thread = self._thread = _Thread(self._told.emit)
        target = self._desk.window.sources.target(self._key)
        self._desk.window.sources.in_thread("playhead-bulk", thread.work, self.job.id, target)
        self._show(self.job)

    def pause(self) -> None:
        """Sends nothing more; it can go on later."""
        if self._thread is not None and self._thread.run_ is not None:
            self._thread.run_.pause()

    def cancel(self) -> None:
        """Stops it for good."""
        thread, job = self._thread, self.job
        if thread is not None and not thread.done and thread.run_ is not None:
            thread.run_.cancel()
        elif job is not None and not job.state.final:
            self._desk.work.run(
                "bulk-leave",
                lambda: store().leave(job.id, JobState.CANCELLED, "stopped by the operator"),
                self._set,
            )

    def stop(self) -> None:
        """The application is closing: it can go on at the next start."""
        self._timer.stop()
        if self._thread is not None:
            self._thread.token.cancel()

    def drop(self) -> None:
        view, self.view = self.view, None
        if view is not None:
            self._desk.window.sheet.drop(view)

    # -- what arrives ---------------------------------------------------------------------------------------

    def _on_told(self, message: tuple[_Thread, str, Any]) -> None:
        thread, kind, value = message
        if thread is not self._thread:
            return
        if kind == "job":
            self._set(value)
            self._timer.start()
        elif kind == "progress":
            self._on_progress(value)
        else:
            thread.done = True
            self._timer.stop()
            if kind == "ended":
                self._set(value)
            else:
                self._on_failed(value)
            self._desk.journal_moved.emit()
            self.ended.emit()

    def _on_progress(self, progress: Progress) -> None:
        if self.running:
            self.job = progress.job
            if not self._timer.isActive():
                self._timer.start()
            if self.view is not None:
                self.view.show_job(
                    progress.job, running=True, in_flight=progress.in_flight, rate=progress.rate
                )

    def _on_failed(self, error: PlayheadError) -> None:
        self._desk.window.report(error)
        if self.view is not None:
            self.view.state.set_note("failed", "failed", str(error))
            self.view.close_button.show()
            self.view.pause_button.hide()

    def _set(self, job: Job) -> None:
        self.job = job
        self._show(job)
        self.read_items()

    def _show(self, job: Job) -> None:
        if self.view is not None:
            self.view.show_job(job, running=self.running)

    def read_items(self) -> None:
        """The report, as filtered."""
        job, view = self.job, self.view
        if job is None or view is None:
            return
        state = view.filter.currentData()

        def work() -> list[ItemReport]:
            jobs = store() if job.state is JobState.RUNNING else _caught_up(job.id)
            return jobs.report(job.id, (ItemState(state),) if state is not None else (), limit=_ROWS)

        def arrived(found: list[ItemReport]) -> None:
            if self.view is not None:
                self.view.show_items(found)

        self._desk.work.run("bulk-items", work, arrived, lambda error: None)

    # -- report ---------------------------------------------------------------------------------------------

    def _ask_export(self) -> None:
        dialog = QFileDialog(self._desk.window, "Export the report")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(["Spreadsheet (*.csv)"])
        dialog.setDefaultSuffix("csv")
        dialog.fileSelected.connect(self.export_to)
        dialog.open()

    def export_to(self, path: str) -> None:
        """Writes every item to a CSV file."""
        job = self.job
        if job is None:
            return

        def done(rows: int) -> None:
            self._desk.window.notify(f"Exported {count(rows)} items to {plain(Path(path).name, 80)}.")

        self._desk.work.run("bulk-export", lambda: _write(job.id, Path(path)), done)

    def _open_item(self, item: ItemReport) -> None:
        if item.target.ref is not None:
            focus = self._desk.window.focus
            focus.change(page="run", source=self._key, run=item.target.ref, position=None, step_id=None)


def _write(job_id: str, path: Path) -> int:
    found = _caught_up(job_id).report(job_id)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("number", "target", "title", "state", "why", "new run", "request id", "took ns"))
        for item in found:
            row = (item.number, item.target.id, item.title, item.state.value, item.why, item.new_ref)
            table.writerow([_cell(value) for value in (*row, item.request_id, item.took_ns)])
    return len(found)


def _cell(value: Any) -> Any:
    """A spreadsheet would take these for formulas."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
