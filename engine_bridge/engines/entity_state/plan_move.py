"""Moves by hand: to a status, back again, and away from a status that a config has lost."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Change, Param, ParamType, Staged
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import actions_facts, revisions
from engine_bridge.engines.entity_state.actions_facts import EntityFacts, Moved
from engine_bridge.engines.entity_state.engine.catalogue import load_texts
from engine_bridge.engines.entity_state.engine.errors import UnknownWorkflowError
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.plan_transition import (
    DEGRADE,
    MOVE,
    UNDO,
    Transition,
    user_id,
    writes,
)
from engine_bridge.engines.entity_state.store_bound import NO_STATUS
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.errors import RejectedError
from engine_bridge.format import plain

_KEPT_S: Final = 10
_BY_HAND: Final = (MOVE, DEGRADE, UNDO)
_RACE: Final = {
    "version": "Compare-and-swap on version {token} and status {status}: whoever moves it first wins, and then nothing "
    "here is written.",
    "xmin": "This table has no version column. Compare-and-swap on status {status} and PostgreSQL's own version of the "
    "row (xmin {token}): any change of the row makes it fail.",
    "row": "This table has no version column. Compare-and-swap on status {status}; a hash of the row as it was read is "
    "compared under the file's write lock, in the transaction that writes.",
    "history": "The latest history row is the state: the row that is the latest now (order {token}) and the unique "
    "indexes of the history are the compare-and-swap.",
}


def race(look: Look) -> str:
    """How strong the compare-and-swap is."""
    facts, history = look.facts, look.bound.history
    if facts.strength == "history" and history is not None and not _indexed(history):
        return "There is no unique index on entity and order of the history: two moves at once may both be written."
    return _RACE[facts.strength].format(token=plain(str(facts.token), 40), status=plain(facts.status, 80))


def _indexed(history: BoundTable) -> bool:
    wanted = {history.entity_id.name, history.order.name}
    own: list[Any] = [index.columns for index in history.table.indexes if index.unique]
    own += [
        c.columns
        for c in history.table.constraints
        if isinstance(c, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
    ]
    return any({column.name for column in columns} == wanted for columns in own)


def effect(look: Look) -> tuple[str, str]:
    """What a move does now, and why it cannot be made; one of the two is empty."""
    free = look.bound.observed and look.place.mapping.writes.allow == "any"
    if not free and not choices(look):
        return "", _nowhere(look)
    return f"It leaves {plain(look.facts.status, 80)} for the status you choose; nothing else is done.", ""


def _nowhere(look: Look) -> str:
    here = plain(look.facts.status, 80)
    if look.place.mapping.writes.allow == "any":
        return "No other status is known for it."
    if look.bound.observed and look.declared.empty:
        return f'Nothing is declared, and nobody was seen leaving {here}: allow = "any" in [writes] lets you choose.'
    return f'No declared step leads on from {here}: moves that no config declares need allow = "any" in [writes].'


def choices(look: Look) -> tuple[str, ...]:
    """Where it may go: declared targets first, then, where the mapping allows them, all others."""
    found = list(look.declared.targets(look.facts.status))
    if look.place.mapping.writes.allow == "any":
        found += known(look)
    return tuple(name for name in dict.fromkeys(found) if name != look.facts.status)


def known(look: Look) -> tuple[str, ...]:
    """The statuses in force for the entity's tenant."""
    by_tenant = look.bound.by_tenant
    if look.bound.observed:
        return actions_facts.statuses(look.bound, look.reads)
    return tuple(by_tenant.get(look.facts.tenant or "", by_tenant.get("", look.bound.statuses)))


def params(look: Look) -> tuple[Param, ...]:
    """The target, each with what declares it."""
    found = choices(look)
    ways = [str(way) for way in look.declared.ways.get(look.facts.status, ())]
    doc = f"Declared from here: {'; '.join(ways)}." if ways else "Nothing is declared from here."
    if look.bound.observed and look.place.mapping.writes.allow == "any":
        return (Param(name="to", title="To", doc=f"Seen so far: {', '.join(found)}."),)
    return (Param(name="to", title="To", type=ParamType.CHOICE, choices=found, doc=doc),)


