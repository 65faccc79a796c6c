"""What a database holds: its tables and columns, the schema's version, and what the grants leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine_bridge.engines.dbos.tables import COLUMNS, KNOWN_VERSION, Tables
from engine_bridge.errors import PermissionDeniedError, SchemaUnknownError

_NEEDED = ("workflow_status", "operation_outputs")
_NEEDED_COLUMNS = frozenset({"workflow_uuid", "status", "name", "created_at"})


@dataclass(frozen=True)
class Probed:
    """``version`` of the schema (None: unknown), ``denied`` tables without SELECT, ``server`` version text."""

    tables: Tables
    version: int | None
    denied: tuple[str, ...]
    server: str

    @property
    def known(self) -> bool:
        """Whether this schema version was tested."""
        return self.version is not None and self.version <= KNOWN_VERSION and not self.tables.sharded

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user must know about the schema."""
        said = []
        if self.tables.sharded:
            said.append("This is a sharded database (shard_key): only what this database holds is shown.")
        if self.version is None:
            said.append("The schema's version is not recorded: opened by its columns.")
        elif self.version > KNOWN_VERSION:
            said.append(
                f"Schema version {self.version} is newer than the tested {KNOWN_VERSION}: what is new may be missing."
            )
        if self.denied:
            said.append(f"No SELECT on {', '.join(self.denied)}: what they hold is not shown.")
        return tuple(said)


def look(connection: sa.Connection, dialect: str, schema: str, place: str) -> Probed:
    """Looks at the schema. Raises SchemaUnknownError, PermissionDeniedError, or the driver's errors."""
    if dialect == "sqlite":
        found, prefix = _sqlite(connection), None
        denied: tuple[str, ...] = ()
        server = f"SQLite {_scalar(connection, 'SELECT sqlite_version()')}"
    else:
        found, denied = _postgresql(connection, schema, place)
        server, prefix = f"PostgreSQL {_scalar(connection, 'SHOW server_version')}", schema
    _check(found, denied, schema if prefix else "", place)
    tables = Tables(found, prefix, dialect)
    return Probed(tables, _version(connection, tables), denied, str(server))


def _scalar(connection: sa.Connection, sql: str) -> Any:
    return connection.execute(sa.text(sql)).scalar()


def _sqlite(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        sa.text(
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
        )
    ).fetchall()
    return _grouped([(table, column) for table, column in rows])


def _postgresql(
    connection: sa.Connection, schema: str, place: str
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    rows = connection.execute(
        sa.text(
            "SELECT c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE n.nspname = :schema AND c.relkind IN ('r', 'v', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped "
            "ORDER BY c.relname, a.attnum"
        ),
        {"schema": schema},
    ).fetchall()
    usage = connection.execute(
        sa.text("SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = :schema"),
        {"schema": schema},
    ).scalar()
    if usage is False:
        raise PermissionDeniedError(
            f"No USAGE on schema {schema} of {place}.", f"Ask for GRANT USAGE ON SCHEMA {schema}."
        )
    readable = _grouped([(table, column) for table, column, may in rows if may])
    denied = sorted({table for table, _, _ in rows if table in COLUMNS} - readable.keys())
    return readable, tuple(denied)


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for table, column in pairs:
        if table in COLUMNS:
            found[table] = (*found.get(table, ()), column)
    return found


def _check(found: dict[str, tuple[str, ...]], denied: tuple[str, ...], schema: str, place: str) -> None:
    for table in _NEEDED:
        if table in denied:
            raise PermissionDeniedError(
                f"No SELECT on {schema}.{table} of {place}.", f"Ask for GRANT SELECT ON {schema}.{table}."
            )
    if (
        all(table in found for table in _NEEDED)
        and found["workflow_status"]
        and set(found["workflow_status"]) >= _NEEDED_COLUMNS
    ):
        return
    where = f"schema {schema} of {place}" if schema else place
    raise SchemaUnknownError(
        f"There are no DBOS system tables in {where}.",
        "Open the system database (its default name is APP_dbos_sys), or give its schema with ?schema=…"
        if schema
        else "It is a database of something else, or DBOS has not created its tables yet.",
    )


def _version(connection: sa.Connection, tables: Tables) -> int | None:
    if not tables.has("dbos_migrations", "version"):
        return None
    value = connection.execute(sa.select(sa.func.max(tables["dbos_migrations"].c.version))).scalar()
    return value if isinstance(value, int) else None
