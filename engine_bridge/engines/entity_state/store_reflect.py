"""All tables of a mapping as they are, with what may be done to them: few questions, however many tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

_RIGHTS: Final = sa.text(
    "SELECT n.name, row_security_active(c.oid), has_table_privilege(c.oid, 'INSERT'), "
    "has_any_column_privilege(c.oid, 'UPDATE'), "
    "array_agg(a.attname::text) FILTER (WHERE has_column_privilege(c.oid, a.attnum, 'SELECT')) "
    "FROM unnest(CAST(:names AS text[])) AS n(name) JOIN pg_class c ON c.oid = to_regclass(n.name) "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "GROUP BY n.name, c.oid"
)
_NUMBERED: Final = sa.text("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT wr")


class Reflected:
    """The tables of some names (``table`` or ``schema.table``). ``schema`` is that of names without one."""

    def __init__(self, connection: sa.Connection, names: Iterable[str], schema: str | None) -> None:
        self._connection = connection
        self._schema = schema
        self.sqlite = connection.dialect.name == "sqlite"
        self._tables: dict[tuple[str | None, str], sa.Table] = {}
        wanted: dict[str | None, set[str]] = {}
        for name in names:
            place, table = self.split(name)
            wanted.setdefault(place, set()).add(table)
        for place, tables in wanted.items():
            self._reflect(place, tables)
        self._rights = {} if self.sqlite else self._ask_rights()
        if self.sqlite:
            self._loosen()

    def split(self, name: str) -> tuple[str | None, str]:
        """(schema, table) of a name."""
        first, dot, second = name.partition(".")
        return (first, second) if dot else (self._schema, first)

    def _reflect(self, schema: str | None, wanted: set[str]) -> None:
        metadata = sa.MetaData()
        metadata.reflect(
            self._connection,
            schema=schema,
            views=True,
            only=lambda name, _: name in wanted,
            resolve_fks=False,
        )
        for table in metadata.tables.values():
            self._tables[schema, table.name] = table

    def _loosen(self) -> None:
        """On SQLite a declared type says little about what is stored: only texts and integers keep theirs."""
        numbered = set(self._connection.execute(_NUMBERED).scalars())
        for (_, name), table in self._tables.items():
            table.info["rowid"] = name in numbered
            for column in table.columns:
                if not isinstance(column.type, sa.String | sa.Integer):
                    column.type = sa.types.NullType()

    def _ask_rights(self) -> dict[str, Any]:
        names = [self.quoted(table) for table in self._tables.values()]
        return {row[0]: row for row in self._connection.execute(_RIGHTS, {"names": names})}

    def quoted(self, table: sa.Table) -> str:
        """A table's name as SQL writes it."""
        return str(self._connection.dialect.identifier_preparer.format_table(table))

    def get(self, name: str) -> sa.Table | None:
        """A table or view, None where there is none."""
        return self._tables.get(self.split(name))

    def others(self, schema: str | None) -> list[str]:
        """The names of all tables and views of a schema, to suggest some."""
        inspector = sa.inspect(self._connection)
        return inspector.get_table_names(schema=schema) + inspector.get_view_names(schema=schema)

    def readable(self, table: sa.Table, column: str | None = None) -> bool:
        """Whether a column (None: any of them) may be read."""
        if self.sqlite:
            return True
        row = self._rights.get(self.quoted(table))
        readable = () if row is None or row[4] is None else row[4]
        return bool(readable) if column is None else column in readable

    def writable(self, table: sa.Table, grant: str) -> bool:
        """Whether rows may be changed (UPDATE) or added (INSERT)."""
        row = self._rights.get(self.quoted(table))
        return row is not None and bool(row[2] if grant == "INSERT" else row[3])

    def hidden(self, table: sa.Table) -> bool:
        """Whether row-level security holds for this role."""
        row = self._rights.get(self.quoted(table))
        return row is not None and bool(row[1])


def indexes(table: sa.Table) -> list[tuple[list[str], bool]]:
    """The columns of every index and key of a table, and whether they are unique."""
    found = [([column.name for column in index.columns], bool(index.unique)) for index in table.indexes]
    for constraint in table.constraints:
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint):
            found.append(([column.name for column in constraint.columns], True))
    return [(columns, unique) for columns, unique in found if columns]