def deed(look: Look, request: Request) -> Deed:
    """Raises RejectedError for a target that may not be chosen."""
    to, facts = look.text("to"), look.facts
    if not to:
        raise RejectedError("Choose the status to move to.")
    if to == facts.status:
        raise RejectedError(f"It stands on {plain(to, 80)} already.")
    if look.text("left") and look.text("left") != str(facts.token):
        raise RejectedError("It was changed since that move, so it is not undone.")
    way = look.declared.way(facts.status, to)
    if way is None and look.place.mapping.writes.allow != "any":
        raise RejectedError(
            f"No declared step leads from {plain(facts.status, 80)} to {plain(to, 80)}.",
            'Moves that no config declares need allow = "any" in [writes].',
        )
    warnings = list(undeclared(look, to)) if way is None else []
    if way is not None and way.override:
        warnings.append(f"Only an admin's step ({way.step}) leads there.")
    return moved(look, request, Transition(to, MOVE), tuple(warnings))


def undeclared(look: Look, to: str) -> tuple[str, ...]:
    """What to know of a target that no step leads to."""
    found = [f"No declared step leads from {plain(look.facts.status, 80)} to {plain(to, 80)}."]
    if not look.bound.observed and to not in known(look):
        found.append(
            f"The config in force does not know {plain(to, 80)}: the entity is stranded there until it does."
        )
    return tuple(found)


def moved(look: Look, request: Request, move: Transition, warnings: tuple[str, ...] = ()) -> Deed:
    """A change of status by hand, with all that is to be said of any."""
    facts, history = look.facts, look.bound.history
    info = look.bound.role(move.to, facts.tenant)
    more = [f"{plain(move.to, 80)} is a claim's status, and nobody holds it: the janitor will find it dead."]
    warnings = (*warnings, *(more if info.role == "claim" else ()))
    if history is None:
        warnings = (*warnings, "There is no history table: Playhead's journal is the only record of it.")
    return Deed(
        writes=writes(look, move, request),
        title=f"Move {look.name} to {plain(move.to, 80)}",
        changes=changes(look, move.to),
        args={"to": move.to} | ({"left": None} if "left" in look.args else {}),
        inverse=_inverse(look, move),
        irreversible="" if _inverse(look, move) else "It can be moved again by hand.",
        side_effects=(*not_run(look, move), *_events(look, move)),
        warnings=(*warnings, *_nobody(look, request)),
        race=race(look),
    )


def _nobody(look: Look, request: Request) -> tuple[str, ...]:
    """Where actors are rows of a table, the operator may not be one."""
    history = look.bound.history
    link = history.actor_link if history is not None else None
    if history is None or link is None or user_id(look, history, request) is not None:
        return ()
    return (f"{link.table} knows no {plain(look.who, 80)}: the history row names the operator in its text.",)


def changes(look: Look, to: str) -> tuple[Change, ...]:
    """Before and after."""
    facts, found = look.facts, [Change(what="status", before=look.facts.status, after=to)]
    if facts.version is not None:
        found.append(Change(what="version", before=str(facts.version), after=str(facts.version + 1)))
    if facts.claimed_by is not None:
        found.append(Change(what="claimed by", before=plain(facts.claimed_by, 80), after="nobody"))
    return tuple(found)


def _inverse(look: Look, move: Transition) -> Staged | None:
    """The move back, which the history row proves to be one; valid until somebody else moves it."""
    if look.bound.history is None or move.step not in (MOVE, DEGRADE) or look.facts.status == NO_STATUS:
        return None
    return msgspec.structs.replace(look.staged, action="undo_move", args={})


def back(before: Look, now: Look) -> Staged | None:
    """The move back where no history proves one: valid while the row is as this move left it."""
    if before.bound.history is not None or before.staged.action != "move":
        return None
    args = {"to": before.facts.status, "left": str(now.facts.token)}
    return msgspec.structs.replace(before.staged, args=args)


def not_run(look: Look, move: Transition) -> tuple[str, ...]:
    """What the application would have done, and does not."""
    found = ["The application's guards, actions and callbacks do not run: only these rows are written."]
    way = look.declared.way(look.facts.status, move.to)
    step = look.declared.step(way.step) if way is not None else None
    if step is not None and step.use_cases:
        found.append(f"Of step {step.key} these use cases are skipped: {', '.join(step.use_cases)}.")
    return tuple(found)


def _events(look: Look, move: Transition) -> tuple[str, ...]:
    found = []
    own = look.bound.map.profile == "own"
    if own and look.bound.outbox is not None:
        found.append(f"The outbox publishes {look.bound.type}.{plain(move.to, 80)}: consumers act on it.")
    if own and look.bound.role(move.to, look.facts.tenant).role == "bad" and look.bound.failures is not None:
        found.append("It enters the failure log.")
    return tuple(found)


