"""Finds text in a history's events in small slices of time, so that the window never waits. GUI thread."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.history import History
from widgets.run.event_model import decoded, detail_of

_SLICE_S = 0.006
_STEP = 64


class EventFilter(QObject):
    """``found`` carries rows (rising): first those whose step's name says it all, which takes no decoding, then those
    of one slice after the other; ``finished`` comes after the last."""

    found = Signal(object)
    finished = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._words: list[str] = []
        self._next = 0
        self._named = np.zeros(0, bool)
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._slice)

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    @property
    def progress(self) -> tuple[int, int]:
        """Events looked at, of how many."""
        return self._next, len(self._history) if self._history is not None else 0

    def start(self, history: History, text: str) -> None:
        """Looks for events that hold every word of ``text``, in any case, from the first on."""
        self._history, self._words, self._next = history, text.casefold().split(), 0
        self._named = _by_name(history, self._words)
        if self._named.any():
            self.found.emit(np.flatnonzero(self._named))
        self._timer.start()
        self._slice()

    def resume(self) -> None:
        """Looks at what the history gained."""
        if self._history is not None:
            self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._history = None

    def _slice(self) -> None:
        history = self._history
        if history is None:
            return
        end = time.perf_counter() + _SLICE_S
        rows: list[int] = []
        total = len(history)
        while self._next < total and time.perf_counter() < end:
            stop = min(self._next + _STEP, total)
            known = len(self._named)
            rows += [
                row
                for row in range(self._next, stop)
                if not (row < known and self._named[row]) and self._matches(history, row)
            ]
            self._next = stop
        done = self._next >= total
        if done:
            self._timer.stop()
        if rows:
            self.found.emit(np.array(rows, np.int64))
        if done:
            self.finished.emit()

    def _matches(self, history: History, row: int) -> bool:
        event = decoded(history, row)
        text = f"{event.kind.value} {event.name} {event.step_name or ''} {detail_of(event)}".casefold()
        return all(word in text for word in self._words)


def _by_name(history: History, words: list[str]) -> NDArray[np.bool_]:
    """Which events belong to a step whose name holds every word."""
    names = np.array([all(word in name.casefold() for word in words) for name in history.names], bool)
    step = history.events["step"]
    if not names.any() or not history.n_steps:
        return np.zeros(len(step), bool)
    found: NDArray[np.bool_] = (step >= 0) & names[history.steps["name"][np.maximum(step, 0)]]
    return found
