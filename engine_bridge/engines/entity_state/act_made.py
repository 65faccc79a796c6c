"""What a request has left behind: how it is known that it was executed, now or after a crash."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine_bridge.actions.model import Outcome, Verdict
from engine_bridge.engines.entity_state import actions_facts, plan_failure
from engine_bridge.engines.entity_state.actions_facts import Moved, column
from engine_bridge.engines.entity_state.plan_base import Look

_PENDING = "no worker has taken the step yet"


def move_of(look: Look, request_id: str) -> Moved | None:
    """The history row that a request wrote."""
    history = look.bound.history
    if history is None:
        return None
    for name in ("correlation_id", "metadata", "reason"):
        kept = column(history, name)
        if kept is not None:
            net = (
                kept == request_id
                if name == "correlation_id"
                else sa.cast(kept, sa.Text).contains(request_id)
            )
            rows = actions_facts.moves(look.bound, look.reads, look.entity_id, 1, net)
            return rows[0] if rows else None
    return None


def keeps_requests(look: Look) -> bool:
    """Whether a history row names the request that wrote it."""
    history = look.bound.history
    return any(column(history, name) is not None for name in ("correlation_id", "metadata", "reason"))


def delayed_of(look: Look, request_id: str) -> Any:
    """The delayed step that a request entered: (done at, outcome, last error), None where there is none."""
    table = look.bound.delayed
    name = column(table, "request_id")
    if table is None or name is None:
        return None
    fields = [column(table, field) for field in ("done_at", "outcome", "last_error")]
    chosen = [sa.null() if found is None else found for found in fields]
    labelled = [found.label(f"c{number}") for number, found in enumerate(chosen)]
    return look.reads.one(sa.select(*labelled).select_from(table.table).where(name == request_id))


def outcome(look: Look, request_id: str) -> Outcome | None:
    """What a request did, None where nothing says that it did anything."""
    action = look.staged.action
    if action in ("resolve_failure", "reopen_failure"):
        if plan_failure.made_by(look, request_id):
            return _applied("the failure's details name this request")
        return None
    if action == "retry_step":
        return _retried(look, request_id)
    move = move_of(look, request_id)
    if move is None:
        return None
    said = f"the history has its row: {move}"
    newer = actions_facts.newer(look.bound, look.reads, look.entity_id, move.order)
    return _applied(said, *(f"since then, {later}" for later in newer[-3:]))


def _retried(look: Look, request_id: str) -> Outcome | None:
    row = delayed_of(look, request_id)
    move = move_of(look, request_id)
    if move is not None:
        return _applied(f"the step was taken: {move}")
    if row is None:
        return None
    done_at, told, error = row
    if done_at is None and told is None:
        tried = (f"the last try ended with {error}",) if error else ()
        return Outcome(
            verdict=Verdict.APPLIED, evidence=("the delayed step is entered", *tried), pending=_PENDING
        )
    why = f" ({error})" if error else ""
    return _applied(f"the delayed step is entered; the worker's outcome: {told or 'done'}{why}")


def _applied(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.APPLIED, evidence=evidence)


def lost(look: Look, seen: str | None, changed: list[str]) -> tuple[str, ...]:
    """Who was first, and what changed: the history rows since the plan was made, then the bare facts."""
    since = (
        actions_facts.newer(look.bound, look.reads, look.entity_id, seen)
        if look.facts.key is not None
        else []
    )
    if since:
        return (*(str(move) for move in since[-3:]), *changed)
    if look.bound.history is None:
        return ("There is no history that says who.", *changed)
    return (
        "No history row says who: it was changed past the application (raw SQL, or a claim's columns).",
        *changed,
    )
