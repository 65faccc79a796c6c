"""Connections to one DBOS database: read-only, short transactions, interruptible, thread-safe.

``Database`` is what the readers of this package use::

    with db.reader(cancel) as read:          # one snapshot, < 50 ms of work
        rows = read.all(statement, {"id": run_id})
    rows = db.all(statement, cancel, {"id": run_id})
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import driver_errors, probe
from engine_bridge.engines.dbos.prepared import Prepared, Statements
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.engines.dbos.url import FileSource, ServerSource, parse
from engine_bridge.errors import BusyError, CancelledError, ConnectError, PlayheadError
from engine_bridge.sqlite_file import SqliteFile

Rows = Sequence[Any]
"""Rows of SQLAlchemy: tuples with names."""
_NEVER = CancelToken()


class Reader:
    """One read transaction. Belongs to the thread that opened it.

    ``bad_texts`` collects texts that are not valid UTF-8, as they were returned: with ``\\xNN`` for the bytes
    that do not decode.
    """

    def __init__(self, db: Database, connection: sa.Connection, cancel: CancelToken) -> None:
        self._db = db
        self._connection = connection
        self._cancel = cancel
        self.bad_texts: set[str] = set()

    def all(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Rows:
        """All rows of a statement. Raises PlayheadError."""
        self._cancel.raise_if_cancelled()
        try:
            return self._connection.execute(statement, params or {}).fetchall()
        except driver_errors.CAUGHT as error:
            if not driver_errors.is_undecodable(error):
                raise self._db.translate(error, self._cancel) from None
        return self._again(statement, params or {})

    def fetch(self, prepared: Prepared, params: Mapping[str, Any] | None = None) -> Rows:
        """All rows of a prepared statement, as plain tuples. Raises PlayheadError."""
        self._cancel.raise_if_cancelled()
        driver: Any = self._connection.connection.driver_connection
        values = prepared.parameters(params or {})
        try:
            return list(driver.execute(prepared.sql, values).fetchall())
        except (*driver_errors.CAUGHT, self._db.driver_error) as error:
            if not driver_errors.is_undecodable(error):
                raise self._lost(error) from None
        try:
            with self._db.tolerant(driver, self._decode):
                return list(driver.execute(prepared.sql, values).fetchall())
        except (*driver_errors.CAUGHT, self._db.driver_error) as error:
            raise self._lost(error) from None

    def _lost(self, error: BaseException) -> PlayheadError:
        # The pool learns only from errors that pass through it that a connection is gone.
        if self._db.dialect == "postgresql":
            self._connection.invalidate()
        return self._db.translate(error, self._cancel)

    def _again(self, statement: sa.Executable, params: Mapping[str, Any]) -> Rows:
        driver: Any = self._connection.connection.driver_connection
        try:
            with self._db.tolerant(driver, self._decode):
                return self._connection.execute(statement, params).fetchall()
        except driver_errors.CAUGHT as error:
            raise self._db.translate(error, self._cancel) from None

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="backslashreplace")
            self.bad_texts.add(text)
            return text

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        """The first row, None when there is none."""
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def value(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, None when there is none."""
        row = self.one(statement, params)
        return None if row is None else row[0]


