"""How closed runs ended: visibility holds no error, so the closing event of each bad one is read, once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import group_run
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_failures import said
from engine_bridge.engines.temporal.protobuf import scan
from engine_bridge.engines.temporal.server_history import bytes_of
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Failure, Run, Status

_KEPT: Final = 20_000
_BAD: Final = (Status.FAILED, Status.TIMED_OUT, Status.TERMINATED)


class Closings:
    """The errors of runs that closed badly, which do not change. Thread-safe."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, Failure] = {}

    def told(self, runs: Sequence[Run], cancel: CancelToken) -> list[Run]:
        """The runs, those that closed badly with their error."""
        missing = [run for run in runs if run.status in _BAD and run.ref.run not in self._known]
        if missing:
            self._read(missing, cancel)
        return [self._with_error(run) for run in runs]

    def _with_error(self, run: Run) -> Run:
        failure = self._known.get(run.ref.run)
        if failure is None:
            return run
        line = said(failure)
        return msgspec.structs.replace(run, failure=failure, error=line, now=line)

    def _read(self, runs: Sequence[Run], cancel: CancelToken) -> None:
        answers = self._client.call_all(
            "get_workflow_execution_history", [_request(self._client, run) for run in runs], cancel
        )
        found = {
            run.ref.run: _failure(run, answer)
            for run, answer in zip(runs, answers, strict=True)
            if not isinstance(answer, PlayheadError)
        }
        with self._lock:
            if len(self._known) > _KEPT:
                self._known.clear()
            self._known |= found


def _request(client: Client, run: Run) -> Any:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.enums.v1 import HistoryEventFilterType
    from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

    return GetWorkflowExecutionHistoryRequest(
        namespace=client.source.namespace,
        execution=WorkflowExecution(workflow_id=run.ref.group, run_id=run.ref.run),
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        skip_archival=True,
    )


def _failure(run: Run, answer: Any) -> Failure:
    grouper = Grouper(run.ref)
    grouper.add(scan(bytes_of(answer)))
    found = group_run.header(grouper).failure if grouper.closing is not None else None
    return found or Failure(type=run.engine_status, message="no failure is recorded", time_ns=run.ended_ns)
