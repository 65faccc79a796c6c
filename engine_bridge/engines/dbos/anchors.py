"""Cursors at every n-th row of a list, by hopping: one short read for each, so that writers are not kept waiting."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters, keyset
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.keyset import Cursor, Key
from engine_bridge.engines.dbos.prepared import Prepared
from engine_bridge.engines.dbos.runs import Lister


def read(
    db: Database, lister: Lister, query: Any, sort: Sort, every: int, cancel: CancelToken
) -> list[bytes]:
    """Cursors before every ``every``-th row. A filter that has to be scanned has one anchor only, the top."""
    where = filters.where(db, query, db.now_ns(cancel))
    key = keyset.key_of(db.tables, sort)
    if where.residual is not None:
        return [keyset.TOP]
    # Without a filter the index on the time of creation alone answers, and each row need not be read.
    hop = (
        _TimeHop(db, key, every) if key.field == "created" and query is None else _Hop(db, key, where, every)
    )
    anchors, total = [keyset.TOP], lister.total(cancel)
    while True:
        with db.reader(cancel) as reader:
            at = hop.next(reader)
        if at is None:
            return anchors
        anchors.append(at.encode(key))
        cancel.progress(min(len(anchors) * every, total), total, "measuring the list")


class _Hop:
    """Steps over ``every`` rows at a time, in any order and filter."""

    def __init__(self, db: Database, key: Key, where: filters.Where, every: int) -> None:
        self._key = key
        self._every = every
        self._where = where
        self._at: Cursor | None = None

    def next(self, read: Reader) -> Cursor | None:
        """The next anchor, None at the end."""
        skip, key = self._every, self._key
        for conditions, order in keyset.ranges(key, self._at, forward=True):
            base = sa.select(key.id, key.value).where(*self._where.conditions(), *conditions)
            base = base.params(keyset.bound(self._at))
            row = read.one(base.order_by(*order).limit(1).offset(skip))
            if row is not None:
                self._at = Cursor(row[1], row[0], after=False)
                return self._at
            counted = base.limit(skip + 1).subquery()
            skip -= read.value(sa.select(sa.func.count()).select_from(counted)) or 0
        return None


class _TimeHop:
    """Steps over rows by their time of creation, then to the right one among those of the same time.

    ``_rank`` is the place of the last anchor among the rows of its time.
    """

    def __init__(self, db: Database, key: Key, every: int) -> None:
        self._every = every
        self._time: int | None = None
        self._rank = 0
        down, created = key.descending, key.value
        time, edge = (sa.bindparam(name, 0, type_=sa.BigInteger()) for name in ("time", "edge"))
        order = created.desc() if down else created.asc()
        skip = sa.bindparam("skip", 0, type_=sa.Integer())
        within = created <= time if down else created >= time
        between = [within, created > edge if down else created < edge]
        table = db.tables["workflow_status"]
        render = db.statements.render
        self._first: Prepared = render(sa.select(created).order_by(order).limit(1))
        self._land = render(sa.select(created).where(within).order_by(order).limit(1).offset(skip))
        self._passed = render(sa.select(sa.func.count()).select_from(table).where(*between))
        same = sa.select(key.id).where(created == time).order_by(key.id.desc() if down else key.id.asc())
        self._pick = render(same.limit(1).offset(skip))

    def next(self, read: Reader) -> Cursor | None:
        """The next anchor, None at the end."""
        if self._time is None:
            first = read.fetch(self._first)
            if not first:
                return None
            self._time = first[0][0]
        reach = self._rank + self._every
        landed = read.fetch(self._land, {"time": self._time, "skip": reach})
        if not landed:
            return None
        edge = landed[0][0]
        self._rank = reach - read.fetch(self._passed, {"time": self._time, "edge": edge})[0][0]
        self._time = edge
        row = read.fetch(self._pick, {"time": edge, "skip": self._rank})
        return Cursor(edge, row[0][0], after=False) if row else None