class Database:
    """One DBOS database, SQLite or PostgreSQL. Thread-safe.

    ``tables`` describes what was found when it was opened; ``generation`` counts how often the connections had to be
    made anew (file replaced, server restarted, a copy outdated), so that marks of older ones are void;
    ``statements`` keeps prepared statements.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        source = parse(url)
        self._file = SqliteFile(source.path) if isinstance(source, FileSource) else None
        self._connector = _connector(source, secret)
        self._place = source.location if isinstance(source, ServerSource) else str(source.path)
        self._lock = threading.RLock()
        self._engine: sa.Engine | None = None
        self._kept: Any = None
        self._token = ""
        self._closed = False
        self.generation = 0
        self.schema = source.schema if isinstance(source, ServerSource) else None
        self.title = source.path.name if isinstance(source, FileSource) else source.database
        self.tables: Tables
        self.statements: Statements
        self.probed: probe.Probed

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return "sqlite" if self._file is not None else "postgresql"

    @property
    def location(self) -> str:
        """Where it is, without secrets."""
        return self._place

    @property
    def path(self) -> Path | None:
        """The file, None for a server."""
        return None if self._file is None else self._file.path

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user must know about how it was opened."""
        return (self._file.notice,) if self._file is not None and self._file.notice else ()

    def open(self, cancel: CancelToken) -> None:
        """Connects and looks at the schema. Raises PlayheadError."""
        with self._lock:
            self._closed = False
            self._reopen(cancel)

    def close(self) -> None:
        """Frees all connections and the copy; may be called twice."""
        with self._lock:
            self._closed = True
            self._dispose()
            if self._file is not None:
                self._file.close()

    def all(
        self, statement: sa.Executable, cancel: CancelToken, params: Mapping[str, Any] | None = None
    ) -> Rows:
        """All rows of one statement, in a read transaction of its own."""
        with self.reader(cancel) as read:
            return read.all(statement, params)

    @contextmanager
    def reader(self, cancel: CancelToken) -> Iterator[Reader]:
        """One read transaction (one snapshot). Keep it short: an application's commit waits for it."""
        cancel.raise_if_cancelled()
        connection = self._connect(self._current(cancel), cancel)
        try:
            with self._interruptible(connection, cancel):
                yield Reader(self, connection, cancel)
        except CancelledError:
            if self.dialect == "postgresql":
                # A cancel request may reach the server late and would hit this connection's next statement.
                connection.invalidate()
            raise
        finally:
            with suppress(sa.exc.SQLAlchemyError):
                connection.close()

    def _connect(self, engine: sa.Engine, cancel: CancelToken) -> sa.Connection:
        try:
            connection = engine.connect()
            connection.begin()
        except driver_errors.CAUGHT as error:
            raise self.translate(error, cancel) from None
        return connection

    @contextmanager
    def _interruptible(self, connection: sa.Connection, cancel: CancelToken) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        active = threading.Lock()
        live = [True]

        def stop() -> None:
            with active:
                if live[0]:
                    _stop(driver)

        remove = cancel.add_hook(stop)
        try:
            yield
        finally:
            remove()
            with active:
                live[0] = False

    @contextmanager
    def tolerant(self, driver: Any, decode: Callable[[bytes], str]) -> Iterator[None]:
        """Lets one driver connection read text that is not valid in its encoding."""
        if self._file is not None:
            driver.text_factory = decode
            try:
                yield
            finally:
                driver.text_factory = str
        else:
            from engine_bridge.engines.dbos.postgres import tolerant

            with tolerant(driver, decode):
                yield

    def version_token(self, cancel: CancelToken) -> str:
        """A text that differs from the last one when anything may have been committed: the gate of live views.

        SQLite: ``PRAGMA data_version`` of a kept connection (12 µs). PostgreSQL: the current snapshot (0.05 ms),
        which other databases of the server move too. A locked file counts as unmoved.
        """
        try:
            self._current(cancel)
            with self._lock:
                if self._file is not None:
                    self._token = f"{self.generation}:{self._data_version()}"
                    return self._token
            return f"{self.generation}:{self.all(_SNAPSHOT, cancel)[0][0]}"
        except BusyError:
            return self._token

    def _data_version(self) -> int:
        try:
            if self._kept is None and self._file is not None:
                self._kept = self._file.connect()
            return int(self._kept.execute("PRAGMA data_version").fetchone()[0])
        except (*driver_errors.CAUGHT, self.driver_error) as error:
            raise self.translate(error, _NEVER) from None

    @property
    def driver_error(self) -> type[Exception]:
        """The base class of the driver's own errors."""
        if self._file is not None:
            found: type[Exception] = self._file.module.Error
            return found
        import psycopg

        return psycopg.Error

    def now_ns(self, cancel: CancelToken) -> int:
        """The database's clock (PostgreSQL), or this machine's (a file has none)."""
        if self._file is not None:
            return time.time_ns()
        return int(self.all(_CLOCK, cancel)[0][0]) * 1000

    def translate(self, error: BaseException, cancel: CancelToken) -> PlayheadError:
        """A driver's error in the user's words; connections that are gone are made anew by the next call."""
        if cancel.cancelled:
            return CancelledError()
        return driver_errors.translate(error, self._place, self.path)

    def _current(self, cancel: CancelToken) -> sa.Engine:
        with self._lock:
            if self._closed:
                raise ConnectError("The source was closed.")
            engine = self._engine
            if engine is None or (self._file is not None and self._file.stale()):
                engine = self._reopen(cancel)
            return engine

    def _reopen(self, cancel: CancelToken) -> sa.Engine:
        self._dispose()
        self.generation += 1
        if self._file is not None:
            self._file.prepare(cancel)
        try:
            return self._start(cancel)
        except _HotJournalError:
            if self._file is None:
                raise
            self._dispose()
            self._file.prepare(cancel, hot=True)
            return self._start(cancel)

    def _start(self, cancel: CancelToken) -> sa.Engine:
        self._engine = engine = self._make_engine()
        try:
            connection = engine.connect()
        except driver_errors.CAUGHT as error:
            self._dispose()
            raise self._hot_or_told(error, cancel) from None
        try:
            with connection, connection.begin():
                self.probed = probe.look(connection, self.dialect, self.schema or "dbos", self._place)
            self.tables = self.probed.tables
            self.statements = Statements(engine.dialect)
        except driver_errors.CAUGHT as error:
            self._dispose()
            raise self._hot_or_told(error, cancel) from None
        except PlayheadError:
            self._dispose()
            raise
        return engine

    def _hot_or_told(self, error: BaseException, cancel: CancelToken) -> PlayheadError:
        if self._file is not None and not self._file.copied and driver_errors.is_hot_journal(error):
            return _HotJournalError("A writer died in the middle of a transaction.")
        return self.translate(error, cancel)

    def _make_engine(self) -> sa.Engine:
        options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 6, "max_overflow": 24}
        if self._file is not None:
            engine = sa.create_engine(
                "sqlite://", creator=self._file.connect, module=self._file.module, **options
            )
            sa.event.listen(engine, "begin", _begin)
            return engine
        return sa.create_engine("postgresql+psycopg://", creator=self._connector, **options)

    def _dispose(self) -> None:
        engine, self._engine = self._engine, None
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
        if engine is not None:
            engine.dispose()


class _HotJournalError(ConnectError):
    """Told to the user only when the copy fails too."""


_SNAPSHOT = sa.text("SELECT txid_current_snapshot()::text")
_CLOCK = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _connector(source: FileSource | ServerSource, secret: str | None) -> Callable[[], Any] | None:
    if isinstance(source, FileSource):
        return None
    from engine_bridge.postgres import connector

    return connector(source, secret)


def _stop(driver: Any) -> None:
    if hasattr(driver, "interrupt"):
        driver.interrupt()
        return
    from engine_bridge.postgres import stop

    stop(driver)
