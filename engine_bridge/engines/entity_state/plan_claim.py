"""Releasing a claim: its entity goes back to where the claiming step found it."""

from __future__ import annotations

from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.entity_state import plan_move
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.plan_transition import Transition, writes
from engine_bridge.errors import RejectedError
from engine_bridge.format import plain


def is_claimed(look: Look) -> bool:
    """Whether its status is a claim's, or somebody's name stands in the claim's columns."""
    role = look.bound.role(look.facts.status, look.facts.tenant).role
    return role == "claim" or look.facts.claimed_by is not None


def effect(look: Look) -> tuple[str, str]:
    """Back to where the claim came from; not for what is not claimed."""
    if not is_claimed(look):
        return "", f"It is not claimed: it stands on {plain(look.facts.status, 80)}."
    to, _, why = release(look)
    if not to:
        return "", "Nothing says where the claim came from: move it."
    return f"It goes back to {plain(to, 80)} ({why}), and nobody holds it.", ""


def release(look: Look) -> tuple[str, str, str]:
    """The status to go back to, the claiming step, and what says so; empty where nothing does."""
    facts = look.facts
    last = facts.last if facts.last is not None and facts.last.target == facts.status else None
    step = last.step if last is not None else None
    if look.bound.role(facts.status, facts.tenant).role != "claim":
        return facts.status, step or "release", "its status is no claim's: only its columns are cleared"
    to, key = look.declared.release(facts.status, step)
    if to:
        return to, key, f"the config's release of step {key}"
    if last is not None and last.source and last.source != facts.status:
        return last.source, step or "release", "where the history says that it came from"
    return "", step or "release", ""


def params(look: Look) -> tuple[Param, ...]:
    """Where it goes back to; the config's release, unless another declared way is chosen."""
    to, _, why = release(look)
    found = tuple(dict.fromkeys((to, *look.declared.targets(look.facts.status))))
    return (Param(name="to", title="Back to", type=ParamType.CHOICE, default=to, choices=found, source=why),)


def deed(look: Look, request: Request) -> Deed:
    """Raises RejectedError for what is not claimed."""
    back, step, _ = release(look)
    to = look.text("to") or back
    if not is_claimed(look) or not to:
        raise RejectedError(effect(look)[1])
    if to != back and to not in look.declared.targets(look.facts.status):
        raise RejectedError(f"A claim is not released to {plain(to, 80)}.", "Move it instead.")
    holder = plain(look.facts.claimed_by or "whoever claimed it", 80)
    unchanged = (Change(what="claim", before=holder, after="released"),) if to == look.facts.status else ()
    return Deed(
        writes=writes(look, Transition(to, step, "released", {"holder": look.facts.claimed_by}), request),
        title=f"Release the claim on {look.name}",
        changes=unchanged or plan_move.changes(look, to),
        args={"to": to},
        irreversible="The holder's claim is gone; another worker may claim it at once.",
        side_effects=(f"The move of {holder} loses, if it still comes. What it did elsewhere stays done.",),
        race=plan_move.race(look),
    )
