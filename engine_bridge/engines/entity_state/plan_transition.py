"""The statements of one change of status: compare-and-swap first, then history, outbox, failure log; one transaction.

On our own tables they are what the reference engine itself would write (engine/transitions.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.actions.model import derived_id
from engine_bridge.engines.entity_state import actions_facts
from engine_bridge.engines.entity_state.act_sql import NOW, Column, Write, insert, plus_one, update
from engine_bridge.engines.entity_state.actions_facts import column
from engine_bridge.engines.entity_state.plan_base import DERIVED, Look, Request
from engine_bridge.engines.entity_state.store_bound import NO_STATUS
from engine_bridge.engines.entity_state.store_tables import BoundTable, to_key

OPERATOR: Final = "operator"
"""The requester type of what operators do by hand."""

MOVE, UNDO, DEGRADE = "operator_move", "operator_undo", "operator_degrade"
"""Step keys of moves that no declared step makes."""

_SILENT: Final = ("released",)

Cell = tuple[Column | None, Any]


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of status. ``kind`` as the reference engine's metadata have it (moved, released, observed)."""

    to: str
    step: str
    kind: str = "moved"
    notes: dict[str, Any] = field(default_factory=dict)


def writes(look: Look, move: Transition, request: Request) -> tuple[Write, ...]:
    """All statements, in order; each writes one row."""
    found = list(_swap(look, move))
    if look.bound.history is not None:
        found.append(_history(look, look.bound.history, move, request))
    if look.bound.map.profile == "own":
        found += _own(look, move, request)
    return tuple(found)


def _swap(look: Look, move: Transition) -> Iterator[Write]:
    """The compare-and-swap; where the history is the state, the inserted row is, and its unique indexes."""
    bound, facts, status = look.bound, look.facts, look.bound.status_column
    if status is None:
        yield from _unflag(look)
        return
    seen = None if facts.status == NO_STATUS else facts.status
    where: list[tuple[Column, Any]] = [(bound.id, facts.key), (status, seen)]
    values: list[Cell] = [(status, move.to)]
    if facts.strength == "version" and bound.version is not None:
        where.append((bound.version, facts.token))
        values.append((bound.version, plus_one(bound.version)))
    elif facts.strength == "xmin":
        where.append((actions_facts.xmin(bound), facts.token))
    where += _mine(look)
    values += [(bound.claimed_by, None), (bound.claimed_at, None), (bound.updated_at, NOW)]
    yield update(bound.table, values, where)


def _mine(look: Look) -> list[tuple[Column, Any]]:
    """Beside row-level security, not instead of it: SQLite has none."""
    tenant = look.bound.tenant
    if tenant is None or not look.place.tenant:
        return []
    return [(tenant, to_key(tenant, look.place.tenant))]


def _unflag(look: Look) -> Iterator[Write]:
    history = look.bound.history
    flag = column(history, "latest_flag")
    if history is None or flag is None or look.facts.last is None:
        return
    where: list[tuple[Column, Any]] = [(history.entity_id, history.key(look.entity_id)), (flag, True)]
    where += [(history.order, look.facts.token), *_rows(history)]
    yield update(history.table, [(flag, False), *((touched, NOW) for touched in history.touch)], where)


def _rows(table: BoundTable) -> list[tuple[Column, Any]]:
    """The discriminator: which rows of a shared table are of this workflow."""
    return [
        (table.table.c[name], value) for name, value in table.discriminator.items() if name in table.table.c
    ]


def _history(look: Look, history: BoundTable, move: Transition, request: Request) -> Write:
    def cell(name: str, value: Any) -> Cell:
        return column(history, name), value

    facts = look.facts
    flag = [cell("latest_flag", True)] if column(history, "latest_flag") is not None else []
    step = history.sort_step
    order = [cell("order", (facts.token or 0) + step)] if step else []
    return insert(
        history.table,
        [
            *_rows(history),
            cell("entity_id", history.key(look.entity_id)),
            cell("from_", facts.status),
            cell("to", move.to),
            cell("step", move.step),
            cell("requester", OPERATOR),
            _actor(look, history, request),
            cell("reason", _reason(history, request)),
            cell("correlation_id", request.id),
            cell("tenant", look.tenant),
            as_json(column(history, "metadata"), _metadata(look, history, move, request)),
            cell("at", NOW),
            *flag,
            *order,
            *((touched, NOW) for touched in history.touch),
        ],
    )


