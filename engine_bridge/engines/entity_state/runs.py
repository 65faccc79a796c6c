"""Entities as runs: pages, single headers, look-up by id."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.bridge import Direction, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import filters, payloads, runs_rows
from engine_bridge.engines.entity_state.keyset import Cursor, Key
from engine_bridge.engines.entity_state.runs_enrich import ALL, enrich
from engine_bridge.engines.entity_state.runs_read import Wheres, again, cursor_of, of_ids, rows, sliced
from engine_bridge.engines.entity_state.runs_rows import Entity
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import KIND, Bound
from engine_bridge.engines.entity_state.store_connect import LongReadError
from engine_bridge.errors import NotFoundError, PermissionDeniedError
from engine_bridge.model import Run, RunRef

SCAN_ROWS: Final = 1_000
"""Rows that one step of a scan reads: one short transaction each."""
SCAN_S: Final = 2.0
"""How long one page may scan before it is handed over as far as it got."""


def wheres(store: Store, query: Any, now_ns: int) -> Wheres:
    """The workflows that can hold matches, each with its part of a filter."""
    split = [(bound, filters.where(bound, query, now_ns, store.dialect)) for bound in store.workflows]
    return [(bound, where) for bound, where in split if not where.never]


def page(
    store: Store,
    query: Any,
    sort: Sort,
    cursor: bytes | None,
    direction: Direction,
    limit: int,
    cancel: CancelToken,
) -> Page:
    """A keyset page; a filter that SQL cannot answer is scanned, for SCAN_S at most."""
    key = Key(sort, store.dialect)
    start = key.decode(cursor, store.bounds) if cursor is not None else None
    now_ns, forward = store.now_ns(cancel), direction == "forward"
    asked = wheres(store, query, now_ns)
    if any(where.residual is not None for _, where in asked):
        return _Scan(store, asked, key, start, forward, now_ns).page(limit, cancel)
    try:
        with store.brief(cancel) as read:
            found = rows(read, asked, key, start, forward, limit + 1, now_ns)
            beyond = start is not None and bool(rows(read, asked, key, start, not forward, 1, now_ns))
            enrich(read, found[:limit])
    except LongReadError:
        found = sliced(store, asked, key, start, forward, limit + 1, now_ns, cancel)
        beyond = start is not None and bool(sliced(store, asked, key, start, not forward, 1, now_ns, cancel))
        with store.reader(cancel) as read:
            found = again(read, found, now_ns)
            enrich(read, found[:limit])
    if not found and start is None:
        refuse_hidden(bound for bound, _ in asked)
    more, found = len(found) > limit, found[:limit]
    shown = found if forward else found[::-1]
    return _page(key, shown, more if forward else beyond, beyond if forward else more)


def refuse_hidden(bounds: Iterable[Bound]) -> None:
    """For lists that found nothing. Raises PermissionDeniedError where rows may be there and cannot be seen."""
    tables = dict.fromkeys(bound.table.name for bound in bounds if bound.hidden)
    if tables:
        raise PermissionDeniedError(
            f"Row-level security is active and no tenant is set: rows of {', '.join(tables)} cannot be seen.",
            "Add tenant=… to the URL.",
        )


def _page(key: Key, entities: list[Entity], below: bool, above: bool) -> Page:
    if not entities:
        return Page()
    return Page(
        items=tuple(runs_rows.run(entity) for entity in entities),
        before=key.encode(cursor_of(key, entities[0], after=False)) if above else None,
        after=key.encode(cursor_of(key, entities[-1], after=True)) if below else None,
    )


class _Scan:
    """A page of a filter that the decoded entity decides: chunks are read and tested, until it is full or late."""

    def __init__(
        self,
        store: Store,
        asked: Wheres,
        key: Key,
        start: Cursor | None,
        forward: bool,
        now_ns: int,
        needs: frozenset[str] = frozenset(),
    ) -> None:
        self._store, self._asked, self._key, self._start = store, asked, key, start
        self._forward, self._now_ns = forward, now_ns
        self._matches = {bound: where.predicate(now_ns) for bound, where in asked}
        self._needs = needs.union(*(where.needs for _, where in asked))

    def chunk(self, at: Cursor | None, cancel: CancelToken) -> tuple[list[Entity], list[Entity]]:
        """(looked at, matching) entities beyond a cursor."""
        store, asked, key, forward = self._store, self._asked, self._key, self._forward
        try:
            with store.brief(cancel) as read:
                found = rows(read, asked, key, at, forward, SCAN_ROWS, self._now_ns)
                enrich(read, found, self._needs)
        except LongReadError:
            found = sliced(store, asked, key, at, forward, SCAN_ROWS, self._now_ns, cancel)
            with store.reader(cancel) as read:
                found = again(read, found, self._now_ns)
                enrich(read, found, self._needs)
        return found, [entity for entity in found if self._matches[entity.bound](runs_rows.run(entity))]

    def page(self, limit: int, cancel: CancelToken) -> Page:
        total = count_all(self._store, self._asked, cancel)
        kept: list[Entity] = []
        at, searched, deadline, ended = self._start, 0, time.monotonic() + SCAN_S, False
        last: Entity | None = None
        while len(kept) <= limit and not ended and (not searched or time.monotonic() < deadline):
            seen, matching = self.chunk(at, cancel)
            kept += matching
            searched += len(seen)
            ended = len(seen) < SCAN_ROWS
            if seen:
                last = seen[-1]
                at = cursor_of(self._key, last, after=self._forward)
            cancel.progress(min(searched, total), total, "searching entities")
        return self._page(kept, limit, last, ended, searched, total, cancel)

    def _page(
        self,
        kept: list[Entity],
        limit: int,
        last: Entity | None,
        ended: bool,
        searched: int,
        total: int,
        cancel: CancelToken,
    ) -> Page:
        more = len(kept) > limit or not ended
        # A full page goes on behind its last match; an unfinished one behind the last row looked at.
        edge = kept[limit - 1] if len(kept) > limit else last
        shown = [_bare(entity) for entity in kept[:limit]]
        with self._store.reader(cancel) as read:
            enrich(read, shown)
        if not shown and self._start is None and ended:
            refuse_hidden(bound for bound, _ in self._asked)
        items = [runs_rows.run(entity) for entity in (shown if self._forward else shown[::-1])]
        onward = self._encoded(edge) if more and edge is not None else None
        back = self._key.encode(self._start) if self._start is not None else None
        return Page(
            items=tuple(items),
            before=back if self._forward else onward,
            after=onward if self._forward else back,
            searched=searched,
            of=total,
            complete=ended or len(items) >= limit,
        )

    def _encoded(self, edge: Entity) -> bytes:
        return self._key.encode(cursor_of(self._key, edge, after=self._forward))


def _bare(entity: Entity) -> Entity:
    entity.latest, entity.failures, entity.waits, entity.correlations = None, (), (), ()
    return entity


def matching(
    store: Store,
    asked: Wheres,
    now_ns: int,
    cancel: CancelToken,
    needs: frozenset[str] = frozenset(),
) -> Iterator[tuple[list[Entity], int]]:
    """All entities of a filter that has to be scanned: (matching, looked at so far) by chunks.

    Newest first where an index serves that; else each chunk would sort the whole table, and ids decide.
    """
    newest = all(bound.created_at is None or bound.served(bound.created_at) for bound, _ in asked)
    key = Key(Sort() if newest else Sort(field="id"), store.dialect)
    scan = _Scan(store, asked, key, None, True, now_ns, needs)
    at: Cursor | None = None
    searched = 0
    while True:
        seen, found = scan.chunk(at, cancel)
        searched += len(seen)
        yield found, searched
        if len(seen) < SCAN_ROWS:
            return
        at = cursor_of(key, seen[-1], after=True)


def count_all(store: Store, asked: Wheres, cancel: CancelToken) -> int:
    """How many rows a scan may have to look at: those that the pushed part leaves of small filters, else all."""
    total = 0
    for bound, _ in asked:
        statement = sa.select(sa.func.count()).select_from(bound.table).where(*bound.scope)
        total += store.all(statement, cancel)[0][0]
    return total


def by_refs(store: Store, refs: Sequence[RunRef], cancel: CancelToken) -> list[Run]:
    """The runs of some refs, those that exist, in no order."""
    now_ns = store.now_ns(cancel)
    known = {bound.type: bound for bound in store.workflows}
    wanted: dict[Bound, list[Any]] = {}
    for ref in refs:
        bound = known.get(ref.group) if ref.kind == KIND else None
        if bound is None:
            continue
        try:
            wanted.setdefault(bound, []).append(bound.key(ref.run))
        except NotFoundError:
            continue
    found: list[Entity] = []
    with store.reader(cancel) as read:
        for bound, keys in wanted.items():
            found += of_ids(read, bound, keys, now_ns)
        enrich(read, found, ALL)
    return [runs_rows.run(entity) for entity in found]


def read_run(store: Store, ref: RunRef, cancel: CancelToken) -> Run:
    """One entity's header in full, with its payload columns named and measured. Raises NotFoundError."""
    found = by_refs(store, [ref], cancel)
    if not found:
        hint = "It may have been deleted, or its id is mistyped."
        if any(bound.hidden for bound in store.workflows if bound.type == ref.group):
            hint = "Row-level security hides rows here: add tenant=… to the URL."
        raise NotFoundError(f"There is no {ref.group[:80]} {ref.run[:200]}.", hint)
    return _with_payloads(store, found[0], cancel)


