"""The bridge of entities: delegates each question to the module that answers it, over one ``Store``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

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
from engine_bridge.engines.entity_state import anchors, facets, fields, runs
from engine_bridge.engines.entity_state.changes import Watch
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import SchemaUnknownError
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Run, RunRef
from engine_bridge.query.ast import Node

if TYPE_CHECKING:
    from engine_bridge.actions.model import ActionSpec, PlanItem, Staged, Target
    from engine_bridge.configs import ImpactReport, LintReport, ReplayReport, Simulation
    from engine_bridge.populations import Population, Resolution

_OFFERED: Final = frozenset(
    {
        Capability.RUNS, Capability.SORT, Capability.ANCHORS, Capability.FACETS, Capability.CHANGES, Capability.TAIL,
        Capability.PAYLOADS, Capability.FAILURES, Capability.SEARCH, Capability.RELATIONS, Capability.RESOURCES,
        Capability.ACTIONS, Capability.POPULATION, Capability.CONFIG,
    }
)  # fmt: skip
NO_TENANT: Final = (
    "Row-level security is active and no tenant is set: rows of {tables} cannot be seen, however many there are. "
    "Add tenant=… to the URL."
)


class EntityBridge(Bridge):
    """One database with entities. Reads may overlap in any threads."""

    engine = "entity_state"
    host = "thread"
    concurrent = True

    def __init__(self, url: str, secret: str | None = None) -> None:
        self._store = Store(url, secret)
        self._watch = Watch(self._store)

    def open(self, cancel: CancelToken) -> SourceInfo:
        from engine_bridge.engines.entity_state import resources
        from engine_bridge.engines.entity_state.history_drafts import ORDER_DOC

        store = self._store
        store.open(cancel)
        if not store.workflows:
            self.close()
            told = "; ".join(f"{bound.type}: {bound.problem}" for bound in store.bounds)
            details = "\n".join(f"{f.file}:{f.line}: {f.reason} {f.fix}" for f in store.findings)
            hint = next((f.fix for f in store.findings if f.severity == "error"), "Check the mapping.")
            raise SchemaUnknownError(f"No workflow of the mapping can be read: {told}", hint, details)
        return SourceInfo(
            engine=self.engine,
            engine_title="Entities",
            title=f"{store.mapping.name} ({store.title})",
            location=store.url,
            version=store.version,
            read_only=True,
            order=ORDER_DOC,
            capabilities=self._offered(),
            missing=self._missing(),
            notices=(*store.notices, *self._notices()),
            resource_kinds=resources.kinds(store),
            entity_types=tuple(bound.type for bound in store.workflows),
            tenant=store.tenant,
        )

    def _offered(self) -> frozenset[Capability]:
        failures = any(bound.failures is not None for bound in self._store.workflows)
        return _OFFERED if failures else _OFFERED - {Capability.FAILURES}

    def _missing(self) -> dict[str, str]:
        missing = {bound.type: bound.problem for bound in self._store.bounds if bound.problem}
        if Capability.FAILURES not in self._offered():
            missing[Capability.FAILURES.value] = "the mapping names no table of failures"
        return missing

    def _notices(self) -> Iterator[str]:
        store = self._store
        hidden = [bound.table.name for bound in store.workflows if bound.hidden]
        if hidden:
            yield NO_TENANT.format(tables=", ".join(dict.fromkeys(hidden)))
        for bound in store.bounds:
            if bound.problem:
                yield f"{bound.type} cannot be read: {bound.problem}"
        errors = sum(found.severity == "error" for found in store.findings)
        if errors:
            yield f"{errors} {'error' if errors == 1 else 'errors'} in the mapping or its configs: see the config page."

    def close(self) -> None:
        self._store.close()

    def fields(self, cancel: CancelToken) -> list[Field]:
        return fields.read(self._store, cancel)

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        return runs.page(self._store, query, sort, cursor, direction, limit, cancel)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        return runs.read_run(self._store, ref, cancel)

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        return runs.find(self._store, text, limit, cancel)

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        return anchors.read(self._store, query, sort, every, cancel)

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        return facets.count(self._store, query, cancel)

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        return facets.read(self._store, query, buckets, cancel)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        return self._watch.since(mark, visible, cancel)

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        from engine_bridge.engines.entity_state import history

        return history.read_history(self._store, ref, cancel)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        from engine_bridge.engines.entity_state import tail

        return tail.follow(self._store, ref, after, cancel)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        from engine_bridge.engines.entity_state import related

        return related.read(self._store, ref, cursor, limit, cancel)

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        from engine_bridge.engines.entity_state import payloads

        return payloads.read(self._store, key, offset, length, cancel)

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        from engine_bridge.engines.entity_state import failures

        return failures.page(self._store, query, text, cursor, limit, cancel)

    def search(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        from engine_bridge.engines.entity_state import search

        return search.find(self._store, text, scope, limit, cancel)

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        from engine_bridge.engines.entity_state import resources

        return resources.read(self._store, kind, cancel)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        from engine_bridge.engines.entity_state import actions

        return actions.specs(self._store, target, cancel)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        from engine_bridge.engines.entity_state import actions

        return actions.plan(self._store, staged, cancel)

    def population(self, type: str, query: Node | None, cancel: CancelToken) -> Population:
        from engine_bridge.engines.entity_state import population

        return population.read(self._store, type, query, cancel)

    def next_steps(
        self, ref: RunRef, requester: str, data: dict[str, Any], cancel: CancelToken
    ) -> Resolution:
        from engine_bridge.engines.entity_state import resolution

        return resolution.next_steps(self._store, ref, requester, data, cancel)

    def lint(self, places: tuple[str, ...], tenant: str | None, cancel: CancelToken) -> LintReport:
        from engine_bridge.engines.entity_state import tools_store

        return tools_store.lint(self._store, places, tenant, cancel)

    def simulate(
        self, places: tuple[str, ...], settings: dict[str, Any], cancel: CancelToken
    ) -> tuple[Simulation, ...]:
        from engine_bridge.engines.entity_state import tools_store

        return tools_store.simulate(self._store, places, settings, cancel)

    def impact(
        self, old: tuple[str, ...], new: tuple[str, ...], tenant: str | None, cancel: CancelToken
    ) -> ImpactReport:
        from engine_bridge.engines.entity_state import tools_store

        return tools_store.impact(self._store, old, new, tenant, cancel)

    def replay_moves(
        self, places: tuple[str, ...], type: str, query: Node | None, cancel: CancelToken
    ) -> ReplayReport:
        from engine_bridge.engines.entity_state import tools_store

        return tools_store.replay_moves(self, self._store, places, type, query, cancel)

    def now_ns(self, cancel: CancelToken) -> int:
        return self._store.now_ns(cancel)
