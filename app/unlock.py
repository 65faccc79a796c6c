"""Which sources may be written to now: unlocked by the user, for a while, in this process only."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.sources import Sources

_TICK_MS: Final = 1_000


def _clock() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Unlocks(QObject):
    """Every source is locked until it is unlocked, and again when its time is up or it is closed. GUI thread.

    ``changed`` carries a source's key when it was unlocked or locked, and every second while it is unlocked;
    ``expired`` the key of one whose time was up.
    """

    changed = Signal(object)
    expired = Signal(object)

    def __init__(self, sources: Sources, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sources = sources
        self._until: dict[str, float] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.tick)
        sources.changed.connect(self._on_source)

    def unlocked(self, key: str) -> bool:
        return self.remaining(key) > 0

    def remaining(self, key: str) -> int:
        """Whole seconds until it locks itself; 0 when it is locked."""
        until = self._until.get(key)
        return 0 if until is None else max(0, int(until - _clock() + 0.999))

    def unlock(self, key: str, seconds: float) -> None:
        """Allows writing for so long; again: from now on."""
        self._until[key] = _clock() + seconds
        self._timer.start()
        self.changed.emit(key)

    def lock(self, key: str) -> None:
        if self._until.pop(key, None) is not None:
            self._rest()
            self.changed.emit(key)

    def tick(self) -> None:
        """Locks what is over, and tells how long the others still have."""
        for key in list(self._until):
            if self.unlocked(key):
                self.changed.emit(key)
            else:
                self.lock(key)
                self.expired.emit(key)

    def stop(self) -> None:
        """Locks everything: the application is closing."""
        self._until.clear()
        self._timer.stop()

    def _rest(self) -> None:
        if not self._until:
            self._timer.stop()

    def _on_source(self, key: str) -> None:
        source = self._sources.get(key)
        if source is None or source.session is None:
            self.lock(key)
