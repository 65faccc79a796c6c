"""Entities as rows, and as ``Run`` values with what stands beside them: the newest move, failures, delayed steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.engines.entity_state.runs_now import blocked_on, now_text
from engine_bridge.engines.entity_state.store_bound import KIND, NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_states import StatusInfo
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.engines.entity_state.store_time import decoder
from engine_bridge.model import Evidence, Failure, Provenance, Run, RunRef, Status

ENGINE: Final = "entity_state"
CORRELATIONS: Final = "correlation_ids"
"""The extra of a scanned run that holds all its correlation ids."""
_S: Final = 1_000_000_000


class Latest(msgspec.Struct, gc=False):
    """The newest history row of an entity."""

    to: str | None
    at_ns: int | None = None
    step: str | None = None
    actor: str | None = None
    requester: str | None = None
    correlation_id: str | None = None


class Wait(msgspec.Struct, gc=False):
    """A step to be taken later."""

    step: str
    due_ns: int | None
    error: str | None = None


class Entity(msgspec.Struct, gc=False, eq=False):
    """One row of an entity table, ``key`` its value in the order of a list, and what stands beside it.

    ``failures`` are its failures, newest first, (failure, open); ``now_ns`` the engine's clock when it was read.
    The second half is made of the first by ``settle``: ``drifted``, its newest history row says another status;
    ``since_ns``, since when it stands there, as far as it is known; ``claimed_since_ns`` and ``dead_ns``, since when it
    is claimed and when the claim outlives its time to live (None: no claim); ``stuck``, it has.
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
    key: Any
    now_ns: int
    info: StatusInfo
    latest: Latest | None = None
    failures: Sequence[tuple[Failure, bool]] = ()
    waits: Sequence[Wait] = ()
    correlations: Sequence[str] = ()
    drifted: bool = False
    since_ns: int | None = None
    claimed_since_ns: int | None = None
    dead_ns: int | None = None
    stuck: bool = False
    open_failures: Sequence[Failure] = ()

    def settle(self) -> None:
        """Works out what follows from what was read."""
        latest, bound = self.latest, self.bound
        self.drifted = latest is not None and latest.to != self.status and bound.status_column is not None
        self.since_ns = self._since(latest)
        if self.failures:
            self.open_failures = [failure for failure, is_open in self.failures if is_open]
        if self.info.role == "claim":
            self.claimed_since_ns = self.since_ns if self.claimed_ns is None else self.claimed_ns
            if self.claimed_since_ns is not None and self.info.ttl_s is not None:
                self.dead_ns = self.claimed_since_ns + int(self.info.ttl_s * _S)
                self.stuck = self.dead_ns < self.now_ns

    def _since(self, latest: Latest | None) -> int | None:
        if latest is not None and latest.at_ns is not None and not self.drifted:
            return latest.at_ns
        if latest is None and self.bound.history is not None and self.created_ns is not None:
            return self.created_ns
        return self.created_ns if self.updated_ns is None else self.updated_ns


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
    value = key[0] if key else None
    info = bound.role(shown, owner)
    return Entity(bound, id, shown, version, owner, label, by, claimed, created, updated, value, now_ns, info)


def entities(bound: Bound, rows: Sequence[Sequence[Any]], now_ns: int) -> list[Entity]:
    """The same of rows as the driver gives them, all with a key."""
    columns = (bound.claimed_at, bound.created_at, bound.updated_at)
    claimed_ns, created_ns, updated_ns = (None if one is None else decoder(one.type) for one in columns)
    infos: dict[Any, StatusInfo] = {}
    made = []
    for id, status, version, tenant, label, by, claimed, created, updated, key in rows:
        info = infos.get((status, tenant))
        shown = NO_STATUS if status is None else str(status)
        owner = None if tenant is None else str(tenant)
        if info is None:
            info = infos[status, tenant] = bound.role(shown, owner)
        if claimed is not None and claimed_ns is not None:
            claimed = claimed_ns(claimed)
        if created is not None and created_ns is not None:
            created = created_ns(created)
        if updated is not None and updated_ns is not None:
            updated = updated_ns(updated)
        made.append(
            Entity(bound, id, shown, version, owner, label, by, claimed, created, updated, key, now_ns, info)
        )
    return made


