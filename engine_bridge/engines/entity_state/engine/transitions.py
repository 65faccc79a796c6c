"""A transition: the compare-and-swap, its history row, events, delayed steps and failure row, in one transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from .context import Context, seal
from .entities import Entities
from .prepared import Prepared
from .results import Later, Result, Row
from .tables import Tables

Kind = Literal["step", "rejected", "claim", "released", "janitor", "observed", "moved"]
"""Why a status changed; kept in the history row's metadata under ``kind``."""

SILENT = frozenset({"claim", "released"})
"""Kinds that are the engine's own business: they write no domain event."""


_WHAT = ("entity_type", "entity_id", "workflow_type", "step_key")
HISTORY = (*_WHAT, "from_status", "to_status", "requester_type", "actor", "correlation_id", "tenant_id",
           "execution_ms", "metadata", "changed_at")  # fmt: skip
OUTBOX = (
    "event_id",
    "event_type",
    "entity_type",
    "entity_id",
    "payload",
    "envelope",
    "tenant_id",
    "created_at",
)
FAILURES = (*_WHAT, "status", "error_type", "message", "details", "attempts", "correlation_id", "tenant_id",
            "failed_at")  # fmt: skip
DELAYED = ("request_id", "workflow_type", "entity_id", "requester_type", "step_key", "expected_status", "data",
           "envelope", "tenant_id", "due_at", "created_at")  # fmt: skip


class Change(msgspec.Struct, frozen=True):
    """A transition to be made of one row. ``began`` is time.perf_counter() of the call; ``holder`` makes it a claim."""

    row: Row
    to: str
    step: str
    kind: Kind
    requester: str
    began: float
    result: Result | None = None
    reason: str | None = None
    holder: str | None = None
    notes: dict[str, Any] | None = None


class Insert:
    """The insert into one table, of one row and of many."""

    def __init__(self, table: sa.Table, dialect: sa.Dialect, columns: tuple[str, ...]) -> None:
        self.one = Prepared(sa.insert(table).inline(), dialect, columns)
        # With RETURNING, SQLAlchemy sends many rows as one statement instead of one for each.
        self.many = sa.insert(table).returning(table.c.id)