def as_json(target: sa.Column[Any] | None, value: dict[str, Any]) -> Cell:
    """A JSON value as its column takes it: text where the database has no such type."""
    if target is None or isinstance(target.type, sa.JSON):
        return target, value
    return target, json.dumps(value, ensure_ascii=False)


def _metadata(look: Look, history: BoundTable, move: Transition, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": move.kind, "request_id": request.id, "by": "playhead", **move.notes}
    if look.facts.version is not None:
        found["version"] = look.facts.version + 1
    if column(history, "actor") is None or history.actor_link is not None:
        found["actor"] = request.who
    if column(history, "step") is None:
        found["step"] = move.step
    if column(history, "reason") is None and request.reason:
        found["reason"] = request.reason
    return found


def _reason(history: BoundTable, request: Request) -> str:
    """Where nothing else keeps them, the reason's text carries actor and request id."""
    if column(history, "metadata") is not None:
        return request.reason
    return f"{request.reason} [Playhead: {request.who}, {request.id}]".strip()


def _actor(look: Look, history: BoundTable, request: Request) -> Cell:
    """The operator's name, or the id of the user of that name where the column is a foreign key."""
    linked = history.actor_link is not None
    return column(history, "actor"), user_id(look, history, request) if linked else request.who


def user_id(look: Look, history: BoundTable, request: Request) -> Any:
    """The id under which the application knows the operator, None where it does not."""
    link = history.actor_link
    if link is None:
        return None
    schema, _, name = link.table.rpartition(".")
    columns: list[sa.ColumnClause[Any]] = [sa.column(link.id), sa.column(link.label)]
    users = sa.table(name, *columns, schema=schema or history.table.schema)
    found = look.reads.one(sa.select(users.c[link.id]).where(users.c[link.label] == request.who))
    return found[0] if found else None


def _own(look: Look, move: Transition, request: Request) -> Iterator[Write]:
    bound, facts = look.bound, look.facts
    if bound.outbox is not None and move.kind not in _SILENT:
        yield _event(look, bound.outbox, move, request)
    bad = look.bound.role(move.to, facts.tenant).role == "bad"
    if bound.failures is not None and bad and look.bound.role(facts.status, facts.tenant).role != "bad":
        yield _failure(look, bound.failures, move, request)


def _event(look: Look, outbox: BoundTable, move: Transition, request: Request) -> Write:
    facts = look.facts
    payload: dict[str, Any] = {"from": facts.status, "to": move.to, "step": move.step, "kind": move.kind}
    if facts.version is not None:
        payload |= {"version": facts.version + 1}
    made = DERIVED if request.id == DERIVED else derived_id(request.id, "event").replace("-", "")
    return insert(
        outbox.table,
        [
            *_rows(outbox),
            (column(outbox, "event_id"), made),
            (column(outbox, "event_type"), f"{look.bound.type}.{move.to}"),
            (column(outbox, "entity_id"), outbox.key(look.entity_id)),
            as_json(column(outbox, "payload"), payload),
            as_json(column(outbox, "envelope"), envelope(look, request)),
            (column(outbox, "tenant"), look.tenant),
            (column(outbox, "created_at"), NOW),
        ],
    )


def envelope(look: Look, request: Request, requester: str = OPERATOR) -> dict[str, Any]:
    """The context that crosses a boundary (engine/context.py)."""
    return {
        "correlation_id": request.id,
        "requester_type": requester,
        "tenant_id": look.tenant,
        "user_id": request.who,
    }


def _failure(look: Look, failures: BoundTable, move: Transition, request: Request) -> Write:
    def cell(name: str, value: Any) -> Cell:
        return column(failures, name), value

    return insert(
        failures.table,
        [
            *_rows(failures),
            cell("entity_id", failures.key(look.entity_id)),
            cell("step", move.step),
            cell("status", move.to),
            cell("error_type", move.kind),
            cell("message", request.reason or None),
            cell("correlation_id", request.id),
            cell("tenant", look.tenant),
            cell("at", NOW),
        ],
    )
