"""Counts for chips and charts, and how many runs match: summed over short reads, newest first, cancellable."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Bucket, DurationPoint, Facets, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters, keyset, rows, slices
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.rows import MS
from engine_bridge.engines.dbos.runs import SCAN_ROWS, Lister
from engine_bridge.model import Run, Status

POINTS: Final = 2_000
SCAN_S: Final = 8.0
TYPES: Final = 200

_S: Final = 1_000
_WIDTHS: Final = (
    1, 2, 5, 10, 20, 50, 100, 200, 500,
    *(n * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * 60 * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * 3_600 * _S for n in (1, 2, 3, 6, 12)),
    *(n * 86_400 * _S for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)  # fmt: skip


class Tally:
    """Sums up runs by status, type and bucket."""

    def __init__(self, width_ms: int) -> None:
        self.width_ms = width_ms
        self.by_status: Counter[str] = Counter()
        self.by_type: Counter[str] = Counter()
        self.cells: dict[int, Counter[str]] = {}
        self.points: list[DurationPoint] = []

    def add(self, bucket: int | None, status: Status, kind: str, count: int) -> None:
        self.by_status[status.value] += count
        self.by_type[kind] += count
        if bucket is not None:
            self.cells.setdefault(bucket, Counter())[status.value] += count

    def facets(self, *, exact: bool, note: str) -> Facets:
        width = self.width_ms * MS
        return Facets(
            by_status=dict(self.by_status),
            by_type=dict(self.by_type.most_common(TYPES)),
            buckets=tuple(Bucket(start_ns=b * width, counts=dict(c)) for b, c in sorted(self.cells.items())),
            bucket_ns=width,
            durations=tuple(self.points[:POINTS]),
            total=self.by_status.total(),
            exact=exact,
            note=note,
        )


def width_of(low: int, high: int, buckets: int) -> int:
    """The narrowest of the usual bucket widths, in milliseconds, that needs no more than ``buckets``."""
    for width in _WIDTHS:
        if high // width - low // width < max(1, buckets):
            return width
    return _WIDTHS[-1] * (1 + (high - low) // (_WIDTHS[-1] * max(1, buckets)))


def read(db: Database, lister: Lister, query: Any, buckets: int, cancel: CancelToken) -> Facets:
    """The facets of a filter. Buckets are by creation time; exact unless the filter has to be scanned for too long."""
    where = filters.where(db, query, db.now_ns(cancel))
    span = slices.extent(db, where.conditions(), cancel)
    if span is None:
        return Facets()
    tally = Tally(width_of(*span, buckets))
    if where.residual is not None:
        return _scanned(db, lister, where, tally, cancel)
    spans = slices.cut(db, *span, cancel)
    for done, part in enumerate(spans):
        cancel.progress(done, len(spans), "counting runs")
        _count_slice(db, where, part, tally, cancel)
        if buckets > 0:
            _sample(db, where, part, tally, 1 + POINTS // len(spans), cancel)
    note = "" if len(tally.points) < POINTS else f"durations of a sample of {POINTS:,} runs"
    return tally.facets(exact=True, note=note)


def _count_slice(
    db: Database, where: filters.Where, span: slices.Span, tally: Tally, cancel: CancelToken
) -> None:
    tables = db.tables
    created = tables.col("workflow_status", "created_at")
    # Both databases divide integers as integers; SQLAlchemy's own "/" would not.
    bucket = created.op("/")(sa.literal_column(str(tally.width_ms))).label("bucket")
    state_, name = tables.col("workflow_status", "status"), tables.col("workflow_status", "name")
    statement = (
        sa.select(bucket, state_, name, sa.func.count())
        .where(*where.conditions(), *slices.within(created, span))
        .group_by(sa.literal_column("1"), sa.literal_column("2"), sa.literal_column("3"))
    )
    for at, state, kind, count in db.all(statement, cancel):
        status = rows.STATUSES.get(state, Status.UNKNOWN)
        tally.add(at if type(at) is int else None, status, kind if isinstance(kind, str) else "", count)


def _sample(
    db: Database, where: filters.Where, span: slices.Span, tally: Tally, limit: int, cancel: CancelToken
) -> None:
    tables = db.tables
    created = tables.col("workflow_status", "created_at")
    started, ended = keyset.started(tables), keyset.ended(tables)
    statement = (
        sa.select(
            tables.col("workflow_status", "workflow_uuid"),
            started,
            ended,
            tables.col("workflow_status", "status"),
        )
        .where(*where.conditions(), *slices.within(created, span), ended.is_not(None), started.is_not(None))
        .order_by(created.desc())
        .limit(limit)
    )
    for run_id, start, end, state in db.all(statement, cancel):
        if type(start) is int and type(end) is int:
            status = rows.STATUSES.get(state, Status.UNKNOWN).value
            point = DurationPoint(
                ref=rows.ref(run_id), start_ns=start * MS, duration_ns=(end - start) * MS, status=status
            )
            tally.points.append(point)


def _scanned(db: Database, lister: Lister, where: filters.Where, tally: Tally, cancel: CancelToken) -> Facets:
    searched, total, deadline = 0, lister.total(cancel), time.monotonic() + SCAN_S
    for batch, seen in matching(db, lister, where, cancel):
        searched = seen
        for run in batch:
            tally.add((run.created_ns or 0) // MS // tally.width_ms, run.status, run.type, 1)
            if run.duration_ns is not None and len(tally.points) < POINTS:
                point = DurationPoint(
                    ref=run.ref,
                    start_ns=run.started_ns or 0,
                    duration_ns=run.duration_ns,
                    status=run.status.value,
                )
                tally.points.append(point)
        cancel.progress(min(searched, total), total, "counting runs")
        if time.monotonic() > deadline:
            return tally.facets(exact=False, note=f"of the newest {searched:,} runs of {total:,}")
    return tally.facets(exact=True, note="")


def matching(
    db: Database, lister: Lister, where: filters.Where, cancel: CancelToken
) -> Iterator[tuple[list[Run], int]]:
    """All runs that match, newest first, in batches with the number of rows looked at so far."""
    now_ns = db.now_ns(cancel)
    matches = where.predicate(now_ns)
    key = keyset.key_of(db.tables, Sort())
    at, searched = None, 0
    while True:
        with db.reader(cancel) as read:
            raw = lister.raw(read, key, at, where, True, SCAN_ROWS)
            runs = lister.enricher.runs(
                read, raw, now_ns, counts="steps" in where.needs, errors="error" in where.needs
            )
        searched += len(raw)
        yield [run for run in runs if matches(run)], searched
        if len(raw) < SCAN_ROWS:
            return
        at = keyset.Cursor(raw[-1][-1], raw[-1][0], after=True)


def count(db: Database, lister: Lister, query: Any, cancel: CancelToken) -> int:
    """How many runs match, exactly."""
    where = filters.where(db, query, db.now_ns(cancel))
    total = lister.total(cancel)
    if query is None:
        return total
    if where.residual is not None:
        found = 0
        for batch, searched in matching(db, lister, where, cancel):
            found += len(batch)
            cancel.progress(min(searched, total), total, "counting runs")
        return found
    return _count_pushed(db, where, cancel)


def _count_pushed(db: Database, where: filters.Where, cancel: CancelToken) -> int:
    created = db.tables.col("workflow_status", "created_at")
    span = slices.extent(db, where.conditions(), cancel)
    spans = slices.cut(db, *span, cancel) if span is not None else []
    found = 0
    for done, part in enumerate(spans):
        cancel.progress(done, len(spans), "counting runs")
        statement = (
            sa.select(sa.func.count())
            .select_from(db.tables["workflow_status"])
            .where(*where.conditions(), *slices.within(created, part))
        )
        found += db.all(statement, cancel)[0][0]
    return found
