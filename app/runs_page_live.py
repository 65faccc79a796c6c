"""Live updates that never move what the user is reading.

Rows change in place. New rows wait above ("3 new above · show") unless the user is at the very top with
nothing selected and the mouse elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer

from engine_bridge.bridge import Capability, Changes, Page
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run
from engine_bridge.session import Session

if TYPE_CHECKING:
    from app.runs_page import RunsPage

POLL_MS: Final = 500
_SLOWEST_MS: Final = 10_000
_TICK_MS: Final = 1_000
_PEEK: Final = 200
_HEAD: Final = 1_000  # rows kept above the list before it is read anew


class Live(QObject):
    """Polls the source while the page is shown. GUI thread."""

    def __init__(self, page: RunsPage) -> None:
        super().__init__(page)
        self._page = page
        self._view = page.view
        self._jobs = page.jobs
        self._session: Session | None = None
        self._mark: bytes | None = None
        self._waiting: list[Run] = []
        self._flood = False
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self.tick)

    @property
    def above(self) -> int:
        """How many new rows are known to stand above the list as it was loaded."""
        return len(self._waiting) + len(self._view.model.blocks.head)

    @property
    def waiting(self) -> int:
        """How many new rows wait to be shown."""
        return len(self._waiting)

    def begin(self, session: Session) -> None:
        """A list is being read anew from this session: what changes from now on counts."""
        self._session = session
        self._mark = None
        self._timer.setInterval(POLL_MS)
        self._forget()
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
        self._jobs.cancel("peek")

    def tick(self) -> None:
        """Lets open durations grow."""
        first, last = self._view.table.visible_rows
        self._view.model.tick(self._page.facts.now_ns, first, last)

    def poll(self) -> None:
        """Asks what changed, unless the last question is still open."""
        source = self._page.source()
        if source is None or self._session is None or source.session is not self._session:
            return
        if source.can(Capability.CHANGES) or self._jobs.running("changes"):
            return
        self._jobs.run(
            "changes",
            self._session,
            "changes",
            self._mark,
            self._visible(),
            on_result=self._on_changes,
            on_error=self._on_error,
        )

    def _visible(self) -> tuple[object, ...]:
        first, last = self._view.table.visible_rows
        items = (self._view.model.item(row) for row in range(first, last + 1))
        return tuple(run.ref for run in items if run is not None)

    def _on_error(self, error: PlayheadError) -> None:
        # The shell's watch tells the user that a source is gone; asking less often is all there is to do here.
        self._timer.setInterval(min(_SLOWEST_MS, self._timer.interval() * 2))

    def _on_changes(self, changes: Changes) -> None:
        first = self._mark is None
        self._mark = changes.mark
        self._timer.setInterval(POLL_MS)
        if changes.reset:
            self._page.refresh()
        elif changes.moved and not first:
            self._view.model.update_items(changes.changed)
            self._update_waiting(changes.changed)
            if changes.new or not self._view.showing_rows:
                self._peek()

    def _update_waiting(self, changed: tuple[Run, ...]) -> None:
        newer = {run.ref: run for run in changed}
        self._waiting = [newer.get(run.ref, run) for run in self._waiting]

    def _peek(self) -> None:
        # Only the source can tell which new runs match the filter and where they stand: ask for the first page.
        if self._session is None or self._page.scan.active or self._page.feed.opening:
            return
        self._jobs.run(
            "peek",
            self._session,
            "runs",
            self._page.node,
            self._page.sort,
            None,
            "forward",
            _PEEK,
            on_result=self._on_peek,
            on_error=self._on_error,
        )

    def _on_peek(self, page: Page) -> None:
        model = self._view.model
        top = model.item(0)
        if top is None:
            if page.items:
                self._page.refresh()
            return
        fresh = [run for run in page.items if model.blocks.row_of(run.ref) is None]
        known = [number for number, run in enumerate(page.items) if run.ref == top.ref]
        self._flood = not known
        self._waiting = list(page.items[: known[0]]) if known else fresh
        if self._undisturbed():
            self.show_new()
        else:
            self._view.new_above.show_count(len(self._waiting), at_least=self._flood)

    def _undisturbed(self) -> bool:
        table = self._view.table
        return (
            table.at_top and not table.selectionModel().hasSelection() and not table.viewport().underMouse()
        )

    def show_new(self) -> None:
        """Brings the new rows in, and goes to the top."""
        waiting, flood = self._waiting, self._flood
        self._forget()
        if not waiting:
            return
        table = self._view.table
        if flood or len(self._view.model.blocks.head) + len(waiting) > _HEAD:
            self._page.refresh()
        else:
            self._view.model.prepend(waiting)
        table.scrollToTop()

    def _forget(self) -> None:
        self._waiting, self._flood = [], False
        self._view.new_above.show_count(0)
