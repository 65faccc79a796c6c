"""PostgreSQL connections: read-only by the server's own switch, bounded, cancellable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.types import datetime as times
from psycopg.types.string import TextLoader

from engine_bridge.engines.entity_state.url import Place

CONNECT_S: Final = 8
STATEMENT_MS: Final = 120_000
LOCK_MS: Final = 1_000

_OPTIONS: Final = (
    f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS} "
    "-c idle_in_transaction_session_timeout=60000"
)


class _Timestamptz(times.TimestamptzLoader):
    def load(self, data: Any) -> Any:
        with suppress(psycopg.DataError):  # infinity, and years beyond Python's
            return super().load(data)
        return None


class _Timestamp(times.TimestampLoader):
    def load(self, data: Any) -> Any:
        with suppress(psycopg.DataError):
            return super().load(data)
        return None


class _Date(times.DateLoader):
    def load(self, data: Any) -> Any:
        with suppress(psycopg.DataError):
            return super().load(data)
        return None


class _Text(TextLoader):
    def load(self, data: Any) -> str:
        return bytes(data).decode(errors="backslashreplace")


def connector(place: Place, secret: str | None, *, writing: bool = False) -> Callable[[], Any]:
    """A function that connects, read-only unless ``writing``. The password stays in its closure: no repr shows it.

    Without a password of ours, libpq looks at PGPASSWORD and PGPASSFILE itself.
    """
    known = {"host": place.host, "port": place.port, "user": place.user, "password": secret or place.password}
    arguments: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    arguments |= {"connect_timeout": CONNECT_S, **place.parameters}

    def connect() -> psycopg.Connection[Any]:
        if writing:
            return _connect(place.database, arguments)
        try:
            connection = _connect(place.database, arguments | {"options": _OPTIONS})
        except psycopg.OperationalError as error:
            # PgBouncer refuses start-up options; every transaction is read-only below all the same.
            if "unsupported startup parameter" not in str(error):
                raise
            connection = _connect(place.database, arguments)
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        _be_tolerant(connection)
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


def _be_tolerant(connection: psycopg.Connection[Any]) -> None:
    for name, loader in (("timestamptz", _Timestamptz), ("timestamp", _Timestamp), ("date", _Date)):
        connection.adapters.register_loader(name, loader)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        for name in ("text", "varchar"):
            connection.adapters.register_loader(name, _Text)


def stop(connection: psycopg.Connection[Any]) -> None:
    """Cancels what a connection is doing, without making the caller wait for the network."""

    def send() -> None:
        with suppress(psycopg.Error, OSError):
            connection.cancel_safe(timeout=5)

    threading.Thread(target=send, name="playhead-cancel", daemon=True).start()