class Transitions:
    """Makes transitions of one workflow type. ``at`` is told each point passed."""

    def __init__(
        self,
        workflow_type: str,
        bad: frozenset[str],
        entities: Entities,
        tables: Tables,
        clock: Callable[[], datetime],
        at: Callable[[str], None],
    ) -> None:
        self.workflow_type = workflow_type
        self.bad = bad
        self.entities = entities
        self.tables = tables
        self.clock = clock
        self.at = at
        self._history = Insert(tables.history, entities.dialect, HISTORY)
        self._outbox = Insert(tables.outbox, entities.dialect, OUTBOX)
        self._failures = Insert(tables.failures, entities.dialect, FAILURES)
        self._delayed = Insert(tables.delayed, entities.dialect, DELAYED)

    def of_entity(self, entity_id: Any) -> sa.ColumnElement[bool]:
        """The condition that a history row is of an entity."""
        history = self.tables.history.c
        return sa.and_(history.entity_type == self.entities.entity.name, history.entity_id == str(entity_id))

    def last(self, connection: sa.Connection, entity_id: Any) -> sa.RowMapping | None:
        """The entity's newest history row."""
        history = self.tables.history
        newest = sa.select(history).where(self.of_entity(entity_id)).order_by(history.c.id.desc()).limit(1)
        return connection.execute(newest).mappings().one_or_none()

    def apply(self, connection: sa.Connection, context: Context, change: Change) -> bool:
        """Makes one transition inside the caller's transaction; False where somebody else was first."""
        now = self.clock()
        if not self.entities.swap(connection, context, change.row, change.to, now, change.holder):
            return False
        self.at("swapped")
        self._record(connection, context, [change], now)
        return True

    def apply_many(self, connection: sa.Connection, context: Context, changes: list[Change]) -> set[Any]:
        """Makes many transitions: an update for each pair of statuses, an insert for each table; the ids that moved."""
        now = self.clock()
        moved: set[Any] = set()
        by_way: dict[tuple[str, str], list[Change]] = {}
        for change in changes:
            by_way.setdefault((change.row.status, change.to), []).append(change)
        for (_, to), group in by_way.items():
            rows = [change.row for change in group]
            moved |= self.entities.swap_many(connection, context, rows, to, now, group[0].holder)
        self.at("swapped")
        self._record(connection, context, [change for change in changes if change.row.id in moved], now)
        return moved

    def _record(
        self, connection: sa.Connection, context: Context, changes: list[Change], now: datetime
    ) -> None:
        self._insert(
            connection, self._history, [self._history_row(context, change, now) for change in changes]
        )
        self.at("recorded")
        self._insert(
            connection, self._outbox, [row for c in changes for row in self._events(context, c, now)]
        )
        failed = [c for c in changes if c.to in self.bad and c.row.status not in self.bad]
        self._insert(
            connection, self._failures, [self._failure_row(context, change, now) for change in failed]
        )
        self._insert(
            connection, self._delayed, [row for c in changes for row in self._later(context, c, now)]
        )
        self.at("written")

    @staticmethod
    def _insert(connection: sa.Connection, insert: Insert, rows: list[dict[str, Any]]) -> None:
        if len(rows) == 1:
            insert.one.run(connection, rows[0])
        elif rows:
            connection.execute(insert.many, rows)

    def _history_row(self, context: Context, change: Change, now: datetime) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "kind": change.kind,
            "version": change.row.version + 1,
            **(change.notes or {}),
        }
        if change.reason:
            meta["reason"] = change.reason
        return {
            "entity_type": self.entities.entity.name,
            "entity_id": str(change.row.id),
            "workflow_type": self.workflow_type,
            "step_key": change.step,
            "from_status": change.row.status,
            "to_status": change.to,
            "requester_type": change.requester,
            "actor": context.user_id,
            "correlation_id": context.correlation_id,
            "tenant_id": context.tenant_id,
            "execution_ms": (time.perf_counter() - change.began) * 1000,
            "metadata": meta,
            "changed_at": now,
        }

    def _events(self, context: Context, change: Change, now: datetime) -> Iterable[dict[str, Any]]:
        if change.kind not in SILENT:
            body = {"from": change.row.status, "to": change.to, "step": change.step, "kind": change.kind}
            yield self._event(
                context,
                change,
                f"{self.workflow_type}.{change.to}",
                body | {"version": change.row.version + 1},
                now,
            )
        for event in change.result.events if change.result else ():
            yield self._event(context, change, event.type, event.payload, now)

    def _event(
        self, context: Context, change: Change, kind: str, payload: dict[str, Any], now: datetime
    ) -> dict[str, Any]:
        return {
            "event_id": uuid.uuid4().hex,
            "event_type": kind,
            "entity_type": self.entities.entity.name,
            "entity_id": str(change.row.id),
            "payload": payload,
            "envelope": seal(context),
            "tenant_id": context.tenant_id,
            "created_at": now,
        }

    def _failure_row(self, context: Context, change: Change, now: datetime) -> dict[str, Any]:
        result = change.result
        return {
            "entity_type": self.entities.entity.name,
            "entity_id": str(change.row.id),
            "workflow_type": self.workflow_type,
            "step_key": change.step,
            "status": change.to,
            "error_type": result.error_type if result and not result.ok else change.kind,
            "message": result.message if result and not result.ok else change.reason,
            "details": result.details if result else None,
            "attempts": result.attempts if result else None,
            "correlation_id": context.correlation_id,
            "tenant_id": context.tenant_id,
            "failed_at": now,
        }

    def _later(self, context: Context, change: Change, now: datetime) -> Iterable[dict[str, Any]]:
        for later in change.result.later if change.result else ():
            yield delayed_row(context, self.workflow_type, change.row.id, later, now)


def delayed_row(
    context: Context,
    workflow_type: str,
    entity_id: Any,
    later: Later,
    now: datetime,
    request_id: str | None = None,
) -> dict[str, Any]:
    """A row of workflow_delayed, with its envelope."""
    return {
        "request_id": request_id or uuid.uuid4().hex,
        "workflow_type": workflow_type,
        "entity_id": str(entity_id),
        "requester_type": later.requester,
        "step_key": later.step,
        "expected_status": later.expected_status,
        "data": dict(later.data),
        "envelope": seal(context),
        "tenant_id": context.tenant_id,
        "due_at": now + timedelta(seconds=later.after_s),
        "created_at": now,
    }
