"""What plans look up beyond the target's own row: steps, children, events, messages, versions, queues."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.engines.dbos.actions_facts import NULL_TOPIC, OPEN, Reads
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.errors import UsageError

MOST: Final = 10_000
_DEPTH: Final = 50


class StepRow(msgspec.Struct, frozen=True):
    """One recorded step; ``child_status`` is that of the run it started."""

    id: int
    name: str
    failed: bool
    child: str | None
    child_status: str | None

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


def steps(tables: Tables, reads: Reads, run_id: str) -> list[StepRow]:
    """All recorded steps in order."""
    table, runs = tables["operation_outputs"], tables["workflow_status"].alias("child")
    child = tables.col("operation_outputs", "child_workflow_id")
    columns = (
        table.c.function_id,
        tables.col("operation_outputs", "function_name"),
        table.c.error.is_not(None),
    )
    statement = (
        sa.select(*columns, child, runs.c.status)
        .select_from(table.outerjoin(runs, runs.c.workflow_uuid == child))
        .where(table.c.workflow_uuid == run_id)
        .order_by(table.c.function_id)
        .limit(MOST)
    )
    return [StepRow(row[0], row[1] or "step", bool(row[2]), row[3], row[4]) for row in reads.all(statement)]


def descendants(tables: Tables, reads: Reads, run_id: str) -> dict[str, str]:
    """Children, their children, and so on: id to status, as DBOS finds them (``parent_workflow_id``)."""
    if not tables.has("workflow_status", "parent_workflow_id"):
        return {}
    table, parent = tables["workflow_status"], tables.col("workflow_status", "parent_workflow_id")
    found: dict[str, str] = {}
    level = [run_id]
    for _ in range(_DEPTH):
        rows = reads.all(sa.select(table.c.workflow_uuid, table.c.status).where(parent.in_(level)))
        fresh = {row[0]: row[1] for row in rows if row[0] not in found and row[0] != run_id}
        if not fresh or len(found) > MOST:
            break
        found |= fresh
        level = list(fresh)
    return found


def open_ones(found: dict[str, str]) -> list[str]:
    """The runs among them that are not over."""
    return [id_ for id_, status in found.items() if status in OPEN]


def late_events(tables: Tables, reads: Reads, run_id: str, start: int) -> list[str]:
    """Keys of events that were published at or after a step."""
    if not tables.has("workflow_events_history", "function_id"):
        return []
    table = tables["workflow_events_history"]
    where = (table.c.workflow_uuid == run_id, table.c.function_id >= start)
    return [
        row[0] for row in reads.all(sa.select(table.c.key).where(*where).distinct().order_by(table.c.key))
    ]


def messages(tables: Tables, reads: Reads, run_id: str, start: int) -> tuple[list[str], list[str]]:
    """Topics of the messages that a rewind deletes: those taken at or after a step, and those not taken at all."""
    if not tables.has("notifications", "consumed_by_function_id"):
        return [], []
    table = tables["notifications"]
    by = table.c.consumed_by_function_id
    statement = (
        sa.select(table.c.topic, sa.cast(table.c.consumed, sa.Integer), by)
        .where(table.c.destination_uuid == run_id)
        .order_by(table.c.created_at_epoch_ms)
        .limit(MOST)
    )
    rows = [(_topic(row[0]), bool(row[1]), row[2]) for row in reads.all(statement)]
    late = [
        f"{topic} (step {step})"
        for topic, taken, step in rows
        if taken and step is not None and step >= start
    ]
    return late, [topic for topic, taken, _ in rows if not taken]


def unread_on(tables: Tables, reads: Reads, run_id: str, topic: str) -> int:
    """How many messages on a topic a run has not taken yet."""
    if not tables.has("notifications", "consumed"):
        return 0
    table = tables["notifications"]
    unread = sa.cast(table.c.consumed, sa.Integer) == 0
    where = (table.c.destination_uuid == run_id, table.c.topic == topic, unread)
    return int(reads.value(sa.select(sa.func.count()).select_from(table).where(*where)))


def _topic(topic: str | None) -> str:
    return "no topic" if topic in (None, NULL_TOPIC) else str(topic)


def versions(tables: Tables, reads: Reads, application: str | None) -> tuple[str, ...]:
    """Registered versions that a run of an application can go to, the latest first."""
    if not tables.has("application_versions", "version_timestamp"):
        return ()
    owner = tables.col("application_versions", "application_name")
    table = tables["application_versions"]
    statement = sa.select(table.c.version_name, owner).order_by(table.c.version_timestamp.desc()).limit(100)
    rows = reads.all(statement)
    return tuple(row[0] for row in rows if application is None or row[1] in (None, application))


def queues(tables: Tables, reads: Reads) -> tuple[str, ...]:
    """Recorded queues, by name."""
    if not tables.has("queues", "name"):
        return ()
    table = tables["queues"]
    return tuple(row[0] for row in reads.all(sa.select(table.c.name).order_by(table.c.name)))


def check_partition(tables: Tables, reads: Reads, queue: str | None, partition: str | None) -> None:
    """Refuses a partitioned queue for a run without a partition key: no worker would ever take it from there."""
    limits = [c for c in ("partition_concurrency", "partition_worker_concurrency", "partition_rate_limit_max")
              if tables.has("queues", c)]  # fmt: skip
    if queue is None or partition is not None or not limits:
        return
    table = tables["queues"]
    row = reads.one(sa.select(*(table.c[name] for name in limits)).where(table.c.name == queue))
    if row is not None and any(value is not None for value in row):
        raise UsageError(
            f"The queue {queue} is partitioned, and this run has no partition key: nothing would take it from there.",
            "Choose another queue.",
        )


def waiting_step(tables: Tables, reads: Reads, run_id: str) -> int | None:
    """The step that waits for a message or event: its time-out is recorded at the next id, itself not (§2.2)."""
    table = tables["operation_outputs"]
    result = table.alias("result")
    recorded = sa.exists().where(
        result.c.workflow_uuid == table.c.workflow_uuid, result.c.function_id == table.c.function_id - 1
    )
    statement = (
        sa.select(table.c.function_id - 1)
        .where(table.c.workflow_uuid == run_id, table.c.function_id > 1)
        .where(tables.col("operation_outputs", "function_name") == "DBOS.sleep", sa.not_(recorded))
        .order_by(table.c.function_id.desc())
    )
    value: Any = reads.value(statement.limit(1))
    return None if value is None else int(value)


def consumed_messages(tables: Tables, reads: Reads, name: str | None, run_id: str) -> list[Any]:
    """Recent messages that other runs of a workflow took: topic, text, encoding, run, step; the newest first."""
    if not tables.has("notifications", "consumed"):
        return []
    table, runs = tables["notifications"], tables["workflow_status"]
    step = tables.col("notifications", "consumed_by_function_id").label("step")
    encoding = tables.col("notifications", "serialization").label("encoding")
    columns = (table.c.topic, table.c.message, encoding, table.c.destination_uuid, step, table.c.consumed)
    newest = sa.select(*columns, table.c.created_at_epoch_ms).order_by(table.c.created_at_epoch_ms.desc())
    recent = newest.limit(2_000).subquery()
    statement = (
        sa.select(
            recent.c.topic, recent.c.message, recent.c.encoding, recent.c.destination_uuid, recent.c.step
        )
        .join(runs, runs.c.workflow_uuid == recent.c.destination_uuid)
        .where(
            runs.c.name == name, runs.c.workflow_uuid != run_id, sa.cast(recent.c.consumed, sa.Integer) == 1
        )
        .order_by(recent.c.created_at_epoch_ms.desc())
    )
    return list(reads.all(statement.limit(50)))
