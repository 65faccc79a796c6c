"""A bulk job while it runs and after: bar, counts, pause and stop, one row for each item. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine_bridge.actions.bulk_model import ItemReport, ItemState, Job, JobState
from engine_bridge.format import count, duration, plain
from widgets.actions.notes import Note
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import label

_STATES: Final = {
    ItemState.WAITING: "pending",
    ItemState.OPEN: "running",
    ItemState.APPLIED: "completed",
    ItemState.NOT_APPLIED: "failed",
    ItemState.STALE: "retrying",
    ItemState.UNKNOWN: "unknown",
    ItemState.REFUSED: "cancelled",
}
#: Job state: glyph and the state whose colour it takes.
_JOB: Final = {
    JobState.READY: ("queued", "waiting"),
    JobState.RUNNING: ("running", "running"),
    JobState.CANARY: ("flag", "playhead"),
    JobState.PAUSED: ("paused", "waiting"),
    JobState.STOPPED: ("warning", "failed"),
    JobState.CANCELLED: ("cancelled", "cancelled"),
    JobState.DONE: ("completed", "completed"),
    JobState.INTERRUPTED: ("warning", "retrying"),
}


def words(job: Job) -> str:
    """What the job's state means, and what to do."""
    done, total = count(job.done), count(job.total)
    if job.state is JobState.CANARY:
        good, left = job.count(ItemState.APPLIED), count(job.total - job.done)
        return f"The canary is done: {good} applied. Look at the items, then go on with the other {left}."
    if job.state is JobState.INTERRUPTED:
        return f"Its Playhead ended at {done} of {total}. It goes on exactly there."
    if job.state in (JobState.STOPPED, JobState.PAUSED):
        why = f": {plain(job.why, 160)}" if job.why and job.why != job.state.value else ""
        return f"{job.state.value.capitalize()} at {done} of {total}{why}."
    return f"{job.state.value.capitalize()} · {done} of {total}"


class BulkProgress(QWidget):
    """``go_requested`` resumes; ``pause_requested`` and ``stop_requested`` end it for now and for good.

    ``filtered`` carries an ItemState or None; ``item_opened`` the ItemReport whose run is wanted.
    """

    go_requested = Signal()
    pause_requested = Signal()
    stop_requested = Signal()
    close_requested = Signal()
    export_requested = Signal()
    filtered = Signal(object)
    item_opened = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.state = Note("queued", "waiting", "", boxed=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.counts = label(color="muted", wrap=True)
        self.filter = QComboBox()
        self.filter.setAccessibleName("Items shown")
        self.filter.addItem("All items", None)
        for state in ItemState:
            self.filter.addItem(state.value.capitalize(), state)
        self.filter.currentIndexChanged.connect(lambda _: self.filtered.emit(self.filter.currentData()))
        self.table = ListTable("Items of the bulk job", ("target", "outcome", "took", "why"), (150, 130, 70))
        self.reports: tuple[ItemReport, ...] = ()
        self.table.opened.connect(lambda row: self.item_opened.emit(self.reports[row]))
        self.pause_button, self.stop_button = QPushButton("Pause"), QPushButton("Stop for good")
        self.go_button, self.close_button = QPushButton("Go on"), QPushButton("Close")
        self.export_button = QPushButton("Export report …")
        self.go_button.setProperty("primary", "true")
        self._connect()
        self._lay_out()
        self.setAccessibleName("Bulk job under way")

    def _connect(self) -> None:
        self.pause_button.clicked.connect(self.pause_requested)
        self.stop_button.clicked.connect(self.stop_requested)
        self.go_button.clicked.connect(self.go_requested)
        self.close_button.clicked.connect(self.close_requested)
        self.export_button.clicked.connect(self.export_requested)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 12)
        column.setSpacing(8)
        for widget in (self.state, self.bar, self.counts):
            column.addWidget(widget)
        shown = QHBoxLayout()
        shown.addWidget(self.filter)
        shown.addStretch(1)
        shown.addWidget(self.export_button)
        column.addLayout(shown)
        column.addWidget(self.table, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for button in (self.stop_button, self.pause_button, self.go_button, self.close_button):
            buttons.addWidget(button)
        column.addLayout(buttons)

    def show_job(self, job: Job, *, running: bool, in_flight: int = 0, rate: float = 0.0) -> None:
        """How far it is; what can be done with it now."""
        shown = JobState.RUNNING if running else job.state
        glyph, tone = _JOB[shown]
        self.state.set_note(
            glyph, tone, f"Running · {count(job.done)} of {count(job.total)}" if running else words(job)
        )
        self.bar.setRange(0, 1_000)
        self.bar.setValue(job.done * 1_000 // max(1, job.total))
        parts = [f"{count(n)} {state.value}" for state in ItemState if (n := job.count(state))]
        if running:
            parts += [f"{in_flight} under way", f"{rate:.1f} / s"]
        self.counts.setText(" · ".join(parts))
        self.pause_button.setVisible(running)
        self.stop_button.setVisible(running or not job.state.final)
        self.go_button.setVisible(not running and not job.state.final)
        self.close_button.setVisible(not running)

    def show_items(self, reports: Sequence[ItemReport]) -> None:
        """The items, in order."""
        same = [item.number for item in reports] == [item.number for item in self.reports]
        self.reports = tuple(reports)
        if same:
            self.table.list_model.renew(self._cells)
            return
        place = self.table.verticalScrollBar().value()
        self.table.list_model.set_rows(0, self._cells)
        self.table.list_model.set_rows(len(self.reports), self._cells)
        self.table.verticalScrollBar().setValue(place)

    def _cells(self, row: int) -> tuple[Cell, ...]:
        item = self.reports[row]
        why = plain(item.why, 300)
        return (
            Cell(plain(item.target.label, 120), code=True, tooltip=item.title),
            Cell(item.state.value, _STATES[item.state]),
            Cell(duration(item.took_ns)),
            Cell(why, tone="muted", tooltip=item.why),
        )
