"""What every plan is made from and says: the look at the target, the deed, preconditions, race, and texts to copy."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from engine_bridge.actions.command import act
from engine_bridge.actions.model import ActionSpec, Change, Param, PlanItem, Precondition, Staged, Target
from engine_bridge.engines.entity_state.act_sql import Sql, Write
from engine_bridge.engines.entity_state.actions_declared import Declared
from engine_bridge.engines.entity_state.actions_facts import EntityFacts, Reads
from engine_bridge.engines.entity_state.mapping import Mapping as MappingFile
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.format import duration, plain

DERIVED: Final = "<the request id>"
REASON: Final = "<the reason>"
"""Stand in a plan's calls for what is made and said when the plan is executed."""

_PASTED: Final = "pasted from a plan of Playhead"


@dataclass(frozen=True, slots=True)
class Request:
    """Who does it, why, and under which id."""

    id: str = DERIVED
    who: str = ""
    reason: str = REASON


@dataclass(frozen=True, slots=True)
class Place:
    """The source: ``url`` is what Playhead opens, without a secret; ``client`` what SQLAlchemy does."""

    dialect: str
    tenant: str
    url: str
    client: str
    mapping: MappingFile

    @property
    def sql(self) -> Sql:
        return Sql(self.dialect)


@dataclass(frozen=True, slots=True)
class Look:
    """One staged action, and its target as it is now. ``failure_id`` names one row of the failure log."""

    staged: Staged
    place: Place
    bound: Bound
    declared: Declared
    facts: EntityFacts
    reads: Reads
    entity_id: str
    now_ns: int
    who: str = ""
    failure_id: str | None = None

    @property
    def args(self) -> Mapping[str, Any]:
        return self.staged.args

    @property
    def tenant(self) -> str | None:
        """Whose rows are written: the entity's tenant, else the source's."""
        return self.facts.tenant or self.place.tenant or None

    @property
    def name(self) -> str:
        """The entity, to be read."""
        return f"{self.bound.type}/{plain(self.entity_id, 120)}"

    def text(self, name: str) -> str:
        """A text argument, "" where it is not given."""
        value = self.args.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Deed:
    """What an action writes in one transaction, the first statement being the compare-and-swap."""

    writes: tuple[Write, ...]
    title: str
    changes: tuple[Change, ...]
    args: dict[str, Any] = field(default_factory=dict)
    inverse: Staged | None = None
    irreversible: str = ""
    side_effects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    race: str = ""
    dedupes: bool = False
    calls: tuple[str, ...] = ()


def refused(staged: Staged, title: str, why: str) -> PlanItem:
    """A plan of what must not run."""
    return PlanItem(staged=staged, title=title, refused=why)


def finish(
    look: Look, deed: Deed, pasted: Deed, params: tuple[Param, ...], seen: tuple[Precondition, ...]
) -> PlanItem:
    """The plan of one deed. ``pasted`` is the same with values that can be pasted; ``seen`` what must still be true."""
    staged = msgspec.structs.replace(look.staged, args={**look.staged.args, **deed.args})
    sql, place = look.place.sql, look.place
    spec = ActionSpec(id=staged.action, title="", effect="", params=params)
    return PlanItem(
        staged=staged,
        title=deed.title,
        calls=(*deed.calls, *(sql.shown(write) for write in deed.writes)),
        changes=deed.changes,
        preconditions=seen,
        inverse=deed.inverse,
        irreversible=deed.irreversible,
        race=deed.race,
        side_effects=deed.side_effects,
        warnings=(*claim_in_flight(look), *deed.warnings),
        dedupes=deed.dedupes,
        reason_required=place.mapping.writes.require_reason,
        copy_as={**_copies(look, pasted), "CLI": act(place.url, _typed(look, staged), spec)},
    )


def _typed(look: Look, staged: Staged) -> Staged:
    """The target as type/id: ids of two workflows may be alike."""
    if staged.target.kind != "run":
        return staged
    target = Target(kind="run", id=f"{look.bound.type}/{look.entity_id}")
    return msgspec.structs.replace(staged, target=target)


def _copies(look: Look, pasted: Deed) -> dict[str, str]:
    if not pasted.writes:
        return {}
    place, statements = look.place, look.place.sql.copied(pasted.writes)
    return {"SQL": script(place, look.who, statements), "Python": python(place, look.who, statements)}


def pasting(look: Look) -> Request:
    """A request of whoever pastes the text: an id of its own, and where it came from for a reason."""
    return Request(str(uuid.uuid4()), look.who, _PASTED)


def settings(place: Place, who: str) -> tuple[str, ...]:
    """The tenant's settings, which row-level security and audit triggers look at."""
    if place.dialect == "sqlite" or not place.tenant:
        return ()
    text = place.sql.text
    return (
        f"SELECT set_config('app.tenant_id', {text(place.tenant)}, true), set_config('app.user_id', {text(who)}, true)",
    )


def script(place: Place, who: str, statements: tuple[str, ...]) -> str:
    """Statements to paste, in one transaction."""
    begin = "BEGIN IMMEDIATE" if place.dialect == "sqlite" else "BEGIN"
    return "\n".join(f"{line};" for line in (begin, *settings(place, who), *statements, "COMMIT"))


def python(place: Place, who: str, statements: tuple[str, ...]) -> str:
    """The same as a Python script."""
    lines = [
        "import sqlalchemy",
        "",
        f"engine = sqlalchemy.create_engine({place.client!r})",
        "with engine.begin() as connection:",
        '    options = {"no_parameters": True}',
    ]
    lines += [
        f"    connection.exec_driver_sql({statement!r}, execution_options=options)"
        for statement in (*settings(place, who), *statements)
    ]
    return "\n".join(lines)


def claim_in_flight(look: Look) -> tuple[str, ...]:
    """Whoever holds a claim may be at work right now."""
    facts, info = look.facts, look.bound.role(look.facts.status, look.facts.tenant)
    if info.role != "claim" and facts.claimed_by is None:
        return ()
    who = plain(facts.claimed_by or (facts.last.actor if facts.last else None) or "somebody unknown", 80)
    since = facts.claimed_ns or (facts.last.at_ns if facts.last is not None else None)
    age = None if since is None else look.now_ns - since
    told = f"{who} claimed it" + (f" {duration(age)} ago" if age is not None else ", nobody knows when")
    if age is not None and info.ttl_s is not None and age > info.ttl_s * 1e9:
        return (
            f"{told}; the claim's {info.ttl_s:g} s are over: whoever held it may have died in the middle.",
        )
    return (
        f"{told} and may be at work: what it does outside this database is done, and its own move will lose.",
    )
