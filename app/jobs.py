"""Background work for the GUI: results of session calls, delivered in the GUI thread.

A :class:`Jobs` belongs to one owner (a page's controller). Whatever arrives after ``cancel_all`` or after a
newer call took the same slot is dropped: late results for an old focus never reach a view.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from engine_bridge.errors import CancelledError, PlayheadError

if TYPE_CHECKING:  # sessions bring thread pools along, which the start-up path has no use for
    from engine_bridge.session import Call, Session

OnResult = Callable[[Any], None]
OnError = Callable[[PlayheadError], None]
PROGRESS_AFTER_MS = 200


class _Job:
    """Callbacks of one call, and whether they are still wanted."""

    def __init__(self, slot: str, on_result: OnResult, on_error: OnError, on_item: OnResult | None) -> None:
        self.slot = slot
        self.on_result = on_result
        self.on_error = on_error
        self.on_item = on_item
        self.call: Call | None = None
        self.wanted = True
        self.latest_progress: tuple[int, int | None, str] | None = None


class Jobs(QObject):
    """Runs session calls and brings their results home. GUI thread, but for ``_post``.

    ``busy`` carries (slot, text, done, total, cancel) when a call lasts longer than 200 ms, and
    (slot, None, 0, None, None) when it has ended: the window's progress chip with its Cancel button. ``given_up``
    carries the slot that the user cancelled there.
    """

    busy = Signal(object)
    given_up = Signal(object)
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._slots: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setInterval(PROGRESS_AFTER_MS)
        self._timer.timeout.connect(self._show_progress)
        self._shown: set[str] = set()
        self._young: set[str] = set()

    def run(
        self,
        slot: str,
        session: Session,
        method: str,
        *args: Any,
        on_result: OnResult,
        on_error: OnError,
        on_item: OnResult | None = None,
    ) -> Call:
        """Starts a call in a named slot, cancelling what the slot ran before.

        ``on_item`` makes it a stream. A cancelled call calls neither callback.
        """
        self.cancel(slot)
        job = _Job(slot, on_result, on_error, on_item)
        self._slots[slot] = job

        def progress(done: int, total: int | None, text: str) -> None:
            job.latest_progress = (done, total, text)

        if on_item is None:
            call = session.call(method, *args, on_progress=progress)
        else:
            call = session.stream(
                method,
                *args,
                on_item=lambda item: self._post(job, "item", item),
                on_progress=progress,
            )
        job.call = call
        call.when_done(lambda c: self._post(job, "done", c))
        if method != "tail":
            self._young.add(slot)
            self._timer.start()
        return call

    def _post(self, job: _Job, kind: str, value: Any) -> None:
        # Who waits no more may be gone, and this with it.
        if job.wanted:
            with suppress(RuntimeError):
                self._arrived.emit((job, kind, value))

    def cancel(self, slot: str) -> None:
        """Cancels a slot's call; its results are dropped from now on."""
        job = self._slots.pop(slot, None)
        if job is not None:
            job.wanted = False
            if job.call is not None:
                job.call.cancel()
            self._end(slot)

    def cancel_all(self) -> None:
        for slot in list(self._slots):
            self.cancel(slot)

    def waiting(self, streams: tuple[str, ...] = ()) -> bool:
        """Whether any call but those of the named slots is under way."""
        return any(slot not in streams for slot in self._slots)

    def running(self, slot: str) -> bool:
        return slot in self._slots

    @Slot(object)
    def _deliver(self, message: tuple[_Job, str, Any]) -> None:
        job, kind, value = message
        if not job.wanted:
            return
        if kind == "item" and job.on_item is not None:
            job.on_item(value)
            return
        job.wanted = False
        if self._slots.get(job.slot) is job:
            del self._slots[job.slot]
            self._end(job.slot)
        error = value.error
        if error is None:
            job.on_result(value.result())
        elif not isinstance(error, CancelledError):
            from engine_bridge.session import describe_error

            job.on_error(describe_error(error))

    def _show_progress(self) -> None:
        for slot, job in list(self._slots.items()):
            if job.call is None or job.call.method == "tail":
                continue
            if slot in self._young:
                self._young.discard(slot)
                continue
            done, total, text = job.latest_progress or (0, None, "")
            self._shown.add(slot)
            self.busy.emit(
                (slot, text or f"{job.call.method} …", done, total, lambda s=slot: self._give_up(s))
            )
        if not any(j.call and j.call.method != "tail" for j in self._slots.values()):
            self._timer.stop()

    def _give_up(self, slot: str) -> None:
        if slot in self._slots:
            self.cancel(slot)
            self.given_up.emit(slot)

    def _end(self, slot: str) -> None:
        self._young.discard(slot)
        if slot in self._shown:
            self._shown.discard(slot)
            self.busy.emit((slot, None, 0, None, None))
