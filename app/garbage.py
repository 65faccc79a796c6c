"""Cyclic garbage is collected in the GUI thread only.

Python collects cycles in whatever thread happens to allocate. A cycle that holds a widget, a timer or an item of a
chart would then be destroyed in a thread that reads a source, and Qt crashes the process.
"""

from __future__ import annotations

import gc
from typing import Final

from PySide6.QtCore import QObject, QTimer

_EVERY_MS: Final = 1_000
_YOUNG: Final = 2_000  # objects made since the last look, below which looking is not worth it
_FULL: Final = 20  # looks between two at everything


class Collector(QObject):
    """Takes over from the interpreter's own collector until its parent dies. GUI thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.collect()
        # What start-up made lives until the end: looking at it again and again would only cost frames.
        gc.freeze()
        gc.disable()
        self._looks = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Collects what has become garbage since; now and then all of it."""
        if gc.get_count()[0] < _YOUNG:
            return
        self._looks += 1
        gc.collect(2 if self._looks % _FULL == 0 else 1)

    def stop(self) -> None:
        """The window is closing."""
        self._timer.stop()
