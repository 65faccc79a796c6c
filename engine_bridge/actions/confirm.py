"""What an operator must type and say before a plan is executed. Pure functions; any thread."""

from __future__ import annotations

from typing import Final

from engine_bridge.actions.model import Danger, Plan
from engine_bridge.format import plain
from engine_bridge.words import Environment

LIMIT: Final = 5


def needed(plan: Plan, environment: str | None = None, limit: int = LIMIT) -> str:
    """The text to type, "" when a plain click suffices.

    In production, for more than ``limit`` targets and for whatever destroys, it is the id of the only target, else
    the number of targets; a single item may want a text of its own. Refused items do not count: they are not
    executed. ``environment`` None: the plan's own.
    """
    own = [item.typed for item in plan.runnable if item.typed]
    if own and len(plan.runnable) == 1:
        return own[0]
    aimed = [item.staged.target for item in plan.runnable]
    targets = {(target.kind, target.id) for target in aimed}
    if len(targets) == 1:
        targets = {(aimed[0].kind, aimed[0].name)}
    destroys = bool(own) or any(item.danger is Danger.DESTROYS for item in plan.runnable)
    place = plan.environment if environment is None else environment
    return text_for(targets, place, destroys=destroys, limit=limit)


def reason_needed(plan: Plan, wanted: str = "production") -> bool:
    """Whether a reason must be given: ``wanted`` (always, production, never) says where, and a plan may ask itself."""
    production = wanted == "production" and plan.environment == Environment.PRODUCTION
    return wanted == "always" or production or any(item.reason_required for item in plan.runnable)


def text_for(targets: set[tuple[str, str]], environment: str, *, destroys: bool, limit: int = LIMIT) -> str:
    """As ``needed``, for targets given as (kind, id): what a bulk job uses before all is planned."""
    careful = environment == Environment.PRODUCTION or destroys or len(targets) > limit
    if not targets or not careful:
        return ""
    if len(targets) > 1:
        return str(len(targets))
    ((_, target_id),) = targets
    return plain(target_id)


def fits(typed: str, text: str) -> bool:
    """Whether what was typed is the needed text; blanks around it do not matter."""
    return typed.strip() == text.strip()
