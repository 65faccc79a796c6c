"""Reads what inference looks at beyond a run's own rows: versions, queues, where others waited."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos.connect import Reader
from engine_bridge.engines.dbos.history_read import integer, text
from engine_bridge.engines.dbos.history_rows import RawRun, Story
from engine_bridge.engines.dbos.infer_context import HOLDERS, Context, QueueFacts
from engine_bridge.engines.dbos.infer_steps import pending_waits
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.engines.dbos.tables import Expression, Tables

_VERSIONS: Final = 1_000
_MESSAGES: Final = 2_000
# SQLite uses the partial index on runs in flight only when the statement itself says so.
_IN_FLIGHT: Final = sa.text("status IN ('ENQUEUED', 'PENDING')")

Versions = dict[str | None, tuple[str, int | None]]


def read_context(tables: Tables, read: Reader, story: Story) -> Context:
    """What bears on one open run; empty for a closed one."""
    run = story.run
    if not run.open:
        return Context()
    latest = latest_version(read_versions(tables, read), run.application)
    queue = read_queue(tables, read, run) if run.status == rows.ENQUEUED and run.queue else None
    topic = _likely_topic(tables, read, story) if run.status == rows.PENDING else None
    return Context(*latest, queue, *(topic or (None, None)))


Topics = dict[tuple[str, int], list[tuple[str, str]]]


def read_versions(tables: Tables, read: Reader) -> Versions:
    """The newest registered version of each application (None: not claimed by one)."""
    if not tables.has("application_versions", "version_timestamp"):
        return {}

    def col(column: str) -> Expression:
        return tables.col("application_versions", column)

    columns = (col("application_name"), col("version_name"), col("version_timestamp"))
    statement = sa.select(*columns).order_by(col("version_timestamp").desc()).limit(_VERSIONS)
    found: Versions = {}
    for application, name, at in read.all(statement):
        found.setdefault(text(application), (text(name) or "", integer(at)))
    return found


def latest_version(versions: Versions, application: str | None) -> tuple[str | None, int | None]:
    """The newest version that an application can see: its own and unclaimed ones; any one's when unnamed."""
    seen = [at for name, at in versions.items() if application is None or name in (application, None)]
    return max(seen, key=lambda found: found[1] or 0, default=(None, None))


def read_queue(tables: Tables, read: Reader, run: RawRun) -> QueueFacts:
    """The queue of an enqueued run, and how many runs stand before it."""
    name = run.queue or ""
    counts = read_counts(tables, read, [name])
    limits = read_limits(tables, read, [name])
    ahead = read.value(_ahead(tables, run))
    holders = tuple(text(row[0]) or "" for row in read.all(_holders(tables, run)))
    return replace(queue_facts(name, run.partition, counts, limits, ahead), holders=holders)


def _holders(tables: Tables, run: RawRun) -> sa.Select[Any]:
    """Some of the runs that take the room on a run's queue or partition now."""
    table = tables["workflow_status"]
    where: list[Any] = [table.c.queue_name == run.queue, table.c.status == rows.PENDING, _IN_FLIGHT]
    if run.partition is not None:
        where.append(tables.col("workflow_status", "queue_partition_key") == run.partition)
    return sa.select(table.c.workflow_uuid).where(*where).order_by(table.c.created_at).limit(HOLDERS + 1)


def _ahead(tables: Tables, run: RawRun) -> sa.Select[Any]:
    """Runs that DBOS dequeues first: by priority, then creation (dbos._sys_db.start_queued_workflows)."""
    table = tables["workflow_status"]
    priority, created = tables.col("workflow_status", "priority"), table.c.created_at
    before: Any = created < run.created_ms
    if run.priority is not None:
        before = sa.or_(priority < run.priority, sa.and_(priority == run.priority, before))
    where: list[Any] = [table.c.queue_name == run.queue, table.c.status == "ENQUEUED", _IN_FLIGHT, before]
    if run.partition is not None:
        where.append(tables.col("workflow_status", "queue_partition_key") == run.partition)
    return sa.select(sa.func.count()).select_from(table).where(*where)


