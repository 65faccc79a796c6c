"""Warms what the first click would wait for, in a thread, once the window has been painted."""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QTimer

from app.pages import PAGES
from engine_bridge import bridge

if TYPE_CHECKING:
    from app.window import MainWindow

#: pyqtgraph is not here: it makes Qt objects while it is imported, so its user decides when.
_MODULES: Final = (
    "numpy",
    "engine_bridge.history",
    "engine_bridge.query",
    *(spec.place.partition(":")[0] for spec in PAGES),
    "app.overlays",
    "PySide6.QtSvg",
    "numpy.ma",  # some of numpy's functions import it when they are first called
    "networkx",
    "pygments",
)


def after_first_paint(window: MainWindow) -> None:
    """Starts warming when the event loop is idle for the first time; then builds the pages, a piece a turn.

    Until its modules are there no page is built: the GUI thread would wait for what the other thread is importing.
    """
    pages = window.router.pages
    pages.ready = False

    def build() -> None:
        more = pages.build_next()
        if not pages.ready and pages.all():
            pages.ready = True
            window.router.show()
        if more:
            soon()

    def soon() -> None:
        QTimer.singleShot(0, window, lambda: window.deliver(build))

    def work() -> None:
        try:
            warm()
        finally:
            gc.freeze()
            window.deliver(build)

    QTimer.singleShot(0, window, lambda: window.sources.in_thread("playhead-warm", work))


def warm() -> None:
    """Reads the entry points, and imports what engines and pages use. Any thread."""
    for name in bridge.engine_names():
        bridge.load_engine(name)
    for module in _MODULES:
        importlib.import_module(module)
