"""The statuses of a workflow and what each means: from its configs, from the mapping, else from what is observed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.mapping import States, Transition, WorkflowMap
from engine_bridge.model import Status

Role = Literal["initial", "waiting", "claim", "good", "bad", "cancelled", "unknown"]

CANCELLED: Final = frozenset({"cancelled", "canceled"})
"""Names that make a terminal status of a config one of cancellation; a mapping's ``states`` can name others."""

_NEUTRAL: Final[dict[str, Status]] = {
    "good": Status.COMPLETED,
    "bad": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "unknown": Status.UNKNOWN,
}


@dataclass(frozen=True)
class StatusInfo:
    """One status. ``ttl_s``: how long a claim may hold it; ``declared`` False: seen in the data only."""

    status: str
    role: Role = "waiting"
    ttl_s: float | None = None
    declared: bool = True

    @cached_property
    def neutral(self) -> Status:
        """The engine-neutral status of an entity that stands here."""
        return _NEUTRAL.get(self.role, Status.RUNNING)

    @cached_property
    def terminal(self) -> bool:
        """Whether the life ends here."""
        return self.role in ("good", "bad", "cancelled")


Statuses = dict[str, StatusInfo]


def of_document(document: Document, own: States | None = None) -> Statuses:
    """The statuses of a config; ``own``, the mapping's, overrides their roles."""
    flow = document.workflow
    found: Statuses = {name: StatusInfo(name) for name in flow.status_types}
    ttl: dict[str, float] = {}
    for view in document.views:
        for step in view.workflow.steps:
            if step.claim is not None:
                ttl[step.claim.status] = max(step.claim.ttl_s, ttl.get(step.claim.status, 0))
    for name in flow.status_types:
        if name in ttl:
            found[name] = StatusInfo(name, "claim", ttl[name])
        elif name in flow.terminal.all:
            role: Role = "good" if name in flow.terminal.good else "bad"
            found[name] = StatusInfo(name, "cancelled" if name.lower() in CANCELLED else role)
    if flow.initial in found:
        found[flow.initial] = StatusInfo(flow.initial, "initial")
    return found | (of_mapping(own, None) if own is not None else {})


def of_mapping(states: States | None, transitions: Iterable[Transition] | None) -> Statuses:
    """The statuses that a mapping lists, in the order of life: initial, those of moves, claims, ends."""
    states = states or States()
    roles: dict[str, StatusInfo] = {}
    ends: tuple[tuple[Role, tuple[str, ...]], ...] = (
        ("good", states.good),
        ("bad", states.bad),
        ("cancelled", states.cancelled),
    )
    for name in states.initial:
        roles[name] = StatusInfo(name, "initial")
    for name, ttl in states.claims.items():
        roles[name] = StatusInfo(name, "claim", float(ttl))
    for role, names in ends:
        roles |= {name: StatusInfo(name, role) for name in names}
    moves = [name for move in transitions or () for name in (move.source, move.target)]
    order = dict.fromkeys([*states.initial, *moves, *roles])
    return {name: roles.get(name, StatusInfo(name)) for name in order}


def declared(map: WorkflowMap, catalogue: Catalogue | None, tenant: str) -> dict[str, Statuses]:
    """Statuses by tenant with an overlay, "" for all others; empty where nothing declares any.

    With ``tenant`` only what is in force for it, under "".
    """
    if catalogue is not None and map.type in catalogue.types:
        owners = [owner for name, owner in catalogue.documents if name == map.type]
        if tenant or None not in owners:
            return {"": of_document(catalogue.get(map.type, tenant or owners[0]), map.states)}
        return {owner or "": of_document(catalogue.get(map.type, owner), map.states) for owner in owners}
    listed = of_mapping(map.states, map.transitions)
    return {"": listed} if listed else {}


Ways = dict[str, str]
"""By status, the steps that lead on from it, as a user reads them: ``pay (user, system), remind (cron)``."""
_SHOWN: Final = 3


def ways(map: WorkflowMap, catalogue: Catalogue | None, tenant: str) -> dict[str, Ways]:
    """The declared ways on, by tenant as ``declared``."""
    if catalogue is None or map.type not in catalogue.types:
        found: dict[str, dict[str, None]] = {}
        for move in map.transitions or ():
            found.setdefault(move.source, {})[move.step or f"a move to {move.target}"] = None
        return {"": {status: _listed(list(steps)) for status, steps in found.items()}}
    return {
        owner: _document_ways(catalogue.get(map.type, owner or tenant or None))
        for owner in declared(map, catalogue, tenant)
    }


def complete(map: WorkflowMap, catalogue: Catalogue | None) -> bool:
    """Whether all statuses are declared: by a config, or by a mapping that lists its moves."""
    return map.transitions is not None or (catalogue is not None and map.type in catalogue.types)


def _document_ways(document: Document) -> Ways:
    found: dict[str, dict[str, list[str]]] = {}
    for view in document.views:
        for step in view.workflow.steps:
            found.setdefault(step.status, {}).setdefault(step.key, []).append(view.requester)
    return {
        status: _listed([f"{key} ({', '.join(who)})" for key, who in steps.items()])
        for status, steps in found.items()
    }


def _listed(steps: list[str]) -> str:
    return f"{', '.join(steps[:_SHOWN])}{' …' if len(steps) > _SHOWN else ''}"


def union(by_tenant: dict[str, Statuses]) -> Statuses:
    """All statuses of all tenants; the base's meaning where several know one."""
    found: Statuses = {}
    for owner in sorted(by_tenant):
        found = {**by_tenant[owner], **found}
    base = by_tenant.get("", {})
    return {name: found[name] for name in [*base, *(n for n in found if n not in base)]}
