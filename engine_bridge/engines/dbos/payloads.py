"""Payloads: how they are named (``PayloadRef.key``) and read. They are never decoded here.

A key is a JSON list: the kind of payload, then what finds its row. Its bytes are the stored text in UTF-8.
"""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.errors import NotFoundError
from engine_bridge.model import PayloadRef

HEAD_CHARACTERS: Final = 320

_Place = tuple[str, str, tuple[str, ...]]

KINDS: Final[dict[str, _Place]] = {
    "input": ("workflow_status", "inputs", ("workflow_uuid",)),
    "output": ("workflow_status", "output", ("workflow_uuid",)),
    "error": ("workflow_status", "error", ("workflow_uuid",)),
    "step_output": ("operation_outputs", "output", ("workflow_uuid", "function_id")),
    "step_error": ("operation_outputs", "error", ("workflow_uuid", "function_id")),
    "message": ("notifications", "message", ("message_uuid",)),
    "event": ("workflow_events", "value", ("workflow_uuid", "key")),
    "event_history": ("workflow_events_history", "value", ("workflow_uuid", "function_id", "key")),
    "stream": ("streams", "value", ("workflow_uuid", "key", "offset")),
    "schedule": ("workflow_schedules", "context", ("schedule_id",)),
}
"""Kind to (table, column, key columns). Inputs, outputs and errors of runs stand in tables of their own since 3.0."""

_SINCE_3: Final = {"input": "workflow_input", "output": "workflow_output", "error": "workflow_output"}


def key(kind: str, *ids: Any) -> str:
    """The key of a payload: a kind of ``KINDS`` and the values of its key columns."""
    return json.dumps([kind, *ids], default=repr)


def ref(
    kind: str,
    *ids: Any,
    label: str | None = None,
    encoding: str | None = None,
    size: int | None = None,
    head: Any = None,
) -> PayloadRef:
    """Names a payload; its label is the kind unless given. ``head`` is a value of ``head_of``."""
    stored = head.encode("utf-8", "surrogateescape") if isinstance(head, str) else None
    named = encoding if isinstance(encoding, str) else None
    return PayloadRef(key=key(kind, *ids), label=label or kind, encoding=named, size=size, head=stored)


def head_of(value: Expression) -> Expression:
    """A stored payload that is short enough to be read with its row, else NULL."""
    return sa.case((sa.func.length(value) <= HEAD_CHARACTERS, value), else_=None)


def body(tables: Tables, kind: str) -> Expression:
    """The expression of a run's payload, over ``joined``: the newer table first, then the old column."""
    _, column, _ = KINDS[kind]
    old = tables.col("workflow_status", column)
    newer = _SINCE_3[kind]
    return sa.func.coalesce(tables[newer].c[column], old) if tables.has(newer, column) else old


def joined(tables: Tables) -> sa.FromClause:
    """``workflow_status`` with the newer payload tables, where they are."""
    runs: sa.FromClause = tables["workflow_status"]
    for name in ("workflow_input", "workflow_output"):
        if tables.has(name):
            same = tables[name].c.workflow_uuid == tables["workflow_status"].c.workflow_uuid
            runs = runs.outerjoin(tables[name], same)
    return runs


def size_of(tables: Tables, value: Expression) -> Expression:
    """Bytes of a text value as stored, without reading it whole where the database can tell."""
    if tables.dialect == "postgresql":
        return sa.func.octet_length(value)
    return sa.func.length(sa.cast(value, sa.LargeBinary))


def read(db: Database, text: str, offset: int, length: int, cancel: CancelToken) -> bytes:
    """The stored bytes of a payload from ``offset``; ``length`` -1: to the end. Raises NotFoundError."""
    kind, *ids = _parsed(text)
    table, column, keys = KINDS[kind]
    tables = db.tables
    if not tables.has(table) or len(ids) != len(keys):
        raise _gone()
    value = body(tables, kind) if kind in _SINCE_3 else tables.col(table, column)
    source = joined(tables) if kind in _SINCE_3 else tables[table]
    where = [tables[table].c[name] == given for name, given in zip(keys, ids, strict=True)]
    part = _bytes(tables, value)
    if offset or length >= 0:
        part = sa.func.substr(part, offset + 1, length) if length >= 0 else sa.func.substr(part, offset + 1)
    rows = db.all(sa.select(part).select_from(source).where(*where), cancel)
    if not rows or rows[0][0] is None:
        raise _gone()
    found = rows[0][0]
    return found.encode() if isinstance(found, str) else bytes(found)


def _bytes(tables: Tables, value: Expression) -> Expression:
    if tables.dialect == "postgresql":
        return sa.func.convert_to(value, sa.literal_column("'UTF8'"))
    return sa.cast(value, sa.LargeBinary)


def _parsed(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise _gone() from None
    if not isinstance(found, list) or not found or found[0] not in KINDS:
        raise _gone()
    return found


def _gone() -> NotFoundError:
    return NotFoundError("This payload is not there any more.", "The run may have been deleted or rewound.")
