"""The bridge of DBOS: delegates each question to the module that answers it.

All modules read through ``Database`` (connect.py) and name payloads by payloads.py. Histories come from
``history.read_history``, ``tail.follow`` and ``relations.read``; what an open run waits for from ``infer.blocked``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from engine_bridge.bridge import (
    Bridge,
    Capability,
    Changes,
    Direction,
    Facets,
    Field,
    Hit,
    Page,
    Relations,
    Resource,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import anchors, facets, failures, fields, payloads, resources, runs, search
from engine_bridge.engines.dbos.changes import Watch
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history_order import ORDER_DOC
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Run, RunRef
from engine_bridge.query.ast import Node

_OFFERED: Final = frozenset(
    {
        Capability.RUNS, Capability.SORT, Capability.ANCHORS, Capability.FACETS, Capability.CHANGES, Capability.TAIL,
        Capability.PAYLOADS, Capability.FAILURES, Capability.SEARCH, Capability.RELATIONS, Capability.RESOURCES,
        Capability.REPLAY,
    }
)  # fmt: skip

if TYPE_CHECKING:
    from engine_bridge.actions.model import ActionSpec, PlanItem, Staged, Target
    from engine_bridge.engines.dbos.plan_base import Place
    from engine_bridge.replay.model import ReplayInput, RunnerSpec


class DbosBridge(Bridge):
    """One DBOS system database. Reads may overlap in any threads."""

    engine = "dbos"
    host = "thread"
    concurrent = True

    def __init__(self, url: str, secret: str | None = None) -> None:
        self._db = Database(url, secret)
        self._url = url
        self._runs: tuple[int, runs.Lister] | None = None
        self._watch = Watch(self._db)

    def _lister(self) -> runs.Lister:
        # The columns may have changed when the source had to be opened anew.
        if self._runs is None or self._runs[0] != self._db.generation:
            self._runs = (self._db.generation, runs.Lister(self._db))
        return self._runs[1]

    def open(self, cancel: CancelToken) -> SourceInfo:
        self._db.open(cancel)
        probed = self._db.probed
        lacks = self._no_actions() | self._no_replay()
        return SourceInfo(
            engine="dbos",
            engine_title="DBOS",
            title=self._db.title,
            location=self._db.location,
            version=probed.server,
            schema_version=None if probed.version is None else str(probed.version),
            schema_known=probed.known,
            read_only=True,
            order=ORDER_DOC,
            capabilities=(_OFFERED | {Capability.ACTIONS}) - lacks.keys(),
            missing={table: f"no SELECT on {table}" for table in probed.denied} | lacks,
            notices=self._db.notices + probed.notices,
            resource_kinds=resources.kinds(self._db.tables),
        )

    def _no_actions(self) -> dict[str, str]:
        from engine_bridge.engines.dbos import actions

        why = actions.unavailable(self._db)
        return {Capability.ACTIONS: why} if why else {}

    def _no_replay(self) -> dict[str, str]:
        from engine_bridge.engines.dbos import replay_input

        why = replay_input.unavailable(self._db)
        return {Capability.REPLAY: why} if why else {}

    def _place(self) -> Place:
        from engine_bridge.engines.dbos import actions
        from engine_bridge.engines.dbos.url import parse

        return actions.place_of(parse(self._url), self._db.dialect)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        from engine_bridge.engines.dbos import actions

        return actions.specs(self._db, self._place(), target, cancel)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        from engine_bridge.engines.dbos import actions

        return actions.plan(self._db, self._place(), staged, cancel)

    def close(self) -> None:
        self._db.close()

    def fields(self, cancel: CancelToken) -> list[Field]:
        return fields.read(self._db, cancel)

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        return self._lister().page(query, sort, cursor, direction, limit, cancel)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        return self._lister().header(ref, cancel)

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        return self._lister().find(text, limit, cancel)

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        from engine_bridge.engines.dbos import history

        return history.read_history(self._db, ref, cancel)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        from engine_bridge.engines.dbos import tail

        return tail.follow(self._db, ref, after, cancel)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        from engine_bridge.engines.dbos import relations

        return relations.read(self._db, ref, cursor, limit, cancel)

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        return anchors.read(self._db, self._lister(), query, sort, every, cancel)

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        return facets.count(self._db, self._lister(), query, cancel)

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        return facets.read(self._db, self._lister(), query, buckets, cancel)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        return self._watch.since(self._lister(), mark, visible, cancel)

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        return payloads.read(self._db, key, offset, length, cancel)

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        return failures.page(self._db, self._lister(), query, text, cursor, limit, cancel)

    def search(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        return search.find(self._db, self._lister(), text, scope, limit, cancel)

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        return resources.read(self._db, kind, cancel)

    def replayer(self, cancel: CancelToken) -> RunnerSpec:
        from engine_bridge.engines.dbos import replay_input

        return replay_input.SPEC

    def replay_input(self, ref: RunRef, cancel: CancelToken) -> ReplayInput:
        from engine_bridge.engines.dbos import replay_input

        return replay_input.read(self._db, ref, cancel)

    def now_ns(self, cancel: CancelToken) -> int:
        return self._db.now_ns(cancel)
