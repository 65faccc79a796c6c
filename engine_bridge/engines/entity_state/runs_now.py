"""Why an entity stands where it stands: one line, from its row, its newest move, its failures and its config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine_bridge.format import duration
from engine_bridge.model import Blocked, Evidence, Provenance

if TYPE_CHECKING:
    from engine_bridge.engines.entity_state.runs_rows import Entity

_TEXT: Final = 120
_TELLING: Final = ("unknown", "claim", "bad")
_CLAIM: Final = (Evidence(rule="it stands on a status of a claim"),)
_DELAYED: Final = (Evidence(rule="a row of the delayed steps is open"),)
_CONFIG: Final = (Evidence(rule="the config declares these steps on its status"),)


def now_text(entity: Entity) -> str:
    """The line, most telling first; empty for one that ended well and has nothing odd about it."""
    role = entity.info.role
    if not (entity.drifted or entity.failures or role in _TELLING):
        return "" if entity.info.terminal else _waits(entity) or _declared(entity)
    parts = (
        _odd(entity) if entity.drifted or role == "unknown" else "",
        _claim(entity) if role == "claim" else "",
        _failures(entity) if entity.failures else "",
        _ended(entity) if role == "bad" else "",
    )
    told = [part for part in parts if part]
    if told or entity.info.terminal:
        return " · ".join(told)
    return _waits(entity) or _declared(entity)


def _odd(entity: Entity) -> str:
    if entity.drifted and entity.latest is not None:
        unknown = f"“{entity.status}” is in no config · " if entity.info.role == "unknown" else ""
        return f"{unknown}history says {entity.latest.to} · changed by raw SQL"
    return f"“{entity.status}” is in no config" if entity.info.role == "unknown" else ""


def _claim(entity: Entity) -> str:
    since, dead = entity.claimed_since_ns, entity.dead_ns
    who = f"claimed by {entity.claimed_by}" if entity.claimed_by is not None else "claimed"
    if since is None:
        return who
    held = f"{who} for {duration(entity.now_ns - since)}"
    return (
        f"{held}, dead since {duration(entity.now_ns - dead)}" if entity.stuck and dead is not None else held
    )


def _failures(entity: Entity) -> str:
    if entity.info.role == "bad" and entity.failures:
        failure, is_open = entity.failures[0]
        return _line(failure.type, failure.message) + ("" if is_open else " · resolved")
    found = entity.open_failures
    if not found or entity.info.terminal:
        return ""
    line = _line(found[0].type, found[0].message)
    return line if len(found) == 1 else f"{line} · {len(found)} failures"


def _line(type: str, message: str) -> str:
    text = f"{type}: {message}".removesuffix(": ").removeprefix(": ")
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"


def _ended(entity: Entity) -> str:
    if entity.failures:
        return ""
    step = entity.latest.step if entity.latest is not None else None
    return f"ended badly by {step}" if step else "ended badly; why was not recorded"


def _waits(entity: Entity) -> str:
    if not entity.waits:
        return ""
    wait = entity.waits[0]
    if wait.due_ns is None:
        return f"{wait.step} is scheduled"
    gap = wait.due_ns - entity.now_ns
    if gap < 0:
        why = f" · {wait.error}" if wait.error else ""
        return f"{wait.step} was due {duration(-gap)} ago{why}"
    return f"{wait.step} is due in {duration(gap)}"


def _declared(entity: Entity) -> str:
    steps = entity.bound.ways(entity.status, entity.tenant)
    return f"waits for {steps}" if steps else ""


def blocked_on(entity: Entity) -> Blocked | None:
    """What an open entity waits for: its claim, a delayed step, or whoever takes a declared step."""
    since = entity.since_ns
    if entity.info.role == "unknown":
        return None
    if entity.info.role == "claim":
        return Blocked(
            kind="step",
            what=_claim(entity),
            since_ns=entity.claimed_since_ns,
            until_ns=entity.dead_ns,
            evidence=_CLAIM,
        )
    if entity.waits:
        due = entity.waits[0].due_ns
        return Blocked(
            kind="timer", what=_waits(entity), since_ns=since, until_ns=due, provenance=Provenance.RECORDED,
            evidence=_DELAYED,
        )  # fmt: skip
    what = entity.bound.ways(entity.status, entity.tenant)
    if not what:
        return None
    return Blocked(kind="signal", what=what, since_ns=since, evidence=_CONFIG)
