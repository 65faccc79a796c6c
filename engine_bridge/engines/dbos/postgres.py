"""PostgreSQL databases of any encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import adapt, types


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
