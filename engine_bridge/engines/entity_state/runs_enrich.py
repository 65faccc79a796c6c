"""What a page of entities needs beyond its rows: newest moves, failures, delayed steps. One query each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.runs_rows import Entity, Latest, Wait
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text
from engine_bridge.engines.entity_state.store_time import decoder
from engine_bridge.model import Failure

_CHUNK: Final = 500
_MARKS: Final = tuple(f"k{n}" for n in range(_CHUNK))
_MESSAGE: Final = 2_000
HISTORY: Final = frozenset(
    {"drift", "here_for", "since", "ended", "duration", "updated", "attributes", "now", "stuck", "blocked_on"}
)
"""Fields that need the newest move."""
FAILURES: Final = frozenset({"failures", "error", "now"})
WAITS: Final = frozenset({"now", "blocked_on"})
ALL: Final = HISTORY | FAILURES | WAITS

_Fill = Callable[[BoundTable, Any, Mapping[str, Entity]], None]
_Make = Callable[[BoundTable, list[Any]], sa.Select[Any]]


def enrich(read: Reader, entities: Sequence[Entity], needs: frozenset[str] = ALL) -> None:
    """Reads what the given fields need, into the entities."""
    groups: dict[Bound, list[Entity]] = {}
    for entity in entities:
        groups.setdefault(entity.bound, []).append(entity)
    for bound, mine in groups.items():
        for at in range(0, len(mine), _CHUNK):
            by_id = {str(entity.id): entity for entity in mine[at : at + _CHUNK]}
            for name, fields, make, fill in _PARTS:
                table: BoundTable | None = getattr(bound, name)
                if table is not None and needs & fields:
                    keys = _keys(table, by_id)
                    asked = partial(_asked, table, make, len(keys))
                    kind = (make.__name__, bound.type, name, len(keys))
                    fill(table, read.fetch(kind, asked, keys), by_id)


def _asked(table: BoundTable, make: _Make, number: int) -> sa.Select[Any]:
    return make(table, [sa.bindparam(name, None, table.entity_id.type) for name in _MARKS[:number]])


def _keys(table: BoundTable, by_id: Mapping[str, Entity]) -> dict[str, Any]:
    """The ids as parameters, in the table's own type."""
    to_key = table.converter()
    if to_key is str:
        return dict(zip(_MARKS, by_id, strict=False))
    found: list[Any] = []
    for id in by_id:
        try:
            found.append(to_key(id))
        except ValueError:
            continue  # an id that the other table's column cannot hold has no rows there
    return dict(zip(_MARKS, found, strict=False))


def _columns(table: BoundTable, *names: str) -> list[Any]:
    chosen = (getattr(table, name) for name in names)
    return [(sa.null() if column is None else column).label(f"c{n}") for n, column in enumerate(chosen)]


def _latest(table: BoundTable, marks: list[Any]) -> sa.Select[Any]:
    columns = _columns(table, "entity_id", "to", "at", "step", "actor", "requester", "correlation_id")
    for place in (1, 3, 4, 5, 6):
        columns[place] = _as_text(columns[place])
    mine = (table.entity_id.in_(marks), *table.rows)
    if table.latest_flag is not None:
        return sa.select(*columns).where(*mine, table.latest_flag.is_(True))
    newest = sa.select(table.entity_id.label("entity"), sa.func.max(table.order).label("newest"))
    each = newest.where(*mine).group_by(table.entity_id).subquery()
    if table.order.primary_key and len(table.table.primary_key) == 1:
        return sa.select(*columns).join_from(table.table, each, table.order == each.c.newest)
    both = sa.and_(table.entity_id == each.c.entity, table.order == each.c.newest)
    return sa.select(*columns).join_from(table.table, each, both).where(*table.rows)


def _as_text(labelled: Any) -> Any:
    """A column as text: itself where the database says that it is."""
    text = isinstance(labelled.type, sa.String) and not isinstance(labelled.type, sa.Enum)
    return labelled if text else sa.cast(labelled.element, sa.Text).label(labelled.name)


def _fill_latest(table: BoundTable, rows: Any, by_id: Mapping[str, Entity]) -> None:
    decode = _times(table.at)
    for id, to, at, step, actor, requester, correlation in rows:
        entity = by_id.get(id if type(id) is str else str(id))
        if entity is not None:
            entity.latest = Latest(to, decode(at), step, actor, requester, correlation)


def _failures(table: BoundTable, marks: list[Any]) -> sa.Select[Any]:
    columns = _columns(table, "entity_id", "error_type", "message", "at", "resolved_at", "step")
    if table.message is not None:
        columns[2] = sa.func.substr(as_text(table.message), 1, _MESSAGE).label("c2")
    statement = sa.select(*columns).where(table.entity_id.in_(marks), *table.rows)
    return statement.order_by(table.entity_id, table.id.desc())


def _fill_failures(table: BoundTable, rows: Any, by_id: Mapping[str, Entity]) -> None:
    decode = _times(table.at)
    for id, kind, message, at, resolved, step in rows:
        entity = by_id.get(str(id))
        if entity is not None:
            type = str(kind or step or "failure")
            failure = Failure(type=type, message="" if message is None else str(message), time_ns=decode(at))
            entity.failures = (*entity.failures, (failure, resolved is None))


def _waits(table: BoundTable, marks: list[Any]) -> sa.Select[Any]:
    statement = sa.select(*_columns(table, "entity_id", "step", "due_at", "last_error"))
    statement = statement.where(table.entity_id.in_(marks), *table.rows)
    if table.done_at is not None:
        statement = statement.where(table.done_at.is_(None))
    return statement.order_by(table.due_at if table.due_at is not None else table.id)


def _fill_waits(table: BoundTable, rows: Any, by_id: Mapping[str, Entity]) -> None:
    decode = _times(table.due_at)
    for id, step, due, error in rows:
        entity = by_id.get(str(id))
        if entity is not None:
            name = "a delayed step" if step is None else str(step)
            entity.waits = (*entity.waits, Wait(name, decode(due), None if error is None else str(error)))


def _correlations(table: BoundTable, marks: list[Any]) -> sa.Select[Any]:
    statement = sa.select(*_columns(table, "entity_id", "correlation_id")).distinct()
    return statement.where(table.entity_id.in_(marks), *table.rows)


def _fill_correlations(table: BoundTable, rows: Any, by_id: Mapping[str, Entity]) -> None:
    for id, correlation in rows:
        entity = by_id.get(str(id))
        if entity is not None and correlation is not None:
            entity.correlations = (*entity.correlations, str(correlation))


def _times(column: sa.Column[Any] | None) -> Callable[[Any], int | None]:
    if column is None:
        return lambda value: None
    decode = decoder(column.type)
    return lambda value: None if value is None else decode(value)


_CORRELATION: Final = frozenset({"correlation_id"})
_PARTS: Final[tuple[tuple[str, frozenset[str], _Make, _Fill], ...]] = (
    ("history", HISTORY, _latest, _fill_latest),
    ("failures", FAILURES, _failures, _fill_failures),
    ("delayed", WAITS, _waits, _fill_waits),
    ("history", _CORRELATION, _correlations, _fill_correlations),
    ("failures", _CORRELATION, _correlations, _fill_correlations),
)
