"""Queries and stack traces of a run: they execute user code in a live worker, so they are asked for explicitly."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client
from engine_bridge.errors import ConnectError, PlayheadError, RejectedError
from engine_bridge.model import RunRef

METADATA: Final = "__temporal_workflow_metadata"
STACK: Final = "__stack_trace"
_PATIENCE_S: Final = 10.0


def ask(
    client: Client, ref: RunRef, name: str, arguments: tuple[Any, ...], cancel: CancelToken
) -> tuple[str, bytes]:
    """The answer of one query: (encoding, bytes) of its first payload.

    A worker with the workflow's code runs the query's handler. Raises RejectedError with what the handler said, and
    ConnectError when no worker answers.
    """
    from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
    from temporalio.api.query.v1 import WorkflowQuery
    from temporalio.api.workflowservice.v1 import QueryWorkflowRequest

    given = [
        Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(one)) for one in arguments
    ]
    request = QueryWorkflowRequest(
        namespace=client.source.namespace,
        execution=WorkflowExecution(workflow_id=ref.group, run_id=ref.run),
        query=WorkflowQuery(query_type=name, query_args=Payloads(payloads=given)),
    )
    try:
        answer = client.call(
            "query_workflow", request, cancel, what=f"query {name}", timeout_s=_PATIENCE_S, retry=False
        )
    except ConnectError as error:
        raise ConnectError(
            "No worker answered the query.",
            "A worker that has this workflow's code must be running.",
            error.detail,
        ) from None
    except PlayheadError as error:
        cancel.raise_if_cancelled()
        raise RejectedError(f"The query {name} was not answered.", error.detail or error.message) from None
    found = [values.stored(payload) for payload in answer.query_result.payloads]
    return (found[0].encoding or "", found[0].data) if found else ("", b"")


def stack(client: Client, ref: RunRef, cancel: CancelToken) -> str:
    """Where each coroutine of an open run stands, as its worker's SDK writes it."""
    _, data = ask(client, ref, STACK, (), cancel)
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")
    return found if isinstance(found, str) else msgspec.json.format(msgspec.json.encode(found)).decode()


def offered(client: Client, ref: RunRef, cancel: CancelToken) -> list[Resource]:
    """The queries, signals and updates that the run's code declares, as its worker's SDK tells."""
    _, data = ask(client, ref, METADATA, (), cancel)
    try:
        definition = msgspec.json.decode(data).get("definition", {})
    except (msgspec.DecodeError, AttributeError):
        return []
    found = []
    for kind in ("query", "signal", "update"):
        for one in definition.get(f"{kind}Definitions", []):
            name = str(one.get("name", ""))
            cells = {"kind": kind, "description": one.get("description") or None}
            found.append(Resource(kind="handlers", id=f"{kind} {name}", title=name, cells=cells))
    return found
