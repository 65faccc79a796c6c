"""Entities as pages and scans read them: beyond a cursor, in one statement or span by span; and those of some ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key, partial
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import filters, runs_rows
from engine_bridge.engines.entity_state.keyset import Cursor, Key
from engine_bridge.engines.entity_state.runs_rows import Entity
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader

Wheres = list[tuple[Bound, filters.Where]]
_IDS: Final = 500


def cursor_of(key: Key, entity: Entity, *, after: bool) -> Cursor:
    """The gap on one side of an entity of ``rows``."""
    common = key.common(entity.bound, entity.key)
    return Cursor(entity.key, common, entity.bound.rank, entity.id, after)


def rows(
    read: Reader, asked: Wheres, key: Key, start: Cursor | None, forward: bool, limit: int, now_ns: int
) -> list[Entity]:
    """Entities beyond a cursor in the order of reading, without what stands beside them."""
    found = [_rows_of(read, bound, where, key, start, forward, limit, now_ns) for bound, where in asked]
    if len(found) == 1:
        return found[0]
    # Stable: within a workflow the database's own order stays.
    return _ranked([entity for some in found for entity in some], key, forward)[:limit]


def sliced(
    store: Store,
    asked: Wheres,
    key: Key,
    start: Cursor | None,
    forward: bool,
    limit: int,
    now_ns: int,
    cancel: CancelToken,
) -> list[Entity]:
    """The same in many short reads, each of one span of a table: where a commit would wait for one long read.

    They are no snapshot: read what is found anew (``again``) before anything is compared with it.
    """
    found: list[Entity] = []
    for bound, where in asked:
        some: list[Entity] = []
        for span in store.spans(bound.place, cancel):
            part = where.also(sa.and_(sa.true(), *span))
            with store.reader(cancel) as read:
                some += rows(read, [(bound, part)], key, start, forward, limit, now_ns)
            some.sort(key=lambda entity: entity.id, reverse=key.descending is forward)
            some = _ranked(some, key, forward)[:limit]
        found += some
    return _ranked(found, key, forward)[:limit]


def _ranked(found: list[Entity], key: Key, forward: bool) -> list[Entity]:
    rank = cmp_to_key(key.before(forward))
    return sorted(found, key=lambda one: rank(_place(key, one)))


def _place(key: Key, entity: Entity) -> tuple[Any, int]:
    return key.common(entity.bound, entity.key), entity.bound.rank


def _rows_of(
    read: Reader,
    bound: Bound,
    where: filters.Where,
    key: Key,
    start: Cursor | None,
    forward: bool,
    limit: int,
    now_ns: int,
) -> list[Entity]:
    found: list[Any] = []
    given = key.given(bound, start)
    for number in range(key.parts(bound, start, forward=forward)):
        most = limit - len(found)
        name = where.key and (
            "page", bound.type, where.key, key.field, key.descending, key.shape(bound, start), forward, number, most,
        )  # fmt: skip
        found += read.fetch(name, partial(_select, bound, where, key, start, forward, number, most), given)
        if len(found) >= limit:
            break
    made = runs_rows.entities(bound, found, now_ns)
    decode = key.decoder(bound)
    if decode is not None:
        for entity in made:
            entity.key = None if entity.key is None else decode(entity.key)
    return made


def _select(
    bound: Bound,
    where: filters.Where,
    key: Key,
    start: Cursor | None,
    forward: bool,
    number: int,
    limit: int,
) -> sa.Select[Any]:
    conditions, order = key.ranges(bound, start, forward=forward)[number]
    value = key.value(bound)
    columns = [*runs_rows.listed(bound), (sa.null() if value is None else value).label("sort_key")]
    statement = sa.select(*columns).select_from(bound.table)
    statement = statement.where(*bound.scope, *where.conditions, *conditions)
    # In the statement's text: SQLite plans better when it knows how little is asked for.
    return statement.order_by(*order).limit(sa.literal(limit, sa.Integer(), literal_execute=True))


def again(read: Reader, found: Sequence[Entity], now_ns: int) -> list[Entity]:
    """Entities as they are in this transaction, in the same order; without those that are gone."""
    ids: dict[Bound, list[Any]] = {}
    for entity in found:
        ids.setdefault(entity.bound, []).append(entity.id)
    now = {
        (one.bound, one.id): one for bound, some in ids.items() for one in of_ids(read, bound, some, now_ns)
    }
    there = [(old, now[old.bound, old.id]) for old in found if (old.bound, old.id) in now]
    for old, new in there:
        new.key = old.key
    return [new for _, new in there]


def of_ids(read: Reader, bound: Bound, ids: Sequence[Any], now_ns: int) -> list[Entity]:
    """The entities of some ids, those that exist, in no order."""
    base = sa.select(*runs_rows.listed(bound)).select_from(bound.table).where(*bound.scope)
    chunks = (ids[at : at + _IDS] for at in range(0, len(ids), _IDS))
    return [
        runs_rows.entity(bound, row, now_ns)
        for some in chunks
        for row in read.all(base.where(bound.id.in_(some)))
    ]
