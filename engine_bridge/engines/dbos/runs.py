"""Runs: pages, single headers, look-up by id, anchors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import operators

from engine_bridge.bridge import Direction, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters, keyset, payloads, rows
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.enrich import Enricher
from engine_bridge.engines.dbos.keyset import Cursor, Key
from engine_bridge.engines.dbos.prepared import Prepared
from engine_bridge.errors import NotFoundError
from engine_bridge.model import PayloadRef, Run, RunRef
from engine_bridge.query.sql import literal_in

SCAN_ROWS: Final = 1_000
"""Rows that one step of a scan reads: one short transaction each."""
SCAN_S: Final = 2.0
"""How long one page may scan before it is handed over as far as it got."""

_Raw = Sequence[Any]


class Lister:
    """Lists the runs of one database. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tables = db.tables
        self._columns = rows.listed(db.tables)
        self.enricher = Enricher(db)

    def page(
        self,
        query: Any,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        """A keyset page; a filter that SQL cannot answer is scanned, for SCAN_S at most."""
        now_ns = self._db.now_ns(cancel)
        where = filters.where(self._db, query, now_ns)
        key = keyset.key_of(self._tables, sort)
        start = keyset.decode(cursor, key) if cursor is not None else None
        forward = direction == "forward"
        if where.residual is not None:
            return self._scan(where, key, start, forward, limit, now_ns, cancel)
        with self._db.reader(cancel) as read:
            raw = self.raw(read, key, start, where, forward, limit + 1)
            more, raw = len(raw) > limit, raw[:limit]
            beyond = self._beyond(read, key, start, where, forward)
            ordered = raw if forward else raw[::-1]
            runs = self.enricher.runs(read, ordered, now_ns)
        runs = self.enricher.with_waits(runs, now_ns, cancel)
        return _page(key, runs, ordered, more if forward else beyond, beyond if forward else more)

    def _beyond(
        self, read: Reader, key: Key, start: Cursor | None, where: filters.Where, forward: bool
    ) -> bool:
        """Whether there are rows on the other side of the cursor."""
        return start is not None and bool(self.raw(read, key, start, where, not forward, 1))

    def raw(
        self,
        read: Reader,
        key: Key,
        start: Cursor | None,
        where: filters.Where,
        forward: bool,
        limit: int,
    ) -> list[_Raw]:
        """Rows of ``rows.listed`` and the key's value, away from the cursor."""
        found: list[_Raw] = []
        for prepared in self._pages(key, start, where, forward):
            found += read.fetch(prepared, {**keyset.bound(start), "rows": limit - len(found)})
            if len(found) >= limit:
                break
        return found

    def _pages(self, key: Key, start: Cursor | None, where: filters.Where, forward: bool) -> list[Prepared]:
        kind = None if start is None else (start.value is None, start.after)
        name = ("page", where.key, key.field, key.descending, kind, forward)
        known: list[Prepared] | None = None if where.key is None else self._db.statements.get(name)
        if known is not None:
            return known
        made = [
            self._db.statements.render(self._select(key, where, conditions, order))
            for conditions, order in keyset.ranges(key, start, forward=forward)
        ]
        return made if where.key is None else self._db.statements.add(name, made)

    def _select(
        self, key: Key, where: filters.Where, conditions: list[Any], order: list[Any]
    ) -> sa.Select[Any]:
        most = sa.bindparam("rows", 0, type_=sa.Integer())
        base = sa.select(*self._columns, key.value.label("sort_key")).where(*where.conditions(), *conditions)
        base = base.order_by(*order).limit(most)
        if key.field != "created" or len(where.states) < 2:
            return base
        # An index on (status, created_at) gives each status in order; together they would have to be sorted.
        status = self._tables.col("workflow_status", "status")
        each = [sa.select(base.where(literal_in(status, [state])).subquery()) for state in where.states]
        both = sa.union_all(*each).subquery()
        columns = (both.c.sort_key, both.c.workflow_uuid)
        down = order[0].modifier is operators.desc_op
        return sa.select(both).order_by(*(c.desc() if down else c.asc() for c in columns)).limit(most)

    def _scan(
        self,
        where: filters.Where,
        key: Key,
        start: Cursor | None,
        forward: bool,
        limit: int,
        now_ns: int,
        cancel: CancelToken,
    ) -> Page:
        matches = where.predicate(now_ns)
        total = self.total(cancel)
        kept: list[tuple[Run, _Raw]] = []
        at, searched, deadline, ended = start, 0, time.monotonic() + SCAN_S, False
        last: _Raw | None = None
        while len(kept) <= limit and not ended and (not searched or time.monotonic() < deadline):
            with self._db.reader(cancel) as read:
                raw = self.raw(read, key, at, where, forward, SCAN_ROWS)
                runs = self.enricher.runs(
                    read, raw, now_ns, counts="steps" in where.needs, errors="error" in where.needs
                )
            kept += [(run, row) for run, row in zip(runs, raw, strict=True) if matches(run)]
            searched += len(raw)
            ended = len(raw) < SCAN_ROWS
            if raw:
                last = raw[-1]
                at = _cursor(last, after=forward)
            cancel.progress(min(searched, total), total, "searching runs")
        return self._scanned(kept, key, start, forward, limit, last, ended, searched, total, now_ns, cancel)

    def _scanned(
        self,
        kept: list[tuple[Run, _Raw]],
        key: Key,
        start: Cursor | None,
        forward: bool,
        limit: int,
        last: _Raw | None,
        ended: bool,
        searched: int,
        total: int,
        now_ns: int,
        cancel: CancelToken,
    ) -> Page:
        more = len(kept) > limit or not ended
        # A full page goes on behind its last match; an unfinished one behind the last row looked at.
        edge = kept[limit - 1][1] if len(kept) > limit else last
        kept = kept[:limit] if forward else kept[:limit][::-1]
        with self._db.reader(cancel) as read:
            runs = self.enricher.runs(read, [row for _, row in kept], now_ns)
        runs = self.enricher.with_waits(runs, now_ns, cancel)
        onward = _cursor(edge, after=forward).encode(key) if more and edge is not None else None
        back = Cursor(start.value, start.id, start.after).encode(key) if start is not None else None
        return Page(
            items=tuple(runs),
            before=back if forward else onward,
            after=onward if forward else back,
            searched=searched,
            of=total,
            complete=ended or len(runs) >= limit,
        )

    def total(self, cancel: CancelToken) -> int:
        """How many runs there are: a walk over the smallest index, only ever beside a scan."""
        return int(
            self._db.all(sa.select(sa.func.count()).select_from(self._tables["workflow_status"]), cancel)[0][
                0
            ]
        )

    def by_ids(self, ids: Sequence[str], cancel: CancelToken) -> list[Run]:
        """The runs of some ids, those that exist, in no order."""
        now_ns = self._db.now_ns(cancel)
        run_id = self._tables.col("workflow_status", "workflow_uuid")
        with self._db.reader(cancel) as read:
            raw: list[_Raw] = []
            for at in range(0, len(ids), 500):
                raw += read.all(sa.select(*self._columns).where(run_id.in_(ids[at : at + 500])))
            runs = self.enricher.runs(read, raw, now_ns)
        return self.enricher.with_waits(runs, now_ns, cancel)

    def header(self, ref: RunRef, cancel: CancelToken) -> Run:
        """One run in full, with its payloads named and measured. Raises NotFoundError."""
        found = self.by_ids([ref.run], cancel)
        if not found:
            raise NotFoundError(
                f"There is no run {ref.run[:200]}.", "It may have been deleted, or its id is mistyped."
            )
        run = found[0]
        sizes = self._sizes(run, cancel)
        changes: dict[str, PayloadRef | None] = {
            name: payloads.ref(kind, run.id, encoding=run.extra.get("serialization"), size=size)
            for (name, kind), size in zip(_PAYLOADS, sizes, strict=True)
            if size is not None
        }
        return msgspec.structs.replace(run, **changes)

    def _sizes(self, run: Run, cancel: CancelToken) -> Sequence[int | None]:
        tables = self._tables
        statement = (
            sa.select(*(payloads.size_of(tables, payloads.body(tables, kind)) for _, kind in _PAYLOADS))
            .select_from(payloads.joined(tables))
            .where(tables.col("workflow_status", "workflow_uuid") == run.id)
        )
        found = self._db.all(statement, cancel)
        return tuple(found[0]) if found else (None,) * len(_PAYLOADS)

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        """Runs whose id is, or begins with, a text: the exact one first."""
        if not text:
            return []
        run_id = self._tables.col("workflow_status", "workflow_uuid")
        statement = sa.select(run_id).where(run_id >= text).order_by(run_id).limit(limit)
        if self._tables.dialect == "postgresql":
            ordered = sa.collate(run_id, "C")
            statement = (
                sa.select(run_id)
                .where(ordered >= text, run_id.startswith(text, autoescape=True))
                .limit(limit)
            )
        else:
            statement = statement.where(run_id < text + chr(0x10FFFF))
        ids = [row[0] for row in self._db.all(statement, cancel)]
        exact = self._db.all(sa.select(run_id).where(run_id == text), cancel)
        wanted = list(dict.fromkeys([row[0] for row in exact] + sorted(ids)))[:limit]
        found = {run.id: run for run in self.by_ids(wanted, cancel)}
        return [found[run_id] for run_id in wanted if run_id in found]


_PAYLOADS: Final = (("input", "input"), ("output", "output"), ("error_payload", "error"))


def _cursor(row: _Raw, *, after: bool) -> Cursor:
    return Cursor(row[-1], row[0], after)


def _page(key: Key, runs: list[Run], raw: Sequence[_Raw], below: bool, above: bool) -> Page:
    if not raw:
        return Page()
    return Page(
        items=tuple(runs),
        before=_cursor(raw[0], after=False).encode(key) if above else None,
        after=_cursor(raw[-1], after=True).encode(key) if below else None,
    )


def read_run(db: Database, ref: RunRef, cancel: CancelToken) -> Run:
    """One run's header in full. Raises NotFoundError."""
    return Lister(db).header(ref, cancel)
