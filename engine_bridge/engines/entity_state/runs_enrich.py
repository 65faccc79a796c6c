"""What a page of entities needs beyond its rows: newest moves, failures, delayed steps. One query each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.runs_rows import Entity, Latest, Wait
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text
from engine_bridge.model import Failure

_CHUNK: Final = 500
_MESSAGE: Final = 2_000
HISTORY: Final = frozenset(
    {"drift", "here_for", "since", "ended", "duration", "updated", "attributes", "now", "stuck", "blocked_on"}
)
"""Fields that need the newest move."""
FAILURES: Final = frozenset({"failures", "error", "now"})
WAITS: Final = frozenset({"now", "blocked_on"})
ALL: Final = HISTORY | FAILURES | WAITS


def enrich(read: Reader, entities: Sequence[Entity], needs: frozenset[str] = ALL) -> None:
    """Reads what the given fields need, into the entities."""
    groups: dict[Bound, list[Entity]] = {}
    for entity in entities:
        groups.setdefault(entity.bound, []).append(entity)
    for bound, mine in groups.items():
        parts = (
            (bound.history, HISTORY, _latest),
            (bound.failures, FAILURES, _failures),
            (bound.delayed, WAITS, _waits),
        )
        for table, fields, fill in parts:
            if table is not None and needs & fields:
                _fill(read, table, mine, fill)
        for table in (bound.history, bound.failures) if "correlation_id" in needs else ():
            if table is not None and table.correlation_id is not None:
                _fill(read, table, mine, _correlations)


def _fill(
    read: Reader,
    table: BoundTable,
    entities: list[Entity],
    fill: Callable[[Reader, BoundTable, list[Any], dict[str, Entity]], None],
) -> None:
    for at in range(0, len(entities), _CHUNK):
        by_id = {str(entity.id): entity for entity in entities[at : at + _CHUNK]}
        keys = list(_keys(table, by_id))
        if keys:
            fill(read, table, keys, by_id)


def _keys(table: BoundTable, by_id: dict[str, Entity]) -> Iterable[Any]:
    for entity in by_id.values():
        try:
            yield table.key(entity.id)
        except ValueError:
            continue  # an id that the other table's column cannot hold has no rows there


def _columns(table: BoundTable, *names: str) -> list[Any]:
    chosen = (getattr(table, name) for name in names)
    return [(sa.null() if column is None else column).label(f"c{n}") for n, column in enumerate(chosen)]


def _latest(read: Reader, table: BoundTable, keys: list[Any], by_id: dict[str, Entity]) -> None:
    columns = _columns(table, "entity_id", "to", "at", "step", "actor", "requester", "correlation_id")
    mine = (table.entity_id.in_(keys), *table.rows)
    if table.latest_flag is not None:
        statement = sa.select(*columns).where(*mine, table.latest_flag.is_(True))
    else:
        newest = (
            sa.select(table.entity_id.label("entity"), sa.func.max(table.order).label("newest"))
            .where(*mine)
            .group_by(table.entity_id)
            .subquery()
        )
        both = sa.and_(table.entity_id == newest.c.entity, table.order == newest.c.newest)
        statement = sa.select(*columns).join_from(table.table, newest, both).where(*table.rows)
    for id, to, at, step, actor, requester, correlation in read.all(statement):
        texts = (_text(step), _text(actor), _text(requester), _text(correlation))
        by_id[str(id)].latest = Latest(_text(to), at, *texts)


def _failures(read: Reader, table: BoundTable, keys: list[Any], by_id: dict[str, Entity]) -> None:
    names = ("entity_id", "error_type", "message", "at", "resolved_at", "step")
    columns = _columns(table, *names)
    if table.message is not None:
        columns[2] = sa.func.substr(as_text(table.message), 1, _MESSAGE).label("c2")
    statement = sa.select(*columns).where(table.entity_id.in_(keys), *table.rows)
    statement = statement.order_by(table.entity_id, table.id.desc())
    for id, type, message, at, resolved, step in read.all(statement):
        failure = Failure(
            type=_text(type) or _text(step) or "failure", message=_text(message) or "", time_ns=at
        )
        by_id[str(id)].failures.append((failure, resolved is None))


def _waits(read: Reader, table: BoundTable, keys: list[Any], by_id: dict[str, Entity]) -> None:
    statement = sa.select(*_columns(table, "entity_id", "step", "due_at", "last_error"))
    statement = statement.where(table.entity_id.in_(keys), *table.rows)
    if table.done_at is not None:
        statement = statement.where(table.done_at.is_(None))
    for id, step, due, error in read.all(
        statement.order_by(table.due_at if table.due_at is not None else table.id)
    ):
        by_id[str(id)].waits.append(Wait(_text(step) or "a delayed step", due, _text(error)))


def _correlations(read: Reader, table: BoundTable, keys: list[Any], by_id: dict[str, Entity]) -> None:
    statement = sa.select(*_columns(table, "entity_id", "correlation_id")).distinct()
    for id, correlation in read.all(statement.where(table.entity_id.in_(keys), *table.rows)):
        if correlation is not None:
            by_id[str(id)].correlations.append(str(correlation))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
