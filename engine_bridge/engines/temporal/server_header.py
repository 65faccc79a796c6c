"""The header of a run: what its history says, with what the server describes beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import group_run
from engine_bridge.engines.temporal import server_describe as describe
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.events_heads import heads_of
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_blocked import now_text
from engine_bridge.engines.temporal.group_event import failure_of
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.engines.temporal.server_blocked import blocked, delayed
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.errors import PlayheadError
from engine_bridge.format import duration
from engine_bridge.model import Failure, Run, RunRef

if TYPE_CHECKING:
    from engine_bridge.engines.temporal.events import RawEvent

_SHORT: Final = 2_000
"""Open runs with so few events are read whole for their header: their timers are known by nothing else."""
_LISTED: Final = 2_000
_BACK: Final = 200
_SKEW_NS: Final = 1_000_000_000
_WORKFLOW_TASKS: Final = 1
_TASK_FAILED: Final = ("WorkflowTaskFailed", "WorkflowTaskTimedOut")


def read(lister: Lister, ref: RunRef, cancel: CancelToken) -> Run:
    """One run's header. Raises NotFoundError."""
    from engine_bridge.engines.temporal.server_history import Reading
    from engine_bridge.engines.temporal.server_related import edges

    found = with_pollers(lister.client, describe.read(lister.client, ref, cancel), cancel)
    if not found.row.status.closed and found.length <= _SHORT:
        reading = Reading(lister.client, found.ref)
        while not reading.reached(found.length):
            reading.more(cancel)
        reading.grouper.set_pending(found.pending.activities, found.pending.nexus)
        return header(found, reading.grouper, lister.client)
    grouper = Grouper(found.ref)
    first, last = edges(lister, found.ref, cancel)
    grouper.add(heads_of([event for event in (first, last) if event is not None]))
    run = _merged(found, grouper, lister.client, whole=False, last=last)
    original = str(first.attributes.get("originalExecutionRunId") or "") if first is not None else ""
    if original and original != found.ref.run:
        # What a reset made copies the first event of the run that it was made from.
        run = msgspec.structs.replace(run, forked_from=RunRef(found.ref.kind, found.ref.group, original))
    return run


def header(found: describe.Described, grouper: Grouper, client: Client) -> Run:
    """The header with a history that was read to its end."""
    task = found.pending.task
    last = _last_failed_task(grouper) if task is not None and (task.attempt or 1) > 1 else None
    return _merged(found, grouper, client, whole=True, last=last)


def _last_failed_task(grouper: Grouper) -> RawEvent | None:
    """The last workflow task that failed: only the first of several in a row leaves its failure in the history."""
    for row in range(len(grouper) - 1, max(-1, len(grouper) - _BACK), -1):
        first = event_of(grouper.record(row).events[0])
        if first.type in _TASK_FAILED:
            return first
    return None


def _merged(
    found: describe.Described, grouper: Grouper, client: Client, *, whole: bool, last: RawEvent | None
) -> Run:
    """The run of a history, whole or its ends only, brought up to what the server says now."""
    row, now_ns = found.row, client.now_ns()
    run = group_run.header(grouper, now_ns)
    changes: dict[str, Any] = {name: getattr(row, name) for name in _DESCRIBED}
    changes["version"] = row.version or run.version
    changes["extra"] = run.extra | row.extra | _clock(client)
    if not whole:
        changes["steps_done"] = None
    if not row.status.closed:
        changes |= _waits(found, run, grouper if whole else None, now_ns, _task_failure(last))
    return msgspec.structs.replace(run, **changes)


_DESCRIBED: Final = (
    "ref", "id", "type", "status", "engine_status", "created_ns", "started_ns", "ended_ns", "deadline_ns",
    "delay_until_ns", "parent", "queue", "priority", "schedule", "attributes",
)  # fmt: skip


def _waits(
    found: describe.Described, run: Run, grouper: Grouper | None, now_ns: int, why: Failure | None
) -> dict[str, Any]:
    row = found.row
    steps = None
    if grouper is not None:
        steps = [decode_step(grouper.record(at)) for at in grouper.open_rows()[:_LISTED]]
    block = delayed(row) or blocked(found.pending, steps, found.children, now_ns, row.queue or "", why)
    if block is None and grouper is not None:
        block = run.blocked_on
    return {"blocked_on": block, "now": now_text(block, now_ns), "failure": None, "error": None}


def _task_failure(last: RawEvent | None) -> Failure | None:
    return failure_of(last) if last is not None and last.type in _TASK_FAILED else None


def _clock(client: Client) -> dict[str, str]:
    if client.lead_ns <= _SKEW_NS:
        return {}
    return {"server clock": f"{duration(client.lead_ns)} ahead of this machine's"}


def with_pollers(client: Client, found: describe.Described, cancel: CancelToken) -> describe.Described:
    """With how many workers poll the run's task queue, where it waits for one."""
    task = found.pending.task
    if task is None or task.started_ns is not None or not found.row.queue:
        return found
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    request = DescribeTaskQueueRequest(
        namespace=client.source.namespace,
        task_queue=TaskQueue(name=found.row.queue),
        task_queue_type=_WORKFLOW_TASKS,  # type: ignore[arg-type]  # the generated enum is an int
    )
    try:
        count = len(client.call("describe_task_queue", request, cancel).pollers)
    except PlayheadError:
        cancel.raise_if_cancelled()
        return found
    return replace(found, pending=msgspec.structs.replace(found.pending, pollers=count))
