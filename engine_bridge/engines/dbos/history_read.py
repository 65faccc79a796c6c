"""Reads every row of one run, in short transactions, never a whole payload.

Values of an impossible type (SQLite checks none) read as missing; a row without a step id is counted in a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import payloads
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.history_rows import (
    LIMIT_MS,
    RawChild,
    RawEvent,
    RawMessage,
    RawRun,
    RawStep,
    RawStream,
    Story,
    whole_seconds,
)
from engine_bridge.engines.dbos.steps_names import GET_RESULT, SLEEP
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.errors import NotFoundError
from engine_bridge.model import PayloadRef

_STEPS_A_READ: Final = 2_000
_IDS_A_READ: Final = 500
_MESSAGES: Final = 20_000
_NULL_TOPIC: Final = "__null__topic__"
_CLOSED: Final = '"__DBOS_STREAM_CLOSED__"'
# Longer errors are not decoded for the list of steps; the payload view still shows them.
_ERROR_BYTES: Final = 1_000_000
_SMALL_BYTES: Final = 64

RUN_COLUMNS: Final = (
    "workflow_uuid", "status", "name", "created_at", "updated_at", "started_at_epoch_ms", "completed_at",
    "workflow_deadline_epoch_ms", "delay_until_epoch_ms", "recovery_attempts", "queue_name",
    "queue_partition_key", "priority", "application_version", "application_name",
    "parent_workflow_id", "forked_from", "schedule_name",
)  # fmt: skip


def read_story(db: Database, run_id: str, cancel: CancelToken) -> Story:
    """All rows of a run. Raises NotFoundError and any PlayheadError of the database."""
    now_ms = db.now_ns(cancel) // 1_000_000
    with db.reader(cancel) as read:
        story = Story(_run(db.tables, read, run_id), now_ms)
        more = _steps(db.tables, read, story, 0)
        _side_tables(db.tables, read, story)
        if not more:
            _children(db.tables, read, story)
            return story
    while more:
        cancel.progress(len(story.steps), None, "Reading steps")
        with db.reader(cancel) as read:
            more = _steps(db.tables, read, story, story.steps[-1].id if story.steps else 0)
    with db.reader(cancel) as read:
        _children(db.tables, read, story)
    return story


def integer(value: Any) -> int | None:
    """A stored integer; None for NULL and for anything that is not one."""
    return value if type(value) is int else int(value) if isinstance(value, bool) else None


def moment(value: Any) -> int | None:
    """A stored time in milliseconds; None for anything that cannot be one."""
    found = integer(value)
    return found if found is not None and -LIMIT_MS < found < LIMIT_MS else None


def text(value: Any) -> str | None:
    """A stored text; None for NULL, a readable stand-in for anything else."""
    if value is None or isinstance(value, str):
        return value
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def run_columns(tables: Tables) -> list[Expression]:
    """The columns that ``raw_run`` reads, in its order."""
    return [tables.col("workflow_status", name).label(name) for name in RUN_COLUMNS]


def raw_run(row: Any) -> RawRun:
    """A RawRun of a row of ``run_columns``."""
    created, updated, dispatched, completed, deadline, delay = map(moment, row[3:9])
    version, application, parent, forked, schedule = map(text, row[13:18])
    return RawRun(
        text(row[0]) or "", text(row[1]) or "", text(row[2]) or "", created, updated, dispatched, completed,
        deadline, delay, integer(row[9]), text(row[10]), text(row[11]), integer(row[12]), version,
        application, parent, forked, schedule,
    )  # fmt: skip


def _run(tables: Tables, read: Reader, run_id: str) -> RawRun:
    table = tables["workflow_status"]
    row = read.one(sa.select(*run_columns(tables)).where(table.c.workflow_uuid == run_id))
    if row is None:
        # Rows whose id is no valid text are listed with the wrong bytes escaped; no query finds them by that.
        unreadable = "Its id holds bytes that are no text: it can be listed, but not opened."
        raise NotFoundError(
            f"No run {run_id}.", unreadable if "\\x" in run_id else "It may have been deleted."
        )
    return raw_run(row)


def step_columns(tables: Tables) -> list[Expression]:
    """The columns that ``raw_step`` reads, in its order."""
    name = "operation_outputs"

    def col(column: str) -> Expression:
        return tables.col(name, column)

    output, error = col("output"), col("error")
    built_in = col("function_name").like("DBOS.%")
    small = sa.case((sa.and_(built_in, sa.func.length(output) <= _SMALL_BYTES), output), else_=None)
    short = sa.case((sa.func.length(error) <= _ERROR_BYTES, error), else_=None)
    written = sa.literal_column("operation_outputs.rowid", sa.BigInteger())
    return [
        col("function_id").label("function_id"),
        col("function_name").label("function_name"),
        col("started_at_epoch_ms").label("started"),
        col("completed_at_epoch_ms").label("completed"),
        col("child_workflow_id").label("child"),
        small.label("small"),
        short.label("error"),
        col("serialization").label("serialization"),
        payloads.size_of(tables, output).label("output_size"),
        payloads.size_of(tables, error).label("error_size"),
        (written if tables.dialect == "sqlite" else col("retention_timestamp")).label("written"),
        payloads.head_of(output).label("head"),
    ]


def raw_step(run_id: str, row: Any) -> RawStep | None:
    """A RawStep of a row of ``step_columns``; None when its id cannot be read."""
    id_ = integer(row[0])
    if id_ is None:
        return None
    encoding, output_size, error_size = text(row[7]), integer(row[8]), integer(row[9])
    return RawStep(
        id_, text(row[1]) or "", moment(row[2]), moment(row[3]), text(row[4]), text(row[5]), text(row[6]),
        encoding,
        _step_payload("output", run_id, id_, encoding, output_size, row[11]),
        _step_payload("error", run_id, id_, encoding, error_size),
        integer(row[10]),
    )  # fmt: skip


def _step_payload(
    what: str, run_id: str, id_: int, encoding: str | None, size: int | None, head: Any = None
) -> PayloadRef | None:
    if size is None:
        return None
    return payloads.ref(f"step_{what}", run_id, id_, label=what, encoding=encoding, size=size, head=head)


def _steps(tables: Tables, read: Reader, story: Story, after: int) -> bool:
    """Reads the next steps; whether there may be more."""
    table = tables["operation_outputs"]
    found = read.all(
        sa.select(*step_columns(tables))
        .where(table.c.workflow_uuid == story.run.id, table.c.function_id > after)
        .order_by(table.c.function_id)
        .limit(_STEPS_A_READ)
    )
    steps = [raw_step(story.run.id, row) for row in found]
    story.steps += [step for step in steps if step is not None]
    bad = sum(step is None for step in steps)
    if bad:
        story.notes.append(f"{bad} step rows have an id that is not a number: they are not shown.")
    return len(found) == _STEPS_A_READ and not bad


def _side_tables(tables: Tables, read: Reader, story: Story) -> None:
    if tables.has("notifications"):
        story.messages = list(_messages(tables, read, story.run.id))
    story.events = list(_events(tables, read, story.run.id))
    if tables.has("streams"):
        story.streams = list(_streams(tables, read, story.run.id))


def _messages(tables: Tables, read: Reader, run_id: str) -> Iterator[RawMessage]:
    def col(column: str) -> Expression:
        return tables.col("notifications", column)

    size = payloads.size_of(tables, col("message"))
    rows = read.all(
        sa.select(
            col("message_uuid"), col("topic"), col("created_at_epoch_ms"), col("serialization"), size,
            col("consumed"), col("consumed_by_function_id"), payloads.head_of(col("message")),
        )
        .where(col("destination_uuid") == run_id)
        .order_by(col("created_at_epoch_ms"))
        .limit(_MESSAGES)
    )  # fmt: skip
    for id_, topic, created, encoding, length, consumed, eater, head in rows:
        payload = payloads.ref(
            "message", id_, label="message", encoding=encoding, size=integer(length), head=head
        )
        yield RawMessage(
            str(id_),
            None if topic == _NULL_TOPIC else text(topic),
            moment(created),
            payload,
            None if consumed is None else bool(consumed),
            integer(eater),
        )


def _events(tables: Tables, read: Reader, run_id: str) -> Iterator[RawEvent]:
    name = "workflow_events_history" if tables.has("workflow_events_history") else "workflow_events"
    if not tables.has(name):
        return
    value = tables.col(name, "value")
    step, key = tables.col(name, "function_id"), tables.col(name, "key")
    sizes = (payloads.size_of(tables, value), payloads.head_of(value).label("head"))
    columns = (step.label("step"), key, tables.col(name, "serialization"), *sizes)
    where = tables[name].c.workflow_uuid == run_id
    for at, label, encoding, size, head in read.all(sa.select(*columns).where(where).order_by(key)):
        kind, ids = ("event", (run_id, label)) if at is None else ("event_history", (run_id, at, label))
        payload = payloads.ref(kind, *ids, label="value", encoding=encoding, size=integer(size), head=head)
        yield RawEvent(text(label) or "", integer(at), payload)


def _streams(tables: Tables, read: Reader, run_id: str) -> Iterator[RawStream]:
    def col(column: str) -> Expression:
        return tables.col("streams", column)

    value, key, offset = col("value"), col("key"), col("offset")
    closed = sa.case((value == _CLOSED, 1), else_=0)
    columns = (key, offset, col("function_id").label("step"), col("serialization"), closed)
    sizes = (payloads.size_of(tables, value), payloads.head_of(value).label("head"))
    statement = sa.select(*columns, *sizes).where(tables["streams"].c.workflow_uuid == run_id)
    for name, at, step, encoding, ended, size, head in read.all(statement.order_by(key, offset)):
        payload = payloads.ref(
            "stream", run_id, name, at, label="value", encoding=encoding, size=integer(size), head=head
        )
        yield RawStream(text(name) or "", integer(at) or 0, integer(step) or None, bool(ended), payload)


def _children(tables: Tables, read: Reader, story: Story) -> None:
    ids = list(dict.fromkeys(row.child for row in story.steps if row.child is not None))
    failing = {row.child for row in story.steps if row.name == GET_RESULT and row.failed}
    story.children = read_children(tables, read, ids)
    errors = [c.id for c in story.children.values() if c.status == "ERROR" and c.id not in failing]
    _child_errors(tables, read, story, errors)
    coarse = [c.id for c in story.children.values() if whole_seconds(c.completed_ms)]
    _child_last_steps(tables, read, story, coarse)


def read_children(tables: Tables, read: Reader, ids: list[str]) -> dict[str, RawChild]:
    """What is known of other runs, by id; those that are gone are missing."""
    names = (
        "workflow_uuid",
        "name",
        "status",
        "created_at",
        "started_at_epoch_ms",
        "completed_at",
        "queue_name",
    )
    columns = [tables.col("workflow_status", name).label(name) for name in names]
    found: dict[str, RawChild] = {}
    for some in _chunks(ids):
        rows = read.all(sa.select(*columns).where(tables["workflow_status"].c.workflow_uuid.in_(some)))
        for id_, name, status, created, dispatched, completed, queue in rows:
            found[id_] = RawChild(
                id_, text(name) or "", text(status) or "", moment(created), moment(dispatched),
                moment(completed), text(queue),
            )  # fmt: skip
    return found


def _child_errors(tables: Tables, read: Reader, story: Story, ids: list[str]) -> None:
    table, error = tables["workflow_status"], payloads.body(tables, "error")
    short = sa.case((sa.func.length(error) <= _ERROR_BYTES, error), else_=None)
    columns = (table.c.workflow_uuid, short, tables.col("workflow_status", "serialization"))
    for some in _chunks(ids):
        statement = sa.select(*columns).select_from(payloads.joined(tables))
        for id_, stored, encoding in read.all(statement.where(table.c.workflow_uuid.in_(some))):
            # In a damaged file a row may not be the one that its index named.
            if id_ in story.children:
                story.children[id_] = replace(
                    story.children[id_], error=text(stored), encoding=text(encoding)
                )


def _child_last_steps(tables: Tables, read: Reader, story: Story, ids: list[str]) -> None:
    """When the last steps of some children ended; a sleep's planned end is none."""
    table = tables["operation_outputs"]
    end = sa.func.max(tables.col("operation_outputs", "completed_at_epoch_ms"))
    for some in _chunks(ids):
        where = (table.c.workflow_uuid.in_(some), table.c.function_name != SLEEP)
        statement = sa.select(table.c.workflow_uuid, end).where(*where).group_by(table.c.workflow_uuid)
        for id_, last in read.all(statement):
            if id_ in story.children:
                story.children[id_] = replace(story.children[id_], last_ms=moment(last))


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[at : at + _IDS_A_READ] for at in range(0, len(ids), _IDS_A_READ))
