"""What actions read of a server: a run described, its events, what the server can. The bridge's and the actor's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.client import Client, pages
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.payloads import payloads
from engine_bridge.engines.temporal.protobuf import normal
from engine_bridge.engines.temporal.server_history import bytes_of, events_of
from engine_bridge.errors import NotFoundError, PlayheadError
from engine_bridge.model import RunRef

_PAGE: Final = 1_000
_MOST: Final = 20
_WORKFLOW_TASKS: Final = 1


class Reads:
    """Reads of one plan or one execution; what does not change meanwhile is asked once.

    The codec server encodes what is sent only while ``sending``: a plan shows it as it was typed.
    """

    def __init__(self, client: Client, cancel: CancelToken, *, sending: bool = False) -> None:
        self.client = client
        self.cancel = cancel
        self.codec = client.codec
        self.sending = sending
        self._firsts: dict[RunRef, Any] = {}
        self._pollers: dict[str, int | None] = {}
        self._can_pause: bool | None = None

    @property
    def namespace(self) -> str:
        return self.client.source.namespace

    def call(self, rpc: str, request: Any, what: str = "") -> Any:
        """One call that reads. Raises NotFoundError and ConnectError."""
        return self.client.call(rpc, request, self.cancel, what=what)

    def describe(self, ref: RunRef) -> Any:
        """The server's description of a run, of the newest where the run id is empty. Raises NotFoundError."""
        from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

        request = DescribeWorkflowExecutionRequest(namespace=self.namespace, execution=execution(ref))
        return self.call("describe_workflow_execution", request, f"the run {ref.group} ({ref.run})")

    def since(self, ref: RunRef, after: int) -> list[RawEvent]:
        """The events of a run after an id, in their order; read from the end."""
        newer = itertools.takewhile(lambda event: event.event_id > after, self.backwards(ref))
        return [normal(event) for event in newer][::-1]

    def backwards(self, ref: RunRef) -> Iterator[Any]:
        """The newest events first, as the server's messages; at most 20,000."""
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest

        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self.namespace, execution=execution(ref), maximum_page_size=_PAGE
        )
        asked = pages(self.client, "get_workflow_execution_history_reverse", request, self.cancel, most=_MOST)
        for answer in asked:
            yield from answer.history.events

    def history(self, ref: RunRef) -> list[RawEvent]:
        """The whole history."""
        return [event for answer in self._pages(ref, None) for event in events_of(answer)]

    def started(self, ref: RunRef) -> Any:
        """The first event's attributes, as the server's message (payloads as they are). Raises NotFoundError."""
        return self._first(ref).workflow_execution_started_event_attributes

    def hides(self, ref: RunRef) -> str:
        """How a run's input is hidden ("encrypted", "compressed", "encoded"), "" when it is not."""
        found = payloads(normal(self._first(ref)).attributes.get("input"))
        return next((one.opaque for one in found if one.opaque), "")

    def _first(self, ref: RunRef) -> Any:
        """The first event, which stays what it is, alone: a page of a long history is a megabyte."""
        if ref not in self._firsts:
            from temporalio.api.history.v1 import History

            [answer] = self._pages(ref, 1, size=1)
            events = History.FromString(bytes_of(answer)).events
            if not events:
                raise NotFoundError("The server gave no history of the run.")
            self._firsts[ref] = events[0]
        return self._firsts[ref]

    def _pages(self, ref: RunRef, most: int | None, size: int = _PAGE) -> Iterator[Any]:
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

        request = GetWorkflowExecutionHistoryRequest(
            namespace=self.namespace, execution=execution(ref), maximum_page_size=size
        )
        return pages(self.client, "get_workflow_execution_history", request, self.cancel, most=most)

    def pollers(self, queue: str) -> int | None:
        """How many workers poll a task queue for workflow tasks; None where the server does not tell."""
        if queue not in self._pollers:
            self._pollers[queue] = self._poll(queue)
        return self._pollers[queue]

    def _poll(self, queue: str) -> int | None:
        from temporalio.api.taskqueue.v1 import TaskQueue
        from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

        request = DescribeTaskQueueRequest(
            namespace=self.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_WORKFLOW_TASKS,  # type: ignore[arg-type]  # the generated enum is an int
        )
        try:
            return len(self.call("describe_task_queue", request).pollers)
        except PlayheadError:
            self.cancel.raise_if_cancelled()
            return None

    def can_pause(self) -> bool:
        """Whether the namespace can pause runs."""
        if self._can_pause is None:
            from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

            request = DescribeNamespaceRequest(namespace=self.namespace)
            answer = self.call("describe_namespace", request)
            self._can_pause = bool(getattr(answer.namespace_info.capabilities, "workflow_pause", False))
        return self._can_pause


def execution(ref: RunRef) -> Any:
    """A reference as the API's message."""
    from temporalio.api.common.v1 import WorkflowExecution

    return WorkflowExecution(workflow_id=ref.group, run_id=ref.run)
