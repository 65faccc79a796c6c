"""Scans: a filter that only decoding can answer is searched piece by piece, and says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject

from app.jobs import Jobs
from app.runs_page_feed import Feed
from engine_bridge.bridge import Page
from widgets.table.bars import ScanBar
from widgets.table.model import PagedModel

_ENOUGH: Final = 60  # rows found at which a scan waits for the user


class Scan(QObject):
    """Drives one list's scan bar: goes on by itself until a screenful is found, then on request. GUI thread."""

    def __init__(self, jobs: Jobs, feed: Feed, model: PagedModel, bar: ScanBar) -> None:
        super().__init__(feed)
        self._feed = feed
        self._model = model
        self._bar = bar
        self._searched = 0
        self._of: int | None = None
        self._is_scan = False
        self._stopped = False
        self._through = False
        feed.started.connect(self._on_started)
        feed.read.connect(self._on_read)
        jobs.busy.connect(self._on_busy)
        bar.continued.connect(self._on_continued)
        feed.cancelled.connect(self._on_cancelled)
        bar.cancelled.connect(feed.cancel)

    @property
    def active(self) -> bool:
        """Whether the list in force can be answered only by looking at every row."""
        return self._is_scan

    @property
    def through(self) -> bool:
        """Whether every row was looked at."""
        return self._is_scan and self._through and not self._model.blocks.more

    def _on_started(self) -> None:
        self._searched, self._of, self._is_scan, self._stopped = 0, None, False, False
        self._through = False
        self._bar.hide()

    def _on_read(self, page: Page) -> None:
        if page.searched is None:
            return
        self._is_scan = True
        self._searched += page.searched
        self._of = page.of
        self._through = self._model.blocks.resume is None
        if self._through:
            self._bar.hide()
        elif self._model.rowCount() < _ENOUGH and not self._stopped:
            self._model.continue_scan()
            self._bar.show_running(self._searched, self._of, self._model.rowCount())
        else:
            self._pause()

    def _on_busy(self, message: tuple[str, str | None, int, int | None, Callable[[], None] | None]) -> None:
        slot, text, done, total, _ = message
        if text is not None and total is not None and self._feed.owns(slot):
            self._bar.show_running(self._searched + done, total, self._model.rowCount())

    def _on_continued(self) -> None:
        self._stopped = False
        if self._model.continue_scan():
            self._bar.show_running(self._searched, self._of, self._model.rowCount())

    def _on_cancelled(self) -> None:
        # The user has seen enough; what was found stays, and the scan can go on later.
        self._stopped = True
        self._pause()

    def _pause(self) -> None:
        self._through = self._model.blocks.resume is None
        if self._through:
            self._bar.hide()
        else:
            self._bar.show_paused(self._searched, self._of, self._model.rowCount())
