"""Runs as a server would describe them: mutable state and its maps of pending work, as the public answer."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal import dev_nexus
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.errors import CorruptError, NotFoundError
from engine_bridge.format import plain

_CLOSED: Final = 3
_SCHEDULED, _STARTED, _CANCEL, _PAUSED, _PAUSE = range(1, 6)
"""Numbers of ``PendingActivityState``."""


@dataclass(frozen=True)
class State:
    """One run's row of ``executions``, parsed. ``next_event`` is the id that its next event gets."""

    shard: int
    namespace: bytes
    workflow_id: str
    run_id: str
    next_event: int
    execution: Any
    state: Any

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return bool(self.state.state >= _CLOSED)

    @property
    def key(self) -> tuple[Any, ...]:
        """The key of its rows in the maps of pending work."""
        return self.shard, self.namespace, self.workflow_id, uuid.UUID(self.run_id).bytes


_ANY_SHARD: Final = "shard_id IN (SELECT shard_id FROM shards)"
"""Keys begin with the shard: without one a table is read whole for one row of it."""


def find(store: Store, namespace: str, workflow_id: str, run_id: str, cancel: CancelToken) -> State:
    """The state of a run; with an empty run id that of the newest of its workflow id. Raises NotFoundError."""
    space = uuid.UUID(namespace).bytes
    run = _bytes(run_id) if run_id else _current(store, space, workflow_id, cancel)
    rows = (
        store.rows(
            "SELECT shard_id, next_event_id, data, state FROM executions "
            f"WHERE {_ANY_SHARD} AND namespace_id = ? AND workflow_id = ? AND run_id = ?",
            (space, workflow_id, run),
            cancel=cancel,
        )
        if run is not None
        else []
    )
    if not rows or run is None:
        raise NotFoundError(
            f"There is no run {plain(workflow_id, 120)} ({plain(run_id, 60)}) in this database.",
            "It may have been deleted, or its retention is over.",
        )
    shard, next_event, data, state = rows[0]
    try:
        parsed = messages.parse("Execution", data), messages.parse("State", state)
        following = int(next_event)
    except (_decode_error(), ValueError, TypeError) as error:
        raise CorruptError(
            f"The record of {plain(workflow_id, 120)} cannot be read.", "It is damaged.", type(error).__name__
        ) from None
    return State(int(shard), space, workflow_id, str(uuid.UUID(bytes=run)), following, *parsed)


def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    return DecodeError


def _bytes(run_id: str) -> bytes | None:
    try:
        return uuid.UUID(run_id).bytes
    except ValueError:
        return None


def _current(store: Store, space: bytes, workflow_id: str, cancel: CancelToken) -> bytes | None:
    rows = store.rows(
        f"SELECT run_id FROM current_executions WHERE {_ANY_SHARD} AND namespace_id = ? AND workflow_id = ?",
        (space, workflow_id),
        cancel=cancel,
    )
    found = rows[0][0] if rows else None
    return found if isinstance(found, bytes) and len(found) == 16 else None


def describe(
    store: Store, one: State, first: Any, aliases: Mapping[str, str], now_ns: int, cancel: CancelToken
) -> Any:
    """The DescribeWorkflowExecutionResponse of a run; ``first`` is its first event, None when it cannot be read."""
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

    made = DescribeWorkflowExecutionResponse()
    with contextlib.suppress(_decode_error()):
        _info(made.workflow_execution_info, one, aliases)
    with contextlib.suppress(_decode_error()):
        _config(made, one, first)
    if not one.closed:
        _task(made, one.execution)
        made.pending_activities.extend(_activities(store, one, now_ns, cancel))
        made.pending_nexus_operations.extend(dev_nexus.operations(store, one.key, one.execution, cancel))
        made.pending_children.extend(_children(store, one, cancel))
    return made


def _info(made: Any, one: State, aliases: Mapping[str, str]) -> None:
    run, state = one.execution, one.state
    made.execution.workflow_id, made.execution.run_id = one.workflow_id, one.run_id
    made.type.name, made.task_queue = run.workflow_type_name, run.task_queue
    made.status = state.status if 0 <= state.status <= 8 else 0
    made.history_length = max(one.next_event - 1, 0)
    made.state_transition_count = run.state_transition_count
    made.history_size_bytes = run.execution_stats.history_size
    made.root_execution.workflow_id, made.root_execution.run_id = run.root_workflow_id, run.root_run_id
    made.first_run_id, made.assigned_build_id = run.first_execution_run_id, run.assigned_build_id
    made.worker_deployment_name = run.worker_deployment_name
    if run.parent_run_id:
        made.parent_execution.workflow_id, made.parent_execution.run_id = (
            run.parent_workflow_id,
            run.parent_run_id,
        )
    for entry in run.memo:
        made.memo.fields[entry.key].MergeFromString(entry.value)
    for entry in run.search_attributes:
        made.search_attributes.indexed_fields[aliases.get(entry.key, entry.key)].MergeFromString(entry.value)
    if one.closed:
        messages.read_into(made, "close_time", run.close_time)
    messages.read_into(made, "start_time", state.start_time or run.start_time)
    for name in ("execution_time", "most_recent_worker_version_stamp", "versioning_info", "priority"):
        messages.read_into(made, name, getattr(run, name))


