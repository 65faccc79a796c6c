"""Statements compiled once: the few that every step needs, sent straight to the driver's cursor.

SQLAlchemy's work for each execution costs more than the statement on SQLite. Values still pass the types' own
processors, and errors are still SQLAlchemy's; its cursor events do not see these statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa


def wrapped(sql: str, error: Exception, dialect: sa.Dialect) -> BaseException:
    """A driver's error as SQLAlchemy would raise it, without the values."""
    dbapi: Any = dialect.loaded_dbapi
    return sa.exc.DBAPIError.instance(sql, None, error, dbapi.Error, hide_parameters=True, dialect=dialect)


class Prepared:
    """One statement for one dialect. Its parameters are named as in the statement; no lists (expanding IN)."""

    def __init__(
        self, statement: sa.ClauseElement, dialect: sa.Dialect, columns: Iterable[str] | None = None
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) if columns else None)
        self.sql = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._names = list(compiled.positiontup) if compiled.positional else list(binds)
        self._positional = bool(compiled.positional)
        self._dialect = dialect
        self._parameters: list[tuple[str, Any, Callable[[Any], Any] | None]] = [
            (name, binds[name].value, binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in self._names
        ]

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Executes it; a parameter without a value takes its default (a constant of the statement). The cursor.

        Raises SQLAlchemy's errors, without the values in their text.
        """
        given = [
            default if name not in values else values[name] if process is None else process(values[name])
            for name, default, process in self._parameters
        ]
        cursor = connection.connection.cursor()
        try:
            if self._positional:
                return cursor.execute(self.sql, given)
            return cursor.execute(self.sql, dict(zip(self._names, given, strict=True)))
        except Exception as error:
            raise wrapped(self.sql, error, self._dialect) from error


class Reader:
    """Turns the driver's rows of a table's columns, in order, into the columns' own values by name."""

    def __init__(self, columns: Sequence[sa.Column[Any]], dialect: sa.Dialect) -> None:
        self._columns = [
            (c.name, c.type.dialect_impl(dialect).result_processor(dialect, None)) for c in columns
        ]

    def read(self, found: Sequence[Any]) -> dict[str, Any]:
        """A row as a mapping."""
        return {
            name: value if process is None else process(value)
            for (name, process), value in zip(self._columns, found, strict=True)
        }
