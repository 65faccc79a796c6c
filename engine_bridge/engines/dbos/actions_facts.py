"""What an action looks at: the present state of its target, read the same way for the plan and right before acting.

The names of the fields are the names of preconditions: a plan keeps their values, and the actor reads them again
inside the very transaction that writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Precondition, Staged
from engine_bridge.engines.dbos import plan_args
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.format import timestamp

INTERNAL_QUEUE: Final = "_dbos_internal_queue"
NULL_TOPIC: Final = "__null__topic__"
OPEN: Final = ("PENDING", "ENQUEUED", "DELAYED")
FINISHED: Final = ("SUCCESS", "ERROR")
EXHAUSTED: Final = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"

_COLUMNS: Final = {
    "id": "workflow_uuid",
    "status": "status",
    "name": "name",
    "queue": "queue_name",
    "partition": "queue_partition_key",
    "priority": "priority",
    "version": "application_version",
    "class_name": "class_name",
    "config_name": "config_name",
    "application": "application_name",
    "owner_xid": "owner_xid",
    "updated_at": "updated_at",
    "recovery_attempts": "recovery_attempts",
    "deadline": "workflow_deadline_epoch_ms",
    "timeout_ms": "workflow_timeout_ms",
    "delay_until": "delay_until_epoch_ms",
    "deduplication_id": "deduplication_id",
    "serialization": "serialization",
    "user": "authenticated_user",
    "roles": "authenticated_roles",
    "attributes": "attributes",
}


class Reads(Protocol):
    """What facts are read through: a reader of the bridge, or the actor's own transaction."""

    def all(self, statement: sa.Executable) -> Any: ...

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any: ...

    def value(self, statement: sa.Executable) -> Any: ...


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One run now. ``kept_steps`` are those before the start step that the action names (0 without one)."""

    id: str
    status: str
    name: str | None
    queue: str | None
    partition: str | None
    priority: int | None
    version: str | None
    class_name: str | None
    config_name: str | None
    application: str | None
    owner_xid: str | None
    updated_at: int | None
    recovery_attempts: int | None
    deadline: int | None
    timeout_ms: int | None
    delay_until: int | None
    deduplication_id: str | None
    serialization: str | None
    user: str | None
    roles: str | None
    attributes: str | None
    steps: int
    unconsumed_messages: int
    kept_steps: int


class QueueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded queue now. ``other_limit`` is its largest limit per worker or partition, 0 without one."""

    name: str
    global_concurrency: int | None
    other_limit: int
    application: str | None


class ScheduleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule now."""

    name: str
    status: str
    automatic_backfill: bool
    last_fired_at: str | None


Facts = RunFacts | QueueFacts | ScheduleFacts


def read(tables: Tables, reads: Reads, staged: Staged) -> Facts | None:
    """The facts of a target, None when it is not (or no longer) there."""
    kind = staged.target.kind
    if kind == "queues":
        return queue(tables, reads, staged.target.id)
    if kind == "schedules":
        return schedule(tables, reads, staged.target.id)
    return run(tables, reads, run_id(staged), start_step(staged))


def run_id(staged: Staged) -> str:
    """The run that a target is, or is a part of."""
    ref = staged.target.ref
    return staged.target.id if ref is None else ref.run


def start_step(staged: Staged) -> int:
    """The first step that runs again; 1 when none was chosen. Raises UsageError."""
    return plan_args.integer(staged.args, "start_step", 1) or 1


def run(tables: Tables, reads: Reads, id_: str, start: int = 1) -> RunFacts | None:
    """One run: a row, and three counts by index."""
    row = reads.one(_run_statement(tables), {"run": id_, "start": start})
    return None if row is None else RunFacts(**dict(zip(_RUN_NAMES, row, strict=True)))


_RUN_NAMES: Final = (*_COLUMNS, "steps", "unconsumed_messages", "kept_steps")


@lru_cache(maxsize=8)
def _run_statement(tables: Tables) -> sa.Select[Any]:
    table = tables["workflow_status"]
    columns = [_column(tables, key) for key in _COLUMNS]
    kept = tables["operation_outputs"].c.function_id < sa.bindparam("start", type_=sa.BigInteger())
    counts = (_steps(tables), _unconsumed(tables), _steps(tables, kept))
    return sa.select(*columns, *counts).where(table.c.workflow_uuid == _RUN)


_RUN: Final[Any] = sa.bindparam("run", type_=sa.Text())


def _column(tables: Tables, key: str) -> Any:
    read_as = tables.text if key == "attributes" else tables.col
    return read_as("workflow_status", _COLUMNS[key]).label(key)


def _steps(tables: Tables, *where: Any) -> Any:
    table = tables["operation_outputs"]
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.workflow_uuid == _RUN, *where)
    return counted.scalar_subquery()


def _unconsumed(tables: Tables) -> Any:
    if not tables.has("notifications", "consumed"):
        return sa.literal(0)
    table = tables["notifications"]
    unread = sa.cast(table.c.consumed, sa.Integer) == 0
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.destination_uuid == _RUN, unread)
    return counted.scalar_subquery()


def queue(tables: Tables, reads: Reads, name: str) -> QueueFacts | None:
    """One queue as recorded; None for queues that are declared in code only."""
    if not tables.has("queues", "name"):
        return None
    names = (
        "concurrency",
        "application_name",
        "worker_concurrency",
        "partition_concurrency",
        "partition_worker_concurrency",
    )
    columns = [tables.col("queues", column) for column in names]
    row = reads.one(sa.select(*columns).where(tables["queues"].c.name == name))
    if row is None:
        return None
    other = max((limit for limit in row[2:] if limit is not None), default=0)
    return QueueFacts(name=name, global_concurrency=row[0], other_limit=other, application=row[1])


def schedule(tables: Tables, reads: Reads, name: str) -> ScheduleFacts | None:
    """One schedule."""
    if not tables.has("workflow_schedules", "schedule_name"):
        return None
    columns = [tables.col("workflow_schedules", c) for c in ("status", "automatic_backfill", "last_fired_at")]
    row = reads.one(sa.select(*columns).where(tables["workflow_schedules"].c.schedule_name == name))
    if row is None:
        return None
    return ScheduleFacts(name=name, status=row[0], automatic_backfill=bool(row[1]), last_fired_at=row[2])


WORDS: Final = {
    "owner_xid": "owner",
    "recovery_attempts": "dispatches",
    "unconsumed_messages": "messages not taken",
    "kept_steps": "steps kept",
    "delay_until": "due",
    "global_concurrency": "global concurrency",
}
"""What the names of facts are called in plans and receipts; the others are called as they are."""
_NAMES: Final = {words: name for name, words in WORDS.items()}
_TIMES: Final = ("updated_at", "delay_until", "deadline")


def observed(facts: Facts, *names: str) -> tuple[Precondition, ...]:
    """Preconditions of these fields, with their present values."""
    return tuple(Precondition(what=WORDS.get(name, name), value=getattr(facts, name)) for name in names)


def stale(preconditions: tuple[Precondition, ...], now: Facts | None) -> tuple[str, ...]:
    """What changed since the plan was made, in words; empty when all of it still holds."""
    if now is None:
        return ("It is no longer there: somebody deleted it.",) if preconditions else ()
    named = [(_NAMES.get(p.what, p.what), p) for p in preconditions]
    changed = [(name, p.value) for name, p in named if p.value != getattr(now, name, None)]
    return tuple(told(name, was, getattr(now, name, None)) for name, was in changed)


def told(name: str, was: Any, is_: Any) -> str:
    """One changed fact in words."""
    return f"{WORDS.get(name, name)} was {shown(name, was)}, is {shown(name, is_)}"


def shown(name: str, value: Any) -> str:
    """A fact's value in words."""
    if value is None:
        return "unlimited" if name == "global_concurrency" else "none"
    return at(value) if name in _TIMES else str(value)


def at(ms: int) -> str:
    """A stored time, to the millisecond."""
    return timestamp(ms * 1_000_000).replace("000000+", "+")
