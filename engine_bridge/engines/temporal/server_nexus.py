"""The runs that a run's Nexus operations started, found in its history: the server keeps no list of them."""

from __future__ import annotations

from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.group_nexus import Link, linked
from engine_bridge.engines.temporal.protobuf import scan
from engine_bridge.engines.temporal.server_history import bytes_of
from engine_bridge.model import RunRef

PAGE: Final = 500
"""Write batches, of a few events each."""


def operations(
    client: Client, ref: RunRef, token: bytes, most: int, cancel: CancelToken
) -> tuple[list[tuple[str | None, Link]], bytes]:
    """``linked`` of ``most`` pages of the history from a token on, and the token that goes on."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

    execution = WorkflowExecution(workflow_id=ref.group, run_id=ref.run)
    found: list[tuple[str | None, Link]] = []
    for _ in range(most):
        request = GetWorkflowExecutionHistoryRequest(
            namespace=client.source.namespace,
            execution=execution,
            maximum_page_size=PAGE,
            next_page_token=token,
        )
        answer = client.call("get_workflow_execution_history", request, cancel, what=str(ref))
        found += linked(scan(bytes_of(answer), answer.history.events))
        token = answer.next_page_token
        if not token:
            break
    return found, token
