"""Runner part: no network, no writing, no other programs, as far as the platform lets us; the rest is said.

The kernel denies first (Linux: a network namespace of our own, Landlock; see landlock(7), unshare(2)); an audit hook
catches the rest with the line of user code that tried. A hook is a net and no jail: C extensions can go around it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITE_FILE = 1 << 1
_WRITES_V1 = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove_*, make_*
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_NO_NEW_PRIVS = 38
_ALWAYS = ("/dev/null", "/dev/tty", "/dev/shm")

_NETWORK = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
)
_PROCESSES = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
_FILES = (
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod", "os.chown",
    "os.utime", "shutil.rmtree", "shutil.copyfile", "shutil.move", "shutil.copytree",
    "tempfile.mkstemp", "tempfile.mkdtemp",
)  # fmt: skip
_WORDS = {
    **dict.fromkeys(_NETWORK, "uses the network"),
    **dict.fromkeys(_PROCESSES, "starts another program"),
    **dict.fromkeys(_FILES, "changes files"),
    "os.kill": "signals a process",
    "os.killpg": "signals a process",
}


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def deny_network() -> str:
    """Puts this process into a network namespace with nothing in it. "" when done, else why not. Before any thread."""
    if sys.platform != "linux":
        return "the network can only be denied by the kernel on Linux"
    user, group = os.getuid(), os.getgid()
    if _libc().unshare(_NEW_USER | _NEW_NET) != 0:
        return f"no network namespace ({os.strerror(ctypes.get_errno())})"
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            continue
    return ""


def deny_writes(allowed: tuple[str, ...]) -> str:
    """Lets this process write below ``allowed`` only. "" when done, else why not. Before any thread."""
    if sys.platform != "linux":
        return "writing can only be denied by the kernel on Linux"
    libc = _libc()
    abi = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return f"no Landlock in this kernel ({os.strerror(ctypes.get_errno())})"
    handled = _WRITES_V1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    attribute = ctypes.c_uint64(handled)
    rules = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(attribute), 8, 0)
    if rules < 0:
        return f"no Landlock rules ({os.strerror(ctypes.get_errno())})"
    try:
        for path in (*allowed, *_ALWAYS):
            _allow(libc, rules, path, handled)
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        failed = libc.syscall(_LANDLOCK_RESTRICT, rules, 0) != 0
        return f"Landlock was refused ({os.strerror(ctypes.get_errno())})" if failed else ""
    finally:
        os.close(rules)


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _allow(libc: Any, rules: int, path: str, handled: int) -> None:
    try:
        parent = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        access = handled if os.path.isdir(path) else handled & (_WRITE_FILE | _TRUNCATE)
        libc.syscall(_LANDLOCK_ADD, rules, 1, ctypes.byref(_PathRule(access, parent)), 0)
    finally:
        os.close(parent)


class Guard:
    """The audit hook. ``on_blocked(words)`` is called in the thread that tried; what it raises stops the attempt."""

    def __init__(self, allowed: tuple[str, ...], on_blocked: Callable[[str], None]) -> None:
        self._allowed = tuple(os.path.realpath(path) + os.sep for path in allowed)
        self._on_blocked = on_blocked
        self._own = threading.local()
        self.armed = False

    def install(self) -> None:
        """Hooks cannot be taken out again: once in a process."""
        sys.addaudithook(self._hook)

    def trusted(self) -> Any:
        """A context in which this thread may do what the engine's library needs."""
        return _Trusted(self._own)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed or getattr(self._own, "depth", False):
            return
        words = _WORDS.get(event) or self._opening(event, arguments)
        if not words or (event == "socket.bind" and _is_local(arguments)):
            return
        with self.trusted():
            detail = _detail(event, arguments)
            text = f"{words}: {detail}" if detail else words
        self._on_blocked(text)

    def _opening(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event == "open":
            path, mode, flags = (*arguments, None, None)[:3]
            writes = isinstance(mode, str) and any(c in mode for c in "wax+")
            if mode is None and isinstance(flags, int):
                writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            return (
                "writes a file" if writes and isinstance(path, (str, bytes)) and not self._mine(path) else ""
            )
        if (
            event == "sqlite3.connect"
            and isinstance(arguments[0], (str, bytes))
            and not self._mine(arguments[0])
        ):
            return "opens a database"
        return ""

    def _mine(self, path: str | bytes) -> bool:
        text = os.fsdecode(path)
        if text.startswith("file:"):
            text = text[5:].split("?")[0]
        if text in (":memory:", "") or text in _ALWAYS:
            return True
        return (os.path.realpath(text) + os.sep).startswith(self._allowed)


class _Trusted:
    def __init__(self, own: threading.local) -> None:
        self._own = own

    def __enter__(self) -> None:
        self._own.depth = int(getattr(self._own, "depth", False)) + 1

    def __exit__(self, *error: object) -> None:
        self._own.depth -= 1


def _is_local(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) > 1 and isinstance(arguments[1], (str, bytes))


def _detail(event: str, arguments: tuple[Any, ...]) -> str:
    """What it aimed at, without the contents."""
    shown = arguments[1:2] if event.startswith("socket.") and event not in _NETWORK[4:] else arguments[:1]
    return ", ".join(ascii(a)[:120] for a in shown if isinstance(a, (str, bytes, int, tuple)))
