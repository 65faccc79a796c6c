"""Source URLs of entity databases, parsed here because foreign parsers put passwords into their errors.

``entity+sqlite:////abs/db.sqlite?mapping=/abs/m.toml&tenant=acme`` and
``entity+postgresql://user@host:5432/db?mapping=/abs/m.toml&tenant=acme&schema=app`` (``host=/dir``: a Unix socket).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from engine_bridge.errors import UsageError
from engine_bridge.file_names import quoted, unquoted
from engine_bridge.postgres_url import PASSED, address_of, mask, parameters_of, port_of

SQLITE: Final = "entity+sqlite"
POSTGRESQL: Final = "entity+postgresql"

_HINT: Final = (
    "Write entity+sqlite:////path/file.db?mapping=/path/mapping.toml or "
    "entity+postgresql://user@host:5432/database?mapping=/path/mapping.toml."
)
_OWN: Final = ("mapping", "tenant")


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a URL names. ``path`` is set for a file, ``database`` for a server; ``password`` never shows in ``repr``."""

    mapping: Path
    tenant: str = ""
    path: Path | None = None
    host: str = ""
    port: int | None = None
    user: str | None = None
    database: str = ""
    schema: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """The file's or the database's name."""
        return self.path.name if self.path is not None else self.database

    @property
    def location(self) -> str:
        """Where it is, without any secret; itself a URL."""
        own = {"mapping": str(self.mapping), "tenant": self.tenant, "schema": self.schema or ""}
        if self.path is not None:
            return f"{SQLITE}:///{_path(self.path)}{_query(own)}"
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        socket = self.host.startswith("/")
        host = "" if socket else f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        own |= self.parameters | ({"host": self.host} if socket else {})
        return f"{POSTGRESQL}://{user}{host}{port}/{quote(self.database, safe='')}{_query(own)}"


def parse(url: str) -> Place:
    """Reads a URL. Raises UsageError, which never quotes a password."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == SQLITE:
        return _file(rest)
    if separator and scheme == POSTGRESQL:
        return _server(rest, url)
    raise UsageError(f"This is not the URL of a database with entities: {mask(url)}", _HINT)


def absolute(url: str) -> str:
    """The same source from every working folder. Raises UsageError."""
    place = parse(url)
    mapping = place.mapping.expanduser().absolute()
    path = None if place.path is None else place.path.expanduser().absolute()
    return replace(place, mapping=mapping, path=path).location


def file_url(path: str, mapping: str, tenant: str = "") -> str:
    """The URL of a SQLite file."""
    return Place(path=Path(path), mapping=Path(mapping), tenant=tenant).location


def _path(path: Path) -> str:
    return quoted(str(path), "/:\\ ~")


def _query(values: dict[str, str]) -> str:
    pairs = [f"{name}={quote(value, safe='/:~ ')}" for name, value in values.items() if value]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _file(rest: str) -> Place:
    path, _, query = rest.partition("?")
    if not path.startswith("/") or len(path) == 1:
        raise UsageError("The URL names no file.", _HINT)
    parameters = parameters_of(query)
    mapping, tenant = _own(parameters)
    if parameters:
        raise UsageError(f"The URL has a parameter that is not supported: {sorted(parameters)[0]}.", _HINT)
    return Place(path=_home(unquoted(path[1:])), mapping=mapping, tenant=tenant)


def _own(parameters: dict[str, str]) -> tuple[Path, str]:
    mapping, tenant = (parameters.pop(name, "") for name in _OWN)
    if not mapping:
        raise UsageError("The URL names no mapping: which tables and columns hold the entities?", _HINT)
    return _home(mapping), tenant


def _home(path: str) -> Path:
    return Path(path).expanduser() if path.startswith("~/") else Path(path)


def _server(rest: str, url: str) -> Place:
    # The last @ before the query: a password may hold any character, a parameter too.
    authority, _, query = rest.partition("?") if "@" not in rest.partition("?")[2] else _late(rest)
    credentials, at, place = authority.rpartition("@")
    user, colon, password = credentials.partition(":")
    address, slash, database = place.partition("/")
    parameters = parameters_of(query)
    mapping, tenant = _own(parameters)
    host, port = address_of(address, url, _HINT)
    password = unquote(password) if colon else parameters.pop("password", "")
    schema, host = parameters.pop("schema", ""), parameters.pop("host", host)
    port = port_of(parameters.pop("port", ""), url, _HINT) or port
    unknown = sorted(set(parameters) - PASSED)
    if unknown:
        raise UsageError(f"The URL has a parameter that is not supported: {unknown[0]}.", _HINT)
    if not slash or not database:
        raise UsageError(f"The URL names no database: {mask(url)}", _HINT)
    return Place(
        mapping=mapping,
        tenant=tenant,
        host=host or "localhost",
        port=port,
        user=(unquote(user) if at else parameters.pop("user", "")) or None,
        database=unquote(database),
        schema=schema or None,
        parameters=parameters,
        password=password or None,
    )


def _late(rest: str) -> tuple[str, str, str]:
    credentials, _, place = rest.rpartition("@")
    if "mapping=" in credentials:
        return rest.partition("?")
    address, mark, query = place.partition("?")
    return f"{credentials}@{address}", mark, query


def of_mapping(url: str, mapping: str) -> str | None:
    """The URL that a mapping file says it belongs to, without any secret; None where it is none.

    A relative file is looked for beside the mapping.
    """
    mark = "&" if "?" in url else "?"
    given = url if "mapping=" in url else f"{url}{mark}mapping={quote(mapping, safe='/:~ ')}"
    try:
        place = parse(given)
    except UsageError:
        return None
    path = None if place.path is None else Path(mapping).parent / place.path
    return replace(place, mapping=Path(mapping), path=path, password=None).location


def server_url(fields: dict[str, str]) -> str:
    """The URL of the connect dialog's fields, without the password. Raises UsageError for a port that is none."""
    port = fields.get("port", "")
    return Place(
        mapping=Path(fields["mapping"]),
        tenant=fields.get("tenant", ""),
        host=fields.get("host") or "localhost",
        port=port_of(port, "", _HINT) if port else None,
        user=fields.get("user") or None,
        database=fields.get("database", ""),
        schema=fields.get("schema") or None,
    ).location
