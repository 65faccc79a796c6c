"""Operator actions on entities, as the bridge describes and plans them; reads only. The actor is act.py.

One place says for each action what it does now, with which parameters, and what it writes: plan and actor ask the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote

from engine_bridge.actions.journal_rows import who
from engine_bridge.actions.model import ActionSpec, Param, PlanItem, Precondition, Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    actions_declared,
    actions_facts,
    actions_rights,
    plan_claim,
    plan_failure,
    plan_move,
    plan_observe,
    plan_retry,
    resource_ids,
)
from engine_bridge.engines.entity_state.actions_declared import Declared
from engine_bridge.engines.entity_state.actions_facts import EntityFacts, Reads
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.mapping import Mapping
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Place, Request, finish, pasting, refused
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import KIND, NO_STATUS, Bound
from engine_bridge.engines.entity_state.url import Place as Address
from engine_bridge.errors import NotFoundError, PlayheadError, RejectedError
from engine_bridge.format import plain

_SEEN: Final = 500
"""History rows that tell what is usual, where nothing is declared."""


def _entity(look: Look) -> tuple[Precondition, ...]:
    return actions_facts.observed(look.facts)


@dataclass(frozen=True, slots=True)
class Kind:
    """One action. ``effect`` answers (what it does now, why it cannot); ``writes`` is the right it needs; ``http``: it
    may go through the mapping's endpoint."""

    title: str
    effect: Callable[[Look], tuple[str, str]]
    deed: Callable[[Look, Request], Deed]
    params: Callable[[Look], tuple[Param, ...]] = lambda look: ()
    seen: Callable[[Look], tuple[Precondition, ...]] = _entity
    writes: str = "move"
    dedupes: bool = False
    http: bool = False
    glyph: str = ""
    undoes: tuple[str, ...] = ()


_MOVE: Final = Kind("Move to…", plan_move.effect, plan_move.deed, plan_move.params, glyph="forward")
_UNDO: Final = Kind(
    "Undo the last move", plan_move.undo_effect, plan_move.undo, glyph="back", undoes=("move", "degrade")
)
_RELEASE: Final = Kind(
    "Release the claim…", plan_claim.effect, plan_claim.deed, plan_claim.params, glyph="unlock"
)
_RETRY: Final = Kind(
    "Retry a step…", plan_retry.effect, plan_retry.deed, plan_retry.params, writes="delayed", dedupes=True, http=True,
    glyph="running",
)  # fmt: skip
_OBSERVE: Final = Kind(
    "Record what happened elsewhere…",
    plan_observe.effect,
    plan_observe.deed,
    plan_observe.params,
    glyph="signal",
)
_RESOLVE: Final = Kind(
    "Resolve its failures", plan_failure.effect, plan_failure.deed, seen=plan_failure.observed, writes="failure",
    glyph="completed",
)  # fmt: skip
_REOPEN: Final = Kind(
    "Open its failures again", plan_failure.reopen_effect, plan_failure.reopen, seen=plan_failure.observed,
    writes="failure", glyph="back", undoes=("resolve_failure",),
)  # fmt: skip
_DEGRADE: Final = Kind(
    "Move off a lost status…",
    plan_move.degrade_effect,
    plan_move.degrade,
    plan_move.degrade_params,
    glyph="fork",
)

KINDS: Final = {
    "move": _MOVE,
    "release_claim": _RELEASE,
    "retry_step": _RETRY,
    "mark_observed": _OBSERVE,
    "resolve_failure": _RESOLVE,
    "degrade": _DEGRADE,
    "undo_move": _UNDO,
    "reopen_failure": _REOPEN,
}
_OF_CLAIM: Final = {name: KINDS[name] for name in ("release_claim", "move", "retry_step")}
_OF_FAILURE: Final = {name: KINDS[name] for name in ("resolve_failure", "reopen_failure", "retry_step")}
_TARGETS: Final = {"run": KINDS, "claims": _OF_CLAIM, "failures": _OF_FAILURE}


