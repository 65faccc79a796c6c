"""Warms what the first click would wait for, in a thread, once the window has been painted."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QTimer

from engine_bridge import bridge

if TYPE_CHECKING:
    from app.window import MainWindow

#: pyqtgraph is not here: it makes Qt objects while it is imported, so the GUI thread imports it on first use.
_MODULES: Final = (
    "numpy",
    "engine_bridge.history",
    "engine_bridge.query",
    "sqlalchemy",
    "networkx",
    "pygments",
)


def after_first_paint(window: MainWindow) -> None:
    """Starts warming when the event loop is idle for the first time."""
    QTimer.singleShot(0, window, lambda: window.sources.in_thread("playhead-warm", warm))


def warm() -> None:
    """Reads the entry points, and imports what pages and engines use. Any thread."""
    for name in bridge.engine_names():
        bridge.load_engine(name)
    for module in _MODULES:
        if threading.main_thread().is_alive():
            importlib.import_module(module)
