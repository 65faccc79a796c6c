"""Closing entries of the permanent failure log, and opening them again."""

from __future__ import annotations

from typing import Any

import msgspec

from engine_bridge.actions.model import Change, Precondition
from engine_bridge.engines.entity_state import actions_facts
from engine_bridge.engines.entity_state.act_sql import NOW, SET, Write, update
from engine_bridge.engines.entity_state.actions_facts import Failed, column
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.plan_transition import as_json
from engine_bridge.errors import RejectedError

RECORD = "resolution"
"""The member of a failure's details that says who closed it, why, and by which request."""


def rows(look: Look, *, closed: bool = False) -> list[Failed]:
    """The rows that an action is about: the one that is aimed at, or all of the entity."""
    only = look.failure_id
    return actions_facts.failures(
        look.bound, look.reads, None if only else look.entity_id, only, closed=closed
    )


def _lacking(look: Look) -> str:
    if look.bound.failures is None:
        return "The mapping names no failure log."
    if column(look.bound.failures, "resolved_at") is None:
        return "The failure log has no column that says when a failure was resolved."
    return ""


def effect(look: Look) -> tuple[str, str]:
    """Closes what is open."""
    lacking = _lacking(look)
    if lacking:
        return "", lacking
    found = rows(look)
    if not found:
        return "", "No failure of it is open."
    what = str(found[0]) if len(found) == 1 else f"{len(found)} failures"
    return f"It closes {what}; the entity stays where it is.", ""


def reopen_effect(look: Look) -> tuple[str, str]:
    """Opens what was closed."""
    lacking = _lacking(look)
    if lacking:
        return "", lacking
    return ("It is open again.", "") if rows(look, closed=True) else ("", "No failure of it was closed.")


def observed(look: Look) -> tuple[Precondition, ...]:
    """The rows that are open, closed ones for opening them again."""
    closed = look.staged.action == "reopen_failure"
    ids = ", ".join(str(row.id) for row in rows(look, closed=closed))
    return (Precondition(what="closed failures" if closed else "open failures", value=ids),)


def deed(look: Look, request: Request) -> Deed:
    """Raises RejectedError where none is open."""
    found = rows(look)
    if not found:
        raise RejectedError(effect(look)[1])
    kept = column(look.bound.failures, "details") is not None
    note = () if kept else ("The failure log has no details: the reason stands in Playhead's journal only.",)
    return Deed(
        writes=tuple(_write(look, row, NOW, _resolution(row, request)) for row in found),
        title=f"Resolve {_what(found)} of {look.name}",
        changes=tuple(Change(what=str(row), before="open", after="resolved") for row in found),
        inverse=msgspec.structs.replace(look.staged, action="reopen_failure", args={}),
        side_effects=("The entity is not moved, and nothing is tried again.",),
        warnings=note,
        race="Each row is closed only if it is still open.",
    )


def reopen(look: Look, request: Request) -> Deed:
    """Raises RejectedError where none was closed."""
    found = rows(look, closed=True)
    if not found:
        raise RejectedError(reopen_effect(look)[1])
    return Deed(
        writes=tuple(_write(look, row, None, _resolution(row, request)) for row in found),
        title=f"Open {_what(found)} of {look.name} again",
        changes=tuple(Change(what=str(row), before="resolved", after="open") for row in found),
        inverse=msgspec.structs.replace(look.staged, action="resolve_failure", args={}),
        race="Each row is opened only if it is still closed.",
    )


def _what(found: list[Failed]) -> str:
    return "a failure" if len(found) == 1 else f"{len(found)} failures"


def _resolution(row: Failed, request: Request) -> dict[str, Any] | None:
    """The details with the record of it; None where they are of another kind, and are left alone."""
    if row.details is not None and not isinstance(row.details, dict):
        return None
    record = {"by": request.who, "reason": request.reason, "request_id": request.id}
    return {**(row.details or {}), RECORD: record}


def _write(look: Look, row: Failed, resolved: Any, details: dict[str, Any] | None) -> Write:
    table = look.bound.failures
    id_, at, kept = (column(table, name) for name in ("id", "resolved_at", "details"))
    if table is None or id_ is None or at is None:
        raise RejectedError(_lacking(look))
    values: list[Any] = [(at, resolved)]
    if details is not None:
        values.append(as_json(kept, details))
    where = [(id_, row.id), (at, None if resolved is NOW else SET)]
    return update(table.table, values, where)


def made_by(look: Look, request_id: str) -> bool:
    """Whether a request has closed or opened a row."""
    every = rows(look) + rows(look, closed=True)
    records = (row.details.get(RECORD) for row in every if isinstance(row.details, dict))
    return any(isinstance(record, dict) and record.get("request_id") == request_id for record in records)
