"""Entities as rows, and as ``Run`` values with what stands beside them: the newest move, failures, delayed steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.runs_now import blocked_on, now_text
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_states import StatusInfo
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.model import Evidence, Failure, Provenance, Run, Status

ENGINE: Final = "entity_state"
CORRELATIONS: Final = "correlation_ids"
"""The extra of a scanned run that holds all its correlation ids."""
_S: Final = 1_000_000_000


@dataclass(slots=True)
class Latest:
    """The newest history row of an entity."""

    to: str | None
    at_ns: int | None = None
    step: str | None = None
    actor: str | None = None
    requester: str | None = None
    correlation_id: str | None = None


@dataclass(slots=True)
class Wait:
    """A step to be taken later."""

    step: str
    due_ns: int | None
    error: str | None = None


@dataclass(slots=True)
class Entity:
    """One row of an entity table, ``key`` its value in the order of a list, and what stands beside it.

    ``failures`` are its failures, newest first, (failure, open); ``now_ns`` the engine's clock when it was read.
    """

    bound: Bound
    id: Any
    status: str
    version: Any
    tenant: str | None
    label: Any
    claimed_by: Any
    claimed_ns: int | None
    created_ns: int | None
    updated_ns: int | None
    key: Any = None
    latest: Latest | None = None
    failures: list[tuple[Failure, bool]] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    correlations: list[str] = field(default_factory=list)
    now_ns: int = 0

    @property
    def info(self) -> StatusInfo:
        """What its status means."""
        return self.bound.role(self.status, self.tenant)

    @property
    def drifted(self) -> bool:
        """Whether its newest history row says another status: somebody changed it without one."""
        if self.latest is None or self.bound.status_column is None:
            return False
        return self.latest.to != self.status

    @property
    def since_ns(self) -> int | None:
        """Since when it stands on its status, as far as it is known."""
        if self.latest is not None and not self.drifted and self.latest.at_ns is not None:
            return self.latest.at_ns
        if self.latest is None and self.bound.history is not None and self.created_ns is not None:
            return self.created_ns
        return self.created_ns if self.updated_ns is None else self.updated_ns

    @property
    def claimed_since_ns(self) -> int | None:
        """Since when it is claimed; None where it is not, or nobody wrote it down."""
        if self.info.role != "claim":
            return None
        return self.since_ns if self.claimed_ns is None else self.claimed_ns

    @property
    def dead_ns(self) -> int | None:
        """When its claim outlives its time to live; None without a claim."""
        since, ttl = self.claimed_since_ns, self.info.ttl_s
        return None if since is None or ttl is None else since + int(ttl * _S)

    @property
    def stuck(self) -> bool:
        """Whether its claim is older than its time to live."""
        dead = self.dead_ns
        return dead is not None and dead < self.now_ns

    @property
    def open_failures(self) -> list[Failure]:
        """Failures that nobody resolved, newest first."""
        return [failure for failure, is_open in self.failures if is_open]


def listed(bound: Bound) -> list[Any]:
    """The columns that a list reads, in the order of ``entity``; NULL in the place of absent ones."""
    tenant = None if bound.tenant is None else as_text(bound.tenant)
    columns = (
        bound.id, bound.status, bound.version, tenant, bound.label, bound.claimed_by, bound.claimed_at,
        bound.created_at, bound.updated_at,
    )  # fmt: skip
    return [(sa.null() if column is None else column).label(f"c{n}") for n, column in enumerate(columns)]


def entity(bound: Bound, row: Sequence[Any], now_ns: int) -> Entity:
    """An entity of a row of ``listed``, perhaps with a key behind it."""
    id, status, version, tenant, label, by, claimed, created, updated, *key = row
    shown = NO_STATUS if status is None else str(status)
    owner = None if tenant is None else str(tenant)
    made = Entity(bound, id, shown, version, owner, label, by, claimed, created, updated, now_ns=now_ns)
    made.key = key[0] if key else None
    return made


def run(entity: Entity) -> Run:
    """The header of an entity."""
    info, since, failure = entity.info, entity.since_ns, _failure(entity)
    status = info.neutral
    return Run(
        ref=entity.bound.ref(entity.id),
        id=str(entity.id),
        type=entity.bound.type,
        status=status,
        engine_status=entity.status,
        engine=ENGINE,
        created_ns=entity.created_ns,
        started_ns=entity.created_ns,
        ended_ns=_end(entity) if status.closed else None,
        updated_ns=entity.updated_ns if entity.updated_ns is not None else since,
        version=None if entity.version is None else str(entity.version),
        worker=None if entity.claimed_by is None else str(entity.claimed_by),
        now=now_text(entity),
        error=None if failure is None else f"{failure.type}: {failure.message}".removesuffix(": "),
        failure=failure,
        blocked_on=blocked_on(entity),
        attributes=_attributes(entity),
        extra=_extra(entity),
        provenance=_provenance(entity),
        evidence=_evidence(entity),
    )


def _end(entity: Entity) -> int:
    for at in (entity.since_ns, entity.updated_ns, entity.created_ns):
        if at is not None:
            return at
    return entity.now_ns


def _failure(entity: Entity) -> Failure | None:
    """An open failure, or why an ended entity ended badly."""
    unresolved = entity.open_failures
    if unresolved and not entity.info.terminal:
        return unresolved[0]
    if entity.info.neutral is not Status.FAILED:
        return None
    if entity.failures:
        return entity.failures[0][0]
    step = None if entity.latest is None else entity.latest.step
    told = f"by step {step}" if step else "why was not recorded"
    return Failure(type=entity.status, message=told, time_ns=entity.since_ns)


def _attributes(entity: Entity) -> dict[str, Any]:
    latest = entity.latest
    found = {
        "tenant": entity.tenant,
        "label": None if entity.label is None else str(entity.label),
        "correlation_id": None if latest is None else latest.correlation_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def _extra(entity: Entity) -> dict[str, Any]:
    latest, dead = entity.latest, entity.dead_ns
    found: dict[str, Any] = {
        "since_ns": entity.since_ns,
        "role": entity.info.role,
        "drift": entity.drifted or None,
        "history_says": latest.to if latest is not None and entity.drifted else None,
        "unknown": entity.info.role == "unknown" or None,
        "stuck": entity.stuck or None,
        "claimed_ns": entity.claimed_ns,
        "dead_ns": dead,
        "failures": len(entity.open_failures) or None,
        "last_step": None if latest is None else latest.step,
        "last_actor": None if latest is None else latest.actor,
        CORRELATIONS: entity.correlations or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _provenance(entity: Entity) -> dict[str, Provenance]:
    found = {}
    if entity.created_ns is not None:
        found["started"] = Provenance.REBUILT
    if entity.info.neutral.closed:
        found["ended"] = Provenance.REBUILT
    if entity.updated_ns is None:
        found["updated"] = Provenance.REBUILT
    if entity.drifted or entity.stuck:
        found["now"] = Provenance.INFERRED
    return found


def _evidence(entity: Entity) -> tuple[Evidence, ...]:
    found = []
    if entity.drifted and entity.latest is not None:
        facts = (f"the row says {entity.status}", f"its newest history row says {entity.latest.to}")
        found.append(Evidence(rule="changed without a history row", facts=facts))
    if entity.stuck:
        fact = f"its time to live is {entity.info.ttl_s:g} s"
        found.append(Evidence(rule="the claim is older than its time to live", facts=(fact,)))
    return tuple(found)
