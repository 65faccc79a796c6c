"""A SQLite file, read without leaving a trace: in place, or as a temporary copy.

Opening a WAL database with ``mode=ro`` creates ``-shm`` and an empty ``-wal`` where they are missing; with both there
(a live application), and ``readonly_shm=1``, nothing appears. A hot journal has to be rolled back before any read.
What SQLite may have open is read only through ``held_files``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import (
    AuthError,
    BusyError,
    CancelledError,
    ConnectError,
    CorruptError,
    PlayheadError,
    SchemaUnknownError,
)
from engine_bridge.format import plain
from engine_bridge.held_files import Hold, opened
from engine_bridge.sqlite_library import sqlite3

MAGIC: Final = b"SQLite format 3\x00"
BUSY_MS: Final = 400
CAUGHT: Final = (OSError, ValueError, OverflowError, MemoryError, SystemError)
"""What drivers raise besides their own ``Error``: undecodable names, numbers out of range, absurd sizes."""
_BESIDE: Final = ("", "-wal", "-journal")
_CHUNK: Final = 8 << 20
_TRIES: Final = 5
_CLOCK_TICK_NS: Final = 10_000_000
"""The coarsest clock by which Linux dates files (CONFIG_HZ=100)."""
_WAL: Final = b"\x02\x02"  # bytes 18 and 19 of the header; https://www.sqlite.org/fileformat.html

_AT_REST: Final = (
    "This is a copy of {name}, made now: "
    "reading it in place would have created -wal and -shm files beside it."
)
_HOT: Final = (
    "This is a copy of {name}, with the unfinished transaction of a writer that died rolled back. "
    "The application does that with the file itself when it starts again."
)


class SqliteFile:
    """``prepare`` decides how to read the file; ``stale`` says when that must be decided anew."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.module: Any = sqlite3
        self.notice = ""
        self._folder: Path | None = None
        self._hold = Hold()
        self._logged = False
        self._seen: tuple[Any, ...] = ()
        self._looks = itertools.count()

    def prepare(self, cancel: CancelToken, *, hot: bool = False) -> None:
        """Decides, and copies where needed. Raises ConnectError and its kinds."""
        hold = Hold()  # before the old one goes: a read that is still under way needs its lock
        hold.take(self.path)
        self.close()
        self._hold = hold
        error = missing_file(self.path)
        if error is not None:
            raise error
        self.notice = ""
        if hot or not self._readable_in_place():
            self._copy(cancel)
            self.notice = (_HOT if hot else _AT_REST).format(name=plain(self.path.name, 80))
        else:
            self._seen = self._identity()

    @property
    def blocking(self) -> bool:
        """Whether a writer's commit waits for our reads to end: without a write-ahead log it does."""
        return not (self.copied or self._logged)

    @property
    def copied(self) -> bool:
        """Whether a copy is read."""
        return self._folder is not None

    def connect(self) -> Any:
        """A driver connection that cannot write to the file. Raises the driver's errors."""
        path = self.path if self._folder is None else self._folder / "copy"
        mode = "ro&readonly_shm=1" if self._folder is None else "rw"
        self._hold.take(path)
        uri = f"file:{quote(os.fsencode(path))}?mode={mode}"
        connection = self.module.connect(uri, uri=True, check_same_thread=False, timeout=BUSY_MS / 1000)
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=1")
        return connection

    def stale(self) -> bool:
        """Whether the file was replaced, removed, or can be read in another way by now. Microseconds."""
        return self._seen != (self._content() if self.copied else self._identity())

    def stamp(self) -> tuple[Any, ...]:
        """What changes when anybody writes: sizes and times of the file and its logs."""
        content = self._content()
        newest = max((facts[-1] for facts in content if facts), default=0)
        if abs(time.time_ns() - newest) > _CLOCK_TICK_NS:
            return content
        # Another write may get the same time: this look is like no other.
        return *content, next(self._looks)

    def close(self) -> None:
        """Removes the copy, if any. All connections must have been closed."""
        self._hold.release()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _readable_in_place(self) -> bool:
        with opened(self.path) as file:
            head = file.read(20)
        wal, shm = (self._beside(suffix).exists() for suffix in ("-wal", "-shm"))
        self._logged = head[18:20] == _WAL
        return (wal and shm) or not (wal or self._logged)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _identity(self) -> tuple[Any, ...]:
        return tuple(_facts(self._beside(suffix))[:2] for suffix in ("", "-wal", "-shm"))

    def _content(self) -> tuple[Any, ...]:
        return tuple(_facts(self._beside(suffix)) for suffix in _BESIDE)

    def _copy(self, cancel: CancelToken) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="playhead-"))
        try:
            for _ in range(_TRIES):
                before = self._content()
                for suffix in _BESIDE:
                    _copy_file(self._beside(suffix), self._folder / f"copy{suffix}", cancel)
                self._seen = self._content()
                if self._seen == before:
                    return
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                hint = f"Is there room in {tempfile.gettempdir()}?"
                raise ConnectError(f"No copy of {plain(self.path.name, 80)} could be made.", hint) from None
            raise
        self.close()
        raise BusyError(
            f"{plain(self.path.name, 80)} changes while it is copied.",
            "Try again when its application is idle.",
        )


