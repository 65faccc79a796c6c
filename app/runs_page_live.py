"""Live updates of a list: rows change in place, open durations grow, new rows wait above. Nothing else moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.context import PageController
from engine_bridge.bridge import Capability, Changes
from engine_bridge.errors import PlayheadError
from engine_bridge.session import Session
from widgets.table.view import PagedView

POLL_MS: Final = 500
_SLOWEST_MS: Final = 10_000
_SHARE: Final = 2  # at most every other moment is spent on asking
_TICK_MS: Final = 1_000


class Live(QObject):
    """Polls the source of a page while the page is shown. GUI thread. ``moved`` carries the Changes."""

    moved = Signal(object)

    def __init__(
        self, page: PageController, table: PagedView, now_ns: Callable[[], int] | None = None
    ) -> None:
        super().__init__(page)
        self._page = page
        self._jobs = page.jobs
        self._table = table
        self._now_ns = now_ns or time.time_ns
        self._session: Session | None = None
        self._mark: bytes | None = None
        self._asked_s = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self.tick)

    @property
    def running(self) -> bool:
        """Whether the page is shown, and so watched."""
        return self._timer.isActive()

    @property
    def watching(self) -> bool:
        """Whether changes are counted from a mark already."""
        return self._mark is not None

    def begin(self, session: Session) -> None:
        """A list is being read anew from this session: what changes from now on counts."""
        self._session = session
        self._mark = None
        self._timer.setInterval(POLL_MS)
        self.poll()

    def start(self) -> None:
        """The page is shown."""
        self._timer.start()
        self._ticker.start()

    def stop(self) -> None:
        """The page is hidden, or closed."""
        self._timer.stop()
        self._ticker.stop()
        self._jobs.cancel("changes")

    def tick(self) -> None:
        """Time has passed: open durations grow."""
        first, last = self._table.visible_rows
        self._table.paged.tick(self._now_ns(), first, last)

    def poll(self) -> None:
        """Asks what changed, unless the last question is still open."""
        source = self._page.source()
        if source is None or self._session is None or source.session is not self._session:
            return
        if source.can(Capability.CHANGES) or self._jobs.running("changes"):
            return
        self._asked_s = time.monotonic()
        self._jobs.run(
            "changes",
            self._session,
            "changes",
            self._mark,
            self._table.visible_refs(),
            on_result=self._on_changes,
            on_error=self._on_error,
        )

    def _on_error(self, error: PlayheadError) -> None:
        # The shell's watch tells the user that a source is gone; asking less often is all there is to do here.
        self._timer.setInterval(min(_SLOWEST_MS, self._timer.interval() * 2))

    def _on_changes(self, changes: Changes) -> None:
        first, self._mark = self._mark is None, changes.mark
        cost_ms = int((time.monotonic() - self._asked_s) * 1000)
        self._timer.setInterval(min(max(POLL_MS, _SHARE * cost_ms), _SLOWEST_MS))
        if changes.reset:
            self._page.refresh()
        elif changes.moved and not first:
            self.moved.emit(changes)
