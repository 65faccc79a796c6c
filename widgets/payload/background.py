"""Runs pure functions off the GUI thread, newest question first come home only. GUI thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Background(QObject):
    """One question at a time: an answer to an older one is dropped. Functions must touch no widget."""

    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._on_done: Callable[[Any], None] | None = None
        self._on_error: Callable[[Exception], None] | None = None
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        return self._on_done is not None

    def run(
        self,
        work: Callable[[], Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Calls ``work`` in a thread of its own, then ``on_done`` (or ``on_error``) here."""
        self._generation += 1
        self._on_done, self._on_error = on_done, on_error
        args = (self._generation, work)
        threading.Thread(target=self._work, args=args, name="playhead-decode", daemon=True).start()

    def cancel(self) -> None:
        """Drops the answer that is awaited."""
        self._generation += 1
        self._on_done = self._on_error = None

    def _work(self, generation: int, work: Callable[[], Any]) -> None:
        try:
            answer, error = work(), None
        except Exception as failure:  # noqa: BLE001  whatever a decoder raises is shown, not lost in a thread
            answer, error = None, failure
        # The view may be gone by now; then nobody waits for the answer.
        with contextlib.suppress(RuntimeError):
            self._answered.emit((generation, answer, error))

    @Slot(object)
    def _deliver(self, message: tuple[int, Any, Exception | None]) -> None:
        generation, answer, error = message
        if generation != self._generation or self._on_done is None:
            return
        on_done, on_error = self._on_done, self._on_error
        self._on_done = self._on_error = None
        if error is None:
            on_done(answer)
        elif on_error is not None:
            on_error(error)
