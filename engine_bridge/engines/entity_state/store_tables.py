"""Tables as they are: reflected, quoted by SQLAlchemy, times as nanoseconds, ids as text and back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.mapping import ActorLink, Scalar
from engine_bridge.engines.entity_state.store_time import Instant, shape_of, to_ns

TIMES: Final = frozenset(
    {"created_at", "updated_at", "claimed_at", "at", "resolved_at", "due_at", "leased_until", "done_at",
     "published_at", "touch"}
)  # fmt: skip
"""The fields of a mapping that name columns of times."""
_SAMPLE: Final = 200

Expression = sa.ColumnElement[Any]


def is_time(column: sa.Column[Any], unit: str, sqlite: bool) -> bool:
    """Whether a column can hold times of a unit; on SQLite any can."""
    if sqlite:
        return True
    kinds = (sa.Integer, sa.Numeric) if unit.startswith("epoch") else (sa.DateTime, sa.Date)
    return isinstance(column.type, (*kinds, Instant))


def make_time(connection: sa.Connection, column: sa.Column[Any], unit: str) -> None:
    """Makes the values of a column nanoseconds; looks at some of them to bind others in the same shape."""
    if isinstance(column.type, Instant):
        return
    if connection.dialect.name != "sqlite":
        zoned = bool(getattr(column.type, "timezone", False))
        column.type = Instant(unit, None, zoned)
        return
    column.type = sa.types.NullType()
    some = sa.select(column).where(column.is_not(None)).limit(_SAMPLE)
    column.type = Instant(unit, shape_of(connection.execute(some).scalars()))


def no_time_in(connection: sa.Connection, column: sa.Column[Any], unit: str) -> bool:
    """Whether an SQLite column holds something, and none of it is a time."""
    raw = sa.type_coerce(column, sa.types.NullType())
    some = connection.execute(sa.select(raw).where(column.is_not(None)).limit(_SAMPLE)).scalars().all()
    return bool(some) and all(to_ns(value, unit) is None for value in some)


def family(column: sa.Column[Any]) -> str:
    """integer, uuid, number or text: what its values compare as."""
    for name, kind in (("integer", sa.Integer), ("uuid", sa.Uuid), ("number", sa.Numeric)):
        if isinstance(column.type, kind):
            return name
    return "text"


def converter(column: sa.Column[Any]) -> Callable[[Any], Any]:
    """A function that makes values of a column of ids, of texts and of other tables' ids. Raises ValueError."""
    return str if family(column) == "text" else lambda value: to_key(column, str(value))


def to_key(column: sa.Column[Any], text: str) -> Any:
    """A text as a value of a column of ids. Raises ValueError where it cannot be one."""
    kind = family(column)
    if kind == "integer":
        number = int(text)
        if not -(2**63) <= number < 2**63:
            raise ValueError(text)
        return number
    if kind == "uuid":
        return uuid.UUID(text)
    if kind == "number":
        try:
            return Decimal(text)
        except InvalidOperation:
            raise ValueError(text) from None
    return text


def as_text(column: sa.Column[Any]) -> Expression:
    """A column as text: itself where it is."""
    return column if isinstance(column.type, sa.String) and not _is_enum(column) else sa.cast(column, sa.Text)


def _is_enum(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.Enum)


class BoundTable:
    """One table of a mapping: its columns under the mapping's names (``history.from_``), None where absent.

    ``rows`` are the conditions that a row belongs to this workflow; ``scope`` adds the source's tenant where the
    table names one; ``link`` ties its rows to those of the entity table; ``names`` are the mapped columns' names.
    """

    def __init__(
        self,
        table: sa.Table,
        entity_id: sa.Column[Any],
        fields: Mapping[str, sa.Column[Any] | None],
        rows: Mapping[str, Scalar],
    ) -> None:
        self.table = table
        self.entity_id = entity_id
        self.names = {name: column.name for name, column in fields.items() if column is not None}
        self.discriminator = dict(rows)
        self.rows: tuple[sa.ColumnElement[bool], ...] = tuple(
            _equals(table.c[name], value) for name, value in rows.items() if name in table.c
        )
        self.scope = self.rows
        self.link: sa.ColumnElement[bool] = sa.true()
        self.actor_link: ActorLink | None = None
        self._fields = dict(fields)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def set(self, name: str, expression: Any) -> None:
        """Puts an expression in a column's place."""
        self._fields[name] = expression

    def scoped(self, tenant: str) -> None:
        """Restricts ``scope`` to one tenant's rows."""
        column = self._fields.get("tenant")
        if tenant and column is not None:
            self.scope = (*self.rows, as_text(column) == tenant)

    def tie(self, entity_id: sa.Column[Any], *, sqlite: bool) -> None:
        """Sets ``link``."""
        own = self.entity_id
        if family(own) == family(entity_id) and not (_is_enum(own) or _is_enum(entity_id)):
            self.link = own == entity_id
        elif family(own) == "text":
            self.link = own == sa.cast(entity_id, sa.Text)
            if sqlite and family(entity_id) == "integer":
                # Said both ways round: whichever table is gone over, the other's index serves.
                self.link = sa.and_(self.link, entity_id == sa.cast(own, sa.BigInteger))
        else:
            self.link = sa.cast(own, sa.Text) == as_text(entity_id)

    def converter(self) -> Callable[[Any], Any]:
        """``key`` for many ids."""
        return converter(self.entity_id)

    def key(self, entity_id: Any) -> Any:
        """An entity's id (text, or its column's value) as this table keeps it. Raises ValueError."""
        return to_key(self.entity_id, str(entity_id))


def _equals(column: sa.Column[Any], value: Scalar) -> sa.ColumnElement[bool]:
    # A literal, so that partial indexes on it are used.
    if isinstance(value, str):
        return as_text(column) == sa.literal(value, literal_execute=True)
    return column == value
