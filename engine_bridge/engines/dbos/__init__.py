"""The DBOS bridge: reads the system database of DBOS applications (SQLite and PostgreSQL)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_bridge.bridge import Bridge, ConnectField, ConnectForm, Engine

if TYPE_CHECKING:
    from engine_bridge.actions.model import Actor

_SQLITE_MAGIC = b"SQLite format 3\x00"
_SUFFIXES = (".sqlite", ".sqlite3", ".db")


def _bridge(url: str, secret: str | None) -> Bridge:
    from engine_bridge.engines.dbos.bridge import DbosBridge

    return DbosBridge(url, secret)


def _actor(url: str, secret: str | None) -> Actor:
    from engine_bridge.engines.dbos.act import DbosActor

    return DbosActor(url, secret)


def _sniff(path: str, head: bytes) -> str | None:
    # A file of our name that is empty or something else is opened too: then it is said what is wrong with it.
    if not head.startswith(_SQLITE_MAGIC) and not path.lower().endswith(_SUFFIXES):
        return None
    return _file_url({"path": path})


def _file_url(fields: dict[str, str]) -> str:
    from engine_bridge.engines.dbos.url import file_url

    return file_url(fields["path"])


def _absolute(url: str) -> str:
    from engine_bridge.engines.dbos.url import FileSource, file_url, parse, server_url

    source = parse(url)
    return file_url(str(source.path.absolute())) if isinstance(source, FileSource) else server_url(source)


def _server_url(fields: dict[str, str]) -> str:
    from urllib.parse import quote

    host, port = fields.get("host") or "localhost", fields.get("port", "")
    socket = host.startswith("/")
    place = "" if socket else f"[{host}]" if ":" in host else quote(host, safe="")
    address = place + (f":{port}" if port else "")
    user = quote(fields.get("user", ""), safe="")
    database = quote(fields.get("database", ""), safe="")
    query = f"?schema={quote(fields.get('schema') or 'dbos', safe='')}"
    query += f"&host={quote(host, safe='/')}" if socket else ""
    return f"dbos+postgresql://{user}{'@' if user else ''}{address}/{database}{query}"


ENGINE = Engine(
    name="dbos",
    title="DBOS",
    schemes=("dbos+sqlite", "dbos+postgresql"),
    bridge=_bridge,
    actor=_actor,
    sniff=_sniff,
    forms=(
        ConnectForm(
            scheme="dbos+sqlite",
            title="DBOS on SQLite",
            fields=(ConnectField("path", "File", placeholder="/srv/app/orders.sqlite"),),
            build=_file_url,
        ),
        ConnectForm(
            scheme="dbos+postgresql",
            title="DBOS on PostgreSQL",
            fields=(
                ConnectField("host", "Host", "localhost"),
                ConnectField("port", "Port", "5432"),
                ConnectField("database", "Database", placeholder="orders_dbos_sys"),
                ConnectField("user", "User", "postgres"),
                ConnectField("password", "Password", secret=True),
                ConnectField("schema", "Schema", "dbos"),
            ),
            build=_server_url,
        ),
    ),
    file_patterns=tuple(f"*{suffix}" for suffix in _SUFFIXES),
    absolute=_absolute,
    greedy=True,
)
