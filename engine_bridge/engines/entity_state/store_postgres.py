"""PostgreSQL connections that read whatever a database holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.types import datetime as times
from psycopg.types.string import TextLoader

from engine_bridge import postgres
from engine_bridge.engines.entity_state.url import Place


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


def connector(place: Place, secret: str | None) -> Callable[[], Any]:
    """A function that connects, read-only; what Python cannot hold is read as nothing, or as escapes."""
    connect = postgres.connector(place, secret)

    def tolerant() -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = connect()
        _be_tolerant(connection)
        return connection

    return tolerant


def _be_tolerant(connection: psycopg.Connection[Any]) -> None:
    for name, loader in (("timestamptz", _Timestamptz), ("timestamp", _Timestamp), ("date", _Date)):
        connection.adapters.register_loader(name, loader)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        for name in ("text", "varchar"):
            connection.adapters.register_loader(name, _Text)