def _config(made: Any, one: State, first: Any) -> None:
    run, config, more = one.execution, made.execution_config, made.workflow_extended_info
    config.task_queue.name = run.task_queue
    for name in ("workflow_execution_timeout", "workflow_run_timeout", "default_workflow_task_timeout"):
        messages.read_into(config, name, getattr(run, name))
    messages.read_into(more, "execution_expiration_time", run.workflow_execution_expiration_time)
    messages.read_into(more, "run_expiration_time", run.workflow_run_expiration_time)
    more.cancel_requested, more.reset_run_id = run.cancel_requested, run.reset_run_id
    if run.original_execution_run_id not in ("", one.run_id):
        messages.read_into(more, "last_reset_time", one.state.start_time)
    if run.HasField("pause_info"):
        more.pause_info.identity, more.pause_info.reason = run.pause_info.identity, run.pause_info.reason
        messages.read_into(more.pause_info, "paused_time", run.pause_info.pause_time)
    if first is not None:
        config.user_metadata.CopyFrom(first.user_metadata)
        more.original_start_time.CopyFrom(first.event_time)


def _task(made: Any, run: Any) -> None:
    if run.workflow_task_scheduled_event_id <= 0:
        return
    task, started = made.pending_workflow_task, run.workflow_task_started_event_id > 0
    task.state, task.attempt = (2 if started else 1), run.workflow_task_attempt
    messages.read_into(task, "scheduled_time", run.workflow_task_scheduled_time)
    messages.read_into(task, "original_scheduled_time", run.workflow_task_original_scheduled_time)
    if started:
        messages.read_into(task, "started_time", run.workflow_task_started_time)


def _map(store: Store, table: str, message: str, one: State, cancel: CancelToken) -> Iterator[Any]:
    """The records of a run in a map of pending work; those that cannot be read are left out."""
    statement = (
        f"SELECT data FROM {table} WHERE shard_id = ? AND namespace_id = ? AND workflow_id = ? AND run_id = ?"
    )
    for (data,) in store.rows(statement, one.key, cancel=cancel):
        with contextlib.suppress(_decode_error()):
            yield messages.parse(message, data)


def _activities(store: Store, one: State, now_ns: int, cancel: CancelToken) -> Iterator[Any]:
    for record in sorted(
        _map(store, "activity_info_maps", "Activity", one, cancel), key=lambda a: a.scheduled_event_id
    ):
        with contextlib.suppress(_decode_error()):
            yield activity(record, now_ns)


def activity(record: Any, now_ns: int) -> Any:
    """A ``PendingActivityInfo`` as the server makes it of its record."""
    from temporalio.api.workflow.v1 import PendingActivityInfo

    made = PendingActivityInfo(activity_id=record.activity_id, paused=record.paused)
    made.state = _state(record)
    made.attempt = max(record.attempt if record.has_retry_policy else 1, 1)
    made.last_worker_identity = record.started_identity
    messages.read_into(made, "activity_type", record.activity_type)
    messages.read_into(made, "scheduled_time", record.scheduled_time)
    messages.read_into(made, "last_started_time", record.started_time)
    messages.read_into(made, "last_attempt_complete_time", record.last_attempt_complete_time)
    if record.last_heartbeat_update_time:
        messages.read_into(made, "last_heartbeat_time", record.last_heartbeat_update_time)
        messages.read_into(made, "heartbeat_details", record.last_heartbeat_details)
    if record.has_retry_policy:
        made.maximum_attempts = record.retry_maximum_attempts
        made.last_worker_identity = record.started_identity or record.retry_last_worker_identity
        messages.read_into(made, "expiration_time", record.retry_expiration_time)
        messages.read_into(made, "last_failure", record.retry_last_failure)
        if made.state == _SCHEDULED and _ns(made.scheduled_time) > now_ns:
            made.next_attempt_schedule_time.CopyFrom(made.scheduled_time)
    if record.HasField("pause_info"):
        messages.read_into(made.pause_info, "pause_time", record.pause_info.pause_time)
        by = record.pause_info.manual
        made.pause_info.manual.identity, made.pause_info.manual.reason = by.identity, by.reason
    return made


def _ns(stamp: Any) -> int:
    return int(stamp.seconds * 1_000_000_000 + stamp.nanos)


def _state(record: Any) -> Any:
    if record.cancel_requested:
        return _CANCEL
    if record.started_event_id:  # below 0 as long as the event is not written, which is to the attempt's end
        return _PAUSE if record.paused else _STARTED
    return _PAUSED if record.paused else _SCHEDULED


def _children(store: Store, one: State, cancel: CancelToken) -> Iterator[Any]:
    from temporalio.api.workflow.v1 import PendingChildExecutionInfo

    found = _map(store, "child_execution_info_maps", "Child", one, cancel)
    for record in sorted(found, key=lambda child: child.initiated_event_id):
        made = PendingChildExecutionInfo(
            workflow_id=record.started_workflow_id,
            run_id=record.started_run_id,
            workflow_type_name=record.workflow_type_name,
            initiated_id=record.initiated_event_id,
        )
        made.parent_close_policy = _policy(record.parent_close_policy)
        yield made


def _policy(number: int) -> Any:
    return number if 0 <= number <= 3 else 0
