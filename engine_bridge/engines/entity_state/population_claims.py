"""Since when claims are held, and which are dead, as SQL: the same rules by which one entity is judged (runs_rows)."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.store_bound import Bound

_SECOND_NS: Final = 1_000_000_000


def names(bound: Bound) -> list[str]:
    """The statuses that claims hold for a limited time."""
    return [name for name, info in bound.statuses.items() if info.ttl_s is not None]


def columns(bound: Bound, now_ns: int) -> list[Any]:
    """For a statement that groups by the status: how many claims are dead, and since when the oldest is held.

    Nothing where no claim is limited, or nothing says since when.
    """
    held = _since(bound)
    if bound.status_column is None or not held or not names(bound):
        return []
    dead = sa.or_(
        *(sa.and_(bound.status_in([name]), _before(bound, name, held, now_ns)) for name in names(bound))
    )
    when, column, _ = held[0]
    oldest = sa.case((sa.and_(bound.status_in(names(bound)), when), column), else_=None)
    return [sa.func.sum(sa.case((dead, 1), else_=0)), sa.type_coerce(sa.func.min(oldest), column.type)]


_Held = tuple[Any, Any, Any]  # on which condition, since when, the column whose type it has


def _since(bound: Bound) -> list[_Held]:
    """Since when a claim is held, the best word first: its column, the row that entered it, the row's own times."""
    found: list[_Held] = []
    if bound.claimed_at is not None:
        found.append((bound.claimed_at.is_not(None), bound.claimed_at, bound.claimed_at))
    history = bound.history
    if history is not None and history.at is not None:
        entered = bound.latest("to").scalar_subquery()
        at = bound.latest("at").scalar_subquery()
        found.append((sa.and_(entered == bound.status, at.is_not(None)), at, history.at))
        if bound.created_at is not None:
            found.append(
                (
                    sa.and_(entered.is_(None), bound.created_at.is_not(None)),
                    bound.created_at,
                    bound.created_at,
                )
            )
    rest = [column for column in (bound.updated_at, bound.created_at) if column is not None]
    return [*found, *((column.is_not(None), column, column) for column in rest)]


def _before(bound: Bound, name: str, held: list[_Held], now_ns: int) -> Any:
    ttl = bound.statuses[name].ttl_s or 0
    limit = now_ns - int(ttl * _SECOND_NS)
    return sa.case(
        *((when, since < sa.literal(limit, column.type)) for when, since, column in held), else_=sa.false()
    )