@dataclass(frozen=True, slots=True)
class Source:
    """What actions need to know of an open source; the bridge's and the actor's."""

    address: Address
    dialect: str
    tenant: str
    mapping: Mapping
    catalogue: Catalogue | None
    workflow: Callable[[str], Bound]
    bounds: tuple[Bound, ...]
    rights: dict[tuple[str, str], str] = field(default_factory=dict)

    def lacking(self, bound: Bound, reads: Reads, kind: str) -> str:
        """What may not be written; asked once for each workflow and kind."""
        asked = (bound.type, kind)
        if asked not in self.rights:
            self.rights[asked] = actions_rights.lacking(bound, self.address, reads, kind)
        return self.rights[asked]

    @property
    def place(self) -> Place:
        """For texts, without secrets."""
        return Place(self.dialect, self.tenant, self.address.location, client_url(self.address), self.mapping)


def client_url(address: Address) -> str:
    """SQLAlchemy's URL of a source, without its password."""
    if address.path is not None:
        return f"sqlite:///{address.path.absolute()}"
    user = f"{quote(address.user, safe='')}@" if address.user else ""
    port = f":{address.port}" if address.port else ""
    socket = address.host.startswith("/")
    where = f"{user}{port}" if socket else f"{user}{address.host}{port}"
    query = f"?host={quote(address.host)}" if socket else ""
    return f"postgresql+psycopg://{where}/{quote(address.database, safe='')}{query}"


def source_of(store: Store) -> Source:
    """The bridge's side."""
    return Source(
        store.place, store.dialect, store.tenant, store.mapping, store.catalogue, store.workflow, store.bounds
    )


def specs(store: Store, target: Target, cancel: CancelToken) -> list[ActionSpec]:
    """What can be done to a target now. Raises NotFoundError; [] for kinds that nothing can be done to."""
    kinds = _TARGETS.get(target.kind, {})
    if not kinds:
        return []
    source, now_ns = source_of(store), store.now_ns(cancel)
    with store.reader(cancel) as read:
        first = looked(source, Staged(target=target, action=""), read, now_ns)
        looks = [replace(first, staged=Staged(target=target, action=name)) for name in kinds]
        return [_spec(source, look, kinds[look.staged.action]) for look in looks]


def _spec(source: Source, look: Look, kind: Kind) -> ActionSpec:
    effect, disabled = effect_of(source, look, kind)
    return ActionSpec(
        id=look.staged.action,
        title=kind.title,
        effect=effect,
        params=() if disabled else kind.params(look),
        disabled=disabled,
        bulk=look.staged.target.kind == "run",
        dedupes=kind.dedupes,
        glyph=kind.glyph,
        undoes=kind.undoes,
    )


def effect_of(source: Source, look: Look, kind: Kind) -> tuple[str, str]:
    """What an action does now, and why it is disabled; one of the two is empty."""
    why = actions_rights.off(source.mapping, http=kind.http)
    if not why and not (kind.http and plan_retry.endpoint(look)):
        why = source.lacking(look.bound, look.reads, kind.writes)
    return ("", why) if why else kind.effect(look)


