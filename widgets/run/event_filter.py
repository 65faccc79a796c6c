"""Finds text in a history's events in small slices of time, so that the window never waits. GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.history import BLOCK, History
from engine_bridge.model import Event
from widgets.run.event_model import decoded, detail_of

_SLICE_S = 0.006
_STEP = 64


class EventFilter(QObject):
    """``found`` carries rows (rising within each): first those whose step's name says it all, which takes no decoding;
    then those whose record holds the words, where the engine can tell; then, decoding one event after the other, those
    of which only the shown words say it. ``finished`` comes after the last."""

    found = Signal(object)
    finished = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._words: list[str] = []
        self._looks: list[_Look] = []
        self._hit = np.zeros(0, bool)
        self._timer = QTimer(self)
        self._timer.setInterval(1)  # Qt may fire one of 0 several times in a turn
        self._timer.timeout.connect(self._slice)

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    def start(self, history: History, text: str) -> None:
        """Looks for events that hold every word of ``text``, in any case, from the first on."""
        self._history, self._words = history, text.casefold().split()
        self._hit = _by_name(history, self._words)
        self._looks = [_Look(self._shown, _STEP)]
        if history.knows_words:
            self._looks.insert(0, _Look(partial(history.holding, words=text.split()), BLOCK))
        self._timer.start()
        if self._hit.any():
            self.found.emit(np.flatnonzero(self._hit))  # painting them is enough for this turn
        else:
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
        total = len(history)
        if total > len(self._hit):
            self._hit = np.concatenate((self._hit, np.zeros(total - len(self._hit), bool)))
        end = time.perf_counter() + _SLICE_S
        look = next((one for one in self._looks if one.next < total), None)
        rows: list[int] = []
        while look is not None and look.next < total and time.perf_counter() < end:
            rows += look.on(self._hit, total)
        self._hit[rows] = True
        done = all(one.next >= total for one in self._looks)
        if done:
            self._timer.stop()
        if rows:
            self.found.emit(np.array(rows, np.int64))
        if done:
            self.finished.emit()

    def _shown(self, rows: list[int]) -> list[int]:
        history = self._history
        return [] if history is None else [row for row in rows if self._says(decoded(history, row))]

    def _says(self, event: Event) -> bool:
        text = f"{event.kind.value} {event.name} {event.step_name or ''} {detail_of(event)}".casefold()
        return all(word in text for word in self._words)


class _Look:
    """One way of looking, and how far it has come; ``step`` rows at a time."""

    def __init__(self, matches: Callable[[list[int]], list[int]], step: int) -> None:
        self._matches = matches
        self._step = step
        self.next = 0

    def on(self, hit: NDArray[np.bool_], total: int) -> list[int]:
        """The rows of the next step that match and were not found before."""
        begin = self.next
        self.next = min(begin - begin % self._step + self._step, total)
        return self._matches((np.flatnonzero(~hit[begin : self.next]) + begin).tolist())


def _by_name(history: History, words: list[str]) -> NDArray[np.bool_]:
    """Which events belong to a step whose name holds every word."""
    names = np.array([all(word in name.casefold() for word in words) for name in history.names], bool)
    step = history.events["step"]
    if not names.any() or not history.n_steps:
        return np.zeros(len(step), bool)
    found: NDArray[np.bool_] = (step >= 0) & names[history.steps["name"][np.maximum(step, 0)]]
    return found
