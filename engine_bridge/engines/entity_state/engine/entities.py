"""The entity table of one config: its columns as the database has them, and the statements on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from .config import Entity
from .context import Context
from .errors import EntityNotFoundError, TenantRequiredError
from .prepared import Prepared, Reader
from .results import Row
from .tables import UtcTime


def reflect(connection: sa.Connection, entity: Entity) -> sa.Table:
    """The entity table as it is; raises sqlalchemy's NoSuchTableError. Time columns answer aware datetimes."""
    table = sa.Table(
        entity.table, sa.MetaData(), schema=entity.schema, autoload_with=connection, resolve_fks=False
    )
    for column in table.columns:
        if isinstance(column.type, sa.DateTime):
            column.type = UtcTime()
    return table


def _kind(column: sa.Column[Any]) -> Any:
    try:
        return column.type.python_type
    except NotImplementedError:
        # A type that SQLAlchemy does not know: ids are sent as they come.
        return object


class Entities:
    """Reads and moves rows of one entity table. Every update is a compare-and-swap on status and version."""

    def __init__(self, connection: sa.Connection, entity: Entity) -> None:
        self.entity = entity
        self.table = table = reflect(connection, entity)
        c = table.columns
        self.id, self.status, self.version = c[entity.id], c[entity.status], c[entity.version]
        self._kind = _kind(self.id)
        self.tenant = c[entity.tenant] if entity.tenant else None
        self.dialect = connection.dialect
        by_id = sa.select(table).where(self.id == sa.bindparam("b_id"))
        swap = self._swap_statement().where(
            self.id == sa.bindparam("b_id"), self.version == sa.bindparam("b_seen")
        )
        self._by_id = Prepared(self._mine(by_id), self.dialect)
        self._swap = Prepared(swap, self.dialect)
        self._reader = Reader(tuple(table.columns), self.dialect)

    def _mine(self, statement: Any) -> Any:
        # Beside row-level security, not instead of it: SQLite has none.
        return statement if self.tenant is None else statement.where(self.tenant == sa.bindparam("b_tenant"))

    def _swap_statement(self) -> sa.Update:
        entity, columns = self.entity, self.table.columns
        values: dict[sa.Column[Any], Any] = {
            self.status: sa.bindparam("b_to", type_=self.status.type),
            self.version: self.version + 1,
        }
        for name, bound in (
            (entity.claimed_by, "b_holder"),
            (entity.claimed_at, "b_claimed"),
            (entity.updated_at, "b_now"),
        ):
            if name:
                values[columns[name]] = sa.bindparam(bound, type_=columns[name].type)
        statement: sa.Update = self._mine(self.table.update().values(values))
        return statement.where(self.status == sa.bindparam("b_from"))

    def key(self, entity_id: Any) -> Any:
        """An id as the column's own type (ids cross boundaries as text)."""
        kind = self._kind
        if isinstance(entity_id, kind):
            return entity_id
        try:
            return uuid.UUID(str(entity_id)) if kind is uuid.UUID else kind(entity_id)
        except (TypeError, ValueError):
            raise EntityNotFoundError(f"“{entity_id}” is no id of {self.entity.name}.") from None

    def scope(self, context: Context) -> dict[str, Any]:
        """The bound tenant; raises TenantRequiredError where the table has tenants and the context has none."""
        if self.tenant is None:
            return {}
        if context.tenant_id is None:
            raise TenantRequiredError(f"{self.entity.name} belongs to tenants, and no tenant is set.")
        return {"b_tenant": context.tenant_id}

    def read(self, connection: sa.Connection, context: Context, entity_id: Any) -> Row:
        """One row; raises EntityNotFoundError."""
        key = self.key(entity_id)
        found = self._by_id.run(connection, {"b_id": key, **self.scope(context)}).fetchone()
        if found is None:
            raise EntityNotFoundError(f"There is no {self.entity.name} {entity_id} for this tenant.")
        return self._row(self._reader.read(found))

    def read_many(self, connection: sa.Connection, context: Context, ids: Iterable[Any]) -> list[Row]:
        """The rows of the given ids that exist, in one statement; in the order of the ids."""
        keys = [self.key(i) for i in ids]
        statement = self._mine(sa.select(self.table).where(self.id.in_(keys)))
        rows = {row.id: row for row in self._rows(connection, context, statement)}
        return [rows[key] for key in dict.fromkeys(keys) if key in rows]

    def on_status(
        self,
        connection: sa.Connection,
        context: Context,
        status: str,
        claimed_before: datetime,
        page: int = 500,
    ) -> Iterator[Row]:
        """The rows that stand on a status, by id, a page at a time; of a table that says when they were claimed, those
        claimed before a time, or at no known one."""
        statement = sa.select(self.table).where(self.status == status).order_by(self.id).limit(page)
        if self.entity.claimed_at:
            claimed = self.table.columns[self.entity.claimed_at]
            statement = statement.where(sa.or_(claimed.is_(None), claimed < claimed_before))
        rows = self._rows(connection, context, self._mine(statement))
        while rows:
            yield from rows
            if len(rows) < page:
                return
            rows = self._rows(connection, context, self._mine(statement.where(self.id > rows[-1].id)))

    def _rows(self, connection: sa.Connection, context: Context, statement: Any) -> list[Row]:
        return [
            self._row(dict(found)) for found in connection.execute(statement, self.scope(context)).mappings()
        ]

    def _row(self, values: dict[str, Any]) -> Row:
        entity = self.entity
        return Row(values[entity.id], str(values[entity.status]), int(values[entity.version]), values)

    def swap(
        self,
        connection: sa.Connection,
        context: Context,
        row: Row,
        to: str,
        now: datetime,
        holder: str | None,
    ) -> bool:
        """Moves a row that still has the version and status it was read with. ``holder`` claims it."""
        bound = self._bound(context, row.status, to, now, holder) | {"b_id": row.id, "b_seen": row.version}
        return bool(self._swap.run(connection, bound).rowcount == 1)

    def swap_many(
        self,
        connection: sa.Connection,
        context: Context,
        rows: list[Row],
        to: str,
        now: datetime,
        holder: str | None,
    ) -> set[Any]:
        """The same for rows on one status, in one statement; the ids that moved."""
        pairs = sa.tuple_(self.id, self.version).in_([(row.id, row.version) for row in rows])
        statement = self._swap_statement().where(pairs).returning(self.id)
        bound = self._bound(context, rows[0].status, to, now, holder)
        return set(connection.execute(statement, bound).scalars())

    def _bound(
        self, context: Context, source: str, to: str, now: datetime, holder: str | None
    ) -> dict[str, Any]:
        bound: dict[str, Any] = {"b_from": source, "b_to": to, **self.scope(context)}
        if self.entity.claimed_by:
            bound["b_holder"] = holder
        if self.entity.claimed_at:
            bound["b_claimed"] = now if holder else None
        if self.entity.updated_at:
            bound["b_now"] = now
        return bound
