"""Work in a thread of its own, its result in the GUI thread: journal files, actors, exports."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from app.sources import Sources
from engine_bridge.errors import PlayheadError

Failed = Callable[[PlayheadError], None]


class Work(QObject):
    """Runs functions off the GUI thread; ``Sources.close_all`` waits for them. GUI thread, but for the work itself."""

    _arrived = Signal(object)

    def __init__(self, sources: Sources, report: Failed, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sources = sources
        self._report = report
        self._newest: dict[str, int] = {}
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        slot: str,
        work: Callable[[], Any],
        then: Callable[[Any], None] = lambda _: None,
        failed: Failed | None = None,
    ) -> None:
        """Starts work; of several in one slot only the newest one's result arrives. Errors are reported by default."""
        number = self._newest[slot] = self._newest.get(slot, 0) + 1

        def run() -> None:
            value, error = None, None
            try:
                value = work()
            except BaseException as caught:  # noqa: BLE001  whatever it was is shown in the window
                from engine_bridge.session import describe_error

                error = describe_error(caught)
            with suppress(RuntimeError):  # the window may be gone by then
                self._arrived.emit((slot, number, then, failed or self._report, value, error))

        self._sources.in_thread(f"playhead-{slot}", run)

    def _deliver(self, message: tuple[str, int, Callable[[Any], None], Failed, Any, Any]) -> None:
        slot, number, then, failed, value, error = message
        if self._newest.get(slot) != number:
            return
        if error is None:
            then(value)
        else:
            failed(error)

    def forget(self, slot: str) -> None:
        """Whatever the slot still does, nobody waits for it."""
        self._newest[slot] = self._newest.get(slot, 0) + 1

    def stop(self) -> None:
        """Nobody waits for anything any more."""
        for slot in list(self._newest):
            self.forget(slot)
