"""Queries and stack traces of a run: they execute user code in a live worker, so they are asked for explicitly."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec
from engine_bridge.engines.temporal.actions_read import Reads, execution
from engine_bridge.engines.temporal.client import Client
from engine_bridge.errors import ConnectError, NotFoundError, PlayheadError, RejectedError
from engine_bridge.format import plain
from engine_bridge.model import RunRef
from engine_bridge.queries import TRACE, Handlers, Query, Reply, arguments

METADATA: Final = "__temporal_workflow_metadata"
STACK: Final = "__stack_trace"
_OWN: Final = "__"
"""Names that begin so are the SDK's own."""
_PATIENCE_S: Final = 10.0
_NOBODY_S: Final = 1.5
"""Where no worker polls: one may have begun just now."""
_SAID: Final = "The server does not take this question: "
_KNOWN: Final = re.compile(r"(?i)known ?query ?types[=:]? *\[([^\]]*)\]|known queries: *\[([^\]]*)\]")
_PLACE: Final = re.compile(r'^  File "([^"]+)", line \d+', re.M)
_ABRIDGED: Final = "The SDK named its own frame only; a replay shows the line of your code that waits."
_TASK: Final = re.compile(
    r"^Stack for <\w+ (\w+) name=['\"](.*?)(?: \(workflow: .*?\))?['\"] coro=.*:$", re.M
)


def ask(client: Client, ref: RunRef, name: str, args: str, cancel: CancelToken) -> Reply:
    """The answer of one query: its first payload, or the text of a stack trace made readable.

    A worker with the workflow's code runs the query's handler. Raises RejectedError with what the handler said,
    ConnectError when no worker answers, UsageError for arguments that are no JSON.
    """
    from temporalio.api.common.v1 import Payload, Payloads
    from temporalio.api.query.v1 import WorkflowQuery
    from temporalio.api.workflowservice.v1 import QueryWorkflowRequest

    given = [
        Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(one))
        for one in arguments(args)
    ]
    request = QueryWorkflowRequest(
        namespace=client.source.namespace,
        execution=execution(ref),
        query=WorkflowQuery(
            query_type=name, query_args=codec.sent(client.codec, Payloads(payloads=given), cancel)
        ),
    )
    server = _Server(client, ref, cancel)
    patience_s = _NOBODY_S if server.pollers == 0 else _PATIENCE_S
    try:
        answer = client.call(
            "query_workflow", request, cancel, what=f"the run {ref.group}", timeout_s=patience_s, retry=False
        )
    except NotFoundError:
        raise
    except ConnectError as error:
        raise server.unanswered(error) from None
    except PlayheadError as error:
        cancel.raise_if_cancelled()
        said = (error.detail or error.message).removeprefix(_SAID)
        raise RejectedError(f"The query {plain(name, 120)} was not answered: {plain(said, 600)}") from None
    if answer.HasField("query_rejected"):
        raise RejectedError("The server rejects queries of a run in this state.")
    if not answer.query_result.payloads:
        return Reply(name=name)
    found, why = codec.received(client.codec, answer.query_result.payloads[0], cancel)
    if name == STACK and not why:
        text = _stack(found.data)
        return Reply(name=name, data=text.encode(), encoding=TRACE, note=_ABRIDGED if _only_sdk(text) else "")
    return Reply(name=name, data=found.data, encoding=found.encoding, note=why)


class _Server:
    """What the server knows of a run and its workers, before and after a question. Raises NotFoundError."""

    def __init__(self, client: Client, ref: RunRef, cancel: CancelToken) -> None:
        self._ref = ref
        self._reads = Reads(client, cancel)
        self._told = self._reads.describe(ref)
        self.queue: str = self._told.execution_config.task_queue.name
        self.pollers = self._reads.pollers(self.queue)

    def unanswered(self, error: ConnectError) -> ConnectError:
        """Why nobody answered: no worker, one that cannot get so far, or no server."""
        self._reads.cancel.raise_if_cancelled()
        where = f"task queue {plain(self.queue, 120)}"
        if "no poller" in error.detail or not self.pollers:
            return ConnectError(
                "No worker answered the query.",
                f"None polls {where} now: start one that has this workflow's code, and ask again.",
                error.detail,
            )
        try:
            task = self._reads.describe(self._ref).pending_workflow_task
        except PlayheadError as gone:
            return gone if isinstance(gone, ConnectError) else error
        if task.attempt > 1:
            return ConnectError(
                "The query was not answered: the run's workflow task fails.",
                "Queries wait for it. Its failure says why; mend the code and deploy it.",
                error.detail,
            )
        return ConnectError(
            f"The query was not answered in {_PATIENCE_S:.0f} s, though a worker polls {where}.",
            "The worker may be busy, gone a moment ago, or its handler slow. Ask again.",
            error.detail,
        )


def _stack(data: bytes) -> str:
    """Where each coroutine of an open run stands, as its worker's SDK writes it."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")
    if not isinstance(found, str):
        return msgspec.json.format(msgspec.json.encode(found)).decode()
    return readable(found)


def _only_sdk(text: str) -> bool:
    """Whether every frame is Python's SDK's own: it tells the outermost one of a task that waits."""
    places = _PLACE.findall(text)
    return bool(places) and all("/temporalio/" in place.replace("\\", "/") for place in places)


def readable(text: str) -> str:
    """A stack trace as it came; of Python's without the query's own task, its headings short, no empty lines."""
    heads = list(_TASK.finditer(text))
    if not heads:
        return text
    ends = [head.start() for head in heads[1:]] + [len(text)]
    blocks = [text[: heads[0].start()].strip("\n")] if text[: heads[0].start()].strip() else []
    for head, end in zip(heads, ends, strict=True):
        state, name = head[1], head[2]
        if name != f"query: {STACK}":
            lines = [line for line in text[head.end() : end].splitlines() if line.strip()]
            blocks.append("\n".join([f"{name}  ({state})", *lines]))
    return "\n\n".join(blocks)


def offered(client: Client, ref: RunRef, cancel: CancelToken) -> Handlers:
    """What the run's code takes, as its worker's SDK tells; of older SDKs the names in their refusal."""
    try:
        data = ask(client, ref, METADATA, "", cancel).data
    except RejectedError as error:
        known = _KNOWN.search(error.message)
        if known is None:
            raise
        names = (known[1] or known[2] or "").replace(",", " ").split()
        return Handlers(queries=tuple(Query(name=name) for name in names if not name.startswith(_OWN)))
    try:
        told = msgspec.json.decode(data)
        definition = told.get("definition", {})
        queries = tuple(_query(one) for one in definition.get("queryDefinitions", []))
        others = {kind: _names(definition.get(f"{kind}Definitions", [])) for kind in ("signal", "update")}
        note = str(told.get("currentDetails") or "")
    except (msgspec.DecodeError, AttributeError, TypeError):
        raise RejectedError("The worker's list of queries cannot be read.") from None
    return Handlers(
        queries=tuple(query for query in queries if query.name and not query.name.startswith(_OWN)),
        others={kind: names for kind, names in others.items() if names},
        note=note,
    )


def _query(told: Any) -> Query:
    return Query(name=str(told.get("name") or ""), doc=str(told.get("description") or ""))


def _names(told: Any) -> tuple[str, ...]:
    return tuple(str(one.get("name")) for one in told if one.get("name"))
