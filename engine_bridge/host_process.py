"""A child interpreter with one end of a pipe, without what multiprocessing starts beside it: a second interpreter that
keeps track of shared memory, which nobody here shares (6 MB, 30 ms)."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final, Protocol

_CODE: Final = "import sys; sys.path[:] = {path!r}; from {module} import {name}; {name}({handle})"


class Process(Protocol):
    """What is asked of a child."""

    def is_alive(self) -> bool: ...

    def kill(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class _Interpreter:
    """A child that was started by its command line alone."""

    def __init__(self, command: list[str], handle: int) -> None:
        # Of this interpreter itself, with a code that holds no data but the module path.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(handle,))  # noqa: S603

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def join(self, timeout: float | None = None) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)


def start(serve: Callable[[Connection, Any], None], factory: Any) -> tuple[Process, Connection]:
    """A child that runs ``serve`` with its end of a pipe and ``factory``; and our end. Both cross by their names.

    Raises OSError where no process can be started, and what pickling the factory raises.
    """
    ours, theirs = multiprocessing.Pipe()
    with theirs:
        if sys.platform == "win32":  # handles are not inherited by number there
            made = multiprocessing.get_context("spawn").Process(
                target=serve, args=(theirs, factory), daemon=True
            )
            made.start()
            return made, ours
        sent = ForkingPickler.dumps((serve, factory))
        code = _CODE.format(path=sys.path, module=__name__, name=spawn_main.__name__, handle=theirs.fileno())
        child = _Interpreter([sys.executable, "-c", code], theirs.fileno())
    ours.send_bytes(sent)
    return child, ours


def spawn_main(handle: int) -> None:
    """The child's first call."""
    pipe = Connection(handle)
    serve, factory = pipe.recv()
    serve(pipe, factory)
