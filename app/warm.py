"""Warms what the first click would wait for once the window has been painted: in a thread, then in small turns."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QTimer

from app.pages import PAGES
from engine_bridge import bridge
from widgets.glyphs import render_common
from widgets.qt_types import make_types

if TYPE_CHECKING:
    from app.window import MainWindow

#: What a thread may import: none of it knows Qt.
_LIBRARIES: Final = (
    "numpy",
    "numpy.ma",  # some of numpy's functions import it when they are first called
    "engine_bridge.history",
    "engine_bridge.query",
    "engine_bridge.steps",
    "engine_bridge.graph",
    "engine_bridge.payloads.masking",
    "engine_bridge.actions.journal",
    "engine_bridge.actions.execute",
    "engine_bridge.actions.bulk_model",
    "engine_bridge.playback",
    "engine_bridge.query.literals",
    "engine_bridge.session",
    "app.opening",
    "pygments",
)
#: What the GUI thread imports afterwards, in an order in which no import takes a frame's time.
_PAGES: Final = (
    "widgets.table.view",
    "widgets.runs.page",
    "app.runs_page",
    "widgets.timeline",
    "widgets.graph",
    "widgets.payload.viewer",
    "widgets.run.page",
    *(spec.place.partition(":")[0] for spec in PAGES),
    "app.overlays",
    "app.actions_forms",
    "app.actions_review",
    "app.actions_execute",
    "app.actions_bulk",
)
_TYPES: Final = 40  # of Qt, made a turn


def after_first_paint(window: MainWindow, done: Callable[[], object] = lambda: None) -> None:
    """Starts warming when the event loop is idle for the first time; then builds the pages, a piece a turn.

    Until its modules are there no page is built: the GUI thread would wait for what the other thread is importing.
    ``done`` is called when all is there.
    """
    pages = window.router.pages
    pages.ready = False
    modules, rendering = list(_PAGES), render_common(window.devicePixelRatioF())

    def turn() -> None:
        if modules:
            importlib.import_module(modules.pop(0))
        elif not make_types(_TYPES) and not build() and next(rendering, done) is done:
            done()
            return
        soon()

    def build() -> bool:
        more = pages.build_next()
        if not pages.ready and pages.all():
            pages.ready = True
            window.router.show()
        return more

    def soon() -> None:
        QTimer.singleShot(0, window, lambda: window.deliver(turn))

    def work() -> None:
        try:
            warm()
        finally:
            window.deliver(turn)

    QTimer.singleShot(0, window, lambda: window.sources.in_thread("playhead-warm", work))


def warm() -> None:
    """Reads the entry points, and imports what engines and pages use, but no Qt. Any thread."""
    for name in bridge.engine_names():
        bridge.load_engine(name)
    for module in _LIBRARIES:
        importlib.import_module(module)