def run(entity: Entity) -> Run:
    """The header of an entity."""
    entity.settle()
    info, since, id, type = entity.info, entity.since_ns, str(entity.id), entity.bound.type
    status, created, updated, ended = info.neutral, entity.created_ns, entity.updated_ns, info.terminal
    failure = _failure(entity) if entity.failures or status is Status.FAILED else None
    return Run(
        ref=RunRef(KIND, type, id),
        id=id,
        type=type,
        status=status,
        engine_status=entity.status,
        engine=ENGINE,
        created_ns=created,
        started_ns=created,
        ended_ns=_end(entity) if ended else None,
        updated_ns=since if updated is None else updated,
        version=None if entity.version is None else str(entity.version),
        worker=None if entity.claimed_by is None else str(entity.claimed_by),
        now=now_text(entity),
        error=None if failure is None else f"{failure.type}: {failure.message}".removesuffix(": "),
        failure=failure,
        blocked_on=None if ended else blocked_on(entity),
        attributes=_attributes(entity),
        extra=_extra(entity),
        provenance=_provenance(entity),
        evidence=_evidence(entity) if entity.drifted or entity.stuck else (),
    )


def _end(entity: Entity) -> int:
    for at in (entity.since_ns, entity.updated_ns, entity.created_ns):
        if at is not None:
            return at
    return entity.now_ns


def _failure(entity: Entity) -> Failure | None:
    """An open failure, or why an ended entity ended badly."""
    if entity.open_failures and not entity.info.terminal:
        return entity.open_failures[0]
    if entity.info.neutral is not Status.FAILED:
        return None
    if entity.failures:
        return entity.failures[0][0]
    step = None if entity.latest is None else entity.latest.step
    told = f"by step {step}" if step else "why was not recorded"
    return Failure(type=entity.status, message=told, time_ns=entity.since_ns)


def _attributes(entity: Entity) -> dict[str, Any]:
    found = {}
    if entity.tenant is not None:
        found["tenant"] = entity.tenant
    if entity.label is not None:
        found["label"] = str(entity.label)
    if entity.latest is not None and entity.latest.correlation_id is not None:
        found["correlation_id"] = entity.latest.correlation_id
    return found


def _extra(entity: Entity) -> dict[str, Any]:
    latest, role = entity.latest, entity.info.role
    found: dict[str, Any] = {"role": role}
    if entity.since_ns is not None:
        found["since_ns"] = entity.since_ns
    if entity.drifted and latest is not None:
        found["drift"], found["history_says"] = True, latest.to
    if role == "unknown":
        found["unknown"] = True
    if entity.stuck:
        found["stuck"] = True
    if entity.claimed_ns is not None:
        found["claimed_ns"] = entity.claimed_ns
    if entity.dead_ns is not None:
        found["dead_ns"] = entity.dead_ns
    if entity.open_failures:
        found["failures"] = len(entity.open_failures)
    if latest is not None:
        found["last_step"], found["last_actor"] = latest.step, latest.actor
    if entity.correlations:
        found[CORRELATIONS] = list(entity.correlations)
    return found


def _provenance(entity: Entity) -> dict[str, Provenance]:
    return _provenances(
        entity.created_ns is not None,
        entity.info.terminal,
        entity.updated_ns is None,
        entity.drifted or entity.stuck,
    )


@cache
def _provenances(started: bool, ended: bool, updated: bool, now: bool) -> dict[str, Provenance]:
    given = {"started": started, "ended": ended, "updated": updated}
    found = {name: Provenance.REBUILT for name, yes in given.items() if yes}
    return found | {"now": Provenance.INFERRED} if now else found


def _evidence(entity: Entity) -> tuple[Evidence, ...]:
    found = []
    if entity.drifted and entity.latest is not None:
        facts = (f"the row says {entity.status}", f"its newest history row says {entity.latest.to}")
        found.append(Evidence(rule="changed without a history row", facts=facts))
    if entity.stuck:
        fact = f"its time to live is {entity.info.ttl_s:g} s"
        found.append(Evidence(rule="the claim is older than its time to live", facts=(fact,)))
    return tuple(found)
