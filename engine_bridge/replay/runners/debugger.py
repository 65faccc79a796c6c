"""Runner part: a debugger's way in: a socket on loopback, opened before the guards, and debugpy's adapter behind them.

debugpy usually starts its adapter as a program of its own, which the guards deny; here it runs in this process, and
gets the socket that is open already. A socket stays in the network namespace that it was made in
(network_namespaces(7)), so this one is reached from outside while nothing else in the process reaches anything.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import socket
import sys
from typing import Any

LOOPBACK = "127.0.0.1"
PASSED = (
    "_pydevd_bundle", "_pydev_bundle", "_pydevd_frame_eval", "_pydevd_sys_monitoring", "_pydev_runfiles", "pydevd",
    "pydevd_file_utils", "pydevd_tracing", "debugpy",
)  # fmt: skip
"""Modules of the debugger, which no sandbox may import anew."""
LET_IN = "a debugger may connect to 127.0.0.1:{}, and what it evaluates runs in this process"


class NoDebuggerError(Exception):
    """Why there can be no debugger, with what helps."""

    def __init__(self, words: str, hint: str) -> None:
        super().__init__(words)
        self.told = {"error": words, "hint": hint}


def listening(port: int) -> Any:
    """A socket that waits on loopback; port -1: any that is free. Raises NoDebuggerError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((LOOPBACK, max(port, 0)))
        made.listen(1)
    except OSError as error:
        made.close()
        words = f"No debugger can attach: port {port} of {LOOPBACK} cannot be opened ({error.strerror})."
        raise NoDebuggerError(words, "Name another port, or none for any that is free.") from None
    return made


class Ours:
    """Finds debugpy, and nothing else, in a folder that is not on the path (an importer of sys.meta_path)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The module's spec, None for all others: those below it are found by its own path."""
        if name != "debugpy":
            return None
        return importlib.machinery.PathFinder.find_spec(name, [self._folder])


class Debugger:
    """The debugger's side of one process. ``socket`` is open already; ``folder`` has a debugpy for who has none."""

    def __init__(self, made: Any, folder: str, roots: tuple[str, ...]) -> None:
        self._socket = made
        self._folder = folder
        self._roots = roots
        self._pydevd: Any = None
        self.port = int(made.getsockname()[1])
        self.words = ""

    def start(self) -> None:
        """Traces this process from here on, and answers who connects. Raises NoDebuggerError."""
        # The user's folders are theirs; this file is not.
        os.environ["IDE_PROJECT_ROOTS"] = os.pathsep.join(root.rstrip(os.sep) for root in self._roots)
        os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
        ours = bool(self._folder) and importlib.util.find_spec("debugpy") is None
        if ours:
            sys.meta_path.append(Ours(self._folder))
        try:
            debugpy: Any = importlib.import_module("debugpy")
        except ImportError:
            raise NoDebuggerError(
                f"No debugger can attach: neither {sys.executable} nor Playhead has debugpy.",
                f"Install it: {sys.executable} -m pip install debugpy",
            ) from None
        self.words = f"debugpy {debugpy.__version__}{' of Playhead' if ours else ''}"
        if "in_process_debug_adapter" not in inspect.signature(debugpy.listen).parameters:
            raise NoDebuggerError(
                f"{self.words} is too old: it can only start a program, which a replay may not.",
                f"{sys.executable} -m pip install --upgrade debugpy",
            )
        importlib.import_module("debugpy.server.api")
        self._pydevd = importlib.import_module("pydevd")
        self._pydevd.create_server_socket = lambda host, port: self._socket
        debugpy.listen((LOOPBACK, self.port), in_process_debug_adapter=True)

    def wait(self) -> None:
        """Until somebody attached and has set breakpoints."""
        importlib.import_module("debugpy").wait_for_client()

    def evaluates(self) -> bool:
        """Whether the calling thread does what a debugger asked of it: an expression, a condition of a breakpoint."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if "_pydevd_" in file or file.endswith(f"{os.sep}pydevd.py"):
                return True
            frame = frame.f_back
        return False

    def stop(self) -> None:
        """Tells the debugger that it is over."""
        try:
            self._pydevd.stoptrace()
        except Exception:  # noqa: BLE001 - it is over anyway
            return
