"""Counts for chips and charts, and how many entities match: summed over short reads, cancellable."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.bridge import Bucket, DurationPoint, Facets, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs, runs_rows
from engine_bridge.engines.entity_state.facets_time import MS, buckets_of, extent, width_of
from engine_bridge.engines.entity_state.filters import Where
from engine_bridge.engines.entity_state.keyset import Key
from engine_bridge.engines.entity_state.row_parts import owned
from engine_bridge.engines.entity_state.runs_enrich import HISTORY, enrich
from engine_bridge.engines.entity_state.runs_read import Wheres, again, rows, sliced
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import LongReadError
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text
from engine_bridge.model import Run, Status

POINTS: Final = 2_000
SCAN_S: Final = 8.0
_CLOSED: Final = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class _Tally:
    """Sums up entities by status, type and bucket."""

    def __init__(self, width_ms: int) -> None:
        self.width_ms = width_ms
        self.by_status: Counter[str] = Counter()
        self.by_type: Counter[str] = Counter()
        self.cells: dict[int, Counter[str]] = {}
        self.points: list[DurationPoint] = []

    def add(self, created_ms: int | None, status: Status, type: str, count: int) -> None:
        self.by_status[status.value] += count
        self.by_type[type] += count
        if created_ms is not None:
            self.cells.setdefault(created_ms // self.width_ms, Counter())[status.value] += count

    def point(self, run: Run) -> None:
        duration = run.duration_ns
        if duration is not None and run.started_ns is not None and len(self.points) < POINTS:
            self.points.append(
                DurationPoint(
                    ref=run.ref, start_ns=run.started_ns, duration_ns=duration, status=run.status.value
                )
            )

    def facets(self, *, exact: bool, note: str) -> Facets:
        width = self.width_ms * MS
        return Facets(
            by_status=dict(self.by_status),
            by_type=dict(self.by_type),
            buckets=tuple(
                Bucket(start_ns=at * width, counts=dict(c)) for at, c in sorted(self.cells.items())
            ),
            bucket_ns=width,
            durations=tuple(self.points),
            total=self.by_status.total(),
            exact=exact,
            note=note,
        )


def read(store: Store, query: Any, buckets: int, cancel: CancelToken) -> Facets:
    """The facets of a filter. Buckets are by time of creation; exact unless the filter is scanned for too long."""
    now_ns = store.now_ns(cancel)
    asked = runs.wheres(store, query, now_ns)
    tally = _Tally(width_of(*extent(store, asked, cancel), buckets))
    if any(where.residual is not None for _, where in asked):
        return _scanned(store, asked, tally, now_ns, cancel)
    for bound, where in asked:
        _count(store, bound, where, tally, cancel)
    if buckets > 0:
        _sample(store, asked, tally, now_ns, cancel)
    note = "" if len(tally.points) < POINTS else f"durations of a sample of {POINTS:,} entities"
    hidden = [bound.type for bound, _ in asked if bound.hidden]
    if hidden:
        note = f"no tenant is set: {', '.join(hidden)} cannot be seen"
    found = tally.facets(exact=not hidden, note=note)
    return found if query is not None else msgspec.structs.replace(found, failures=_open(store, cancel))


def _open(store: Store, cancel: CancelToken) -> int | None:
    """Failures that nobody resolved, of all workflows with a log; all of a log that does not tell."""
    logs = [(bound, bound.failures) for bound in store.workflows if not bound.hidden]
    counts = [_unresolved(store, bound, log, cancel) for bound, log in logs if log is not None]
    return sum(counts) if counts else None


def _unresolved(store: Store, bound: Bound, log: BoundTable, cancel: CancelToken) -> int:
    still = [] if log.resolved_at is None else [log.resolved_at.is_(None)]
    counted = sa.select(sa.func.count()).select_from(log.table).where(*owned(bound, log), *still)
    spans = store.slices_of(log.id, cancel)
    return sum(store.all(counted.where(*span), cancel)[0][0] for span in spans)


def _count(store: Store, bound: Bound, where: Where, tally: _Tally, cancel: CancelToken) -> None:
    tenant = sa.null() if bound.tenant is None else as_text(bound.tenant)
    for columns, decode in buckets_of(bound, tally.width_ms, store.dialect):
        for conditions in store.slices(bound, cancel):
            cancel.progress(tally.by_status.total(), None, "counting entities")
            chosen = [tenant.label("tenant"), bound.status.label("status"), *columns]
            inner = sa.select(*chosen).select_from(bound.table)
            inner_rows = inner.where(*bound.scope, *where.conditions, *conditions).subquery()
            grouped = sa.select(*inner_rows.c, sa.func.count()).group_by(*inner_rows.c)
            for owner, state, *parts, count in store.all(grouped, cancel):
                info = bound.role(NO_STATUS if state is None else str(state), owner)
                tally.add(decode(parts), info.neutral, bound.type, count)


def _sample(store: Store, asked: Wheres, tally: _Tally, now_ns: int, cancel: CancelToken) -> None:
    closed = [
        (bound, where.also(bound.where_role(lambda info: info.neutral in _CLOSED))) for bound, where in asked
    ]
    key = Key(Sort(), store.dialect)
    try:
        with store.brief(cancel) as reader:
            found = rows(reader, closed, key, None, True, POINTS, now_ns)
    except LongReadError:
        found = sliced(store, closed, key, None, True, POINTS, now_ns, cancel)
    with store.reader(cancel) as reader:
        found = again(reader, found, now_ns)
        enrich(reader, found, HISTORY)
    for entity in found:
        tally.point(runs_rows.run(entity))


def _scanned(store: Store, asked: Wheres, tally: _Tally, now_ns: int, cancel: CancelToken) -> Facets:
    total, deadline = runs.count_all(store, asked, cancel), time.monotonic() + SCAN_S
    for found, searched in runs.matching(store, asked, now_ns, cancel, HISTORY):
        for run in map(runs_rows.run, found):
            created = None if run.created_ns is None else run.created_ns // MS
            tally.add(created, run.status, run.type, 1)
            tally.point(run)
        cancel.progress(min(searched, total), total, "counting entities")
        if time.monotonic() > deadline and searched < total:
            return tally.facets(exact=False, note=f"of {searched:,} entities of {total:,}")
    return tally.facets(exact=True, note="")


def count(store: Store, query: Any, cancel: CancelToken) -> int:
    """How many entities match, exactly."""
    now_ns = store.now_ns(cancel)
    asked = runs.wheres(store, query, now_ns)
    if any(where.residual is not None for _, where in asked):
        total = runs.count_all(store, asked, cancel)
        found = 0
        for batch, searched in runs.matching(store, asked, now_ns, cancel):
            found += len(batch)
            cancel.progress(min(searched, total), total, "counting entities")
        return found
    found = sum(_counted(store, bound, where, cancel) for bound, where in asked)
    if not found:
        runs.refuse_hidden(bound for bound, _ in asked)
    return found


def _counted(store: Store, bound: Bound, where: Where, cancel: CancelToken) -> int:
    return sum(store.all(statement, cancel)[0][0] for statement in _counts(store, bound, where, cancel))


def _counts(store: Store, bound: Bound, where: Where, cancel: CancelToken) -> Iterator[sa.Select[Any]]:
    for conditions in store.slices(bound, cancel):
        base = sa.select(sa.func.count()).select_from(bound.table)
        yield base.where(*bound.scope, *where.conditions, *conditions)
