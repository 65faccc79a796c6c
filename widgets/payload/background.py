"""Runs pure functions off the GUI thread, newest question first come home only. GUI thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer

_LOOK_MS: Final = 5


class Background(QObject):
    """One question at a time: an answer to an older one is dropped. Functions must touch no widget.

    Threads leave their answers in a queue that is looked at here: a signal of a QObject that dies meanwhile would
    reach into freed memory.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = 0
        self._on_done: Callable[[Any], None] | None = None
        self._on_error: Callable[[Exception], None] | None = None
        self._answers: deque[tuple[int, Any, Exception | None]] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

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
        args = (self._answers, self._generation, work)
        threading.Thread(target=_work, args=args, name="playhead-decode", daemon=True).start()
        self._timer.start()

    def cancel(self) -> None:
        """Drops the answer that is awaited."""
        self._generation += 1
        self._on_done = self._on_error = None
        self._timer.stop()

    def _look(self) -> None:
        while self._answers and self._on_done is not None:
            self._deliver(*self._answers.popleft())
        if self._on_done is None:
            self._timer.stop()

    def _deliver(self, generation: int, answer: Any, error: Exception | None) -> None:
        if generation != self._generation or self._on_done is None:
            return
        on_done, on_error = self._on_done, self._on_error
        self._on_done = self._on_error = None
        if error is None:
            on_done(answer)
        elif on_error is not None:
            on_error(error)


def _work(
    answers: deque[tuple[int, Any, Exception | None]], generation: int, work: Callable[[], Any]
) -> None:
    try:
        answers.append((generation, work(), None))
    except Exception as failure:  # noqa: BLE001  whatever a decoder raises is shown, not lost in a thread
        answers.append((generation, None, failure))
