"""Operator actions of DBOS, as the bridge describes and plans them; reads only. The actor (act.py) carries them out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from engine_bridge.actions.model import ActionSpec, Danger, Param, PlanItem, Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import (
    actions_facts,
    plan_enqueue,
    plan_resources,
    plan_run,
    plan_signal,
    plan_states,
    plan_steps,
)
from engine_bridge.engines.dbos.actions_facts import Facts, QueueFacts, RunFacts, ScheduleFacts
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.plan_base import Look, Place, refused
from engine_bridge.engines.dbos.probe import Probed
from engine_bridge.engines.dbos.url import FileSource, ServerSource, file_url
from engine_bridge.errors import NotFoundError, PlayheadError

OLDEST: Final = 114
NEWEST: Final = 125
"""Schema versions on which every action was tested with the client of dbos 3.4.0."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One action: its words, and the functions that describe and plan it."""

    title: str
    plan: Callable[[Look], PlanItem]
    params: Callable[[Look], tuple[Param, ...]] = lambda look: ()
    danger: Danger = Danger.CHANGES
    dedupes: bool = False
    glyph: str = ""


_RUN: Final = {
    "signal": _Kind("Send a signal…", plan_signal.plan, plan_signal.params, dedupes=True, glyph="signal"),
    "resume": _Kind("Resume", plan_run.resume, plan_run.resume_params, glyph="running"),
    "fork": _Kind("Fork from a step…", plan_steps.fork, plan_steps.fork_params, dedupes=True, glyph="fork"),
    "rewind": _Kind(
        "Rewind to a step…", plan_steps.rewind, plan_steps.rewind_params, Danger.DESTROYS, glyph="back"
    ),
    "cancel": _Kind("Cancel", plan_run.cancel, plan_run.children_params, glyph="cancelled"),
    "set_delay": _Kind("Change its delay…", plan_run.set_delay, plan_run.delay_params, glyph="clock"),
    "enqueue_like": _Kind(
        "Enqueue one like this…", plan_enqueue.plan, plan_enqueue.params, dedupes=True, glyph="queue"
    ),
    "delete": _Kind("Delete", plan_run.delete, plan_run.children_params, Danger.DESTROYS, glyph="trash"),
}
_QUEUE: Final = {
    "pause_queue": _Kind("Pause", plan_resources.queue, glyph="paused"),
    "resume_queue": _Kind("Resume", plan_resources.queue, plan_resources.queue_params, glyph="running"),
}
_SCHEDULE: Final = {
    "pause_schedule": _Kind("Pause", plan_resources.schedule, glyph="paused"),
    "resume_schedule": _Kind("Resume", plan_resources.schedule, glyph="running"),
}
_STEP: Final = {name: _RUN[name] for name in ("fork", "rewind")}
_TARGETS: Final = {"run": _RUN, "step": _STEP, "queues": _QUEUE, "schedules": _SCHEDULE}


def unsupported(probed: Probed) -> str:
    """Why nothing may be written to such a database, "" when it may."""
    if probed.tables.sharded:
        return "this is a sharded database, which only the proprietary client may write to"
    if probed.version is None or not OLDEST <= probed.version <= NEWEST:
        version = "of unknown version" if probed.version is None else f"of version {probed.version}"
        return f"its schema is {version}; actions were tested on {OLDEST} to {NEWEST} only"
    return ""


def unavailable(db: Database) -> str:
    """Why nothing can be done on this source at all, "" when it can."""
    if db.path is not None and not os.access(db.path, os.W_OK):
        return f"{db.path.name} cannot be written to with this user's permissions"
    return unsupported(db.probed)


def place_of(source: FileSource | ServerSource, dialect: str) -> Place:
    """Where a source is, in the words of Playhead and of DBOS, without secrets."""
    if isinstance(source, FileSource):
        path = str(source.path.absolute())
        return Place(dialect, None, file_url(path), f"sqlite:///{path}")
    user = f"{quote(source.user, safe='')}@" if source.user else ""
    port = f":{source.port}" if source.port else ""
    socket = source.host.startswith("/")
    where = f"{user}{port}" if socket else f"{user}{source.host}{port}"
    address = f"{where}/{quote(source.database, safe='')}"
    query = f"?host={quote(source.host)}" if socket else ""
    schema = f"{'&' if socket else '?'}schema={quote(source.schema, safe='')}"
    return Place(
        dialect,
        source.schema,
        f"dbos+postgresql://{address}{query}{schema}",
        f"postgresql://{address}{query}",
    )


