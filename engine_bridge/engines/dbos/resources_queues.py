"""Queues: depth, runs in flight, the oldest one waiting, limits, and the same by partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.rows import MS
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.format import count, duration
from engine_bridge.query.sql import literal_in
from engine_bridge.query.text import quote

OLD_NS: Final = 15 * 60 * 1_000_000_000
"""A queued run that waits longer than this is worth a warning when nothing on its queue runs."""
PARTITIONS: Final = 500

_INTERNAL: Final = "_dbos_internal_queue"
_LIMITS: Final = (
    "concurrency",
    "worker_concurrency",
    "rate_limit_max",
    "rate_limit_period_sec",
    "partition_concurrency",
    "partition_worker_concurrency",
    "partition_rate_limit_max",
    "partition_rate_limit_period_sec",
    "priority_enabled",
    "polling_interval_sec",
    "application_name",
)


@dataclass(slots=True)
class _Load:
    """Counts of one queue, or of one partition of it."""

    queued: int = 0
    running: int = 0
    delayed: int = 0
    oldest_ms: int | None = None
    parts: dict[str, _Load] = field(default_factory=dict)

    def add(self, status: str, number: int, oldest_ms: int | None) -> None:
        if status == "PENDING":
            self.running += number
        elif status == "DELAYED":
            self.delayed += number
        else:
            self.queued += number
            if type(oldest_ms) is int and (self.oldest_ms is None or oldest_ms < self.oldest_ms):
                self.oldest_ms = oldest_ms


def read(db: Database, cancel: CancelToken) -> list[Resource]:
    """All queues: the recorded ones, and those that open runs name."""
    now_ns = db.now_ns(cancel)
    with db.reader(cancel) as reader:
        recorded = _recorded(db.tables, reader)
        loads = _loads(db.tables, reader)
    names = sorted({*recorded, *loads}, key=lambda name: (name == _INTERNAL, name))
    return [_queue(name, recorded.get(name), loads.get(name, _Load()), now_ns) for name in names]


def _recorded(tables: Tables, read: Reader) -> dict[str, Mapping[str, Any]]:
    if not tables.has("queues", "name"):
        return {}
    columns = [tables.col("queues", name) for name in ("name", *_LIMITS)]
    found = read.all(sa.select(*columns))
    return {row[0]: dict(zip(_LIMITS, row[1:], strict=True)) for row in found if isinstance(row[0], str)}


def _loads(tables: Tables, read: Reader) -> dict[str, _Load]:
    queue, partition = (
        tables.col("workflow_status", "queue_name"),
        tables.col("workflow_status", "queue_partition_key"),
    )
    status, created = tables.col("workflow_status", "status"), tables.col("workflow_status", "created_at")
    found: dict[str, _Load] = {}
    # Two statements, because each has its own partial index.
    for states in (filters.IN_FLIGHT, ("DELAYED",)):
        statement = (
            sa.select(queue, partition, status, sa.func.count(), sa.func.min(created))
            .where(queue.is_not(None), literal_in(status, states))
            .group_by(queue, partition, status)
        )
        for name, part, state, number, oldest in read.all(statement):
            if not isinstance(name, str):
                continue
            load = found.setdefault(name, _Load())
            load.add(state, number, oldest)
            if isinstance(part, str):
                load.parts.setdefault(part, _Load()).add(state, number, oldest)
    return found


def _queue(name: str, limits: Mapping[str, Any] | None, load: _Load, now_ns: int) -> Resource:
    cells = _counts(load)
    known = limits or {}
    cells |= {
        "limit": known.get("concurrency"),
        "limit_per_worker": known.get("worker_concurrency"),
        "limit_per_partition": known.get("partition_concurrency"),
        "rate_limit": _rate(known, ""),
        "partition_rate_limit": _rate(known, "partition_"),
        "paused": limits is not None and known.get("concurrency") == 0,
        "recorded": limits is not None,
        "application": known.get("application_name"),
    }
    limit = known.get("partition_concurrency")
    children = [_partition(name, part, inner, limit, now_ns) for part, inner in _busiest(load)]
    return Resource(
        kind="queues",
        id=name,
        title="recovered and scheduled runs" if name == _INTERNAL else name,
        cells=cells,
        warning=_warning(load, known.get("concurrency"), now_ns),
        children=tuple(children),
        filter=f"queue == {quote(name)} and status in (queued, running, delayed)",
    )


def _busiest(load: _Load) -> Iterable[tuple[str, _Load]]:
    return sorted(load.parts.items(), key=lambda item: (-item[1].queued, -item[1].running, item[0]))[
        :PARTITIONS
    ]


def _partition(queue: str, part: str, load: _Load, limit: int | None, now_ns: int) -> Resource:
    return Resource(
        kind="partitions",
        id=f"{queue}/{part}",
        title=part,
        cells=_counts(load) | {"limit": limit},
        warning=_warning(load, limit, now_ns),
        filter=f"queue == {quote(queue)} and partition == {quote(part)} and status in (queued, running, delayed)",
    )


def _counts(load: _Load) -> dict[str, Any]:
    return {
        "depth": load.queued,
        "in_flight": load.running,
        "delayed": load.delayed,
        "oldest_ns": None if load.oldest_ms is None else load.oldest_ms * MS,
    }


def _rate(limits: Mapping[str, Any], prefix: str) -> str | None:
    most, period = limits.get(f"{prefix}rate_limit_max"), limits.get(f"{prefix}rate_limit_period_sec")
    return None if most is None else f"{most} per {period or 0:g} s"


def _warning(load: _Load, limit: int | None, now_ns: int) -> str:
    if not load.queued:
        return ""
    waiting = f"{count(load.queued)} waiting"
    if limit == 0:
        return f"paused (concurrency 0), {waiting}"
    age = 0 if load.oldest_ms is None else now_ns - load.oldest_ms * MS
    if not load.running and age > OLD_NS:
        return f"blocked: {waiting}, none running, the oldest for {duration(age)}"
    if limit is not None and load.running >= limit:
        return f"full: {load.running} of {limit} running, {waiting}"
    return f"the oldest waits for {duration(age)}" if age > OLD_NS else ""
