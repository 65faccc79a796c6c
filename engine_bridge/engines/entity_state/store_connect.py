"""Connections of one source: read-only, short transactions with the tenant set, interruptible, thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import store_errors
from engine_bridge.engines.entity_state.store_prepared import Statements
from engine_bridge.engines.entity_state.url import Place
from engine_bridge.errors import BusyError, CancelledError, ConnectError, PlayheadError
from engine_bridge.sqlite_file import SqliteFile

Rows = Sequence[Any]
"""Rows of SQLAlchemy: tuples with names."""

_NEVER: Final = CancelToken()
_TENANT: Final = sa.text("SELECT set_config('app.tenant_id', :tenant, true)")
_SNAPSHOT: Final = sa.text("SELECT txid_current_snapshot()::text")
_CLOCK: Final = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


_STEPS: Final = 2_000_000
"""What one read may take of SQLite's virtual machine while a commit waits for it: 20 to 40 ms."""
_TICK: Final = 20_000


class LongReadError(Exception):
    """A brief read was not brief: what it asked for is to be asked in parts."""


class Reader:
    """One read transaction. Belongs to the thread that opened it; its errors are PlayheadErrors."""

    def __init__(self, owner: Connections, connection: sa.Connection, cancel: CancelToken) -> None:
        self.connection = connection
        self._owner = owner
        self._cancel = cancel

    def all(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Rows:
        """All rows of a statement."""
        self._cancel.raise_if_cancelled()
        try:
            return self.connection.execute(statement, params or {}).fetchall()
        except store_errors.CAUGHT as error:
            if not store_errors.is_undecodable(error):
                raise self._owner.translate(error, self._cancel) from None
        return self._tolerantly(lambda: self.connection.execute(statement, params or {}).fetchall())

    def fetch(
        self, key: Hashable, make: Callable[[], sa.Select[Any]], given: Mapping[str, Any] | None = None
    ) -> Rows:
        """All rows of a prepared statement, as plain tuples of what the driver gives."""
        self._cancel.raise_if_cancelled()
        prepared = self._owner.statements.get(key, make)
        driver: Any = self.connection.connection.driver_connection
        sql, params = prepared.sql, prepared.parameters(given or {})
        try:
            return list(driver.execute(sql, params).fetchall())
        except (*store_errors.CAUGHT, self._owner.driver_error) as error:
            if not store_errors.is_undecodable(error):
                # The pool learns only from errors that pass through it that a connection is gone.
                if self._owner.dialect == "postgresql":
                    self.connection.invalidate()
                raise self._owner.translate(error, self._cancel) from None
        return self._tolerantly(lambda: list(driver.execute(sql, params).fetchall()))

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        """The first row, None when there is none."""
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def value(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, None when there is none."""
        row = self.one(statement, params)
        return None if row is None else row[0]

    def _tolerantly(self, read: Callable[[], Rows]) -> Rows:
        driver: Any = self.connection.connection.driver_connection
        driver.text_factory = lambda data: data.decode(errors="backslashreplace")
        try:
            return read()
        except (*store_errors.CAUGHT, self._owner.driver_error) as error:
            raise self._owner.translate(error, self._cancel) from None
        finally:
            driver.text_factory = str


class Connections:
    """The connections of one source. ``generation`` counts how often they had to be made anew."""

    def __init__(self, place: Place, secret: str | None) -> None:
        self.place = place
        self.file = None if place.path is None else SqliteFile(place.path)
        self.tenant = place.tenant
        self.generation = 0
        self.statements: Statements
        self._lock = threading.RLock()
        self._engine: sa.Engine | None = None
        self._kept: Any = None
        self._closed = False
        self._token = ""
        self._connector = None if self.file is not None else _connector(place, secret)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return "sqlite" if self.file is not None else "postgresql"

    @property
    def sa_dialect(self) -> sa.Dialect:
        """SQLAlchemy's dialect, for rendering."""
        with self._lock:
            return self._current(_NEVER).dialect

    @property
    def driver_error(self) -> type[Exception]:
        """The base class of the driver's own errors."""
        if self.file is not None:
            found: type[Exception] = self.file.module.Error
            return found
        import psycopg

        return psycopg.Error

    def open(self, cancel: CancelToken) -> None:
        """Connects. Raises PlayheadError."""
        with self._lock:
            self._closed = False
            self._reopen(cancel)

    def close(self) -> None:
        """Frees all connections and the copy; may be called twice."""
        with self._lock:
            self._closed = True
            self._dispose()
            if self.file is not None:
                self.file.close()

    @contextmanager
    def reader(self, cancel: CancelToken) -> Iterator[Reader]:
        """One read transaction, the tenant set. Keep it short: on a file an application's commit waits for it."""
        cancel.raise_if_cancelled()
        connection = self._begin(self._current(cancel), cancel)
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

    @contextmanager
    def brief(self, cancel: CancelToken) -> Iterator[Reader]:
        """A reader that gives up before an application's commit waits for long. Raises LongReadError then."""
        with self.reader(cancel) as read:
            if self.file is None or not self.file.blocking:
                yield read
                return
            left = _STEPS // _TICK

            def late() -> bool:
                nonlocal left
                left -= 1
                return left < 0

            driver: Any = read.connection.connection.driver_connection
            driver.set_progress_handler(late, _TICK)
            try:
                yield read
            except PlayheadError:
                if left < 0 and not cancel.cancelled:
                    raise LongReadError from None
                raise
            finally:
                driver.set_progress_handler(None, 0)

    def _begin(self, engine: sa.Engine, cancel: CancelToken) -> sa.Connection:
        connection = None
        try:
            connection = engine.connect()
            connection.begin()
            if self.tenant and self.dialect == "postgresql":
                connection.execute(_TENANT, {"tenant": self.tenant})
        except store_errors.CAUGHT as error:
            if connection is not None:
                connection.close()
            raise self.translate(error, cancel) from None
        return connection

    @contextmanager
    def _interruptible(self, connection: sa.Connection, cancel: CancelToken) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        active, live = threading.Lock(), [True]

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

    def version_token(self, cancel: CancelToken) -> str:
        """A text that differs from the last one when anything may have been committed: the gate of live views.

        SQLite: ``PRAGMA data_version`` of a kept connection. PostgreSQL: the current snapshot, which other databases
        of the server move too. A locked file counts as unmoved.
        """
        try:
            self._current(cancel)
            if self.file is None:
                with self.reader(cancel) as read:
                    return f"{self.generation}:{read.value(_SNAPSHOT)}"
            with self._lock:
                self._token = f"{self.generation}:{self._data_version()}"
        except BusyError:
            pass
        return self._token

    def _data_version(self) -> int:
        try:
            if self._kept is None and self.file is not None:
                self._kept = self.file.connect()
            return int(self._kept.execute("PRAGMA data_version").fetchone()[0])
        except (*store_errors.CAUGHT, self.driver_error) as error:
            raise self.translate(error, _NEVER) from None

    def now_ns(self, cancel: CancelToken) -> int:
        """The database's clock (PostgreSQL), or this machine's (a file has none)."""
        if self.file is not None:
            return time.time_ns()
        with self.reader(cancel) as read:
            return int(read.value(_CLOCK)) * 1000

    def translate(self, error: BaseException, cancel: CancelToken) -> PlayheadError:
        """A driver's error in the user's words."""
        if cancel.cancelled:
            return CancelledError()
        return store_errors.translate(error, self.place.title, self.place.path)

    def _current(self, cancel: CancelToken) -> sa.Engine:
        with self._lock:
            if self._closed:
                raise ConnectError("The source was closed.")
            engine = self._engine
            if engine is None or (self.file is not None and self.file.stale()):
                engine = self._reopen(cancel)
            return engine

    def _reopen(self, cancel: CancelToken) -> sa.Engine:
        self._dispose()
        self.generation += 1
        if self.file is not None:
            self.file.prepare(cancel)
        try:
            return self._start(cancel)
        except _HotJournalError:
            self._dispose()
            if self.file is not None:
                self.file.prepare(cancel, hot=True)
            return self._start(cancel)

    def _start(self, cancel: CancelToken) -> sa.Engine:
        self._engine = engine = self._make_engine()
        try:
            with engine.connect() as connection, connection.begin():
                connection.execute(_PROBES[self.dialect])
        except store_errors.CAUGHT as error:
            self._dispose()
            if self.file is not None and not self.file.copied and store_errors.is_hot_journal(error):
                raise _HotJournalError("A writer died in the middle of a transaction.") from None
            raise self.translate(error, cancel) from None
        self.statements = Statements(engine.dialect)
        return engine

    def _make_engine(self) -> sa.Engine:
        options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 6, "max_overflow": 24}
        if self.file is None:
            return sa.create_engine("postgresql+psycopg://", creator=self._connector, **options)
        engine = sa.create_engine("sqlite://", creator=self.file.connect, module=self.file.module, **options)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    def _dispose(self) -> None:
        engine, self._engine = self._engine, None
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
        if engine is not None:
            engine.dispose()


class _HotJournalError(ConnectError):
    """Told to the user only when the copy fails too."""


_PROBES: Final = {
    "sqlite": sa.text("SELECT count(*) FROM sqlite_master"),
    "postgresql": sa.text("SELECT 1"),
}


def _connector(place: Place, secret: str | None) -> Callable[[], Any]:
    from engine_bridge.engines.entity_state.store_postgres import connector

    return connector(place, secret)


def _stop(driver: Any) -> None:
    if hasattr(driver, "interrupt"):
        driver.interrupt()
        return
    from engine_bridge.postgres import stop

    stop(driver)
