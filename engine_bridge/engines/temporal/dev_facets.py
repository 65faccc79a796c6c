"""Counts for chips and charts: small lists are read whole, large ones are counted by the database."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from engine_bridge import lists
from engine_bridge.bridge import Bucket, DurationPoint, Facets
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.dev_query import stored_time
from engine_bridge.engines.temporal.dev_rows import time_ns
from engine_bridge.engines.temporal.dev_runs import DevLister
from engine_bridge.engines.temporal.server_facets import width_of
from engine_bridge.engines.temporal.server_runs import Where
from engine_bridge.engines.temporal.server_values import STATUSES, ref
from engine_bridge.engines.temporal.visibility_leaves import moment
from engine_bridge.model import Run, Status
from engine_bridge.query.ast import Node

WHOLE: Final = 5_000
"""Up to so many runs are read rather than counted."""
_POINTS: Final = 2_000
_SCAN_S: Final = 8.0
_NS: Final = (
    "strftime('%s', substr(start_time, 1, 19)) * 1000000000 + CAST(substr(CASE WHEN length(start_time) > 26 "
    "THEN substr(start_time, 21, length(start_time) - 26) ELSE '' END || '000000000', 1, 9) AS INTEGER)"
)
"""The time of creation in ns."""


def read(lister: DevLister, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
    """The facets of a filter. Buckets are by creation."""
    where = lister.where(query)
    total = lister.total(where.clause, cancel)
    if total > WHOLE and where.residual is None:
        return _counted(lister, where, buckets, cancel)
    return _read(lister, where, total, buckets, cancel)


def _read(lister: DevLister, where: Where, total: int, buckets: int, cancel: CancelToken) -> Facets:
    found: list[Run] = []
    deadline = time.monotonic() + _SCAN_S
    for part in lister.all(where, cancel):
        found += part
        cancel.progress(len(found), None, "counting runs")
        if time.monotonic() > deadline:
            made = lists.facets(found, buckets)
            return Facets(
                **{name: getattr(made, name) for name in _PARTS},
                exact=False,
                note=f"of the newest runs among {total:,}",
            )
    return lists.facets(found, buckets)


_PARTS: Final = ("by_status", "by_type", "buckets", "bucket_ns", "durations", "total")


def _counted(lister: DevLister, where: Where, buckets: int, cancel: CancelToken) -> Facets:
    source = lister.client.lists
    select = source.select
    ends = select("min(start_time), max(start_time)", where.clause, "", (), cancel)[0]
    oldest, newest = time_ns(ends[0]) or 0, time_ns(ends[1]) or 0
    width = width_of(oldest, newest, buckets)
    now = stored_time((moment(lister.client.now_ns()) or "").strip("'"))
    # The select list comes before the condition, so its parameters are part of the text: numbers and our own time.
    what = f"({_NS}) / {width}, status, status = 1 AND execution_time > '{now}', count(*)"
    rows = select(what, where.clause, "GROUP BY 1, 2, 3", (), cancel)
    by_status: Counter[str] = Counter()
    cells: dict[int, Counter[str]] = {}
    for at, status, delayed, count in rows:
        word = (Status.DELAYED if delayed else STATUSES.get(status, (Status.UNKNOWN, ""))[0]).value
        by_status[word] += count
        if isinstance(at, int):
            cells.setdefault(at, Counter())[word] += count
    types = select("workflow_type_name, count(*)", where.clause, "GROUP BY 1", (), cancel)
    return Facets(
        by_status=dict(by_status),
        by_type={str(name): count for name, count in types},
        buckets=tuple(Bucket(start_ns=at * width, counts=dict(cell)) for at, cell in sorted(cells.items())),
        bucket_ns=width,
        durations=tuple(_points(lister, where, cancel)) if buckets > 0 else (),
        total=sum(by_status.values()),
        note=f"durations of the newest {_POINTS:,} closed runs",
    )


def _points(lister: DevLister, where: Where, cancel: CancelToken) -> list[DurationPoint]:
    rows = lister.client.lists.ordered(
        where.clause, "AND close_time IS NOT NULL", (), "start_time DESC", _POINTS, cancel
    )
    return [point for row in rows if (point := _point(row)) is not None]


def _point(row: Any) -> DurationPoint | None:
    started, ended = time_ns(row[4]), time_ns(row[6])
    if started is None or ended is None:
        return None
    word = STATUSES.get(row[5], (Status.UNKNOWN, ""))[0].value
    return DurationPoint(
        ref=ref(str(row[0]), str(row[1])), start_ns=started, duration_ns=ended - started, status=word
    )
