"""Keyset paging over the entities of several workflows: sort keys, cursors, and conditions that indexes serve.

A list is ordered by a value, then by workflow (the rank of its type), then by id; all in one direction, entities
without a value last. A cursor stands *between* two rows: it names a row and the side of it. Times are compared as the
database keeps them within a workflow, in one spelling between workflows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Sort
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import Expression, as_text
from engine_bridge.engines.entity_state.store_time import SHAPE, Instant, canonical, decoder, respelled
from engine_bridge.errors import UsageError

TOP: Final = b"top"
"""The cursor before the very first row, wherever that is by then."""

_COLUMNS: Final[dict[str, Callable[[Bound], Expression | None]]] = {
    "created": lambda bound: bound.created_at,
    "updated": lambda bound: bound.updated_at,
    "version": lambda bound: bound.version,
    "state": lambda bound: bound.status,
    "tenant": lambda bound: bound.tenant,
    "claimed_by": lambda bound: bound.claimed_by,
    "label": lambda bound: bound.label,
}
_BY_RANK: Final = ("id", "type")
SORTABLE: Final = (*_COLUMNS, *_BY_RANK)
_TIMES: Final = ("created", "updated")
_TEXTS: Final = ("state", "tenant", "claimed_by", "label")

Ranges = list[tuple[list[Any], list[Any]]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """``after``: the gap below the named row, else the gap above it. ``value`` as stored, ``common`` as compared."""

    value: Any
    common: Any
    rank: int
    id: Any
    after: bool


class Key:
    """What a list is sorted by."""

    def __init__(self, sort: Sort, dialect: str) -> None:
        if sort.field not in SORTABLE:
            raise UsageError(
                f"Entities cannot be sorted by {sort.field}.", f"Sortable: {', '.join(SORTABLE)}."
            )
        self.field = sort.field
        self.descending = sort.descending
        self._dialect = dialect

    def value(self, bound: Bound) -> Expression | None:
        """The value of a workflow's entities as stored; None where they have none, or none matters."""
        if self.field in _BY_RANK:
            return None
        column = _COLUMNS[self.field](bound)
        if column is None:
            return None
        if self._dialect == "sqlite":
            return sa.type_coerce(column, sa.types.NullType())
        if self.field not in _TEXTS:
            return column
        return sa.collate(as_text(column) if isinstance(column, sa.Column) else column, "C")

    def decoder(self, bound: Bound) -> Callable[[Any], int | None] | None:
        """How a server's times become nanoseconds, which its cursors hold; None for values that stay as they are."""
        column = _COLUMNS[self.field](bound) if self.field in _TIMES else None
        return None if column is None or self._dialect == "sqlite" else decoder(column.type)

    def common(self, bound: Bound, value: Any) -> Any:
        """A stored value as it is compared between workflows."""
        column = _COLUMNS[self.field](bound) if self.field in _COLUMNS else None
        if self._dialect == "sqlite" and column is not None and isinstance(column.type, Instant):
            return canonical(value)
        return value

    def stored(self, bound: Bound, common: Any) -> Any:
        """A value of another workflow as this one would store it."""
        column = _COLUMNS[self.field](bound)
        if self._dialect == "sqlite" and column is not None and isinstance(column.type, Instant):
            return respelled(common, column.type.shape or SHAPE)
        return common

    def encode(self, cursor: Cursor) -> bytes:
        """The opaque form."""
        id, kind = (cursor.id, "") if isinstance(cursor.id, str | int) else (str(cursor.id), "text")
        return json.dumps(
            [self.field, self.descending, cursor.value, cursor.common, cursor.rank, id, kind, cursor.after],
            default=str,
        ).encode()

    def decode(self, data: bytes, bounds: tuple[Bound, ...]) -> Cursor | None:
        """The cursor of some bytes, None for TOP. Raises UsageError when it belongs to another list."""
        if data == TOP:
            return None
        try:
            field, descending, value, common, rank, id, kind, after = json.loads(data)
        except (ValueError, TypeError):
            raise _foreign() from None
        if (field, descending) != (self.field, self.descending):
            raise _foreign()
        if kind:
            owner = next((bound for bound in bounds if bound.rank == rank), None)
            if owner is None:
                raise _foreign()
            id = owner.key(id)
        return Cursor(value, common, rank, id, bool(after))

    def given(self, bound: Bound, cursor: Cursor | None, name: str = "key") -> dict[str, Any]:
        """The values of a cursor for the parameters of ``ranges``."""
        if cursor is None:
            return {}
        own = bound.rank == cursor.rank
        value = cursor.value if own or cursor.value is None else self.stored(bound, cursor.common)
        return {f"{name}_value": value, f"{name}_id": cursor.id if own else None}

    def shape(self, bound: Bound, cursor: Cursor | None) -> tuple[Any, ...]:
        """What the statements of ``ranges`` depend on, besides the cursor's values."""
        return () if cursor is None else (cursor.rank, cursor.value is None, cursor.after)

    def parts(self, bound: Bound, cursor: Cursor | None, *, forward: bool) -> int:
        """How many ``ranges`` there are."""
        if self._missing(bound):
            return 1 if cursor is None or cursor.value is None or forward else 0
        if cursor is None:
            return 2
        return 2 if forward == (cursor.value is not None) else 1

    def _missing(self, bound: Bound) -> bool:
        return self.field in _BY_RANK or _COLUMNS[self.field](bound) is None

    def ranges(self, bound: Bound, cursor: Cursor | None, *, forward: bool, name: str = "key") -> Ranges:
        """Where to look in one workflow, in order: (conditions, ordering) pairs whose rows follow each other.

        The cursor's values are parameters called after ``name`` (see ``given``), with these values as defaults.
        """
        down = self.descending if forward else not self.descending
        by_id = [bound.id.desc() if down else bound.id.asc()]
        value = self.value(bound)
        if value is None:
            return self._unvalued(bound, cursor, down, forward, by_id, name)
        order = [value.desc() if down else value.asc(), *by_id]
        first: list[Any] = [value.is_not(None)]
        last: list[Any] = [value.is_(None)]
        if cursor is not None and cursor.value is not None:
            first.append(self._beyond(bound, value, cursor, down, forward, name))
            return [(first, order), (last, by_id)] if forward else [(first, order)]
        if cursor is not None:
            last.append(self._side(bound, cursor, down, forward, name))
            return [(last, by_id)] if forward else [(last, by_id), (first, order)]
        return [(first, order), (last, by_id)] if forward else [(last, by_id), (first, order)]

    def _unvalued(
        self, bound: Bound, cursor: Cursor | None, down: bool, forward: bool, by_id: list[Any], name: str
    ) -> Ranges:
        if cursor is None:
            return [([], by_id)]
        if cursor.value is not None:
            return [([], by_id)] if forward else []
        return [([self._side(bound, cursor, down, forward, name)], by_id)]

    def _beyond(
        self, bound: Bound, value: Expression, cursor: Cursor, down: bool, forward: bool, name: str
    ) -> Any:
        own = bound.rank == cursor.rank
        given = self.given(bound, cursor, name)
        edge = sa.bindparam(f"{name}_value", given[f"{name}_value"], value.type)
        inner = value < edge if down else value > edge
        if not own:
            outer = value <= edge if down else value >= edge
            return outer if _later(bound.rank, cursor.rank, down) else inner
        outer = value <= edge if down else value >= edge
        # `k <= v AND (k < v OR id < i)` and not a row value: the first half is what an index serves.
        return sa.and_(outer, sa.or_(inner, self._side(bound, cursor, down, forward, name)))

    def _side(self, bound: Bound, cursor: Cursor, down: bool, forward: bool, name: str) -> Any:
        if bound.rank != cursor.rank:
            return sa.true() if _later(bound.rank, cursor.rank, down) else sa.false()
        edge = sa.bindparam(f"{name}_id", cursor.id, bound.id.type)
        if cursor.after != forward:
            return bound.id <= edge if down else bound.id >= edge
        return bound.id < edge if down else bound.id > edge

    def before(self, forward: bool) -> Callable[[tuple[Any, int], tuple[Any, int]], int]:
        """Compares (common value, rank) of two workflows' rows in the order of reading."""
        down = self.descending if forward else not self.descending

        def compare(a: tuple[Any, int], b: tuple[Any, int]) -> int:
            if (a[0] is None) != (b[0] is None):
                return 1 if (a[0] is None) == forward else -1
            first, second = (_comparable(a), _comparable(b)) if a[0] is not None else (a[1:], b[1:])
            found = (first > second) - (first < second)
            return -found if down else found

        return compare


def _comparable(pair: tuple[Any, int]) -> tuple[int, Any, int]:
    # SQLite keeps any kind of value in any column, numbers before texts.
    return isinstance(pair[0], str), pair[0], pair[1]


def _later(rank: int, other: int, down: bool) -> bool:
    return rank < other if down else rank > other


def _foreign() -> UsageError:
    return UsageError("This place in the list belongs to another order.", "Start from the top.")