Counts = dict[tuple[str, str | None, str], int]


def read_counts(tables: Tables, read: Reader, queues: list[str]) -> Counts:
    """How many runs are queued and running, by queue, partition and status."""
    table = tables["workflow_status"]
    keys: list[Expression] = [table.c.queue_name, table.c.status]
    partitioned = tables.has("workflow_status", "queue_partition_key")
    if partitioned:
        keys.append(table.c.queue_partition_key)
    statement = sa.select(*keys, sa.func.count()).where(table.c.queue_name.in_(queues), _IN_FLIGHT)
    found: Counts = {}
    for row in read.all(statement.group_by(*keys)):
        found[row[0], row[2] if partitioned else None, row[1]] = row[-1]
    return found


def read_limits(tables: Tables, read: Reader, queues: list[str]) -> dict[str, tuple[Any, ...]]:
    """The recorded limits of queues, by name; queues declared in code only are missing."""
    if not tables.has("queues"):
        return {}
    names = (
        "name", "concurrency", "worker_concurrency", "partition_concurrency", "rate_limit_max",
        "rate_limit_period_sec",
    )  # fmt: skip
    columns = [tables.col("queues", name).label(name) for name in names]
    found = read.all(sa.select(*columns).where(tables["queues"].c.name.in_(queues)))
    return {row[0]: tuple(row[1:]) for row in found}


def queue_facts(
    name: str,
    partition: str | None,
    counts: Counts,
    limits: dict[str, tuple[Any, ...]],
    ahead: int | None = None,
) -> QueueFacts:
    """One queue's counts and limits together."""

    def total(status: str) -> int:
        return sum(count for (queue, _, is_), count in counts.items() if queue == name and is_ == status)

    limit = limits.get(name)
    return QueueFacts(
        name,
        limit is not None,
        partition,
        total(rows.ENQUEUED),
        total(rows.PENDING),
        None if partition is None else counts.get((name, partition, rows.PENDING), 0),
        ahead,
        *(limit or ()),
    )


def _likely_topic(tables: Tables, read: Reader, story: Story) -> tuple[str, str] | None:
    waits = pending_waits(Index(story))
    if not waits:
        return None
    return likely_topic(read_topics(tables, read, [story.run.name]), story.run, waits[0])


def likely_topic(topics: Topics, run: RawRun, wait: int) -> tuple[str, str] | None:
    """A topic that another run of the same workflow received at the same step, and that run; None when unknown."""
    for topic, receiver in topics.get((run.name, wait), ()):
        if receiver != run.id:
            return topic, receiver
    return None


def read_topics(tables: Tables, read: Reader, names: list[str]) -> Topics:
    """Which topics runs of some workflows received at which step, newest first, among recent messages."""
    if not tables.has("notifications", "consumed_by_function_id"):
        return {}
    table, runs = tables["notifications"], tables["workflow_status"]
    recent = sa.select(table.c.topic, table.c.destination_uuid, table.c.consumed_by_function_id)
    newest = recent.order_by(table.c.created_at_epoch_ms.desc()).limit(_MESSAGES).subquery()
    statement = (
        sa.select(runs.c.name, newest.c.consumed_by_function_id, newest.c.topic, newest.c.destination_uuid)
        .join(runs, runs.c.workflow_uuid == newest.c.destination_uuid)
        .where(newest.c.consumed_by_function_id.is_not(None), runs.c.name.in_(names))
    )
    found: Topics = defaultdict(list)
    for name, step, topic, receiver in read.all(statement):
        told = text(topic)
        if told is not None and told != "__null__topic__":
            found[text(name) or "", integer(step) or 0].append((told, text(receiver) or ""))
    return found
