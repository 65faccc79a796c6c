"""The database file: short reads from any thread, which stop when their call is cancelled.

A development server keeps a rollback journal: its commits wait for every reader, and readers wait for its commits. So
no read lasts longer than one statement, and a locked file is tried again for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError, ConnectError
from engine_bridge.sqlite_file import CAUGHT, SqliteFile, is_hot_journal, translate

_PATIENCE_S: Final = 8.0
_AGAIN_S: Final = 0.02

Row = tuple[Any, ...]


class Store:
    """One database file. Thread-safe: statements run one at a time."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(path)
        self._lock = threading.RLock()
        self._connection: Any = None
        self._opened = False

    @property
    def notice(self) -> str:
        """What must be said of how the file is read."""
        return self.file.notice

    def open(self, cancel: CancelToken) -> None:
        """Prepares reading. Raises ConnectError and its kinds."""
        with self._lock:
            self._opened = True
            self._connect(cancel, hot=False)

    def rows(self, statement: str, params: Sequence[Any] = (), *, cancel: CancelToken) -> list[Row]:
        """All rows of one statement. Raises ConnectError and its kinds, and CancelledError."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            cancel.raise_if_cancelled()
            try:
                with self._lock:
                    return self._read(statement, params, cancel)
            except BusyError:
                if time.monotonic() > deadline:
                    raise
            cancel.wait(_AGAIN_S)

    def _read(self, statement: str, params: Sequence[Any], cancel: CancelToken) -> list[Row]:
        if not self._opened:
            raise ConnectError("The source is closed.", "Open it again.")
        if self._connection is None or self.file.stale():
            self._connect(cancel, hot=False)
        try:
            return self._run(statement, params, cancel)
        except (self.file.module.Error, *CAUGHT) as error:
            if not is_hot_journal(error):
                raise translate(error, self.file.path) from None
        self._connect(cancel, hot=True)
        try:
            return self._run(statement, params, cancel)
        except (self.file.module.Error, *CAUGHT) as error:
            raise translate(error, self.file.path) from None

    def _run(self, statement: str, params: Sequence[Any], cancel: CancelToken) -> list[Row]:
        remove = cancel.add_hook(self._connection.interrupt)
        try:
            found: list[Row] = self._connection.execute(statement, tuple(params)).fetchall()
            return found
        finally:
            remove()

    def _connect(self, cancel: CancelToken, *, hot: bool) -> None:
        self._disconnect()
        self.file.prepare(cancel, hot=hot)
        try:
            self._connection = self.file.connect()
            self._connection.text_factory = _text
        except (self.file.module.Error, *CAUGHT) as error:
            raise translate(error, self.file.path) from None

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self.file.module.Error):
                connection.close()

    def close(self) -> None:
        """Closes the file and removes its copy, if any; may be called twice."""
        with self._lock:
            self._opened = False
            self._disconnect()
            self.file.close()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
