"""Cursors at every n-th entity of a list, by hopping: short reads, so that writers are not kept waiting.

In a list of k workflows, the nearest of the places that lie n/k entities ahead in each of them has at most n entities
before it: leaping there, and counting what was passed, closes in on the n-th.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cmp_to_key, partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql import operators

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs
from engine_bridge.engines.entity_state.filters import Where
from engine_bridge.engines.entity_state.keyset import TOP, Cursor, Key
from engine_bridge.engines.entity_state.runs_read import Wheres, cursor_of, rows
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import LongReadError, Reader

_MOST: Final = 300_000
"""Entities that are sorted here at most."""
_NEAR: Final = 100
"""So few entities ahead are simply read."""
_TRIED_S: Final = 0.3
_SLOW_S: Final = 0.02
"""Where hops take so long, by the time that all took together, an index does not serve them."""


def read(store: Store, query: Any, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
    """Cursors before every ``every``-th entity. A filter that has to be scanned has one anchor only, the top.

    So has a list of several workflows in an order that no index serves.
    """
    asked, key = runs.wheres(store, query, store.now_ns(cancel)), Key(sort, store.dialect)
    if any(where.residual is not None for _, where in asked):
        return [TOP]
    try:
        return _hopped(store, key, asked, every, cancel)
    except LongReadError:
        return [TOP, *_sorted_here(store, key, *asked[0], every, cancel)] if len(asked) == 1 else [TOP]


def _hopped(store: Store, key: Key, asked: Wheres, every: int, cancel: CancelToken) -> list[bytes]:
    hopper = _Hopper(store, key, asked, cancel)
    anchors, at, began = [TOP], None, time.monotonic()
    while True:
        at = hopper.next(at, every)
        if at is None:
            return anchors
        anchors.append(key.encode(at))
        took = time.monotonic() - began
        if took > _TRIED_S and took > _SLOW_S * (len(anchors) - 1):
            # No index serves this order: each hop sorts everything again.
            return [TOP, *_sorted_once(store, key, *asked[0], every, cancel)] if len(asked) == 1 else [TOP]
        cancel.progress(len(anchors) * every, None, "measuring the list")


def _sorted_once(
    store: Store, key: Key, bound: Bound, where: Where, every: int, cancel: CancelToken
) -> Iterator[bytes]:
    """The same by one statement that sorts all, which is one long read."""
    value = key.value(bound)
    (_, order), *_ = key.ranges(bound, None, forward=True)
    rank = sa.func.row_number().over(order_by=order if value is None else [value.is_(None), *order])
    shown = sa.null() if value is None else value
    columns = [bound.id.label("id"), shown.label("sort_key"), rank.label("rank")]
    inner = sa.select(*columns).select_from(bound.table).where(*bound.scope, *where.conditions).subquery()
    chosen = sa.select(inner.c.id, inner.c.sort_key).where(inner.c.rank > 1, (inner.c.rank - 1) % every == 0)
    with store.brief(cancel) as read:
        ordered = read.all(chosen.order_by(inner.c.rank))
    for id, stored in ordered:
        yield key.encode(Cursor(stored, key.common(bound, stored), bound.rank, id, after=False))


def _sorted_here(
    store: Store, key: Key, bound: Bound, where: Where, every: int, cancel: CancelToken
) -> Iterator[bytes]:
    """The same where one long read would keep a commit waiting: read in spans, sorted here; none of too many."""
    value = key.value(bound)
    chosen = sa.select(bound.id, sa.null() if value is None else value).select_from(bound.table)
    chosen = chosen.where(*bound.scope, *where.conditions)
    found: list[tuple[Any, Any]] = []
    for span in store.spans(bound.place, cancel):
        found += map(tuple, store.all(chosen.where(*span), cancel))
        cancel.progress(len(found), None, "measuring the list")
        if len(found) > _MOST:
            return
    found.sort(key=lambda row: row[0], reverse=key.descending)
    rank = cmp_to_key(key.before(forward=True))
    found.sort(key=lambda row: rank((key.common(bound, row[1]), bound.rank)))
    for id, stored in found[every::every]:
        yield key.encode(Cursor(stored, key.common(bound, stored), bound.rank, id, after=False))


class _Hopper:
    """Finds places ahead; workflows take part by how many entities they have, until they have no more."""

    def __init__(self, store: Store, key: Key, asked: Wheres, cancel: CancelToken) -> None:
        self._store, self._key, self._cancel = store, key, cancel
        self._sizes = {bound: self._size(bound, where) if len(asked) > 1 else 1 for bound, where in asked}
        self._asked = [(bound, where) for bound, where in asked if self._sizes[bound]]

    def _size(self, bound: Bound, where: Where) -> int:
        counted = sa.select(sa.func.count()).select_from(bound.table).where(*bound.scope, *where.conditions)
        spans = self._store.spans(bound.place, self._cancel)
        return sum(self._store.all(counted.where(*span), self._cancel)[0][0] for span in spans)

    def next(self, at: Cursor | None, left: int) -> Cursor | None:
        """The cursor before the entity that has ``left`` others between itself and ``at``; None at the end."""
        while left > _NEAR and len(self._asked) > 1:
            with self._store.brief(self._cancel) as read:
                found = self._leap(read, at, left)
            if found is None:
                return None
            at, left = found[0], left - found[1]
        with self._store.brief(self._cancel) as read:
            if len(self._asked) == 1:
                return self._ahead(read, *self._asked[0], at, left)
            near = rows(read, self._asked, self._key, at, True, left + 1, 0)
        return cursor_of(self._key, near[left], after=False) if len(near) > left else None

    def _leap(self, read: Reader, at: Cursor | None, left: int) -> tuple[Cursor, int] | None:
        """A cursor with at most ``left`` entities before it, and their number; None beyond the end."""
        total = sum(self._sizes[bound] for bound, _ in self._asked)
        there = []
        for bound, where in self._asked:
            share = left * self._sizes[bound] // total
            found = self._ahead(read, bound, where, at, share)
            there += [found] if found is not None else []
        if not there:
            return None
        nearest = min(there, key=cmp_to_key(self._compare))
        passed = sum(self._between(read, bound, where, at, nearest) for bound, where in self._asked)
        # Where only those of no share lie ahead, one step at least.
        return (nearest, passed) if passed else self._one(read, at)

    def _one(self, read: Reader, at: Cursor | None) -> tuple[Cursor, int] | None:
        near = rows(read, self._asked, self._key, at, True, _NEAR + 1, 0)
        if len(near) <= _NEAR:
            return None
        return cursor_of(self._key, near[_NEAR], after=False), _NEAR

    def _compare(self, one: Cursor, other: Cursor) -> int:
        return self._key.before(forward=True)((one.common, one.rank), (other.common, other.rank))

    def _ahead(self, read: Reader, bound: Bound, where: Where, at: Cursor | None, skip: int) -> Cursor | None:
        """The cursor before the entity that has ``skip`` others of its workflow before itself; None at the end."""
        for number, (conditions, order) in enumerate(self._key.ranges(bound, at, forward=True)):
            name = where.key and (
                "hop", bound.type, where.key, self._key.field, self._key.descending, self._key.shape(bound, at), number,
                skip,
            )  # fmt: skip
            make = partial(self._hop, bound, where, conditions, order, skip + 1)
            found = read.fetch(name, make, self._key.given(bound, at))
            passed = found[0][2] if found else 0
            if passed > skip:
                id, value, _ = found[0]
                decode = self._key.decoder(bound)
                value = decode(value) if decode is not None and value is not None else value
                return Cursor(value, self._key.common(bound, value), bound.rank, id, after=False)
            skip -= passed
        return None

    def _hop(
        self, bound: Bound, where: Where, conditions: list[Any], order: list[Any], number: int
    ) -> sa.Select[Any]:
        """The last of some rows, with how many they are: SQLite sorts everything where it sees an OFFSET."""
        value = self._key.value(bound)
        columns = [bound.id.label("id"), (sa.null() if value is None else value).label("sort_key")]
        some = (
            sa.select(*columns).select_from(bound.table).where(*bound.scope, *where.conditions, *conditions)
        )
        some = some.order_by(*order).limit(sa.literal(number, sa.Integer(), literal_execute=True))
        inner = some.subquery()
        down = order[-1].modifier is operators.desc_op
        back = [inner.c.id] if value is None or len(order) == 1 else [inner.c.sort_key, inner.c.id]
        last = [column.asc() if down else column.desc() for column in back]
        return sa.select(inner.c.id, inner.c.sort_key, sa.func.count().over()).order_by(*last).limit(_ONE)

    def _between(self, read: Reader, bound: Bound, where: Where, at: Cursor | None, edge: Cursor) -> int:
        total = 0
        for ahead, _ in self._key.ranges(bound, at, forward=True):
            for behind, _ in self._key.ranges(bound, edge, forward=False, name="edge"):
                statement = sa.select(sa.func.count()).select_from(bound.table)
                total += read.value(statement.where(*bound.scope, *where.conditions, *ahead, *behind)) or 0
        return total


_ONE: Final[Any] = sa.literal_column("1")
