"""Cyclic garbage is collected in the GUI thread only, and never so much at once that a frame is late.

Python collects cycles in whatever thread happens to allocate. A cycle that holds a widget, a timer or an item of a
chart would then be destroyed in a thread that reads a source, and Qt crashes the process.
"""

from __future__ import annotations

import gc
import time
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication

_EVERY_MS: Final = 1_000
_YOUNG: Final = 2_000  # objects made since the last look, below which looking is not worth it
_FLOOD: Final = 25_000  # above, a look would take milliseconds: imports, or a payload's tree, and no garbage
_FULL_S: Final = 300.0  # between two looks at everything


class Collector(QObject):
    """Takes over from the interpreter's own collector until its parent dies. GUI thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        # What start-up made lives until the end: looking at it again and again would only cost frames.
        gc.freeze()
        gc.disable()
        self._full_s = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Collects what has become garbage since; everything only while the user works in another application."""
        young = gc.get_count()[0]
        if young > _FLOOD:
            gc.freeze()
        elif young > _YOUNG:
            gc.collect(1)
        if _away() and time.monotonic() - self._full_s > _FULL_S:
            self._full_s = time.monotonic()
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def stop(self) -> None:
        """The window is closing."""
        self._timer.stop()


def _away() -> bool:
    return QGuiApplication.applicationState() != Qt.ApplicationState.ApplicationActive