def _with_payloads(store: Store, run: Run, cancel: CancelToken) -> Run:
    bound = store.workflow(run.type)
    if not bound.payload:
        return run
    texts = [payloads.text_of(store.dialect, column) for column in bound.payload]
    columns = [
        part for text in texts for part in (payloads.size_of(store.dialect, text), payloads.head_of(text))
    ]
    labelled = [column.label(f"c{n}") for n, column in enumerate(columns)]
    statement = (
        sa.select(*labelled).select_from(bound.table).where(bound.id == bound.key(run.id), *bound.scope)
    )
    row = store.all(statement, cancel)
    if not row:
        return run
    refs = {}
    for n, column in enumerate(bound.payload):
        size, head = row[0][2 * n], row[0][2 * n + 1]
        if size is not None:
            name = column.name
            refs[name] = payloads.ref("entity", run.type, run.id, name, label=name, size=size, head=head)
    first = next(iter(refs.values()), None)
    return msgspec.structs.replace(run, input=first)


def find(store: Store, text: str, limit: int, cancel: CancelToken) -> list[Run]:
    """Entities whose id (or ``type/id``) is, or begins with, a text: exact ones first."""
    kind, slash, rest = text.partition("/")
    types = {bound.type for bound in store.workflows}
    wanted = rest if slash and kind in types else text
    bounds = [bound for bound in store.workflows if not (slash and kind in types) or bound.type == kind]
    if not wanted:
        return []
    refs: list[RunRef] = []
    with store.reader(cancel) as read:
        for bound in bounds:
            refs += [bound.ref(row[0]) for row in read.all(_exact(bound, wanted))]
        for bound in bounds:
            found = read.all(_beginning(bound, wanted, store.dialect, limit))
            refs += sorted((bound.ref(row[0]) for row in found), key=lambda ref: (len(ref.run), ref.run))
    if not refs:
        refuse_hidden(bounds)
    chosen = list(dict.fromkeys(refs))[:limit]
    runs = {run.ref: run for run in by_refs(store, chosen, cancel)}
    return [runs[ref] for ref in chosen if ref in runs]


