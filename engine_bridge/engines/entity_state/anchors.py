"""Cursors at every n-th entity of a list, by hopping: short reads, so that writers are not kept waiting.

In a list of k workflows, the nearest of the places that lie n/k entities ahead in each of them has at most n entities
before it: leaping there, and counting what was passed, closes in on the n-th.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs
from engine_bridge.engines.entity_state.filters import Where
from engine_bridge.engines.entity_state.keyset import TOP, Cursor, Key
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader

_NEAR: Final = 100
"""So few entities ahead are simply read."""


def read(store: Store, query: Any, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
    """Cursors before every ``every``-th entity. A filter that has to be scanned has one anchor only, the top."""
    asked = runs.wheres(store, query, store.now_ns(cancel))
    if any(where.residual is not None for _, where in asked):
        return [TOP]
    key = Key(sort, store.dialect)
    hopper = _Hopper(store, key, asked, cancel)
    anchors, at = [TOP], hopper.next(None, every)
    while at is not None:
        anchors.append(key.encode(at))
        cancel.progress(len(anchors) * every, None, "measuring the list")
        at = hopper.next(at, every)
    return anchors


def _number(value: int) -> Any:
    return sa.bindparam(None, value, sa.Integer(), literal_execute=True, unique=True)


class _Hopper:
    def __init__(self, store: Store, key: Key, asked: runs.Wheres, cancel: CancelToken) -> None:
        self._store, self._key, self._asked, self._cancel = store, key, asked, cancel

    def next(self, at: Cursor | None, left: int) -> Cursor | None:
        """The cursor before the entity that has ``left`` others between itself and ``at``; None at the end."""
        if len(self._asked) == 1:
            with self._store.reader(self._cancel) as read:
                return self._ahead(read, *self._asked[0], at, left)
        while left > _NEAR:
            with self._store.reader(self._cancel) as read:
                found = self._leap(read, at, left)
            if found is None:
                return None
            at, left = found[0], left - found[1]
        with self._store.reader(self._cancel) as read:
            near = runs.rows(read, self._asked, self._key, at, True, left + 1, 0)
        return runs.cursor_of(self._key, near[left], after=False) if len(near) > left else None

    def _leap(self, read: Reader, at: Cursor | None, left: int) -> tuple[Cursor, int] | None:
        """A cursor with at most ``left`` entities before it, and their number; None beyond the end."""
        share = left // len(self._asked)
        ahead = [self._ahead(read, bound, where, at, share) for bound, where in self._asked]
        there = [cursor for cursor in ahead if cursor is not None]
        if not there:
            return None
        nearest = min(there, key=cmp_to_key(self._compare))
        return nearest, sum(self._between(read, bound, where, at, nearest) for bound, where in self._asked)

    def _compare(self, one: Cursor, other: Cursor) -> int:
        return self._key.before(forward=True)((one.common, one.rank), (other.common, other.rank))

    def _ahead(self, read: Reader, bound: Bound, where: Where, at: Cursor | None, skip: int) -> Cursor | None:
        value = self._key.value(bound)
        columns = [bound.id, (sa.null() if value is None else value).label("sort_key")]
        for conditions, order in self._key.ranges(bound, at, forward=True):
            base = sa.select(*columns).select_from(bound.table)
            base = base.where(*bound.scope, *where.conditions, *conditions)
            # Planned with their values: SQLite sorts everything where it does not know how little is asked for.
            row = read.one(base.order_by(*order).limit(_number(1)).offset(_number(skip)))
            if row is not None:
                return Cursor(row[1], self._key.common(bound, row[1]), bound.rank, row[0], after=False)
            counted = base.limit(_number(skip + 1)).subquery()
            skip -= read.value(sa.select(sa.func.count()).select_from(counted)) or 0
        return None

    def _between(self, read: Reader, bound: Bound, where: Where, at: Cursor | None, edge: Cursor) -> int:
        total = 0
        for ahead, _ in self._key.ranges(bound, at, forward=True):
            for behind, _ in self._key.ranges(bound, edge, forward=False, name="edge"):
                statement = sa.select(sa.func.count()).select_from(bound.table)
                total += read.value(statement.where(*bound.scope, *where.conditions, *ahead, *behind)) or 0
        return total
