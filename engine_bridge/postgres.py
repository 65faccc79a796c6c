"""PostgreSQL connections: read-only by the server's own switch, bounded, cancellable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import psycopg

CONNECT_S: Final = 8
STATEMENT_MS: Final = 120_000
LOCK_MS: Final = 1_000

_OPTIONS: Final = (
    f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS} "
    "-c idle_in_transaction_session_timeout=60000"
)


class Server(Protocol):
    """What a URL names, as libpq calls it; ``parameters`` are those of libpq that it sets."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def database(self) -> str: ...
    @property
    def parameters(self) -> dict[str, str]: ...
    @property
    def password(self) -> str | None: ...


def connector(server: Server, secret: str | None, *, writing: bool = False) -> Callable[[], Any]:
    """A function that connects, read-only unless ``writing``. The password stays in its closure: no repr shows it.

    Without a password of ours, libpq looks at PGPASSWORD and PGPASSFILE itself.
    """
    known = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": secret or server.password,
    }
    arguments: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    arguments |= {"connect_timeout": CONNECT_S, **server.parameters}

    def connect() -> psycopg.Connection[Any]:
        if writing:
            return _connect(server.database, arguments)
        try:
            connection = _connect(server.database, arguments | {"options": _OPTIONS})
        except psycopg.OperationalError as error:
            # PgBouncer refuses start-up options; every transaction is read-only below all the same.
            if "unsupported startup parameter" not in str(error):
                raise
            connection = _connect(server.database, arguments)
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
