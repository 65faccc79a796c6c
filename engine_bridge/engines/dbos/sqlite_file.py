"""How a SQLite file is opened without leaving a trace: in place, or as a temporary copy.

Seen with SQLite 3.40 and 3.51: opening a WAL database with ``mode=ro`` creates ``-shm`` and an empty ``-wal`` where
they are missing, and leaves them behind; with both there (a live application) nothing appears, and with
``readonly_shm=1`` not even ``-shm`` is written. A hot journal makes every read fail, because it must be rolled back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.driver_errors import missing_file
from engine_bridge.errors import BusyError, ConnectError

BUSY_MS: Final = 400
_CHUNK: Final = 8 << 20
_TRIES: Final = 5
_WAL_FORMAT: Final = 2  # bytes 18 and 19 of the header; https://www.sqlite.org/fileformat.html

_AT_REST = "This is a copy of {name}, made now: reading it in place would have created -wal and -shm files beside it."
_HOT = (
    "This is a copy of {name}, with the unfinished transaction of a writer that died rolled back. "
    "The file itself still has its -journal; the application rolls it back when it starts again."
)

Signature = tuple[Any, ...]


def sqlite_module() -> Any:
    """The newest SQLite driver at hand: pysqlite3 when it is newer than Python's own."""
    import sqlite3

    try:
        import pysqlite3.dbapi2 as newer
    except ImportError:
        return sqlite3
    return newer if newer.sqlite_version_info > sqlite3.sqlite_version_info else sqlite3


class SqliteFile:
    """One database file. ``prepare`` decides how to read it; ``stale`` says when that must be decided anew."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.notices: tuple[str, ...] = ()
        self._folder: str | None = None
        self._signature: Signature = ()
        self._module = sqlite_module()

    @property
    def module(self) -> Any:
        return self._module

    @property
    def copied(self) -> bool:
        return self._folder is not None

    def prepare(self, cancel: CancelToken, *, hot: bool = False) -> None:
        """Decides, and copies where needed. Raises ConnectError and its kinds."""
        self.close()
        error = missing_file(self.path)
        if error is not None:
            raise error
        if hot or not self._readable_in_place():
            self._copy(cancel)
            self.notices = ((_HOT if hot else _AT_REST).format(name=self.path.name),)
        else:
            self.notices = ()
            self._signature = self._identity()

    def connect(self) -> Any:
        """A new driver connection that cannot write to the source. Raises the driver's errors."""
        folder = self._folder
        path = self.path if folder is None else Path(folder) / "copy.sqlite"
        mode = "ro&readonly_shm=1" if folder is None else "rw"
        uri = f"file:{quote(os.fsencode(path))}?mode={mode}"
        connection = self._module.connect(uri, uri=True, check_same_thread=False, timeout=BUSY_MS / 1000)
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=1")
        return connection

    def stale(self) -> bool:
        """Whether the file was replaced, removed, or can now be read in another way. About 6 µs."""
        return self._signature != (self._content() if self.copied else self._identity())

    def close(self) -> None:
        """Removes the copy, if any."""
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _readable_in_place(self) -> bool:
        with self.path.open("rb") as file:
            head = file.read(20)
        wal, shm = self._beside("-wal").exists(), self._beside("-shm").exists()
        return (wal and shm) or not (wal or head[18:20].count(_WAL_FORMAT) == 2)

    def _identity(self) -> Signature:
        return tuple(_inode(p) for p in (self.path, self._beside("-wal"), self._beside("-shm")))

    def _content(self) -> Signature:
        return tuple(_content(p) for p in (self.path, self._beside("-wal"), self._beside("-journal")))

    def _copy(self, cancel: CancelToken) -> None:
        self._folder = folder = tempfile.mkdtemp(prefix="playhead-")
        try:
            for _ in range(_TRIES):
                before = self._content()
                for suffix in ("", "-wal", "-journal"):
                    _copy_file(
                        self._beside(suffix) if suffix else self.path,
                        Path(folder) / f"copy.sqlite{suffix}",
                        cancel,
                    )
                self._signature = self._content()
                if self._signature == before:
                    return
        except OSError as error:
            self.close()
            raise ConnectError(
                f"No copy of {self.path.name} could be made.",
                f"Is there room in {tempfile.gettempdir()}?",
                error.strerror or "",
            ) from None
        except BaseException:
            self.close()
            raise
        self.close()
        raise BusyError(
            f"{self.path.name} changes while it is copied.", "Try again when its application is idle."
        )


def _copy_file(source: Path, target: Path, cancel: CancelToken) -> None:
    with suppress(FileNotFoundError):
        target.unlink()
    try:
        total = source.stat().st_size
    except FileNotFoundError:
        return
    with source.open("rb") as read, target.open("wb") as write:
        done = 0
        while chunk := read.read(_CHUNK):
            write.write(chunk)
            done += len(chunk)
            cancel.progress(done, total, f"copying {source.name}")


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _content(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