def plan(store: Store, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
    """What staged actions will do, one item each, in order."""
    source, now_ns = source_of(store), store.now_ns(cancel)
    items = []
    with store.reader(cancel) as read:
        for number, one in enumerate(staged):
            cancel.progress(number, len(staged), "planning")
            items.append(_plan(source, one, read, now_ns))
    return items


def _plan(source: Source, staged: Staged, reads: Reads, now_ns: int) -> PlanItem:
    kind = kind_of(staged)
    title = f"{staged.action} {plain(staged.target.id, 120)}"
    if kind is None:
        return refused(staged, title, f"There is no action {staged.action} on {staged.target.kind}.")
    try:
        look = looked(source, staged, reads, now_ns)
        why = effect_of(source, look, kind)[1]
        if why:
            return refused(staged, title, why)
        request = Request(who=look.who)
        deed, pasted = kind.deed(look, request), kind.deed(look, pasting(look))
        return finish(look, deed, pasted, kind.params(look), kind.seen(look))
    except PlayheadError as error:
        return refused(staged, title, str(error))


def kind_of(staged: Staged) -> Kind | None:
    """The action, None where its target has no such."""
    return _TARGETS.get(staged.target.kind, {}).get(staged.action)


def looked(source: Source, staged: Staged, reads: Reads, now_ns: int) -> Look:
    """The target as it is now. Raises NotFoundError where it is not there, or not this tenant's."""
    type_, entity_id, failure_id = _aim(source, staged.target, reads)
    bound = source.workflow(type_)
    if bound.hidden:
        raise RejectedError(
            "No tenant is set, and row-level security hides every row.", "Add tenant=… to the URL."
        )
    facts = None if not entity_id else actions_facts.read(bound, reads, entity_id, source.dialect)
    if facts is None and failure_id is None:
        tenant = f" for the tenant {source.tenant}" if source.tenant else ""
        raise NotFoundError(f"There is no {bound.type} {plain(entity_id, 120)}{tenant} (any more).")
    return Look(
        staged=staged,
        place=source.place,
        bound=bound,
        declared=_declared(source, bound, facts, reads),
        facts=facts or EntityFacts(key=None, status=NO_STATUS, strength="version", token=None),
        reads=reads,
        entity_id=entity_id,
        now_ns=now_ns,
        who=who(),
        failure_id=failure_id,
    )


def _aim(source: Source, target: Target, reads: Reads) -> tuple[str, str, str | None]:
    """(workflow type, entity id, failure id) of a target."""
    if target.kind == "failures":
        type_, row_id = resource_ids.parse(target.id)
        return type_, _entity_of(source.workflow(type_), row_id, reads), row_id
    if target.kind == "run" and target.ref is not None and target.ref.kind == KIND:
        return target.ref.group, target.ref.run, None
    if "/" in target.id or target.kind != "run":
        return *resource_ids.parse(target.id), None
    usable = [bound for bound in source.bounds if bound.usable]
    if len(usable) != 1:
        raise NotFoundError(f"Which workflow has {plain(target.id, 120)}?", "Write type/id.")
    return usable[0].type, target.id, None


def _entity_of(bound: Bound, failure_id: str, reads: Reads) -> str:
    import sqlalchemy as sa

    table = bound.failures
    if table is None:
        raise NotFoundError("The mapping names no failure log.")
    found = reads.one(
        sa.select(table.entity_id).where(*table.scope, sa.cast(table.id, sa.Text) == failure_id)
    )
    if found is None:
        raise NotFoundError(f"There is no failure {plain(failure_id, 120)} (any more).")
    return str(found[0])


def _declared(source: Source, bound: Bound, facts: EntityFacts | None, reads: Reads) -> Declared:
    catalogue, tenant = source.catalogue, (facts.tenant if facts is not None else None) or source.tenant
    if catalogue is not None and bound.type in catalogue.types:
        return _of_catalogue(catalogue, bound, tenant)
    if bound.map.transitions is not None:
        return actions_declared.of_mapping(bound.map)
    history = bound.history
    source_column = actions_facts.column(history, "from_")
    if history is None or source_column is None:
        return Declared()
    import sqlalchemy as sa

    newest = sa.select(source_column.label("s"), history.to.label("t")).where(*history.rows)
    some = newest.order_by(history.order.desc()).limit(_SEEN).subquery()
    rows = reads.all(sa.select(some.c.s, some.c.t).distinct())
    return actions_declared.observed((None if row[0] is None else str(row[0]), str(row[1])) for row in rows)


def _of_catalogue(catalogue: Catalogue, bound: Bound, tenant: str | None) -> Declared:
    owners = [owner for name, owner in catalogue.documents if name == bound.type]
    chosen = tenant if tenant in owners or None in owners else owners[0]
    return actions_declared.of_document(catalogue.get(bound.type, chosen))
