"""A database that answers the questions of a server: lists, descriptions and histories, read from its tables.

What reads a server reads a database by it, so both tell the same of a run. It cannot be asked for what only a running
server or its workers know (pollers, queries, actions): that raises UnsupportedError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_nodes as nodes
from engine_bridge.engines.temporal import dev_state, protobuf
from engine_bridge.engines.temporal.client import CALL_S, Client
from engine_bridge.engines.temporal.client_url import ServerSource
from engine_bridge.engines.temporal.dev_lists import Lists
from engine_bridge.engines.temporal.dev_nodes import Place
from engine_bridge.engines.temporal.dev_spaces import Space
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.errors import CorruptError, PlayheadError, UnsupportedError
from engine_bridge.model import RunRef

POLL_S: Final = 20.0
"""How long a question for new events waits for one, as a server's does."""
_LOOK_S: Final = 0.05
_AGAIN_S: Final = 1.0
_CLOSING: Final = 2
_PROTO: Final = 1


class _Token(msgspec.Struct, frozen=True, array_like=True):
    """Where a reading of a history stands: the place in its branch, and the last event that was read."""

    place: Place = Place()
    event: int = 0


class DevClient(Client):
    """Answers from one namespace of a database. Thread-safe."""

    def __init__(self, store: Store, space: Space, spaces: Sequence[Space] = ()) -> None:
        super().__init__(ServerSource("", 0, space.name))
        self.store = store
        self.space = space
        self.spaces = tuple(spaces)
        self.lists = Lists(store, space)

    def call(
        self,
        rpc: str,
        request: Any,
        cancel: CancelToken,
        *,
        what: str = "",
        timeout_s: float = CALL_S,
        retry: bool = True,
    ) -> Any:
        """One question, by the name of the server's call. Raises UnsupportedError for those that need a server."""
        cancel.raise_if_cancelled()
        answer = _ANSWERS.get(rpc)
        if answer is None:
            raise UnsupportedError(
                "A database cannot answer this: it takes a running server.",
                "Start the server on this file, and open temporal://….",
            )
        return answer(self, request, cancel)

    def ahead(
        self, rpc: str, request: Any, *, what: str = "", timeout_s: float = CALL_S
    ) -> Callable[[CancelToken], Any]:
        return lambda cancel: self.call(rpc, request, cancel)

    def waiting(
        self, rpc: str, request: Any, cancel: CancelToken, *, what: str, timeout_s: float, every_s: float
    ) -> Iterator[Any]:
        """A question for new events: None when the file was written meanwhile, but not with such."""
        deadline, stamp = time.monotonic() + POLL_S, self.store.file.stamp()
        while True:
            answer = self._history(request, cancel, every_s)
            if answer.raw_history or not answer.next_page_token or time.monotonic() > deadline:
                yield answer
                return
            before, stamp = stamp, self.store.file.stamp()
            if stamp != before:
                yield None

    def call_all(self, rpc: str, requests: Sequence[Any], cancel: CancelToken) -> list[Any]:
        return [self._one(rpc, request, cancel) for request in requests]

    def _one(self, rpc: str, request: Any, cancel: CancelToken) -> Any:
        try:
            return self.call(rpc, request, cancel)
        except PlayheadError as error:
            cancel.raise_if_cancelled()
            return error

    def close(self) -> None:
        self.store.close()

    def state(self, execution: Any, cancel: CancelToken) -> dev_state.State:
        """The state of a run, named by a ``WorkflowExecution``. Raises NotFoundError."""
        return dev_state.find(self.store, self.space.id, execution.workflow_id, execution.run_id, cancel)

    def branch(self, found: dev_state.State) -> nodes.Branch:
        """Where the history of a run is. Raises CorruptError."""
        return nodes.branch_of(found.shard, found.execution, self.space.aliases)

    def records(self, ref: RunRef, cancel: CancelToken) -> tuple[list[bytes], int]:
        """The serialized events of a run, and how many of them are missing. Raises NotFoundError and CorruptError."""
        found = dev_state.find(self.store, self.space.id, ref.group, ref.run, cancel)
        data = nodes.whole(self.store, self.branch(found), found.next_event, cancel)
        try:
            events = [data[start:end] for start, end in protobuf.slices(data)]
        except protobuf.WireError:
            raise CorruptError(
                "The history of this run is damaged.", "Look at it: what can be read is shown."
            ) from None
        return events, max(found.next_event - 1 - len(events), 0)

    def _describe(self, request: Any, cancel: CancelToken) -> Any:
        found = self.state(request.execution, cancel)
        return dev_state.describe(
            self.store, found, self._opening(found, cancel), self.space.aliases, self.now_ns(), cancel
        )

    def _opening(self, found: dev_state.State, cancel: CancelToken) -> Any:
        """The first event of a run; None when it cannot be read."""
        from google.protobuf.message import DecodeError
        from temporalio.api.history.v1 import HistoryEvent

        try:
            branch = self.branch(found)
            first, _ = nodes.read(self.store, branch, Place(), found.next_event, cancel, most=1)
            start, end = protobuf.slices(first[0])[0]
            return HistoryEvent.FromString(first[0][start:end])
        except (CorruptError, IndexError, protobuf.WireError, DecodeError):
            return None

    def _history(self, request: Any, cancel: CancelToken, patience_s: float | None = None) -> Any:
        if request.history_event_filter_type == _CLOSING:
            return self._closing(request, cancel)
        token = _decoded(request.next_page_token)
        deadline = time.monotonic() + (POLL_S if patience_s is None else patience_s)
        while True:
            stamp = self.store.file.stamp()
            answer, idle = self._page(request, token, cancel)
            if not idle or not request.wait_new_event or time.monotonic() > deadline:
                return answer
            self._until_written(stamp, min(deadline, time.monotonic() + _AGAIN_S), cancel)

    def _until_written(self, stamp: Any, deadline: float, cancel: CancelToken) -> None:
        """Waits without touching the database: its server commits only while nobody reads."""
        while self.store.file.stamp() == stamp and time.monotonic() < deadline:
            cancel.wait(_LOOK_S)
            cancel.raise_if_cancelled()

    def _page(self, request: Any, token: _Token, cancel: CancelToken) -> tuple[Any, bool]:
        """The next page, and whether there was nothing new in a run that goes on."""
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse

        found = self.state(request.execution, cancel)
        branch = self.branch(found)
        most = max(request.maximum_page_size, 1)
        data, place = nodes.read(self.store, branch, token.place, found.next_event, cancel, most=most)
        whole = len(data) < most
        data, broken = _sound(data)
        event = _last_id(data[-1]) if data else token.event
        answer = GetWorkflowExecutionHistoryResponse()
        for one in data:
            answer.raw_history.add(encoding_type=_PROTO, data=one)
        # What is missing before the next event does not come any more.
        awaited = request.wait_new_event and not found.closed and event >= found.next_event - 1
        goes_on = not broken and (not whole or awaited)
        if goes_on:
            answer.next_page_token = msgspec.json.encode(_Token(place, event))
        return answer, not data and goes_on

    def _last(self, found: dev_state.State, cancel: CancelToken) -> bytes:
        """The last event as a serialized ``History``, b"" when there is none."""
        branch = self.branch(found)
        data = nodes.last(self.store, branch, found.next_event, cancel) or b""
        try:
            places = protobuf.slices(data)
        except protobuf.WireError:
            return b""
        return data[places[-2][1] if len(places) > 1 else 0 :] if places else b""

    def _closing(self, request: Any, cancel: CancelToken) -> Any:
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse

        found = self.state(request.execution, cancel)
        answer = GetWorkflowExecutionHistoryResponse()
        if found.closed:
            answer.raw_history.add(encoding_type=_PROTO, data=self._last(found, cancel))
        return answer

    def _reverse(self, request: Any, cancel: CancelToken) -> Any:
        from google.protobuf.message import DecodeError
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseResponse

        answer = GetWorkflowExecutionHistoryReverseResponse()
        try:
            answer.history.MergeFromString(self._last(self.state(request.execution, cancel), cancel))
        except DecodeError:
            answer.Clear()
        return answer

    def _list(self, request: Any, cancel: CancelToken) -> Any:
        return self.lists.page(request.query, request.page_size, request.next_page_token, cancel)

    def _count(self, request: Any, cancel: CancelToken) -> Any:
        from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsResponse

        return CountWorkflowExecutionsResponse(count=self.lists.count(request.query, cancel))

    def _schedules(self, request: Any, cancel: CancelToken) -> Any:
        from temporalio.api.workflowservice.v1 import ListSchedulesResponse

        return ListSchedulesResponse(schedules=self.lists.schedules(cancel))

    def _namespaces(self, request: Any, cancel: CancelToken) -> Any:
        from temporalio.api.workflowservice.v1 import ListNamespacesResponse

        answer = ListNamespacesResponse()
        for space in self.spaces:
            made = answer.namespaces.add()
            made.namespace_info.name, made.namespace_info.id = space.name, space.id
            if space.record is not None:
                info = space.record.info
                made.namespace_info.state = _condition(info.state)
                made.namespace_info.description = info.description
                made.namespace_info.owner_email = info.owner
                retention = space.record.config.retention
                made.config.workflow_execution_retention_ttl.MergeFromString(retention)
        return answer


