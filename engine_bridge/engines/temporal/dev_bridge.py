"""The bridge of a development server's database: one namespace of a SQLite file, read with no server. It only reads.

The tables answer what a server would be asked (``dev_client``), so lists, headers and histories are made by the same
code as a server's; pages, facets and search go to the tables directly.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from engine_bridge.bridge import (
    Bridge,
    Capability,
    Changes,
    Direction,
    Facets,
    Field,
    Hit,
    Page,
    Resource,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec, dev_spaces, dev_url, native, server_fields
from engine_bridge.engines.temporal.dev_client import DevClient
from engine_bridge.engines.temporal.dev_resources import KINDS
from engine_bridge.engines.temporal.dev_runs import SORTABLE, DevLister
from engine_bridge.engines.temporal.dev_schema import Schema, check
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.engines.temporal.server_bridge import ServerBridge
from engine_bridge.engines.temporal.server_history import Shelf
from engine_bridge.errors import ConnectError
from engine_bridge.format import plain
from engine_bridge.model import RunRef
from engine_bridge.query.ast import Node

if TYPE_CHECKING:
    from engine_bridge.actions.model import ActionSpec, PlanItem, Staged, Target
    from engine_bridge.replay.model import ReplayInput

_OFFERED: Final = frozenset(
    {
        Capability.RUNS, Capability.SORT, Capability.ANCHORS, Capability.FACETS, Capability.CHANGES, Capability.TAIL,
        Capability.PAYLOADS, Capability.DECODE, Capability.FAILURES, Capability.SEARCH, Capability.RELATIONS,
        Capability.RESOURCES, Capability.REPLAY, Capability.WHAT_IF,
    }
)  # fmt: skip
_MISSING: Final = {
    Capability.ACTIONS.value: "a database is only read: start its server, and open temporal://HOST:PORT/NAMESPACE",
    Capability.QUERIES.value: "workers answer queries of a running server: open temporal://HOST:PORT/NAMESPACE",
}
ORDER: Final = (
    "Positions are event ids: the server numbered the events of a run from 1, in the order in which it wrote them. "
    "Times are the server's clock; those of local activities are the worker's."
)
_QUEUES: Final = ("task_queues", "task_queues_v2")


class DevBridge(ServerBridge):
    """One namespace of a database file. Reads may overlap in any threads."""

    host = "thread"
    concurrent = True

    def __init__(self, url: str, token: str | None = None) -> None:
        self._place = dev_url.parse(url)
        self._token = token
        self._codec = codec.Codec()
        self._store = Store(self._place.path)
        self._dev: DevLister | None = None
        self._lister = None
        self._schema: Schema | None = None
        self._shelf = Shelf()

    def open(self, cancel: CancelToken) -> SourceInfo:
        self._shelf = Shelf()
        store, file = self._store, plain(self._place.path.name, 80)
        store.open(cancel)
        try:
            schema = self._schema = check(store, cancel)
            spaces = dev_spaces.read(store, cancel)
            space = dev_spaces.choose(spaces, self._place.namespace, file)
        except BaseException:
            store.close()
            raise
        self._client = DevClient(store, space, spaces)
        self._codec = codec.codec_at(self._place.codec, space.name, self._token)
        self._lister = self._dev = DevLister(self._client)
        said = (store.notice, schema.notice, *dev_spaces.notice(spaces, space), *codec.notices(self._codec))
        return SourceInfo(
            engine="temporal",
            engine_title="Temporal database",
            title=f"{file} · {plain(space.name, 60)}",
            location=self._place.location,
            version="SQLite file of a development server",
            schema_version=schema.version,
            schema_known=schema.known,
            read_only=True,
            order=ORDER,
            capabilities=_OFFERED,
            native=native.TITLE,
            missing=_MISSING,
            notices=tuple(one for one in said if one),
            resource_kinds=KINDS,
        )

    def close(self) -> None:
        self._lister = self._dev = None
        self._codec.forget()
        self._store.close()

    @property
    def _listed(self) -> DevLister:
        if self._dev is None:
            raise ConnectError("The source is closed.", "Open it again.")
        return self._dev

    def fields(self, cancel: CancelToken) -> list[Field]:
        return [
            msgspec.structs.replace(field, sortable=field.name in SORTABLE)
            for field in server_fields.read(self._listed, cancel)
        ]

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        return self._listed.page(query, sort, cursor, direction, limit, cancel)

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        return self._listed.anchors(query, sort, every, cancel)

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        from engine_bridge.engines.temporal import dev_facets

        return dev_facets.read(self._listed, query, buckets, cancel)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        # While nobody writes to the file nothing can have changed in it; but other rows may have come into sight.
        shown = [ref.run for ref in visible]
        stamp = zlib.crc32(repr((self._store.file.stamp(), shown)).encode()).to_bytes(4, "big")
        if mark is not None and mark[:4] == stamp:
            return Changes(mark=mark, moved=False)
        found = super().changes(None if mark is None else mark[4:], visible, cancel)
        return msgspec.structs.replace(found, mark=stamp + found.mark)

    def search(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        from engine_bridge.engines.temporal import dev_search

        return dev_search.hits(self._listed, text, scope, limit, cancel)

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        from engine_bridge.engines.temporal import dev_resources

        schema = self._schema
        tables = [table for table in _QUEUES if schema is not None and schema.has(table, "data")]
        return dev_resources.read(self._listed, kind, tables, cancel)

    def replay_input(self, ref: RunRef, cancel: CancelToken) -> ReplayInput:
        from engine_bridge.engines.temporal import replay_input

        client = self._listed.client
        records, missing = client.records(ref, cancel)
        return replay_input.made(ref, records, cancel, namespace=client.space.name, missing=missing)

    def native(self, ref: RunRef, cancel: CancelToken) -> bytes:
        return native.history_json(*self._listed.client.records(ref, cancel), cancel)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        return Bridge.actions(self, target, cancel)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        return Bridge.plan(self, staged, cancel)
