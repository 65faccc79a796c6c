"""The namespace as a target: what a batch would hit, and batches that the server carries out."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Staged
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.errors import NotFoundError
from engine_bridge.model import Status

START: Final = "start"
_BATCHES: Final = 20
_SAMPLE: Final = 5
_RUNNING: Final = 1
_STATES: Final = {1: "running", 2: "completed", 3: "failed"}
_OPEN_ONLY: Final = ("signal", "cancel", "terminate")


class SpaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The namespace that a batch works in, or a batch operation of it (``job`` is its id).

    ``query`` is that of a staged batch, ``matching`` how many runs it hits, ``running`` the batch under way. Of the
    workflow id of a staged start ``open`` is the open run, ``last`` the status of the newest one.
    """

    name: str
    job: str = ""
    state: str = ""
    query: str = ""
    matching: int = 0
    sample: tuple[str, ...] = ()
    running: str = ""
    open: str = ""
    last: str = ""


def batch_query(staged: Staged) -> str:
    """The query of a staged batch, kept to open runs where only those can be meant; "" without one."""
    query = arguments.text(staged.args, "query") or ""
    open_only = str(staged.args.get("operation")) in _OPEN_ONLY
    return f"({query}) and ExecutionStatus = 'Running'" if query and open_only else query


def space(reads: Reads, staged: Staged) -> SpaceFacts:
    """The namespace, and what a batch would hit. Raises QueryError."""
    from temporalio.api.workflowservice.v1 import (
        CountWorkflowExecutionsRequest,
        ListWorkflowExecutionsRequest,
    )

    name, query = staged.target.id, batch_query(staged)
    if name != reads.namespace:
        return SpaceFacts(name=name)
    if staged.action == START:
        return _taken(reads, name, arguments.text(staged.args, "id"))
    running = _running(reads)
    if not query:
        return SpaceFacts(name=name, running=running)
    counted = reads.call(
        "count_workflow_executions", CountWorkflowExecutionsRequest(namespace=name, query=query)
    )
    listing = ListWorkflowExecutionsRequest(namespace=name, query=query, page_size=_SAMPLE)
    listed = reads.call("list_workflow_executions", listing).executions
    sample = tuple(one.execution.workflow_id for one in listed)
    return SpaceFacts(name=name, running=running, query=query, matching=counted.count, sample=sample)


def _taken(reads: Reads, name: str, workflow_id: str | None) -> SpaceFacts:
    """The namespace, and what runs a workflow id has there."""
    if workflow_id is None:
        return SpaceFacts(name=name)
    try:
        info = reads.describe(values.ref(workflow_id, "")).workflow_execution_info
    except NotFoundError:
        return SpaceFacts(name=name)
    status, word = values.STATUSES.get(info.status, (Status.UNKNOWN, ""))
    return SpaceFacts(name=name, open="" if status.closed else info.execution.run_id, last=word)


def _running(reads: Reads) -> str:
    """The batch under way: a namespace has one at a time."""
    from temporalio.api.workflowservice.v1 import ListBatchOperationsRequest

    request = ListBatchOperationsRequest(namespace=reads.namespace, page_size=_BATCHES)
    listed = reads.call("list_batch_operations", request).operation_info
    return next((one.job_id for one in listed if one.state == _RUNNING), "")


def batch(reads: Reads, job: str) -> SpaceFacts:
    """A batch operation. Raises NotFoundError."""
    return SpaceFacts(name=reads.namespace, job=job, state=_STATES.get(progress(reads, job).state, ""))


def progress(reads: Reads, job: str) -> Any:
    """The server's description of a batch operation. Raises NotFoundError."""
    from temporalio.api.workflowservice.v1 import DescribeBatchOperationRequest

    request = DescribeBatchOperationRequest(namespace=reads.namespace, job_id=job)
    return reads.call("describe_batch_operation", request, f"the batch operation {job}")
