"""PostgreSQL connections: read-only by the server's own switch, bounded, cancellable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import adapt, types

from engine_bridge.engines.dbos.url import ServerSource

CONNECT_S: Final = 8
STATEMENT_MS: Final = 120_000
LOCK_MS: Final = 1_000

_OPTIONS: Final = (
    f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS} "
    "-c idle_in_transaction_session_timeout=60000"
)


def connector(source: ServerSource, secret: str | None, *, writing: bool = False) -> Callable[[], Any]:
    """A function that connects, read-only unless ``writing``. The password stays in its closure: no repr shows it.

    Without a password of ours, libpq looks at PGPASSWORD and PGPASSFILE itself.
    """
    known = {
        "host": source.host,
        "port": source.port,
        "user": source.user,
        "password": secret or source.password,
    }
    arguments: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    arguments |= {"connect_timeout": CONNECT_S, **source.parameters}

    def connect() -> psycopg.Connection[Any]:
        if writing:
            return _connect(source.database, arguments)
        try:
            connection = _connect(source.database, arguments | {"options": _OPTIONS})
        except psycopg.OperationalError as error:
            # PgBouncer refuses start-up options; every transaction is read-only below all the same.
            if "unsupported startup parameter" not in str(error):
                raise
            connection = _connect(source.database, arguments)
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection

    return connect


def _connect(database: str, arguments: dict[str, Any]) -> psycopg.Connection[Any]:
    # Server-side prepared statements break behind transaction poolers.
    return psycopg.connect(
        dbname=database,
        application_name="playhead",
        client_encoding="UTF8",
        prepare_threshold=None,
        **arguments,
    )


def stop(connection: psycopg.Connection[Any]) -> None:
    """Cancels what a connection is doing, without making the caller wait for the network."""

    def send() -> None:
        with suppress(psycopg.Error, OSError):
            connection.cancel_safe(timeout=5)

    threading.Thread(target=send, name="playhead-cancel", daemon=True).start()


@contextmanager
def tolerant(connection: psycopg.Connection[Any], decode: Callable[[bytes], str]) -> Iterator[None]:
    """Lets a connection read text that is not valid UTF-8 (databases with encoding SQL_ASCII)."""

    class Loader(adapt.Loader):
        def load(self, data: Any) -> str:
            return decode(bytes(data))

    # The failed statement ended the transaction; the reader goes on in a new one.
    connection.rollback()
    connection.execute("SET client_encoding TO SQL_ASCII")
    for name in ("text", "varchar"):
        connection.adapters.register_loader(name, Loader)
    try:
        yield
    finally:
        for name in ("text", "varchar"):
            connection.adapters.register_loader(name, types.string.TextLoader)
        connection.rollback()
