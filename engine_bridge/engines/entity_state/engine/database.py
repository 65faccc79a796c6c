"""Transactions: short, with the context set inside each on PostgreSQL, and a write lock from the start on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from .context import Context
from .prepared import Prepared, wrapped

_SETTINGS: Final = sa.text(
    "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :user, true), "
    "set_config('app.correlation_id', :correlation, true)"
)
_BEGIN: ContextVar[str] = ContextVar("entity_state_begin", default="BEGIN IMMEDIATE")


def connect(url: str | sa.URL, **options: Any) -> sa.Engine:
    """A SQLAlchemy engine set up for this library (WAL and real transactions on SQLite)."""
    made = sa.make_url(url)
    engine = sa.create_engine(made, **options)
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine)
    return engine


def prepare_sqlite(engine: sa.Engine) -> None:
    """Makes transactions of an SQLite engine explicit: the driver's own begin too late, and not for reads."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # Straight to the driver: it is the first statement of every transaction.
        try:
            connection.connection.cursor().execute(_BEGIN.get())
        except Exception as error:
            raise wrapped(_BEGIN.get(), error, connection.dialect) from error


class Database:
    """Gives transactions that carry a context. Safe for threads; connections come from the engine's pool."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        self._settings = Prepared(_SETTINGS, engine.dialect)

    @contextmanager
    def read(self, context: Context) -> Iterator[sa.Connection]:
        """A transaction that will not write. Its settings end with it, so that nothing is left in the pool."""
        with self.engine.connect() as connection:
            # An engine with options of its own would be dearer than the statement.
            token = _BEGIN.set("BEGIN")
            try:
                connection.begin()
            finally:
                _BEGIN.reset(token)
            self._enter(connection, context)
            yield connection
            # psycopg forgets its prepared statements at every rollback.
            connection.commit()

    @contextmanager
    def write(self, context: Context) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block, and rolls back where it raises."""
        with self.engine.begin() as connection:
            self._enter(connection, context)
            yield connection

    def _enter(self, connection: sa.Connection, context: Context) -> None:
        if self.postgres:
            values = {
                "tenant": context.tenant_id or "",
                "user": context.user_id or "",
                "correlation": context.correlation_id,
            }
            self._settings.run(connection, values)
