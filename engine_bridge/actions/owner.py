"""Owner leases: whether the Playhead that wrote an intent, or a child that acts for it, still lives.

Each process holds an exclusive lock on a file of its own for as long as it lives; the operating system drops the lock
whatever way the process ends, so a lock that can be taken belongs to nobody. A child's file carries its parent's name:
an owner is dead when none of its files is locked. Locks are per machine: an owner of another machine is never called
dead.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from engine_bridge.errors import PlayheadError

_SUFFIX = ".owner"


class Owner:
    """This process as an owner of intents. ``id`` is "machine/uuid". Any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self.id = f"{platform.node()}/{uuid.uuid4()}"

    def acquire(self) -> None:
        """Takes the lease. Raises PlayheadError when the folder cannot be written."""
        with self._lock:
            if self._file is None:
                self._file = take(self.folder / f"{_name(self.id)}{_SUFFIX}")

    def release(self) -> None:
        """Gives the lease back; children that still live keep theirs."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()
            _sweep(self.folder.glob(f"{_name(self.id)}*{_SUFFIX}"))

    def dead(self, owner_id: str) -> bool:
        """Whether an owner of this machine and its children have ended. False for this process."""
        if owner_id == self.id or owner_id.partition("/")[0] != platform.node():
            return False
        return all(_free(path) for path in self.folder.glob(f"{_name(owner_id)}*{_SUFFIX}"))

    def sweep(self) -> None:
        """Removes the lease files of whoever has ended: without a file an owner is just as dead."""
        mine = _name(self.id)
        _sweep(path for path in self.folder.glob(f"*{_SUFFIX}") if not path.name.startswith(mine))


def _sweep(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if _free(path):
            path.unlink(missing_ok=True)


def child_lease(folder: Path, owner_id: str) -> IO[bytes]:
    """Takes, in a child process, a lease that keeps its parent's intents from being settled by others."""
    return take(folder / f"{_name(owner_id)}.{os.getpid()}{_SUFFIX}")


def take(path: Path) -> IO[bytes]:
    """Creates and locks a lease file; it must be kept open. Raises PlayheadError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = path.open("wb")
            file.write(str(os.getpid()).encode())
            file.flush()
            _lock(file)
            if _same(file, path):
                return file
            file.close()  # somebody swept it before it was locked
    except OSError as error:
        raise PlayheadError(
            "The journal's folder cannot be written, so nothing is sent.",
            f"Make {path.parent} writable, or free some space.",
            type(error).__name__,
        ) from None


def _same(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _name(owner_id: str) -> str:
    return owner_id.partition("/")[2]


def _free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _try_lock(file)
    except FileNotFoundError:
        return True
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _lock(file: IO[bytes]) -> None:
        # Others hold it for a moment only, while they look whether its owner lives.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
