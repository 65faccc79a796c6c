"""Statements that write, built once: executed with bound values, shown in plans and copied with literals.

A value may be plain, an SQL expression or None; ``NOW`` stands for the database's own clock, told as its column keeps
times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine_bridge.actions.quoting import sql as quoted
from engine_bridge.engines.entity_state.store_time import SHAPE, Instant, zone_of

NOW: Final = object()
SET: Final = object()
"""In a condition: any value but null."""

Column = sa.ColumnElement[Any]
Cells = tuple[tuple[Column, Any], ...]

# With named parameters, percent signs are left alone.
_DIALECTS: Final[dict[str, sa.Dialect]] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}
_SQLITE_NUMBERS: Final = {
    "epoch_ms": "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "epoch_s": "CAST(strftime('%s', 'now') AS INTEGER)",
}
_PG_NUMBERS: Final = {
    "epoch_ms": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    "epoch_s": "CAST(extract(epoch FROM clock_timestamp()) AS bigint)",
}


@dataclass(frozen=True, slots=True)
class Write:
    """One statement that writes exactly one row, or tells that somebody was first. ``where``: what columns must be."""

    kind: Literal["update", "insert"]
    table: sa.Table
    values: Cells
    where: Cells = ()


def update(
    table: sa.Table, values: Iterable[tuple[Column | None, Any]], where: Iterable[tuple[Column, Any]]
) -> Write:
    """An update of the one row that still is as it was read; cells of absent columns are left out."""
    return Write("update", table, _present(values), tuple(where))


def insert(table: sa.Table, values: Iterable[tuple[Column | None, Any]]) -> Write:
    """An insert; cells of absent columns are left out."""
    return Write("insert", table, _present(values))


def _present(values: Iterable[tuple[Column | None, Any]]) -> Cells:
    return tuple((column, value) for column, value in values if column is not None)


def plus_one(column: Column) -> Column:
    """A counter, one higher."""
    return column + sa.literal_column("1")


def quoted_table(table: sa.Table) -> str:
    """A table's name as PostgreSQL reads it."""
    return str(_DIALECTS["postgresql"].identifier_preparer.format_table(table))


class Sql:
    """Builds and tells statements for one kind of database ("sqlite", "postgresql")."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def bound(self, write: Write) -> sa.Executable:
        """The statement to execute."""
        return self._build(write, lambda column, value: sa.literal(value, column.type))

    def shown(self, write: Write) -> str:
        """The statement with literals, on one line."""
        return self._text(self._build(write, self._literal))

    def copied(self, writes: tuple[Write, ...]) -> tuple[str, ...]:
        """The statements to paste: each writes only if the one before it wrote, so a paste that comes too late writes
        nothing at all."""
        if self.dialect == "sqlite":
            guards = [None, *["changes() = 1"] * (len(writes) - 1)]
            return tuple(
                self._text(self._build(w, self._literal, g)) for w, g in zip(writes, guards, strict=True)
            )
        if len(writes) == 1:
            return (self.shown(writes[0]),)
        guards = [None, *[f"EXISTS (SELECT 1 FROM w{number})" for number in range(len(writes) - 1)]]
        texts = [self._text(self._build(w, self._literal, g)) for w, g in zip(writes, guards, strict=True)]
        parts = ", ".join(f"w{number} AS ({text} RETURNING 1)" for number, text in enumerate(texts))
        return (f"WITH {parts} SELECT count(*) AS written FROM w{len(writes) - 1}",)

    def text(self, value: Any) -> str:
        """A literal."""
        return quoted(value, self.dialect)

    def now(self, kind: Any) -> str:
        """The present time as a column of a type keeps it."""
        unit, zoned = (kind.unit, kind.zoned) if isinstance(kind, Instant) else ("timestamptz", True)
        if self.dialect == "sqlite":
            shape = kind.shape if isinstance(kind, Instant) and kind.shape else SHAPE
            return _SQLITE_NUMBERS.get(unit) or _sqlite_text(unit, shape)
        if unit in _PG_NUMBERS:
            return _PG_NUMBERS[unit]
        zone = "UTC" if not unit.startswith("naive:") else unit.partition(":")[2]
        return "clock_timestamp()" if zoned else f"clock_timestamp() AT TIME ZONE {self.text(zone)}"

    def _build(
        self, write: Write, wrap: Callable[[Column, Any], Column], guard: str | None = None
    ) -> sa.Executable:
        cells = [(column, self._value(column, value, wrap)) for column, value in write.values]
        conditions = [_condition(c, value, wrap) for c, value in write.where]
        if guard is not None:
            conditions.append(sa.literal_column(guard))
        if write.kind == "update":
            return sa.update(write.table).values(dict(cells)).where(*conditions)
        if guard is None:
            return sa.insert(write.table).values(dict(cells)).inline()
        row = sa.select(*(value for _, value in cells)).where(*conditions)
        return sa.insert(write.table).from_select([c for c, _ in cells], row, include_defaults=False)

    def _value(self, column: Column, value: Any, wrap: Callable[[Column, Any], Column]) -> Column:
        if value is NOW:
            return sa.literal_column(self.now(column.type))
        if value is None:
            return sa.null()
        return value if isinstance(value, sa.ColumnElement) else wrap(column, value)

    def _literal(self, _column: Column, value: Any) -> Column:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        return sa.literal_column(self.text(text))

    def _text(self, statement: sa.Executable) -> str:
        text = str(statement.compile(dialect=_DIALECTS[self.dialect]))  # type: ignore[attr-defined]
        # Literals have no line ends of their own: they are escaped.
        return text.replace(" \n", " ").replace("\n", " ")


def _condition(column: Column, value: Any, wrap: Callable[[Column, Any], Column]) -> Column:
    if value is None or value is SET:
        return column.is_(sa.null()) if value is None else column.is_not(sa.null())
    return column == wrap(column, value)


def _sqlite_text(unit: str, shape: str) -> str:
    """SQLite has thousandths and no zones: the offset is the one that the zone has now."""
    zone = zone_of(unit)
    offset = datetime.now(zone).utcoffset() if zone is not None else None
    moved = f", '{offset.total_seconds() / 60:+.0f} minutes'" if offset else ""
    seconds = "%S" if shape[1] == "0" else "%f" if shape[1] == "3" else "%f000"
    return f"strftime('%Y-%m-%d{shape[0]}%H:%M:{seconds}{shape[2:]}', 'now'{moved})"