def _exact(bound: Bound, text: str) -> sa.Select[Any]:
    try:
        same: Any = bound.id == bound.key(text)
    except NotFoundError:
        same = sa.false()
    return sa.select(bound.id).where(same, *bound.scope)


def _beginning(bound: Bound, text: str, dialect: str, limit: int) -> sa.Select[Any]:
    from engine_bridge.engines.entity_state.store_tables import as_text, family

    base = sa.select(bound.id).where(*bound.scope).limit(limit)
    if family(bound.id) == "integer":
        return base.where(sa.or_(*_number_ranges(bound, text))).order_by(bound.id)
    if dialect == "sqlite" and family(bound.id) == "text":
        return base.where(bound.id >= text, bound.id < text + chr(0x10FFFF)).order_by(bound.id)
    return base.where(as_text(bound.id).startswith(text, autoescape=True))


def _number_ranges(bound: Bound, text: str) -> list[Any]:
    """Whole numbers that begin with some digits, as ranges that the primary key serves."""
    if not (text.isascii() and text.isdigit()) or text.startswith("0"):
        return [sa.false()]
    first, spans = int(text), []
    for zeros in range(19 - len(text)):
        spans.append(sa.and_(bound.id >= first * 10**zeros, bound.id < (first + 1) * 10**zeros))
    return spans or [sa.false()]
