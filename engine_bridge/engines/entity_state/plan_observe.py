"""Recording a transition that somebody else made: a bank, a data hub, a person in another system."""

from __future__ import annotations

import sqlalchemy as sa

from engine_bridge.actions.model import Param, ParamType
from engine_bridge.engines.entity_state import actions_facts, plan_move
from engine_bridge.engines.entity_state.actions_facts import Moved, column
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.plan_transition import Transition, writes
from engine_bridge.errors import RejectedError
from engine_bridge.format import plain


def effect(look: Look) -> tuple[str, str]:
    """Only declared ways can be observed."""
    if not look.declared.targets(look.facts.status):
        return "", f"No declared step leads on from {plain(look.facts.status, 80)}."
    return "It is recorded as done elsewhere: neither validation nor action runs.", ""


def params(look: Look) -> tuple[Param, ...]:
    """What happened, and the other side's id of it."""
    targets = look.declared.targets(look.facts.status)
    only = targets[0] if len(targets) == 1 else None
    return (
        Param(name="to", title="It went to", type=ParamType.CHOICE, default=only, choices=targets),
        Param(
            name="observation",
            title="Id of the event",
            required=False,
            doc="How the other side names it: the same one is recorded once.",
        ),
    )


def already(look: Look) -> str:
    """How it is known that this was recorded before, "" when it was not."""
    to, observation = look.text("to"), look.text("observation")
    if to and to == look.facts.status:
        return f"It stands on {plain(to, 80)} already."
    found = _recorded(look, observation) if observation else None
    return f"That event was recorded before: {found}." if found is not None else ""


def _recorded(look: Look, observation: str) -> Moved | None:
    meta = column(look.bound.history, "metadata")
    if meta is None:
        return None
    # A narrow net in SQL, whatever type the column has; the exact look is at the decoded row.
    mentions = sa.cast(meta, sa.Text).contains("observation", autoescape=True)
    rows = actions_facts.moves(look.bound, look.reads, look.entity_id, 1000, mentions)
    return next((row for row in rows if row.metadata.get("observation") == observation), None)


def deed(look: Look, request: Request) -> Deed:
    """Raises RejectedError for a way that is not declared, and for a repeat."""
    to, observation = look.text("to"), look.text("observation")
    repeat = already(look)
    if repeat:
        raise RejectedError(repeat, "Nothing is left to record.")
    way = look.declared.way(look.facts.status, to)
    if way is None:
        raise RejectedError(f"No declared step leads from {plain(look.facts.status, 80)} to {plain(to, 80)}.")
    notes = {"observation": observation} if observation else {}
    after = look.declared.step(way.step)
    lost = after.after_effects if after is not None else ()
    told = f"After-effects run in the application only, and not for this: {', '.join(lost)}." if lost else ""
    return Deed(
        writes=writes(look, Transition(to, way.step, "observed", notes), request),
        title=f"Record that {look.name} went to {plain(to, 80)}",
        changes=plan_move.changes(look, to),
        args={"to": to},
        irreversible="It stands in the history; a move can lead back.",
        side_effects=tuple(
            text
            for text in (
                f"It is recorded as step {way.step}; neither its validation nor its action runs.",
                told or "After-effects, if any, run in the application only.",
            )
            if text
        ),
        race=plan_move.race(look),
        dedupes=bool(observation),
    )
