"""The bridge of a Temporal server: one namespace over gRPC. It lives in a child process, and only reads.

Lists come from visibility (``server_runs``), histories by the raw call (``server_history``), headers with pending work
from DescribeWorkflowExecution (``server_describe``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

from engine_bridge.bridge import (
    Capability,
    Changes,
    Decoding,
    Direction,
    Facets,
    Field,
    Page,
    Relations,
    Resource,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import client_url, codec, native, payloads, server_fields
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.group_event import decode_event
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.engines.temporal.server_history import ORDER, Shelf
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.engines.temporal.visibility import Visibility
from engine_bridge.engines.temporal.what_if_bridge import WhatIf
from engine_bridge.errors import ConnectError, NotFoundError, PlayheadError, SchemaUnknownError
from engine_bridge.format import plain
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Event, Run, RunRef, Step
from engine_bridge.queries import Handlers, Reply
from engine_bridge.query.ast import Node
from engine_bridge.replay.model import ReplayInput, RunnerSpec

if TYPE_CHECKING:
    from engine_bridge.actions.model import ActionSpec, PlanItem, Staged, Target
    from engine_bridge.engines.temporal.client_url import ServerSource

OLDEST: Final = (1, 20)
"""The first server whose visibility takes List Filters on every store."""
_DEVELOPMENT: Final = "sqlite"
"""The store of development servers alone."""
_OFFERED: Final = frozenset(
    {
        Capability.RUNS, Capability.SORT, Capability.FACETS, Capability.CHANGES, Capability.TAIL, Capability.PAYLOADS,
        Capability.DECODE, Capability.FAILURES, Capability.RELATIONS, Capability.RESOURCES, Capability.REPLAY,
        Capability.WHAT_IF, Capability.ACTIONS, Capability.QUERIES,
    }
)  # fmt: skip


class ServerBridge(WhatIf):
    """One namespace of a server. Reads may overlap in any threads."""

    engine = "temporal"
    host: Literal["thread", "process"] = "process"
    concurrent = True

    def __init__(self, url: str, secret: str | None = None, token: str | None = None) -> None:
        self._source: ServerSource = client_url.parse(url, secret)
        self._codec = codec.codec_at(self._source.codec, self._source.namespace, token)
        self._client = Client(self._source)
        self._lister: Lister | None = None
        self._shelf = Shelf()

    def open(self, cancel: CancelToken) -> SourceInfo:
        client = self._client = Client(self._source)
        client.codec = self._codec
        try:
            client.connect(cancel)
            version, store, notices = _probe(client, cancel)
            if self._source.loopback and store != _DEVELOPMENT:
                client.compress(cancel)  # a forwarded port, perhaps of a slow line
            namespace = _namespace(client, cancel)
            known = Visibility(server_fields.search_attributes(client, cancel), store)
        except BaseException:
            client.close()
            raise
        self._lister = Lister(client, known)
        from engine_bridge.engines.temporal import server_queries, server_resources

        return SourceInfo(
            engine="temporal",
            engine_title="Temporal",
            title=self._source.namespace,
            location=self._source.location,
            version=f"Temporal {version}" + (f" on {store}" if store else ""),
            read_only=True,
            order=ORDER,
            capabilities=_OFFERED,
            notices=notices + namespace + codec.notices(self._codec),
            resource_kinds=server_resources.KINDS,
            stack_query=server_queries.STACK,
            native=native.TITLE,
            whole=("namespaces", self._source.namespace),
        )

    def close(self) -> None:
        self._lister = None
        self._codec.forget()
        self._client.close()

    @property
    def _open(self) -> Lister:
        if self._lister is None:
            raise ConnectError("The source is closed.", "Open it again.")
        return self._lister

    def fields(self, cancel: CancelToken) -> list[Field]:
        return server_fields.read(self._open, cancel)

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        return self._open.page(query, sort, cursor, direction, limit, cancel)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        from engine_bridge.engines.temporal import server_header

        return server_header.read(self._open, ref, cancel)

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        return self._open.find(text, limit, cancel)

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        from engine_bridge.engines.temporal import server_facets

        return server_facets.count(self._open, query, cancel)

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        from engine_bridge.engines.temporal import server_facets

        return server_facets.read(self._open, query, buckets, cancel)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        from engine_bridge.engines.temporal import server_changes

        return server_changes.since(self._open, mark, visible, cancel)

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        from engine_bridge.engines.temporal import server_history

        return server_history.read(self._open.client, self._shelf, ref, cancel)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        from engine_bridge.engines.temporal import server_history

        return server_history.follow(self._open.client, self._shelf, ref, after, cancel)

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        found = payloads.combined(payloads.payload(one) for one in self._raw(key, cancel))
        data = b"" if found is None else found.data
        return data[offset:] if length < 0 else data[offset : offset + length]

    def decode_payloads(self, keys: tuple[str, ...], cancel: CancelToken) -> tuple[Decoding, ...]:
        return codec.decoded(self._codec, keys, lambda key: self._raw(key, cancel), cancel)

    def _raw(self, key: str, cancel: CancelToken) -> list[Any]:
        from engine_bridge.engines.temporal import server_history

        return server_history.raw_payloads(self._open.client, self._shelf, key, cancel)

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        from engine_bridge.engines.temporal import server_log

        return server_log.page(self._open, query, text, cursor, limit, cancel)

    def replayer(self, cancel: CancelToken) -> RunnerSpec:
        from engine_bridge.engines.temporal import replay_input

        return replay_input.SPEC

    def replay_input(self, ref: RunRef, cancel: CancelToken) -> ReplayInput:
        from engine_bridge.engines.temporal import replay_input, server_history

        records = server_history.records(self._client, ref, cancel)
        return replay_input.made(ref, records, cancel, namespace=self._source.namespace)

    def native(self, ref: RunRef, cancel: CancelToken) -> bytes:
        from engine_bridge.engines.temporal import server_history

        return native.history_json(server_history.records(self._client, ref, cancel), 0, cancel)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        from engine_bridge.engines.temporal import server_related

        return server_related.read(self._open, ref, cursor, limit, cancel)

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        from engine_bridge.engines.temporal import server_resources

        return server_resources.read(self._open, kind, cancel)

    def queries(self, ref: RunRef, cancel: CancelToken) -> Handlers:
        from engine_bridge.engines.temporal import server_queries

        return server_queries.offered(self._open.client, ref, cancel)

    def ask(self, ref: RunRef, name: str, args: str, cancel: CancelToken) -> Reply:
        from engine_bridge.engines.temporal import server_queries

        return server_queries.ask(self._open.client, ref, name, args, cancel)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        from engine_bridge.engines.temporal import actions

        return actions.specs(self._open.client, target, cancel)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        from engine_bridge.engines.temporal import actions

        return actions.plan(self._open.client, staged, cancel)

    @staticmethod
    def decode_event(record: Any) -> Event:
        return decode_event(record)

    @staticmethod
    def decode_step(record: Any) -> Step:
        return decode_step(record)

    def now_ns(self, cancel: CancelToken) -> int:
        return self._client.now_ns()


def _probe(client: Client, cancel: CancelToken) -> tuple[str, str, tuple[str, ...]]:
    """The server's version, the store of its visibility, and what must be said of them. Raises SchemaUnknownError."""
    from temporalio.api.workflowservice.v1 import GetClusterInfoRequest, GetSystemInfoRequest

    system = client.call("get_system_info", GetSystemInfoRequest(), cancel)
    version = plain(system.server_version, 60)
    number = re.match(r"(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        raise SchemaUnknownError(
            f"Temporal {version} is older than Playhead reads.",
            f"It reads servers from {OLDEST[0]}.{OLDEST[1]} on. Export the history (temporal workflow show -o json) "
            "and open the file.",
        )
    try:
        store = plain(client.call("get_cluster_info", GetClusterInfoRequest(), cancel).visibility_store, 60)
    except PlayheadError:
        # Hosted servers keep it to themselves.
        cancel.raise_if_cancelled()
        store = ""
    notices = (
        ()
        if system.capabilities.count_group_by_execution_status
        else ("This server counts no runs by status.",)
    )
    return version, store.partition(",")[0], notices


def _namespace(client: Client, cancel: CancelToken) -> tuple[str, ...]:
    """What must be said of the namespace. Raises NotFoundError that lists those there are."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    from engine_bridge.engines.temporal.server_resources import namespaces

    name = client.source.namespace
    try:
        answer = client.call(
            "describe_namespace", DescribeNamespaceRequest(namespace=name), cancel, what=f"namespace {name}"
        )
    except NotFoundError as error:
        try:
            known = sorted(one.namespace_info.name for one in namespaces(client, cancel))
        except PlayheadError:
            known = []
        listed = f"It has: {', '.join(plain(one, 80) for one in known[:20])}." if known else "Check its name."
        raise NotFoundError(
            f"{plain(client.source.address, 120)} has no namespace {plain(name, 120)}.", listed, error.detail
        ) from None
    return ("This namespace is deprecated.",) if answer.namespace_info.state == 2 else ()
