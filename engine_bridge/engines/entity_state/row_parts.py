"""Parts of statements over mapped tables: absent columns as NULL, and whose rows may be seen."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable, family
from engine_bridge.errors import NotFoundError


def labelled(*columns: Any) -> list[Any]:
    """Columns under labels of their own, NULL in the place of absent ones."""
    return [(sa.null() if column is None else column).label(f"c{n}") for n, column in enumerate(columns)]


def of_entity(bound: Bound, table: BoundTable, where: Iterable[Any]) -> sa.ColumnElement[bool]:
    """The condition that a row beside the entities belongs to one that satisfies some conditions."""
    mine: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).select_from(bound.table).where(table.link, *where)
    )
    return sa.exists(mine.correlate(table.table))


def numbered(order: sa.Column[Any]) -> bool:
    """Whether a column numbers the rows of its whole table as they were written: its integer primary key."""
    return [column.name for column in order.table.primary_key] == [order.name] and family(order) == "integer"


def by_scan(dialect: str, rule: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """A condition that SQLite does not look up in an index: going over the whole table is several times faster."""
    if dialect != "sqlite" or not isinstance(rule, sa.BinaryExpression):
        return rule
    return sa.BinaryExpression(
        sa.UnaryExpression(rule.left, operator=custom_op("+"), type_=rule.left.type),
        rule.right,
        rule.operator,
    )


def named(table: BoundTable, entity_id: Any) -> sa.ColumnElement[bool]:
    """The condition that a row is one entity's; false where its id cannot stand in that table's column."""
    try:
        mine: sa.ColumnElement[bool] = table.entity_id == table.key(entity_id)
    except ValueError:
        return sa.false()
    return mine


def keys(table: BoundTable, entity_ids: Iterable[Any]) -> list[Any]:
    """Ids as a table beside the entities keeps them, without those that it cannot."""
    found = []
    for entity_id in entity_ids:
        with suppress(ValueError):
            found.append(table.key(entity_id))
    return found


def key_of(bound: Bound, entity_id: Any) -> Any:
    """An id of a table beside the entities as theirs; None for one that no entity can have."""
    try:
        return bound.key(str(entity_id))
    except NotFoundError:
        return None


def owned(bound: Bound, table: BoundTable) -> list[sa.ColumnElement[bool]]:
    """The conditions that rows beside the entities may be seen: where they name no tenant, their entity's counts."""
    conditions = list(table.scope)
    if bound.scope and table.tenant is None:
        conditions.append(of_entity(bound, table, bound.scope))
    return conditions


def text(value: Any) -> str | None:
    """A stored value as text."""
    return None if value is None else str(value)


def number(value: Any) -> int | None:
    """A stored value as a whole number; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
