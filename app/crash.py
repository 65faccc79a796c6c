"""Programmer errors reach one dialog with a report that can be copied; the report holds no values, so no secrets."""

from __future__ import annotations

import platform
import sys
import threading
import traceback
from types import TracebackType
from typing import TYPE_CHECKING

from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from app.window import MainWindow


def report_text(kind: type[BaseException], trace: TracebackType | None) -> str:
    """A report: versions, the error's type, and where it came from. Never its message or local values.

    A foreign error's message may quote a URL or a row; its type and place are what a maintainer needs.
    """
    from importlib.metadata import version

    lines = [f"Playhead {version('playhead')}, Python {platform.python_version()}, {platform.platform()}"]
    lines += [f"{kind.__module__}.{kind.__qualname__}", ""]
    for frame in traceback.extract_tb(trace):
        lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    return "\n".join(lines)


def install(window: MainWindow) -> None:
    """Sends uncaught exceptions of every thread to the window's one crash dialog."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.deliver(lambda: window.run_command("app.quit"))
            return
        if isinstance(error, PlayheadError):
            shown = error
            window.deliver(lambda: window.report(shown))
            return
        text = report_text(kind, trace)
        print(text, file=sys.stderr)  # noqa: T201  the terminal is all there is when Qt itself fails
        window.deliver(lambda: window.show_crash(text))

    sys.excepthook = hook
    threading.excepthook = lambda args: hook(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )
