"""Files that SQLite has open in this process, and reading their bytes beside it. Any thread.

A process that closes any descriptor of a file loses all its POSIX locks on it, SQLite's among them
(https://www.sqlite.org/howtocorrupt.html, 2.2). A reader whose lock is lost is not there for the application, whose
last connection then removes the write-ahead log under it: from then on this process reads what was, or "malformed".
So a descriptor of a held file is kept until nobody holds it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_Key = tuple[int, int]


@dataclass(slots=True)
class _Held:
    holds: int = 0
    idle: list[BinaryIO] = field(default_factory=list)


_lock = threading.Lock()
_held: dict[_Key, _Held] = {}


class Hold:
    """Says for a reader or writer which files SQLite has open for it. Files are told apart by device and inode."""

    def __init__(self) -> None:
        self._keys: set[_Key] = set()

    def take(self, path: Path) -> None:
        """Before SQLite opens a file; one that is not there, or is held already, changes nothing."""
        with suppress(OSError, ValueError), _lock:
            key = _key(path.stat())
            if key not in self._keys:
                self._keys.add(key)
                _held.setdefault(key, _Held()).holds += 1

    def release(self) -> None:
        """After SQLite has closed them; may be called twice."""
        with _lock:
            keys, self._keys = self._keys, set()
            for key in keys:
                entry = _held[key]
                entry.holds -= 1
                if not entry.holds:
                    for file in _held.pop(key).idle:
                        file.close()


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file for reading from its start, valid within the block. Raises OSError, ValueError for a NUL in its name."""
    with _lock:
        entry = _held.get(_key(path.stat()))
        file = entry.idle.pop() if entry is not None and entry.idle else path.open("rb")
    try:
        file.seek(0)
        yield file
    finally:
        with _lock:
            entry = _held.get(_key(os.fstat(file.fileno())))
            if entry is None:
                file.close()
            else:
                entry.idle.append(file)


def _key(found: os.stat_result) -> _Key:
    return found.st_dev, found.st_ino