def specs(db: Database, place: Place, target: Target, cancel: CancelToken) -> list[ActionSpec]:
    """What can be done to a target now. Raises NotFoundError; [] for kinds that nothing can be done to."""
    kinds = _TARGETS.get(target.kind, {})
    if not kinds:
        return []
    why, now_ns = unavailable(db), db.now_ns(cancel)
    with db.reader(cancel) as reader:
        facts = actions_facts.read(db.tables, reader, Staged(target=target, action=""))
        if facts is None:
            return [_absent(action, kind, target) for action, kind in kinds.items()]
        looks = [
            (Look(Staged(target=target, action=action), facts, db.tables, reader, place, now_ns), kind)
            for action, kind in kinds.items()
        ]
        return [_spec(look, kind, why or too_old(look.staged.action, db.probed)) for look, kind in looks]


def _absent(action: str, kind: _Kind, target: Target) -> ActionSpec:
    if target.kind != "queues":
        raise NotFoundError(f"There is no {target.kind.removesuffix('s')} {target.id}.")
    why = "It is declared in code only: its limits are not in the database, so nothing here changes them."
    return ActionSpec(id=action, title=kind.title, effect="", disabled=why, glyph=kind.glyph)


def _spec(look: Look, kind: _Kind, why: str) -> ActionSpec:
    action = look.staged.action
    effect, disabled = effect_of(action, look.facts)
    disabled = f"Actions are not available: {why}." if why else disabled
    return ActionSpec(
        id=action,
        title=kind.title,
        effect=effect,
        params=() if disabled else kind.params(look),
        disabled=disabled,
        danger=kind.danger,
        bulk=isinstance(look.facts, RunFacts),
        dedupes=kind.dedupes,
        glyph=kind.glyph,
    )


def too_old(action: str, probed: Probed) -> str:
    """Why one action is not to be had on an older schema."""
    needed = plan_states.NEEDS.get(action, OLDEST)
    if probed.version is None or probed.version >= needed:
        return ""
    return f"DBOS's client needs schema version {needed} for it, this is {probed.version}"


def effect_of(action: str, facts: Facts) -> tuple[str, str]:
    """What an action does now, and why it is disabled; one of the two is empty."""
    if isinstance(facts, QueueFacts):
        return plan_resources.queue_effect(action, facts)
    if isinstance(facts, ScheduleFacts):
        return plan_resources.schedule_effect(action, facts)
    return plan_states.effect(action, facts)


def plan(db: Database, place: Place, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
    """What staged actions will do, one item each, in order."""
    why, now_ns = unavailable(db), db.now_ns(cancel)
    items = []
    for number, one in enumerate(staged):
        cancel.progress(number, len(staged), "planning")
        with db.reader(cancel) as reader:
            items.append(_plan(db, place, one, reader, why, now_ns))
    return items


def _plan(db: Database, place: Place, staged: Staged, reader: Any, why: str, now_ns: int) -> PlanItem:
    kind = _TARGETS.get(staged.target.kind, {}).get(staged.action)
    title = f"{staged.action} {staged.target.id}"
    if kind is None:
        return refused(staged, title, f"DBOS has no action {staged.action} on {staged.target.kind}.")
    why = why or too_old(staged.action, db.probed)
    if why:
        return refused(staged, title, f"Actions are not available: {why}.")
    try:
        facts = actions_facts.read(db.tables, reader, staged)
        if facts is None:
            return refused(staged, title, "It is not there (any more).")
        disabled = effect_of(staged.action, facts)[1]
        if disabled:
            return refused(staged, title, disabled)
        return kind.plan(Look(staged, facts, db.tables, reader, place, now_ns))
    except PlayheadError as error:
        return refused(staged, title, str(error))
    except ValueError as error:
        return refused(staged, title, f"An argument does not fit: {error}.")
