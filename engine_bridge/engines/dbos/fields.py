"""What runs can be filtered and sorted by. Values come from the newest runs and the small tables: bounded work."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Cost, Field, FieldType
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import keyset
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.model import Status

_NEWEST: Final = 5_000
_VALUES: Final = 200
_STATUSES: Final = (
    Status.RUNNING,
    Status.QUEUED,
    Status.DELAYED,
    Status.COMPLETED,
    Status.FAILED,
    Status.CANCELLED,
)
_STORED: Final = (
    "PENDING", "ENQUEUED", "DELAYED", "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
)  # fmt: skip

_T, _N, _W, _D = FieldType.TEXT, FieldType.INTEGER, FieldType.TIME, FieldType.DURATION
_I, _S, _X = Cost.INDEXED, Cost.SCAN, Cost.DECODED
_FIELDS: Final[tuple[tuple[str, FieldType, str, Cost, str], ...]] = (
    ("status", FieldType.STATUS, "Status", _I, "Engine-neutral status"),
    ("type", _T, "Workflow", _S, "Name of the workflow"),
    ("id", _T, "Run", _I, "Workflow id"),
    ("engine_status", FieldType.STATUS, "Status as recorded", _I, "Status as DBOS records it"),
    ("created", _W, "Created", _I, "When the run was submitted"),
    ("started", _W, "Started", _S, "When it left its queue, or was created where it started directly"),
    ("ended", _W, "Ended", _I, "When it closed"),
    ("updated", _W, "Updated", _S, "When its row last changed"),
    ("duration", _D, "Duration", _S, "From start to end, for closed runs"),
    ("age", _D, "Age", _I, "Since it was created"),
    ("running_for", _D, "Running for", _S, "Since it started, for open runs"),
    ("deadline", _W, "Deadline", _S, "When its time-out cancels it"),
    ("delay_until", _W, "Delayed until", _S, "When a delayed run is queued"),
    ("error", _T, "Error", _X, "Type and message of the run's error, decoded"),
    ("queue", _T, "Queue", _S, "Queue it was submitted to"),
    ("partition", _T, "Partition", _S, "Key of the queue's partition"),
    ("priority", _N, "Priority", _S, "0 is the highest"),
    ("version", _T, "Version", _S, "Application version"),
    ("worker", _T, "Worker", _S, "Executor that has it"),
    ("parent", _T, "Parent", _I, "Id of the run that started it"),
    ("forked_from", _T, "Forked from", _I, "Id of the run it was forked from"),
    ("schedule", _T, "Schedule", _I, "Schedule that started it"),
    ("dispatches", _N, "Hand-outs", _S, "How often it was handed to a worker (not attempts)"),
    ("steps", _N, "Steps done", _X, "Steps that have a recorded end"),
    ("user", _T, "User", _S, "Authenticated user"),
    ("application_name", _T, "Application", _S, "Application that owns it"),
    ("class_name", _T, "Class", _S, "Class of the workflow"),
    ("config_name", _T, "Instance", _S, "Configured instance of the class"),
    ("deduplication_id", _T, "Deduplication id", _S, "Unique among the open runs of its queue"),
    (
        "attributes",
        FieldType.JSON,
        "Attributes",
        _S,
        "attributes.KEY: searchable pairs set by the application",
    ),
)
_SAMPLED: Final = {
    "type": "name",
    "queue": "queue_name",
    "version": "application_version",
    "worker": "executor_id",
    "schedule": "schedule_name",
    "application_name": "application_name",
    "class_name": "class_name",
}
_NAMED: Final = {
    "queue": ("queues", "name"),
    "version": ("application_versions", "version_name"),
    "schedule": ("workflow_schedules", "schedule_name"),
}


def read(db: Database, cancel: CancelToken) -> list[Field]:
    """The fields of this database, with the values seen."""
    seen = _values(db, cancel)
    return [
        Field(
            name=name,
            type=kind,
            title=title,
            values=seen.get(name, ()),
            cost=cost,
            sortable=name in keyset.SORTABLE,
            doc=doc,
        )
        for name, kind, title, cost, doc in _FIELDS
    ]


def _values(db: Database, cancel: CancelToken) -> dict[str, tuple[str, ...]]:
    tables = db.tables
    found: dict[str, set[Any]] = {name: set() for name in _SAMPLED}
    created = tables.col("workflow_status", "created_at")
    newest = (
        sa.select(*(tables.col("workflow_status", column).label(name) for name, column in _SAMPLED.items()))
        .order_by(created.desc())
        .limit(_NEWEST)
        .subquery()
    )
    with db.reader(cancel) as read:
        for row in read.all(sa.select(newest).distinct()):
            for name, value in zip(_SAMPLED, row, strict=True):
                found[name].add(value)
        for name, (table, column) in _NAMED.items():
            if tables.has(table, column):
                found[name].update(
                    row[0] for row in read.all(sa.select(tables[table].c[column]).limit(_VALUES))
                )
        for values in found.values():
            values -= read.bad_texts
    seen = {name: tuple(sorted(v for v in values if _offered(v))[:_VALUES]) for name, values in found.items()}
    return seen | {"status": tuple(s.value for s in _STATUSES), "engine_status": _STORED}


def _offered(value: Any) -> bool:
    return isinstance(value, str) and value != ""