def undo_effect(look: Look) -> tuple[str, str]:
    """Back to where the last move by hand came from, while it is the last."""
    last = look.facts.last
    if look.bound.history is None:
        return "", "Without a history nobody knows where it came from."
    if last is None or last.step not in _BY_HAND:
        return (
            "",
            f"Nothing to undo: {'nobody has moved it' if last is None else f'{last}, which was not by hand'}.",
        )
    if last.step == UNDO:
        return "", "The last move was undone already."
    if not last.source or last.target != look.facts.status or not _still(look.facts, last):
        return "", f"It has changed since: {last}."
    return f"Back to {plain(last.source, 80)}: {last}.", ""


def _still(facts: EntityFacts, last: Moved) -> bool:
    version = last.metadata.get("version")
    return facts.version is None or version is None or version == facts.version


def undo(look: Look, request: Request) -> Deed:
    """The move back."""
    last = look.facts.last
    why = undo_effect(look)[1]
    if why or last is None or last.source is None:
        raise RejectedError(why)
    notes = {"undoes": last.request_id} if last.request_id else {}
    return moved(look, request, Transition(last.source, UNDO, notes=notes))


def degrade_effect(look: Look) -> tuple[str, str]:
    """Away from a status that no config knows, or will know."""
    here = plain(look.facts.status, 80)
    if look.bound.observed:
        return "", "Nothing is declared: there is no status that a config could lose."
    if _lost(look):
        return f"The config in force does not know {here}: it goes to a status that it knows.", ""
    return f"The config in force still knows {here}: name the new one, which does not.", ""


def _lost(look: Look) -> bool:
    return look.facts.status not in known(look)


def degrade_params(look: Look) -> tuple[Param, ...]:
    """The status to go to, and the config that no longer knows the present one."""
    return (
        Param(name="to", title="To", doc=f"Statuses in force: {', '.join(known(look))}."),
        Param(
            name="config",
            title="New config",
            required=False,
            doc="Path or REV:path of a config that no longer knows its status; needed where the one in force does.",
        ),
    )


def degrade(look: Look, request: Request) -> Deed:
    """Raises RejectedError where the status is not lost, or the target is none."""
    to, path, here = look.text("to"), _absolute(look.text("config"), _home(look)), look.facts.status
    statuses = _of_file(look, path) if path else set(known(look))
    config = ", ".join(plain(line, 200) for line in path.splitlines()) or "the config in force"
    if not to or to not in statuses:
        raise RejectedError(
            f"{config} does not know the status {plain(to, 80)!r}.", "Choose one that it knows."
        )
    if here in statuses and look.place.mapping.writes.allow != "any":
        hint = 'Name the new config with config=PATH, or move it: allow = "any" in [writes] allows any move.'
        raise RejectedError(f"{config} knows {plain(here, 80)}: it is not stranded.", hint)
    lost = here not in statuses
    warnings = () if lost else (f"{config} knows {plain(here, 80)}: it is not stranded.",)
    deed = moved(look, request, Transition(to, DEGRADE, notes={"config": path} if path else {}), warnings)
    return replace(deed, args={"to": to, "config": path or None})


def _absolute(places: str, home: Path) -> str:
    """Files by their whole paths, found from here or from ``home``: a job may go on in another folder."""
    found = ((line, (Path(line).absolute(), home / line)) for line in places.splitlines())
    return "\n".join(next((str(path) for path in paths if path.exists()), line) for line, paths in found)


def _of_file(look: Look, places: str) -> set[str]:
    """The statuses of a config elsewhere: paths or ``REV:path``, one a line; what it leaves open is in the own ones."""
    texts, own = (
        _texts(places, _home(look), int(time.monotonic()) // _KEPT_S),
        _texts("\n".join(look.bound.map.configs), None, 0),
    )
    for chosen in (texts, texts + own):
        with suppress(UnknownWorkflowError):
            return set(load_texts(chosen).get(look.bound.type, look.tenant).workflow.status_types)
    raise RejectedError(f"{plain(places, 200)} is no config of {look.bound.type}.")


def _home(look: Look) -> Path:
    return Path(look.place.mapping.path).parent


@lru_cache(maxsize=8)
def _texts(places: str, home: Path | None, _period: int) -> tuple[tuple[str, str], ...]:
    """Files, read once for the thousands of plans of one bulk job."""
    lines = tuple(line for line in places.splitlines() if line.strip())
    found = revisions.read(lines, CancelToken(), home)
    return tuple((file.name, file.text) for file in found.files)
