"""Messages of a replay's threads, brought to the GUI thread in batches, so that no frame is late. GUI thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

_EVERY_MS: Final = 30
_AT_ONCE: Final = 250  # messages in one turn: about two milliseconds


class Inbox(QObject):
    """``put`` may be called in any thread; ``arrived`` carries a list of what was put, in order."""

    arrived = Signal(object)
    _filled = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._items: deque[Any] = deque()
        self._lock = threading.Lock()
        self._told = False
        self._filled.connect(self._on_filled, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)

    def put(self, item: Any) -> None:
        """Any thread."""
        with self._lock:
            self._items.append(item)
            first, self._told = not self._told, True
        if first:
            # The window may be gone by now; then nobody waits for it.
            with contextlib.suppress(RuntimeError):
                self._filled.emit()

    def stop(self) -> None:
        """Delivers nothing any more."""
        self._timer.stop()
        with self._lock:
            self._items.clear()
            self._told = True

    @Slot()
    def _on_filled(self) -> None:
        if not self._timer.isActive():
            self._timer.start(0)

    def _deliver(self) -> None:
        with self._lock:
            batch = [self._items.popleft() for _ in range(min(_AT_ONCE, len(self._items)))]
            self._told = bool(self._items)
            more = self._told
        if batch:
            self.arrived.emit(batch)
            # A pause even when nothing is left: what comes next waits for its batch.
            with self._lock:
                self._told = True
            self._timer.start(0 if more else _EVERY_MS)
