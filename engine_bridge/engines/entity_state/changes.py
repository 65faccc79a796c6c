"""What changed in the list of entities: a cheap gate, then what is new, what moved, and the visible rows.

New entities are those behind the highest row (SQLite) or time of creation; moved ones those with new history rows. What
raw SQL did to rows that nobody looks at shows up when they come into sight.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.bridge import Changes
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.model import RunRef

LIMIT: Final = 500
"""Rows that one answer carries at most, beside the visible ones."""

# Transactions commit later than the times they write.
_SLACK_NS: Final = 3_000_000_000


class _Place(msgspec.Struct):
    """How far one workflow had got: highest row, time of creation (with ids near it), history row."""

    row: int | None = None
    created: int | None = None
    recent: list[str] = []
    order: int | None = None


class _Mark(msgspec.Struct):
    token: str
    generation: int
    places: dict[str, _Place]


class Watch:
    """Answers ``changes``. Thread-safe, and for any number of callers: all it goes by is the caller's mark."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def since(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        """What happened since ``mark``; None, and marks of connections that are gone, start anew."""
        store = self._store
        token, old = store.version_token(cancel), _parsed(mark)
        if old is not None and old.token == token:
            return Changes(mark=mark or b"", moved=False)
        # The token is older than the rest, so a commit in between shows up once more and is never lost.
        now = self._mark(token, cancel)
        if old is None or old.generation != store.generation:
            return Changes(mark=now, moved=old is not None, reset=old is not None)
        created: list[RunRef] = []
        touched: list[RunRef] = []
        with store.reader(cancel) as read:
            for bound in store.workflows:
                place = old.places.get(bound.type, _Place())
                created += [bound.ref(id) for id in _created(read, bound, place, store.dialect)]
                touched += [bound.ref(id) for id in _touched(read, bound, place)]
        wanted = list(dict.fromkeys([*visible, *created[:LIMIT], *touched]))
        found = {run.ref: run for run in runs.by_refs(store, wanted, cancel)}
        return Changes(
            mark=now,
            moved=True,
            changed=tuple(found.values()),
            new=len(created),
            removed=tuple(ref for ref in visible if ref not in found),
        )

    def _mark(self, token: str, cancel: CancelToken) -> bytes:
        store = self._store
        with store.reader(cancel) as read:
            places = {bound.type: _place(read, bound, store.dialect) for bound in store.workflows}
        return msgspec.json.encode(_Mark(token, store.generation, places))


def _place(read: Reader, bound: Bound, dialect: str) -> _Place:
    place = _Place(order=_number(read.value(_newest(bound))) if _ordered(bound) else None)
    if dialect == "sqlite" and _has_rows(bound):
        place.row = _number(read.value(sa.select(sa.func.max(_ROW)).select_from(bound.table))) or 0
    elif bound.created_at is not None:
        created = bound.created_at
        place.created = read.value(sa.select(sa.func.max(created)).where(*bound.scope)) or 0
        near = sa.select(bound.id).where(created >= place.created - _SLACK_NS, *bound.scope)
        place.recent = [str(row[0]) for row in read.all(near.order_by(created.desc()).limit(20 * LIMIT))]
    return place


_ROW: Final[Any] = sa.literal_column("rowid")


def _has_rows(bound: Bound) -> bool:
    """Whether an SQLite table numbers its rows (views and tables WITHOUT ROWID do not)."""
    return bool(bound.table.info.get("rowid"))


def _newest(bound: Bound) -> sa.Select[Any]:
    history = bound.history
    return sa.select(sa.null() if history is None else sa.func.max(history.order))


def _ordered(bound: Bound) -> bool:
    """Whether the history's order numbers all rows of its table, so that a primary key finds the new ones."""
    return bound.history is not None and bound.history.order.primary_key


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _created(read: Reader, bound: Bound, place: _Place, dialect: str) -> list[Any]:
    """Ids of the entities that appeared, newest first."""
    if place.row is not None:
        statement = sa.select(bound.id).select_from(bound.table).where(place.row < _ROW, *bound.scope)
        return [row[0] for row in read.all(statement.order_by(_ROW.desc()))]
    if place.created is None or bound.created_at is None:
        return []
    statement = sa.select(bound.id).where(bound.created_at >= place.created - _SLACK_NS, *bound.scope)
    known = set(place.recent)
    found = read.all(statement.order_by(bound.created_at.desc()))
    return [row[0] for row in found if str(row[0]) not in known]


def _touched(read: Reader, bound: Bound, place: _Place) -> list[Any]:
    """Ids of entities with new history rows."""
    history = bound.history
    if history is None or not _ordered(bound):
        return []
    statement = sa.select(history.entity_id).where(*history.scope).order_by(history.order.desc()).limit(LIMIT)
    if place.order is not None:
        statement = statement.where(history.order > place.order)
    return [row[0] for row in read.all(statement)]


def _parsed(mark: bytes | None) -> _Mark | None:
    if mark is None:
        return None
    try:
        return msgspec.json.decode(mark, type=_Mark)
    except (msgspec.MsgspecError, ValueError):
        return None
