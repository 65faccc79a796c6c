"""Reads a run's history and follows its tail: restarts, lost connections and deleted runs included."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.jobs import Jobs
from app.run_page_decoded import Decoded
from engine_bridge.errors import ConnectError, NotFoundError, PlayheadError
from engine_bridge.history import Batch, History, Restart
from engine_bridge.model import RunRef
from engine_bridge.session import Session

COALESCE_MS: Final = 50
READING_MS: Final = 200  # while what is recorded is still being read, and every look is at more than the last
_IDS: Final = 500  # step ids read ahead in an idle moment
_BLOCKS: Final = 4
RETRY_MS: Final = 3_000


class RunFeed(QObject):
    """One history at a time. GUI thread.

    ``opened`` comes when there is something to show, ``grown`` after more arrived (at most every 50 ms, or 200 ms while
    it is still being read), ``done`` when all that is recorded now has been read; ``restarted`` carries why the engine
    rewrote the history; ``failed`` an error before anything could be shown; ``lost`` the error that stopped live
    updates, None when they are back.
    """

    opened = Signal()
    grown = Signal()
    done = Signal()
    restarted = Signal(str)
    failed = Signal(object)
    lost = Signal(object)

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.decoded = Decoded(jobs, self)
        self.history = History()
        self._session: Session | None = None
        self._ref: RunRef | None = None
        self._opened = self._complete = self._lost = False
        self._follow = False
        self._clock_offset_ns = 0
        self._opening = QTimer(self)
        self._opening.setSingleShot(True)
        self._opening.timeout.connect(self._open)
        self._coalesce = QTimer(self)
        self._coalesce.setSingleShot(True)
        self._coalesce.timeout.connect(self.grown)
        self._ahead = QTimer(self)
        self._ahead.timeout.connect(self._read_ahead)
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.setInterval(RETRY_MS)
        self._retry.timeout.connect(self._tail)

    @property
    def complete(self) -> bool:
        """Whether all that was recorded when it was opened has been read."""
        return self._complete

    @property
    def now_ns(self) -> int:
        """The engine's clock, carried on by ours since its last word."""
        return time.time_ns() + self._clock_offset_ns

    def load(self, session: Session, ref: RunRef, *, follow: bool) -> None:
        """Reads a history from its start; ``follow`` goes on with its tail."""
        self.stop()
        self._session, self._ref, self._follow = session, ref, follow
        self._opened = self._complete = self._lost = False
        self.history = session.empty_history()
        self.decoded.lay_over(self.history, session)
        self._jobs.run(
            "history",
            session,
            "history",
            ref,
            on_item=self._on_batch,
            on_result=self._on_read,
            on_error=self._on_error,
        )

    def resume(self) -> None:
        """Follows the tail again after ``stop``, or reads on from the start when it was not read to the end."""
        if self._session is None or self._ref is None:
            return
        if self._complete and self._opened:
            self._tail()
        else:
            self.load(self._session, self._ref, follow=self._follow)

    def stop(self) -> None:
        """Reads no more; what has been read stays."""
        for slot in ("history", "tail"):
            self._jobs.cancel(slot)
        for timer in (self._opening, self._coalesce, self._retry, self._ahead):
            timer.stop()

    def forget(self) -> None:
        """Stops and forgets the run."""
        self.stop()
        self.decoded.forget()
        self._session = self._ref = None
        self.history = History()

    def _on_batch(self, item: Batch | Restart) -> None:
        if isinstance(item, Restart):
            self._restart(item.reason)
            return
        try:
            self.history.append(item)
        except ValueError:
            self._restart("the order of its events changed")
            return
        if item.run is not None:
            self.decoded.header(self.history, item.run)
        if item.engine_now_ns is not None:
            self._clock_offset_ns = item.engine_now_ns - time.time_ns()
        if self._lost:
            self._lost = False
            self.lost.emit(None)
        if not self._opened:
            if self.history.run is not None:
                self._opening.start(
                    0
                )  # a turn of its own: taking a large batch and showing it are too much for one
        elif not self._coalesce.isActive() and _says_something(item):
            self._coalesce.start(COALESCE_MS if self._complete else READING_MS)

    def _restart(self, reason: str) -> None:
        session, ref = self._session, self._ref
        if session is None or ref is None:
            return
        self.restarted.emit(reason)
        self.load(session, ref, follow=self._follow)

    def _open(self) -> None:
        self._opened = True
        self.opened.emit()
        if self._complete:
            self._finish()

    def _on_read(self, _: object) -> None:
        self._complete = True
        if self._opening.isActive():
            return
        if not self._opened:
            self.failed.emit(NotFoundError("This run has no history.", "It may have been deleted meanwhile."))
            return
        self._finish()

    def _finish(self) -> None:
        if self._coalesce.isActive():
            self._coalesce.stop()
            self.grown.emit()
        self.done.emit()
        self._ahead.start(1)
        self._tail()

    def _read_ahead(self) -> None:
        """Step ids are known before one is asked for: reading them all at once would take longer than a frame. Nor does
        looking for words wait then for what can be prepared."""
        if not self.history.map_steps(_IDS) and not self.history.lay_out(_BLOCKS):
            self._ahead.stop()

    def _tail(self) -> None:
        if not self._follow or self._session is None or self._ref is None:
            return
        self._jobs.run(
            "tail",
            self._session,
            "tail",
            self._ref,
            self.history.last_position,
            on_item=self._on_batch,
            on_result=lambda _: None,
            on_error=self._on_tail_error,
        )

    def _on_error(self, error: PlayheadError) -> None:
        if self._opened or self._opening.isActive():
            self._on_tail_error(error)
        else:
            self.failed.emit(error)

    def _on_tail_error(self, error: PlayheadError) -> None:
        self._lost = True
        self.lost.emit(error)
        # A server may come back; a deleted run or a missing grant does not.
        if isinstance(error, ConnectError):
            self._retry.start()


def _says_something(batch: Batch) -> bool:
    return bool(len(batch.events["position"]) or len(batch.step_rows) or batch.run is not None or batch.notes)
