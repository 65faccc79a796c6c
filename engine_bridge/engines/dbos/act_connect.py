"""The actor's connections: they write, through DBOS's own client, behind a gate.

The gate runs at the begin of every transaction of the client, on the client's own connection: it takes the write lock
(SQLite) or the target's row lock (PostgreSQL), says that it waits, can be cancelled, and reads the preconditions under
that lock. DBOS has no compare-and-swap; this gives it one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.url import FileSource, ServerSource
from engine_bridge.errors import CancelledError
from engine_bridge.held_files import Hold
from engine_bridge.sqlite_file import missing_file
from engine_bridge.sqlite_library import sqlite3

LOCK_MS: Final = 250
COMMIT_MS: Final = 30_000
WAITING: Final = "waiting for the lock"
_LOCKED: Final = "55P03"  # lock_not_available, https://www.postgresql.org/docs/current/errcodes-appendix.html

Check = Callable[[sa.Connection], None]


class Gate:
    """What happens before the client writes. Used by one thread at a time.

    ``lock`` is the statement that takes a row lock where the database has them; ``sent`` tells whether the last
    action wrote anything, ``committing`` whether a commit of that was begun: before, it was rolled back.
    """

    def __init__(self) -> None:
        self._writing = False
        self.sent = False
        self.committing = False
        self._check: Check | None = None
        self._lock: sa.Executable | None = None
        self._cancel = CancelToken()
        self._name = "playhead"
        self._parent = os.getppid()

    @contextmanager
    def armed(
        self, check: Check | None, lock: sa.Executable | None, name: str, cancel: CancelToken
    ) -> Iterator[None]:
        """Lets one action through: ``check`` is asked at each begin until something was written."""
        self._writing, self.sent, self.committing = True, False, False
        self._check, self._lock, self._name, self._cancel = check, lock, name, cancel
        try:
            yield
        finally:
            self._writing = False
            self._check = self._lock = None
            self._cancel = CancelToken()

    def begin(self, connection: sa.Connection) -> None:
        """Listener of the engine's "begin"; outside an action, transactions only read."""
        sqlite = connection.dialect.name == "sqlite"
        if not self._writing:
            connection.exec_driver_sql("BEGIN" if sqlite else "SET TRANSACTION READ ONLY")
            return
        if sqlite:
            self._begin_sqlite(connection)
        else:
            self._begin_postgresql(connection)
        self._alive()
        if self._check is not None:
            self._check(connection)

    def _alive(self) -> None:
        """An actor whose Playhead is gone must not act any more: another one settles its intent."""
        self._cancel.raise_if_cancelled()
        if os.getppid() != self._parent:
            raise CancelledError("The Playhead that asked for this has ended.")

    def _begin_sqlite(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={LOCK_MS}")
        while True:
            self._alive()
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                break
            except sa.exc.OperationalError as error:
                if "locked" not in str(error.orig):
                    raise
            self._cancel.progress(0, None, WAITING)
        connection.exec_driver_sql(f"PRAGMA busy_timeout={COMMIT_MS}")

    def _begin_postgresql(self, connection: sa.Connection) -> None:
        # The name lets a settling Playhead see that this transaction is still under way.
        name = sa.text("SELECT set_config('application_name', :name, true)")
        while True:
            self._alive()
            try:
                connection.execute(name, {"name": self._name})
                if self._lock is not None:
                    connection.execute(self._lock)
                return
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCKED:
                    raise
            connection.connection.rollback()
            self._cancel.progress(0, None, WAITING)
            self._cancel.wait(LOCK_MS / 1000)

    def executing(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Listener of "before_cursor_execute": once something was written, the preconditions are void."""
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            self._check, self.sent = None, True

    def commit(self, _connection: sa.Connection) -> None:
        """Listener of the engine's "commit", which runs before it."""
        self.committing = self.committing or (self._writing and self.sent)


def make_engine(source: FileSource | ServerSource, secret: str | None, gate: Gate) -> sa.Engine:
    """An engine that writes. Raises ConnectError for a missing file; connects to nothing yet."""
    engine = _sqlite(source.path) if isinstance(source, FileSource) else _postgresql(source, secret)
    sa.event.listen(engine, "begin", gate.begin)
    sa.event.listen(engine, "before_cursor_execute", gate.executing)
    sa.event.listen(engine, "commit", gate.commit)
    return engine


def _sqlite(path: Path) -> sa.Engine:
    error = missing_file(path.absolute())
    if error is not None:
        raise error
    module: Any = sqlite3
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=rw"

    hold = Hold()

    def connect() -> Any:
        hold.take(path)
        connection = module.connect(uri, uri=True, check_same_thread=False, timeout=COMMIT_MS / 1000)
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    engine = sa.create_engine(
        "sqlite://", creator=connect, module=module, poolclass=sa.pool.QueuePool, pool_size=2
    )
    sa.event.listen(engine, "engine_disposed", lambda _: hold.release())
    return engine


def _postgresql(source: ServerSource, secret: str | None) -> sa.Engine:
    from engine_bridge.postgres import connector

    return sa.create_engine(
        "postgresql+psycopg://", creator=connector(source, secret, writing=True), pool_size=2
    )


def patch_clock(engine: sa.Engine) -> None:
    """Gives SQLite's ``strftime('%s', 'now')`` thousandths of seconds, for databases whose workers have them.

    DBOS on Python < 3.12 writes ``strftime('%s','now') * 1000``: whole seconds, which would lie before the workers' own
    times, and change the order of messages.
    """

    def now(_format: str, _when: str) -> float:
        return int(time.time() * 1000) / 1000

    def connected(connection: Any, _record: Any) -> None:
        connection.create_function("strftime", 2, now)

    sa.event.listen(engine, "connect", connected)
    engine.dispose()
