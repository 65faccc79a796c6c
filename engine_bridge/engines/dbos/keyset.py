"""Keyset paging over runs: sort keys, cursors, and the conditions that SQL can use an index for.

A cursor stands *between* two rows: it names a row and the side of it. Ties are broken by the run's id, in the same
direction as the key. Runs without a value come last; they are a second range, so that the partial indexes on
``completed_at`` and ``started_at_epoch_ms`` serve the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Sort
from engine_bridge.engines.dbos.history_rows import INTERNAL_QUEUE
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.errors import UsageError

TOP: Final = b"top"
"""The cursor before the very first row, wherever that is by then."""

INDEXED: Final = frozenset({"created", "id", "ended", "started"})
SORTABLE: Final = (
    "created", "id", "started", "ended", "updated", "duration", "type", "status", "engine_status", "queue",
    "partition", "priority", "version", "worker", "dispatches", "parent", "schedule",
)  # fmt: skip

_PLAIN: Final = {
    "id": "workflow_uuid",
    "created": "created_at",
    "updated": "updated_at",
    "type": "name",
    "engine_status": "status",
    "queue": "queue_name",
    "partition": "queue_partition_key",
    "priority": "priority",
    "version": "application_version",
    "worker": "executor_id",
    "dispatches": "recovery_attempts",
    "parent": "parent_workflow_id",
    "schedule": "schedule_name",
}
_CLOSED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_WAITING: Final = ("ENQUEUED", "DELAYED")
# The engine-neutral statuses in the order of their names, as the stored ones.
_NEUTRAL: Final = {
    "CANCELLED": "cancelled", "SUCCESS": "completed", "DELAYED": "delayed", "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed", "ENQUEUED": "queued", "PENDING": "running",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """What a list is sorted by. ``nullable``: some runs have no value."""

    field: str
    descending: bool
    value: Expression
    id: Expression
    nullable: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """``after``: the gap below the named row, else the gap above it."""

    value: Any
    id: str
    after: bool

    def encode(self, key: Key) -> bytes:
        # Damaged rows may hold bytes; such a place cannot be found again, and need not be.
        parts = [key.field, key.descending, self.value, self.id, self.after]
        return json.dumps(parts, default=repr).encode()


def literal(*values: str) -> list[sa.ColumnClause[Any]]:
    """Constants written into the statement, which is what lets SQLite use a partial index."""
    return [sa.literal_column(f"'{value}'") for value in values]


def started(tables: Tables) -> Expression:
    """When a run began, by the rule of rows.py."""
    status = tables.col("workflow_status", "status")
    rebuilt = sa.case(
        (status.in_(literal(*_WAITING)), sa.null()),
        (
            sa.and_(
                status == literal("CANCELLED")[0],
                sa.func.coalesce(tables.col("workflow_status", "recovery_attempts"), -1)
                == sa.literal_column("0"),
            ),
            sa.null(),
        ),
        else_=tables.col("workflow_status", "created_at"),
    )
    recorded = tables.col("workflow_status", "started_at_epoch_ms")
    recovered = sa.and_(
        recorded.is_not(None),
        tables.col("workflow_status", "queue_name") == literal(INTERNAL_QUEUE)[0],
        tables.col("workflow_status", "recovery_attempts") > sa.literal_column("1"),
    )
    created = tables.col("workflow_status", "created_at")
    return sa.case((recovered, created), else_=sa.func.coalesce(recorded, rebuilt))


def ended(tables: Tables) -> Expression:
    """When a run closed, by the rule of rows.py."""
    recorded = tables.col("workflow_status", "completed_at")
    closed = tables.col("workflow_status", "status").in_(literal(*_CLOSED))
    updated = tables.col("workflow_status", "updated_at")
    return sa.case((closed, sa.func.coalesce(recorded, updated)), else_=sa.null())


def neutral_status(tables: Tables) -> Expression:
    """The engine-neutral status of a row."""
    status = tables.col("workflow_status", "status")
    whens = [(status == literal(raw)[0], literal(neutral)[0]) for raw, neutral in _NEUTRAL.items()]
    return sa.case(*whens, else_=literal("unknown")[0])


def key_of(tables: Tables, sort: Sort) -> Key:
    """The key of a sort. Raises UsageError for a field that cannot be sorted by."""
    if sort.field not in SORTABLE:
        raise UsageError(f"Runs cannot be sorted by {sort.field}.", f"Sortable: {', '.join(SORTABLE)}.")
    run_id = tables.col("workflow_status", "workflow_uuid")
    return Key(
        sort.field,
        sort.descending,
        _expression(tables, sort.field),
        run_id,
        sort.field not in ("created", "id"),
    )


def _expression(tables: Tables, field: str) -> Expression:
    if field in _PLAIN:
        return tables.col("workflow_status", _PLAIN[field])
    if field == "started":
        return started(tables)
    if field == "ended":
        return ended(tables)
    if field == "status":
        return neutral_status(tables)
    return ended(tables) - started(tables)


def decode(data: bytes, key: Key) -> Cursor | None:
    """The cursor of some bytes, None for TOP. Raises UsageError when it belongs to another sort."""
    if data == TOP:
        return None
    try:
        field, descending, value, run_id, after = json.loads(data)
    except (ValueError, TypeError):
        raise _foreign() from None
    if (field, descending) != (key.field, key.descending):
        raise _foreign()
    return Cursor(value, run_id, bool(after))


def _foreign() -> UsageError:
    return UsageError("This place in the list belongs to another order.", "Start from the top.")


def bound(cursor: Cursor | None) -> dict[str, Any]:
    """The values of a cursor for the parameters of ``ranges``."""
    return {} if cursor is None else {"key_value": cursor.value, "key_id": cursor.id}


def ranges(key: Key, cursor: Cursor | None, *, forward: bool) -> list[tuple[list[Any], list[Any]]]:
    """Where to look, in order: (conditions, ordering) pairs whose rows follow each other.

    Rows come in the list's order when ``forward``, else in the opposite one. The cursor's values are parameters.
    """
    down = key.descending if forward else not key.descending
    order = _order(key, down)
    if not key.nullable:
        return [([] if cursor is None else [_beyond(key, cursor, down, forward)], order)]
    valued, empty = key.value.is_not(None), key.value.is_(None)
    by_id = [key.id.desc() if down else key.id.asc()]
    first: list[Any] = [valued]
    last: list[Any] = [empty]
    if cursor is not None and cursor.value is not None:
        first.append(_beyond(key, cursor, down, forward))
        return [(first, order), (last, by_id)] if forward else [(first, order)]
    if cursor is not None:
        last.append(_side(key, down, inclusive=cursor.after != forward))
        return [(last, by_id)] if forward else [(last, by_id), ([valued], order)]
    return [(first, order), (last, by_id)] if forward else [(last, by_id), (first, order)]


def _order(key: Key, down: bool) -> list[Any]:
    columns = [key.id] if key.field == "id" else [key.value, key.id]
    return [column.desc() if down else column.asc() for column in columns]


def _beyond(key: Key, cursor: Cursor, down: bool, forward: bool) -> Any:
    inclusive = cursor.after != forward
    if key.field == "id":
        return _side(key, down, inclusive=inclusive)
    value = key.value
    edge = sa.bindparam("key_value", None, type_=value.type)
    outer = value <= edge if down else value >= edge
    inner = value < edge if down else value > edge
    # `k <= v AND (k < v OR id < i)` and not a row value: the first half is what an index serves.
    return sa.and_(outer, sa.or_(inner, _side(key, down, inclusive=inclusive)))


def _side(key: Key, down: bool, *, inclusive: bool) -> Any:
    column, edge = key.id, sa.bindparam("key_id", "", type_=sa.Text())
    if down:
        return column <= edge if inclusive else column < edge
    return column >= edge if inclusive else column > edge
