"""What open runs wait for, in a line: visibility does not know, so those in sight are described now and then."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.server_blocked import blocked
from engine_bridge.engines.temporal.server_describe import Described, described
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, Status

_KEPT: Final = 5_000
_WORKFLOW_TASKS: Final = 1


class Opens:
    """The last known lines of open runs. Thread-safe.

    They hold no times: a line that is told anew is one that changed.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def told(self, run: Run) -> Run:
        """The run with what is known of it, if it is open and visibility says nothing."""
        line = self._known.get(run.ref.run)
        return msgspec.structs.replace(run, now=line) if line and _silent(run) else run

    def look(self, runs: Sequence[Run], cancel: CancelToken) -> list[Run]:
        """The runs, open ones with what the server says now that they wait for."""
        silent = [self._untold(run) for run in runs]
        wanted = [run for run in silent if _silent(run)]
        answers = self._client.call_all(
            "describe_workflow_execution", [_request(self._client, run) for run in wanted], cancel
        )
        now_ns = self._client.now_ns()
        found = [described(one, now_ns) for one in answers if not isinstance(one, PlayheadError)]
        nobody = self._unserved(found, cancel)
        lines = {one.ref.run: _line(one, nobody, now_ns) for one in found}
        with self._lock:
            if len(self._known) > _KEPT:
                self._known.clear()
            self._known |= lines
        return [self.told(run) for run in silent]

    def _untold(self, run: Run) -> Run:
        """The run as visibility has it."""
        return msgspec.structs.replace(run, now="") if run.now == self._known.get(run.ref.run) else run

    def _unserved(self, found: Sequence[Described], cancel: CancelToken) -> frozenset[str]:
        """The task queues that nobody polls, of runs whose workflow task nobody took."""
        queues = sorted({one.row.queue or "" for one in found if _waits_for_worker(one)} - {""})
        answers = self._client.call_all(
            "describe_task_queue", [_queue(self._client, name) for name in queues], cancel
        )
        pairs = zip(queues, answers, strict=True)
        return frozenset(n for n, a in pairs if not isinstance(a, PlayheadError) and not a.pollers)


def _silent(run: Run) -> bool:
    return run.status is Status.RUNNING and not run.now


def _waits_for_worker(found: Described) -> bool:
    task = found.pending.task
    return task is not None and task.started_ns is None and (task.attempt or 1) == 1


def _line(found: Described, nobody: frozenset[str], now_ns: int) -> str:
    pending, queue = found.pending, found.row.queue or ""
    if queue in nobody:
        pending = msgspec.structs.replace(pending, pollers=0)
    block = blocked(pending, None, found.children, now_ns, queue)
    if block is not None and block.kind == "version":
        return block.what.removeprefix("its code: ")
    if block is not None:
        return f"waiting for {block.what}"
    return "" if pending.task is not None else "waiting for a timer, a signal or an update"


def _request(client: Client, run: Run) -> Any:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

    return DescribeWorkflowExecutionRequest(
        namespace=client.source.namespace,
        execution=WorkflowExecution(workflow_id=run.ref.group, run_id=run.ref.run),
    )


def _queue(client: Client, name: str) -> Any:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    return DescribeTaskQueueRequest(
        namespace=client.source.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=_WORKFLOW_TASKS,  # type: ignore[arg-type]  # the generated enum is an int
    )
