"""One run as the server describes it now: header, pending work, time-outs. Recorded facts, none of them inferred."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_rows as rows
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.group_facts import Pending
from engine_bridge.engines.temporal.payloads import json_value
from engine_bridge.engines.temporal.server_pending import pending_of
from engine_bridge.model import Run, RunRef

if TYPE_CHECKING:
    from engine_bridge.engines.temporal.group import Grouper

AGAIN_S: Final = 2.0


@dataclass(frozen=True)
class Described:
    """An answer of DescribeWorkflowExecution, in our words."""

    ref: RunRef
    row: Run
    pending: Pending
    length: int
    children: tuple[tuple[RunRef, str, int], ...] = ()
    """Open children: (run, type, id of the event that initiated it)."""

    def run(self, grouper: Grouper, client: Client) -> Run:
        """The header, with what the history adds to it."""
        from engine_bridge.engines.temporal.server_header import header

        return header(self, grouper, client)


def read(client: Client, ref: RunRef, cancel: CancelToken) -> Described:
    """Describes a run; with an empty run id the newest of its workflow id. Raises NotFoundError."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

    request = DescribeWorkflowExecutionRequest(
        namespace=client.source.namespace,
        execution=WorkflowExecution(workflow_id=ref.group, run_id=ref.run),
    )
    answer = client.call(
        "describe_workflow_execution", request, cancel, what=f"the run {ref.group} ({ref.run})"
    )
    return described(answer, client.now_ns())


def described(answer: Any, now_ns: int) -> Described:
    """The facts of an answer."""
    info = answer.workflow_execution_info
    row = rows.run_of(info, now_ns)
    more = _extended(answer)
    row = msgspec.structs.replace(
        row,
        deadline_ns=_deadline(answer.workflow_extended_info),
        extra={**row.extra, **more},
    )
    children = tuple(
        (values.ref(child.workflow_id, child.run_id), child.workflow_type_name, child.initiated_id)
        for child in answer.pending_children
    )
    return Described(row.ref, row, pending_of(answer), info.history_length, children)


def _deadline(more: Any) -> int | None:
    found = [values.time_ns(more, name) for name in ("run_expiration_time", "execution_expiration_time")]
    return min((at for at in found if at is not None), default=None)


def _extended(answer: Any) -> dict[str, Any]:
    more, config = answer.workflow_extended_info, answer.execution_config
    found: dict[str, Any] = {
        "task_timeout_dur_ns": values.duration_ns(config, "default_workflow_task_timeout"),
        "run_timeout_dur_ns": values.duration_ns(config, "workflow_run_timeout"),
        "execution_timeout_dur_ns": values.duration_ns(config, "workflow_execution_timeout"),
        "cancel_requested": True if more.cancel_requested else None,
        "last_reset_ns": values.time_ns(more, "last_reset_time"),
        "reset_to": more.reset_run_id or None,
        "original_start_ns": values.time_ns(more, "original_start_time"),
    }
    summary = values.stored(config.user_metadata.summary)
    if summary.data:
        found["summary"] = json_value(summary)
    return {name: value for name, value in found.items() if value is not None}


class Watch:
    """Describes a followed run again: when it moved, and now and then, because attempts leave no event."""

    def __init__(self, client: Client, ref: RunRef) -> None:
        self._client = client
        self._ref = ref
        self._last: tuple[Run, Pending] | None = None
        self._at = 0.0

    def look(self, cancel: CancelToken, *, moved: bool) -> Described | None:
        """What the run is now; None when nothing of it changed."""
        if not moved and time.monotonic() - self._at < AGAIN_S:
            return None
        from engine_bridge.engines.temporal.server_header import with_pollers

        found = with_pollers(self._client, read(self._client, self._ref, cancel), cancel)
        self._at = time.monotonic()
        seen = (found.row, found.pending)
        if seen == self._last and not moved:
            return None
        self._last = seen
        return found
