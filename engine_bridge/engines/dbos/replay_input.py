"""All rows that a replay of one run reads, as text: nothing is decoded here."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.tables import KNOWN_VERSION
from engine_bridge.errors import NotFoundError
from engine_bridge.model import RunRef
from engine_bridge.payloads import decode
from engine_bridge.replay.model import ReplayInput, RunnerSpec

_PARTS: Final = (
    "scratch", "recorded", "alike", "orders", "walk", "parting", "sites", "clock", "turns", "drifts", "state", "calls",
    "compared", "hooks", "ending", "engine",
)  # fmt: skip
SPEC: Final = RunnerSpec(
    engine="dbos",
    title="DBOS",
    runner="engine_bridge.engines.dbos.replay_parts:" + "+".join(f"{part}.py" for part in _PARTS),
    library="dbos",
    supported=">=3,<4",
    options=("setup", "serializer"),
)
_OWN: Final = {
    "workflow_status": "workflow_uuid",
    "workflow_input": "workflow_uuid",
    "workflow_output": "workflow_uuid",
    "operation_outputs": "workflow_uuid",
    "workflow_events": "workflow_uuid",
    "workflow_events_history": "workflow_uuid",
    "streams": "workflow_uuid",
    "notifications": "destination_uuid",
}
_OF_CHILDREN: Final = ("workflow_status", "workflow_input", "workflow_output")
_PAYLOADS: Final = frozenset({"inputs", "output", "error", "message", "value"})
_AT_ONCE: Final = 500
_QUEUES: Final = 2000  # code looks them up by name


def unavailable(db: Database) -> str:
    """Why no run of this source can be replayed, "" when they can: older schemas hold all that a replay reads."""
    probed = db.probed
    if probed.version is None:
        return "the database does not say which version of DBOS' schema it has"
    if not probed.known:
        return (
            f"schema version {probed.version} is not one that was tested (up to {KNOWN_VERSION}, not sharded)"
        )
    denied = [table for table in probed.denied if table in _OWN]
    return f"no SELECT on {', '.join(denied)}" if denied else ""


def read(db: Database, ref: RunRef, cancel: CancelToken) -> ReplayInput:
    """The rows of a run and the heads of its children, of one snapshot. Raises NotFoundError."""
    with db.reader(cancel) as reader:
        tables = {table: _rows(db, reader, table, column, [ref.run]) for table, column in _OWN.items()}
        if not tables["workflow_status"]:
            raise NotFoundError(
                f"The run {ref.run} is not there.", "It may have been deleted: refresh the list."
            )
        children = sorted(
            {r["child_workflow_id"] for r in tables["operation_outputs"] if r.get("child_workflow_id")}
        )
        for first in range(0, len(children), _AT_ONCE):
            some = children[first : first + _AT_ONCE]
            for table in _OF_CHILDREN:
                tables[table] += _rows(db, reader, table, "workflow_uuid", some)
        tables["queues"] = _rows(db, reader, "queues", "name", None)
    row = tables["workflow_status"][0]
    return ReplayInput(
        run_id=ref.run,
        type=row["name"] or "",
        data=msgspec.json.encode({"run": ref.run, "tables": tables}),
        version=row["application_version"] or "",
        globals=_globals(tables),
        steps=len(tables["operation_outputs"]),
    )


def _rows(
    db: Database, reader: Reader, table: str, column: str, ids: list[str] | None
) -> list[dict[str, Any]]:
    if not db.tables.has(table, column):
        return []
    names = db.tables.found[table]
    columns = [_column(db, table, name) for name in names]
    wanted = db.tables.col(table, column).in_(ids) if ids is not None else sa.true()
    limit = _QUEUES if ids is None else None
    found = reader.all(sa.select(*columns).where(wanted).order_by(*_written(db, table)).limit(limit))
    return [dict(zip(names, row, strict=True)) for row in found]


def _written(db: Database, table: str) -> list[sa.ColumnElement[Any]]:
    """The order in which rows were written: of concurrent steps no time tells which one went on first."""
    if db.dialect == "sqlite":
        return [sa.literal_column("rowid")]
    # Not ctid: each connection fills pages of its own. Rows that were copied have one transaction in common.
    times = [name for name in ("completed_at_epoch_ms", "function_id") if db.tables.has(table, name)]
    transaction: sa.ColumnElement[Any] = sa.literal_column("xmin::text::bigint")
    return [transaction, *(db.tables.col(table, name) for name in times)]


def _column(db: Database, table: str, name: str) -> sa.ColumnElement[Any]:
    column = db.tables.col(table, name)
    # PostgreSQL's JSON would come parsed, and go back as something else.
    return db.tables.text(table, name) if isinstance(column.type, sa.Text) else column


def _globals(tables: dict[str, list[dict[str, Any]]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for rows in tables.values():
        for row in rows:
            for name in _PAYLOADS & row.keys():
                text = row[name]
                if isinstance(text, str):
                    found.update(dict.fromkeys(decode(text.encode(), row.get("serialization")).globals))
    return tuple(sorted(found))
