"""Times as databases keep them, read and bound as integer nanoseconds since the Unix epoch, UTC.

Units: ``timestamptz`` and ``naive_utc`` (text in UTC where a database has no such type), ``naive:<zone>`` (local
times of an IANA zone), ``epoch_ms``, ``epoch_s``. PostgreSQL keeps microseconds; finer values are cut when bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMBERS: Final = {"epoch_ms": 1_000_000, "epoch_s": 1_000_000_000}
UNITS: Final = ("timestamptz", "naive_utc", "naive:<zone>", *_NUMBERS)

SHAPE: Final = " 6"
"""How SQLAlchemy writes times to SQLite: a blank, six digits of a second, no zone."""


def zone_of(unit: str) -> tzinfo | None:
    """The zone of times without one; None where the unit is a number. Raises ValueError for an unknown unit."""
    if unit in _NUMBERS:
        return None
    if unit in ("timestamptz", "naive_utc"):
        return UTC
    kind, _, name = unit.partition(":")
    try:
        if kind == "naive" and name:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ValueError(f"“{unit}” is no unit of time")


def to_ns(value: Any, unit: str) -> int | None:
    """A stored value as nanoseconds; None for null and for what is no time."""
    if value is None or isinstance(value, bool):
        return None
    if unit in _NUMBERS:
        return _of_number(value, _NUMBERS[unit])
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone_of(unit))
    microseconds: int = (value - _EPOCH) // _MICROSECOND
    return microseconds * 1_000


def _of_number(value: Any, scale: int) -> int | None:
    if isinstance(value, int):
        return value * scale
    try:
        return round(float(value) * scale)
    except (TypeError, ValueError, OverflowError):
        return None


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def from_ns(ns: int, unit: str, shape: str | None = None) -> Any:
    """A stored value for a time; ``shape`` (see ``shape_of``) makes it text, None a datetime."""
    if unit in _NUMBERS:
        scale = _NUMBERS[unit]
        return ns // scale if ns % scale == 0 else ns / scale if unit == "epoch_s" else ns // scale
    moment = _EPOCH + timedelta(microseconds=ns // 1_000)
    if shape is None:
        return moment if unit == "timestamptz" else moment.astimezone(zone_of(unit)).replace(tzinfo=None)
    return _written(moment.astimezone(zone_of(unit)), shape)


def _written(moment: datetime, shape: str) -> str:
    text = moment.strftime(f"%Y-%m-%d{shape[0]}%H:%M:%S")
    micro, digits = f"{moment.microsecond:06d}", shape[1]
    if digits in "36":
        text += f".{micro[: int(digits)]}"
    elif digits == "a" and moment.microsecond:
        text += f".{micro}"
    return text + shape[2:]


def decoder(kind: Any) -> Callable[[Any], int | None]:
    """A function that makes nanoseconds of what the driver gives for a column of a type; None it need not be given."""
    unit = kind.unit
    zone = zone_of(unit)
    if zone is None:
        return lambda value: to_ns(value, unit)
    if zone is not UTC:
        return lambda value: to_ns(value, unit)
    parse, start, naive_start, day = datetime.fromisoformat, _EPOCH, _EPOCH.replace(tzinfo=None), 86_400

    def decode(value: Any) -> int | None:
        try:
            moment = parse(value) if type(value) is str else value
            gap = moment - (naive_start if moment.tzinfo is None else start)
        except (ValueError, AttributeError, OverflowError, TypeError):
            return to_ns(value, unit)
        return ((gap.days * day + gap.seconds) * 1_000_000 + gap.microseconds) * 1_000

    return decode


_TEXT: Final = re.compile(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(?:\.(\d+))?(Z|\+00:00)?$")


def shape_of(samples: Iterable[Any]) -> str:
    """How a column's texts are written: separator, digits of a second (0, 3, 6, a: six unless zero), zone."""
    found = [match for text in samples if isinstance(text, str) and (match := _TEXT.match(text))]
    if not found:
        return SHAPE
    digits = {len(match[2] or "") for match in found}
    kind = "a" if len(digits) > 1 else str(digits.pop())
    return f"{found[0][1]}{kind if kind in '036' else 'a'}{found[0][3] or ''}"


def canonical(value: Any) -> Any:
    """A stored text of a time in one spelling, so that texts of several columns compare as times do.

    Whatever is no time stays as it is, and in its place among the others.
    """
    found = _TEXT.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    return f"{value[:10]} {value[11:19]}.{found[2] or '':0<6}"


def respelled(text: Any, shape: str) -> Any:
    """A canonical text as a column of a shape has it; with more digits where the column has none for them."""
    if not isinstance(text, str) or len(text) != 26 or not _TEXT.match(text):
        return text
    fraction = text[20:].rstrip("0")
    digits = {"0": 0, "3": 3, "6": 6}.get(shape[1], 6 if fraction else 0)
    kept = text[20:] if len(fraction) > digits else text[20 : 20 + digits]
    return f"{text[:10]}{shape[0]}{text[11:19]}{'.' if kept else ''}{kept}{shape[2:]}"


class Instant(sa.TypeDecorator[int]):
    """A column of times whose values are nanoseconds. ``shape`` is None where the database has a type for times."""

    impl = sa.types.NullType
    cache_ok = True

    def __init__(self, unit: str, shape: str | None = None, zoned: bool = True) -> None:
        super().__init__()
        self.unit = unit
        self.shape = shape
        self.zoned = zoned

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """PostgreSQL compares times with bound times only when it is told that they are."""
        if self.unit in _NUMBERS or self.shape is not None:
            return sa.types.NullType()
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=self.zoned))

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        """Nanoseconds as stored."""
        return None if value is None else self.encode(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> int | None:
        """As ``to_ns``."""
        return to_ns(value, self.unit)

    def encode(self, ns: int) -> Any:
        """Nanoseconds as the driver takes them."""
        found = from_ns(ns, self.unit, self.shape)
        if isinstance(found, datetime) and self.zoned and found.tzinfo is None:
            return found.replace(tzinfo=zone_of(self.unit))
        return found.replace(tzinfo=None) if isinstance(found, datetime) and not self.zoned else found
