"""Runner part: an audit hook that stops side effects at the line of user code that tried (sys.addaudithook).

The kernel's guards are the wall (kernel.py); a hook is a net, which C extensions can go around. It also covers what
platforms without such guards cannot deny.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_WORDS = {
    **dict.fromkeys(
        (
            "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo",
            "socket.gethostbyname", "socket.gethostbyaddr",
        ),
        "uses the network",
    ),
    **dict.fromkeys(
        (
            "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty",
            "os.startfile", "pty.spawn",
        ),
        "starts another program",
    ),
    **dict.fromkeys(("os.kill", "os.killpg"), "signals a process"),
}  # fmt: skip
# Each argument that is a path is changed, but for the target of a symbolic link.
_CHANGES = frozenset(
    {
        "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod",
        "os.chown", "os.utime", "os.setxattr", "os.removexattr",
    }
)  # fmt: skip
_BETWEEN = ("os.rename", "os.link", "os.symlink")
_WATCHED = frozenset({*_WORDS, *_CHANGES, "open", "sqlite3.connect"})


class Guard:
    """``on_blocked(words)`` is called in the thread that tried; what it raises stops the attempt."""

    def __init__(self, allowed: tuple[str, ...], on_blocked: Callable[[str], None]) -> None:
        self._allowed = tuple(os.path.realpath(path) + os.sep for path in allowed)
        self._on_blocked = on_blocked
        self._own = threading.local()
        self.armed = False

    def install(self) -> None:
        """Hooks cannot be taken out again: once in a process. Of the many events, most are of no interest."""
        watched, look = _WATCHED, self._hook

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in watched:
                look(event, arguments)

        sys.addaudithook(hook)

    def trusted(self) -> Any:
        """A context in which this thread may do what the engine's library needs."""
        return _Trusted(self._own)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed or getattr(self._own, "depth", False):
            return
        words = _WORDS.get(event) or self._files(event, arguments)
        if not words or (event == "socket.bind" and _is_local(arguments)):
            return
        with self.trusted():
            detail = _detail(event, arguments)
            text = f"{words}: {detail}" if detail else words
        self._on_blocked(text)

    def _files(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event == "open":
            path, mode, flags = (*arguments, None, None)[:3]
            writes = type(mode) is str and any(letter in mode for letter in "wax+")
            if mode is None and type(flags) is int:
                writes = bool(flags & _WRITING)
            return "writes a file" if writes and self._foreign(path) else ""
        if event == "sqlite3.connect":
            return "opens a database" if self._foreign(arguments[0]) else ""
        if event in _CHANGES:
            changed = arguments[1:2] if event == "os.symlink" else arguments
            return "changes files" if any(map(self._foreign, changed)) else ""
        return ""

    def _foreign(self, path: Any) -> bool:
        if type(path) not in (str, bytes):
            return False
        text = os.fsdecode(path)
        if text.startswith("file:"):
            text = text[5:].split("?")[0]
        if text in (":memory:", "", os.devnull):
            return False
        return not (os.path.realpath(text) + os.sep).startswith(self._allowed)


class _Trusted:
    def __init__(self, own: threading.local) -> None:
        self._own = own

    def __enter__(self) -> None:
        self._own.depth = int(getattr(self._own, "depth", False)) + 1

    def __exit__(self, *error: object) -> None:
        self._own.depth -= 1


def _is_local(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) > 1 and type(arguments[1]) in (str, bytes)


def _detail(event: str, arguments: tuple[Any, ...]) -> str:
    """What it aimed at, without the contents."""
    to = arguments[:2] if event in _BETWEEN else arguments[:1]
    if event.startswith("socket.") and not event.startswith("socket.get"):
        to = arguments[1:2]
    plain = [a for a in to if type(a) in (str, bytes, int, tuple)]
    return ", ".join(ascii(a)[:120] for a in plain)
