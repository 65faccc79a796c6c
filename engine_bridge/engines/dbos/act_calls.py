"""What each action sends: one method of DBOS's client each, of those that a test with hostile pickles proved safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from engine_bridge.actions.model import Staged, derived_id
from engine_bridge.engines.dbos import plan_args, plan_enqueue
from engine_bridge.engines.dbos.actions_facts import Facts, Reads, RunFacts, run_id, start_step
from engine_bridge.engines.dbos.plan_sql import Sql
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.errors import RejectedError

if TYPE_CHECKING:
    from dbos import DBOSClient


@dataclass(frozen=True, slots=True)
class Sending:
    """One action on its way. ``seen`` answers what the gate read, once it has."""

    client: DBOSClient
    engine: sa.Engine
    sql: Sql
    staged: Staged
    request_id: str
    now_ms: int
    seen: Callable[[], Facts | None]

    @property
    def args(self) -> dict[str, Any]:
        return self.staged.args

    @property
    def run_id(self) -> str:
        return run_id(self.staged)

    @property
    def new_id(self) -> str:
        return new_id(self.staged, self.request_id)


def new_id(staged: Staged, request_id: str) -> str:
    """The id that a request gives to what it makes."""
    return derived_id(request_id, staged.action)


def message_key(staged: Staged, request_id: str) -> str:
    """The primary key of a request's message (DBOS appends the destination to the idempotency key)."""
    return f"{new_id(staged, request_id)}::{run_id(staged)}"


def _signal(to: Sending) -> None:
    from dbos import WorkflowSerializationFormat

    to.client.send(
        to.run_id,
        plan_args.json_value(to.args, "message"),
        plan_args.text(to.args, "topic"),
        to.new_id,
        serialization_type=WorkflowSerializationFormat.PORTABLE,
    )


def _cancel(to: Sending) -> None:
    to.client.cancel_workflow(to.run_id, cancel_children=plan_args.boolean(to.args, "children"))


def _resume(to: Sending) -> None:
    to.client.resume_workflow(to.run_id, queue_name=plan_args.text(to.args, "queue"))


def _fork(to: Sending) -> None:
    from dbos import SetWorkflowID

    queue = plan_args.text(to.args, "queue")
    key = None if queue is None else _seen_run(to).partition
    with SetWorkflowID(to.new_id):
        to.client.fork_workflow(
            to.run_id,
            start_step(to.staged),
            application_version=plan_args.text(to.args, "version"),
            queue_name=queue,
            queue_partition_key=key,
        )


def _seen_run(to: Sending) -> RunFacts:
    """The run as the gate reads it: at the begin of any transaction."""
    with to.engine.begin():
        return _checked(to)


def _checked(to: Sending) -> RunFacts:
    run = to.seen()
    if not isinstance(run, RunFacts):
        raise RejectedError("The run was not read before.")
    return run


def _rewind(to: Sending) -> None:
    version = plan_args.text(to.args, "version")
    to.client.rewind_workflow(to.run_id, start_step=start_step(to.staged), application_version=version)


def _delete(to: Sending) -> None:
    to.client.delete_workflow(to.run_id, delete_children=plan_args.boolean(to.args, "children"))


def _set_delay(to: Sending) -> None:
    until = plan_args.integer(to.args, "until_ms", 0)
    if until is None:
        until = to.now_ms + (plan_args.integer(to.args, "delay", 0) or 0) // 1_000_000
    to.client.set_workflow_delay(to.run_id, delay_until_epoch_ms=until)


def _enqueue_like(to: Sending) -> None:
    from dbos import WorkflowSerializationFormat

    changed = plan_enqueue.edited(to.args)
    args, kwargs = changed or ([], {})
    with to.engine.begin() as connection:
        options: Any = plan_enqueue.options(_checked(to), to.args, to.new_id)
        options["serialization_type"] = WorkflowSerializationFormat.PORTABLE
        to.client.enqueue_in_transaction(connection, options, *args, **kwargs)
        if changed is None:
            # Copied inside the database: nothing here decodes it, and its serialisation may be anything.
            _run(connection, to.sql.copy_input(to.run_id, to.new_id))


def _queue(to: Sending) -> None:
    name, pausing = to.staged.target.id, to.staged.action == "pause_queue"
    if pausing:
        _write(to, to.sql.queue(name, 0))
        return
    queue = to.client.retrieve_queue(name)
    if queue is None:
        raise RejectedError(f"There is no queue {name} any more.")
    queue.set_global_concurrency(plan_args.integer(to.args, "concurrency", 1))


def _write(to: Sending, statements: tuple[str, ...]) -> None:
    with to.engine.begin() as connection:
        _run(connection, statements)


def _run(connection: sa.Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _pause_schedule(to: Sending) -> None:
    to.client.pause_schedule(to.staged.target.id)


def _resume_schedule(to: Sending) -> None:
    to.client.resume_schedule(to.staged.target.id)


CALLS: Final[dict[str, Callable[[Sending], None]]] = {
    "signal": _signal,
    "cancel": _cancel,
    "resume": _resume,
    "fork": _fork,
    "rewind": _rewind,
    "delete": _delete,
    "set_delay": _set_delay,
    "enqueue_like": _enqueue_like,
    "pause_queue": _queue,
    "resume_queue": _queue,
    "pause_schedule": _pause_schedule,
    "resume_schedule": _resume_schedule,
}


def many(staged: Sequence[Staged]) -> Callable[[DBOSClient], object] | None:
    """One call that does to several runs, in one transaction, what each one's own call does; None without."""
    action, args = staged[0].action, staged[0].args
    ids = [run_id(one) for one in staged]
    alike = all((one.action, one.args) == (action, args) for one in staged)
    if not alike or len(set(ids)) < len(ids):
        return None
    if action == "cancel" and not plan_args.boolean(args, "children"):
        return lambda client: client.cancel_workflows(ids)
    if action == "resume":
        queue = plan_args.text(args, "queue")
        return lambda client: client.resume_workflows(ids, queue_name=queue)
    return None


def made(tables: Tables, reads: Reads, staged: Staged, request_id: str) -> str:
    """What a request has made already ("" for nothing, or for actions that make nothing): how DBOS dedupes it."""
    if staged.action == "signal":
        table, key = tables["notifications"], message_key(staged, request_id)
        if reads.value(sa.select(table.c.message_uuid).where(table.c.message_uuid == key)) is None:
            return ""
        return f"message {key} is there"
    if staged.action in ("fork", "enqueue_like"):
        id_, runs = new_id(staged, request_id), tables["workflow_status"]
        status = reads.value(sa.select(runs.c.status).where(runs.c.workflow_uuid == id_))
        return "" if status is None else f"run {id_} is there, {status}"
    return ""


def row_lock(tables: Tables, staged: Staged) -> sa.Executable | None:
    """The statement that locks a target's row where the database has row locks."""
    if tables.dialect == "sqlite":
        return None
    kind = staged.target.kind
    name, column, value = {
        "queues": ("queues", "name", staged.target.id),
        "schedules": ("workflow_schedules", "schedule_name", staged.target.id),
    }.get(kind, ("workflow_status", "workflow_uuid", run_id(staged)))
    table = tables[name]
    # NO KEY: workers' inserts of steps and messages, which refer to the row, need not wait.
    return (
        sa.select(sa.literal(1)).where(table.c[column] == value).with_for_update(nowait=True, key_share=True)
    )