def _copy_file(source: Path, target: Path, cancel: CancelToken) -> None:
    target.unlink(missing_ok=True)
    if not source.exists():
        return
    total, done = source.stat().st_size, 0
    with opened(source) as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            write.write(chunk)
            done += len(chunk)
            cancel.progress(done, total, f"copying {plain(source.name, 80)}")


def _facts(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def missing_file(path: Path) -> PlayheadError | None:
    """Why a path cannot be a readable database file, None when it can."""
    shown = plain(str(path))
    try:
        if path.is_dir():
            return ConnectError(f"{shown} is a folder.", "Name the database file in it.")
        with opened(path) as file:
            head = file.read(16)
    except FileNotFoundError:
        return ConnectError(f"{shown} does not exist.", "Check the path; it may have been moved or removed.")
    except PermissionError:
        return AuthError(f"You may not read {shown}.", "Ask its owner, or run as a user that may read it.")
    except (OSError, ValueError) as error:
        return ConnectError(f"{shown} cannot be opened.", "Check the path.", type(error).__name__)
    if not head:
        return CorruptError(
            f"{plain(path.name, 80)} is empty.", "The application has not created its tables yet."
        )
    return None


def is_hot_journal(error: BaseException) -> bool:
    """Whether SQLite wanted to roll a dead writer's journal back and was not allowed to."""
    return "readonly database" in str(error).lower()


_WORDS: Final[tuple[tuple[tuple[str, ...], type[PlayheadError], str, str], ...]] = (
    (("locked", "busy"), BusyError, "{name} is locked by another process.",
     "It can be read as soon as that process commits."),
    (("not a database",), CorruptError, "{name} is not an SQLite database.", "It may be encrypted, or another kind."),
    (("no such table", "no such column"), SchemaUnknownError, "{name} lacks a table or column that was there.",
     "Open the source again: its schema has changed."),
    (("disk i/o",), ConnectError, "{name} cannot be read: the disk reports an error.", "Check the disk."),
)  # fmt: skip


def translate(error: BaseException, path: Path) -> PlayheadError:
    """The error to show for a driver's."""
    if isinstance(error, PlayheadError):
        return error
    text, name = str(error).lower(), plain(path.name, 80)
    if "interrupted" in text:
        return CancelledError()
    if "unable to open" in text or isinstance(error, OSError):
        return missing_file(path) or ConnectError(
            f"{name} cannot be opened.", "Check its folder's permissions.", plain(text)
        )
    for parts, kind, message, hint in _WORDS:
        if any(part in text for part in parts):
            return kind(message.format(name=name), hint, plain(text))
    return CorruptError(
        f"{name} is damaged: it cannot be read here.",
        "Recover what is left with `sqlite3 FILE .recover`.",
        f"{type(error).__name__}: {plain(text)}",
    )
