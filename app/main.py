"""Opens the window: the display is checked first, what is heavy is warmed after the first paint."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from engine_bridge import memory
from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.demo import Demo
    from app.settings import Settings
    from app.window import MainWindow

#: Libraries that Qt's xcb plug-in loads, and the Debian package of each.
_XCB: Final = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
#: What the window's behaviour is made of, in an order in which no import takes a frame's time.
_BEHAVIOUR: Final = (
    "msgspec",
    "engine_bridge.bridge",
    "app.context",
    "app.saved",
    "app.sources",
    "app.routing",
    "app.source_actions",
    "app.shell_commands",
    "engine_bridge.actions.model",
    "app.actions_desk",
    "app.actions_commands",
    "app.keys",
    "app.watch",
    "PySide6.QtSvg",
    "widgets.shell.welcome",
)
#: A reader thread may hold the GIL this long; at Python's 5 ms a paint that takes it thrice would stall.
_SWITCH_S: Final = 0.0002


def check_display() -> None:
    """Raises PlayheadError where Qt would abort: no display, or libraries of its X11 plug-in missing."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise PlayheadError(
            "There is no display here, so no window can open.",
            "Use `playhead show` and `playhead snapshot`, or run it with `ssh -X` or under Xvfb.",
        )
    missing = missing_libraries() if os.environ.get("DISPLAY") else []
    if missing and not os.environ.get("WAYLAND_DISPLAY"):
        raise PlayheadError(
            "Libraries that Qt needs are missing.", f"Install them: apt-get install {' '.join(missing)}"
        )


def missing_libraries() -> list[str]:
    """Debian packages of the X11 libraries that cannot be loaded."""
    return [package for library, package in _XCB.items() if not loads(library)]


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def make_window() -> tuple[QApplication, MainWindow, Settings]:
    """The application with its theme, and the window, not shown yet. GUI thread, once for a process."""
    from app.settings import Settings

    gc.disable()  # a collection amid a thousand new modules finds nothing; app.garbage takes over afterwards
    settings = Settings()
    from PySide6.QtWidgets import QApplication

    from widgets.qt_types import leave_sources

    leave_sources()
    from app import appearance
    from app.window import MainWindow

    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else QApplication([sys.argv[0]])
    app.setApplicationName("Playhead")
    app.setApplicationDisplayName("Playhead")
    appearance.apply(settings.get("theme"))
    return app, MainWindow(settings, start=False), settings


def start(painted: Callable[[], object] = lambda: None) -> tuple[QApplication, MainWindow]:
    """The window with its behaviour; the rest is warmed by the event loop. Once for a process.

    ``painted`` is called after the first paint. Raises PlayheadError where there is no display.
    """
    check_display()
    sys.setswitchinterval(_SWITCH_S)
    app, window, settings = make_window()
    window.show()
    app.processEvents()
    painted()
    memory.share_arena()
    from PySide6.QtCore import QEventLoop

    for module in _BEHAVIOUR:
        import_module(module)
        app.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    window.begin()
    from app.crash import install
    from app.garbage import Collector
    from app.warm import after_first_paint

    install(window)
    for notice in settings.notices:
        window.report(PlayheadError(notice, "Defaults are used."))
    after_first_paint(window, lambda: Collector(window))
    return app, window


def run_window(target: str | None, demo: Demo | None = None) -> int:
    """Opens the window, on a URL, path or ``@name`` or on a demo, and runs until it is closed.

    The demo is prepared, started and stopped by the window, which shows how far it is. Answers the exit code.
    Raises PlayheadError where there is no display.
    """
    app, window = start()
    if demo is not None:
        window.showcase.start(demo)
    elif target is not None:
        window.open(target)
    return app.exec()
