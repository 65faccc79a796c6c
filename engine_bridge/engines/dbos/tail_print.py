"""A fingerprint of one run's rows: one statement, so that a busy database costs a quiet run's tail next to nothing."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.errors import NotFoundError

Print = tuple[Any, ...]

_IDS_A_READ: Final = 500
_STATUS: Final = ("status", "updated_at", "completed_at", "started_at_epoch_ms", "recovery_attempts")
_OWNERS: Final = {
    "notifications": "destination_uuid",
    "workflow_events_history": "workflow_uuid",
    "workflow_events": "workflow_uuid",
    "streams": "workflow_uuid",
}


def fingerprint(db: Database, run_id: str, children: list[str], cancel: CancelToken) -> Print | None:
    """Differs from an earlier one whenever the run's own rows or its open children's statuses do.

    None where it says too little: a queued run also waits on the runs before it. Raises NotFoundError.
    """
    with db.reader(cancel) as read:
        row = read.one(_statement(db.tables, run_id))
        if row is None:
            raise NotFoundError(f"There is no run {run_id[:200]}.", "It may have been deleted.")
        if row[0] == "ENQUEUED":
            return None
        return (*row, *_children(db.tables, read, children))


def _statement(tables: Tables, run_id: str) -> sa.Select[Any]:
    table = tables["workflow_status"]
    columns: list[Any] = [tables.col("workflow_status", name).label(name) for name in _STATUS]
    columns += [_counted(tables, "operation_outputs", "workflow_uuid", run_id, sa.func.count())]
    columns += [
        _counted(tables, "operation_outputs", "workflow_uuid", run_id, sa.func.max(value))
        for value in _marks(tables)
    ]
    columns += [
        _counted(tables, name, owner, run_id, sa.func.count())
        for name, owner in _OWNERS.items()
        if tables.has(name, owner)
    ]
    if tables.has("application_versions", "version_timestamp"):
        newest = sa.func.max(tables["application_versions"].c.version_timestamp)
        columns.append(sa.select(newest).scalar_subquery())
    return sa.select(*columns).where(table.c.workflow_uuid == run_id)


def _marks(tables: Tables) -> list[Expression]:
    names = ("function_id", "completed_at_epoch_ms", "retention_timestamp")
    found = [tables.col("operation_outputs", name) for name in names if tables.has("operation_outputs", name)]
    if tables.dialect == "sqlite":
        found.append(sa.literal_column("operation_outputs.rowid", sa.BigInteger()))
    return found


def _counted(tables: Tables, name: str, owner: str, run_id: str, value: Any) -> Any:
    table = tables[name]
    return sa.select(value).select_from(table).where(table.c[owner] == run_id).scalar_subquery()


def _children(tables: Tables, read: Reader, ids: list[str]) -> list[tuple[Any, ...]]:
    table = tables["workflow_status"]
    columns = (table.c.workflow_uuid, table.c.status, tables.col("workflow_status", "started_at_epoch_ms"))
    found: list[tuple[Any, ...]] = []
    for at in range(0, len(ids), _IDS_A_READ):
        where = table.c.workflow_uuid.in_(ids[at : at + _IDS_A_READ])
        found += [
            tuple(row) for row in read.all(sa.select(*columns).where(where).order_by(table.c.workflow_uuid))
        ]
    return found
