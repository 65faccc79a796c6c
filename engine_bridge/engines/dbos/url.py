"""Source URLs of DBOS databases, parsed here because foreign parsers put passwords into their errors.

``dbos+sqlite:///relative.db``, ``dbos+sqlite:////absolute.db`` and
``dbos+postgresql://user@host:5432/database?schema=dbos`` (``host=/dir`` in the query for a Unix socket).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from engine_bridge.errors import UsageError
from engine_bridge.file_names import quoted, unquoted
from engine_bridge.postgres_url import PASSED, address_of, mask, parameters_of, port_of

SQLITE = "dbos+sqlite"
POSTGRESQL = "dbos+postgresql"

_HINT = "Write dbos+sqlite:///file.db or dbos+postgresql://user@host:5432/database?schema=dbos."


@dataclass(frozen=True)
class FileSource:
    """A SQLite file."""

    path: Path


@dataclass(frozen=True)
class ServerSource:
    """A PostgreSQL database. ``password`` never shows in ``repr``."""

    host: str
    port: int | None
    user: str | None
    database: str
    schema: str = "dbos"
    parameters: dict[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)

    @property
    def location(self) -> str:
        """Where it is, without any secret."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{POSTGRESQL}://{user}{self.host}{port}/{self.database}?schema={self.schema}"


def parse(url: str) -> FileSource | ServerSource:
    """Reads a URL. Raises UsageError, which never quotes a password."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == SQLITE:
        return _file(rest)
    if separator and scheme == POSTGRESQL:
        return _server(rest, url)
    raise UsageError(f"This is not the URL of a DBOS database: {mask(url)}", _HINT)


def file_url(path: str) -> str:
    """The URL of a SQLite file."""
    safe = quoted(path, "/:\\ ~")
    return f"{SQLITE}:///{safe}"


def server_url(source: ServerSource) -> str:
    """The one URL of a server, however its own was written: default port and schema are said; no password."""
    more = dict(sorted({**source.parameters, "schema": source.schema}.items()))
    port = source.port or (
        None if "service" in more else port_of(os.environ.get("PGPORT", ""), "", _HINT) or 5432
    )
    place = f"[{source.host}]" if ":" in source.host else quote(source.host, safe="")
    if source.host.startswith("/"):
        place, more["host"] = "", source.host
    user = f"{quote(source.user, safe='')}@" if source.user else ""
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in more.items())
    return (
        f"{POSTGRESQL}://{user}{place}{f':{port}' if port else ''}/{quote(source.database, safe='')}?{query}"
    )


def _file(rest: str) -> FileSource:
    if not rest.startswith("/") or len(rest) == 1:
        raise UsageError("The URL names no file.", _HINT)
    return FileSource(_home(rest[1:]) if _is_there(rest[1:]) else _home(unquoted(rest[1:])))


def _home(path: str) -> Path:
    return Path(path).expanduser() if path.startswith("~/") else Path(path)


def _is_there(path: str) -> bool:
    try:
        return _home(path).exists()
    except (OSError, ValueError):
        return False


def _server(rest: str, url: str) -> ServerSource:
    credentials, at, place = rest.rpartition("@")
    user, colon, password = credentials.partition(":")
    location, _, query = place.partition("?")
    address, slash, database = location.partition("/")
    parameters = parameters_of(query)
    host, port = address_of(address, url, _HINT)
    password = unquote(password) if colon else parameters.pop("password", "")
    schema = parameters.pop("schema", "dbos")
    host = parameters.pop("host", host)
    port_text = parameters.pop("port", "")
    unknown = sorted(set(parameters) - PASSED)
    if unknown:
        raise UsageError(f"The URL has a parameter that is not supported: {unknown[0]}.", _HINT)
    if not slash or not database:
        raise UsageError(f"The URL names no database: {mask(url)}", _HINT)
    return ServerSource(
        host=host or "localhost",
        port=port_of(port_text, url, _HINT) or port,
        user=(unquote(user) if at else parameters.pop("user", "")) or None,
        database=unquote(database),
        schema=schema,
        parameters=parameters,
        password=password or None,
    )