_ANSWERS: Final = {
    "describe_workflow_execution": DevClient._describe,
    "get_workflow_execution_history": DevClient._history,
    "get_workflow_execution_history_reverse": DevClient._reverse,
    "list_workflow_executions": DevClient._list,
    "count_workflow_executions": DevClient._count,
    "list_schedules": DevClient._schedules,
    "list_namespaces": DevClient._namespaces,
}


def _decoded(token: bytes) -> _Token:
    return msgspec.json.decode(token, type=_Token) if token else _Token()


def _sound(data: list[bytes]) -> tuple[list[bytes], bool]:
    """Nodes up to the first damaged one, of which the events before the damage; and whether there was one."""
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet
    from temporalio.api.history.v1 import History

    for at, one in enumerate(data):
        with suppress(DecodeError):
            if not len(UnknownFieldSet(History.FromString(one))):
                continue
        try:
            protobuf.slices(one)  # damage inside an event leaves the others readable
        except protobuf.WireError as error:
            return [*data[:at], one[: error.at]], True
    return data, False


def _last_id(data: bytes) -> int:
    """The id of the last event of a node, 0 when it cannot be read."""
    try:
        start, end = protobuf.slices(data)[-1]
        heads = protobuf.heads_of_messages([data[start:end]])
    except (protobuf.WireError, IndexError):
        return 0
    return int(heads.id[0])


def _condition(number: int) -> Any:
    return number if 0 <= number <= 3 else 0
