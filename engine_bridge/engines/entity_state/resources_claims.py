"""Claims: who holds which entity, since when, and which claims are dead (older than their time to live)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import resource_ids
from engine_bridge.engines.entity_state.row_parts import labelled, text
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.format import duration

MOST: Final = 1_000
"""Claims that are listed of each type, the longest held first."""
_SECOND_NS: Final = 1_000_000_000


@dataclass(slots=True, frozen=True)
class Claim:
    """One held claim. ``since_ns`` is the claim column's, else the history's; a claim of unknown age counts as dead."""

    entity_id: str
    status: str
    tenant: str | None
    label: str | None
    holder: str | None
    since_ns: int | None
    step: str | None
    ttl_s: float | None

    def dead_since(self, now_ns: int) -> int | None:
        """When its time was over, None while it is not, or where nothing limits it."""
        if self.ttl_s is None or self.since_ns is None:
            return None
        end = self.since_ns + int(self.ttl_s * _SECOND_NS)
        return end if end < now_ns else None

    def dead(self, now_ns: int) -> bool:
        """Whether its holder has lost it."""
        return self.ttl_s is not None and (self.since_ns is None or self.dead_since(now_ns) is not None)


def present(store: Store) -> bool:
    """Whether any workflow knows claims."""
    return any(condition(bound) is not None for bound in store.workflows)


def read(store: Store, cancel: CancelToken) -> list[Resource]:
    """All held claims, dead ones first."""
    now_ns = store.now_ns(cancel)
    found: list[tuple[bool, int, Resource]] = []
    for bound in store.workflows:
        with store.reader(cancel) as reader:
            held = claims(bound, reader, MOST)
        found += [
            (not claim.dead(now_ns), claim.since_ns or 0, _resource(bound.type, claim, now_ns))
            for claim in held
        ]
    return [resource for _, _, resource in sorted(found, key=lambda item: item[:2])]


def condition(bound: Bound) -> sa.ColumnElement[bool] | None:
    """The condition that an entity is claimed; None where this type knows no claims."""
    parts: list[sa.ColumnElement[bool]] = [
        column.is_not(None) for column in (bound.claimed_by, bound.claimed_at) if column is not None
    ]
    if any(info.role == "claim" for info in bound.statuses.values()):
        parts.append(bound.where_role(lambda info: info.role == "claim"))
    return sa.or_(*parts) if parts else None


def claims(bound: Bound, reader: Reader, limit: int) -> list[Claim]:
    """Held claims of one workflow, the longest held first where a column says so."""
    claimed = condition(bound)
    if claimed is None:
        return []
    own = (bound.id, bound.status, bound.tenant, bound.label, bound.claimed_by, bound.claimed_at)
    order = bound.id if bound.claimed_at is None else bound.claimed_at
    statement = sa.select(*labelled(*own, *_latest(bound)))
    rows = reader.all(statement.where(claimed, *bound.scope).order_by(order).limit(limit))
    return [_claim(bound, row) for row in rows]


def _latest(bound: Bound) -> list[Any]:
    """The newest history row: to, at, actor, step; nulls where there is no history."""
    history, names = bound.history, ("to", "at", "actor", "step")
    if history is None:
        return [None] * len(names)
    return [None if getattr(history, n) is None else bound.latest(n).scalar_subquery() for n in names]


def _claim(bound: Bound, row: Any) -> Claim:
    entity_id, status, tenant, label, holder, since, to, at, actor, step = row
    status = NO_STATUS if status is None else str(status)
    entered = to is not None and str(to) == status
    return Claim(
        entity_id=str(entity_id),
        status=status,
        tenant=text(tenant),
        label=text(label),
        holder=text(holder) or (text(actor) if entered else None),
        since_ns=since if since is not None else (at if entered else None),
        step=text(step) if entered else None,
        ttl_s=bound.role(status, text(tenant)).ttl_s,
    )


def _resource(type_: str, claim: Claim, now_ns: int) -> Resource:
    since, ttl = claim.since_ns, claim.ttl_s
    return Resource(
        kind="claims",
        id=resource_ids.make(type_, claim.entity_id),
        title=f"{type_} {claim.label or claim.entity_id}",
        cells={
            "status": claim.status,
            "holder": claim.holder,
            "step": claim.step,
            "since_ns": since,
            "held_dur_ns": None if since is None else now_ns - since,
            "ttl_dur_ns": None if ttl is None else int(ttl * _SECOND_NS),
            "tenant": claim.tenant,
        },
        warning=_warning(claim, now_ns),
        filter=resource_ids.one_entity(type_, claim.entity_id),
    )


def _warning(claim: Claim, now_ns: int) -> str:
    if not claim.dead(now_ns):
        return ""
    ended = claim.dead_since(now_ns)
    return (
        "dead: nothing says since when it is held"
        if ended is None
        else f"dead for {duration(now_ns - ended)}"
    )
