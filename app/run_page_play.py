"""Plays the playhead forward at recorded pace, waits cut short. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.codes import NO_TIME
from engine_bridge.history import History

TICK_MS: Final = 40
LONGEST_WAIT_NS: Final = 1_000_000_000  # of the user's time, whatever the speed
_MS: Final = 1_000_000


def advance(history: History, position: int, clock_ns: int, speed: int) -> tuple[int, int]:
    """The position and the recorded time one tick later.

    Events are passed in the run's order while their time is not after the clock; those without a time, or earlier than
    their predecessor, are passed at once. Gaps longer than a second of the user's time are cut.
    """
    events = history.events
    row = history.row_of(position) + 1
    clock_ns += TICK_MS * _MS * speed
    if row >= len(history):
        return position, clock_ns
    following = int(events["time_ns"][row])
    if following != NO_TIME:
        clock_ns = max(clock_ns, following - LONGEST_WAIT_NS * speed)
    while row < len(history) and events["time_ns"][row] <= clock_ns:
        position = int(events["position"][row])
        row += 1
    return position, clock_ns


class Player(QObject):
    """``moved`` carries the next position; ``changed`` says that playing began or ended."""

    moved = Signal(object)
    changed = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.speed = 1
        self._history: History | None = None
        self._position = 0
        self._clock_ns = 0
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def start(self, history: History, position: int | None) -> None:
        """Plays from a position; from the first event when LIVE or at the end."""
        if not len(history):
            return
        self._history = history
        at_end = position is None or position >= history.last_position
        self._position = int(history.events["position"][0]) if at_end or position is None else position
        time_ns = int(history.events["time_ns"][max(0, history.row_of(self._position))])
        self._clock_ns = 0 if time_ns == NO_TIME else time_ns
        self._timer.start()
        self.changed.emit(True)
        self.moved.emit(self._position)

    def stop(self) -> None:
        if self.playing:
            self._timer.stop()
            self.changed.emit(False)

    def tick(self) -> None:
        """One step of the clock."""
        history = self._history
        if history is None:
            return
        before = self._position
        self._position, self._clock_ns = advance(history, before, self._clock_ns, self.speed)
        if self._position != before:
            self.moved.emit(self._position)
        if self._position >= history.last_position:
            self.stop()
