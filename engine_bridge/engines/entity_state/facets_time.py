"""Buckets of creation times: how wide, and how a database groups entities by them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.runs_read import Wheres
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_time import Instant, to_ns

MS: Final = 1_000_000
_S: Final = 1_000
_WIDTHS: Final = (
    *(n * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * 60 * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * 3_600 * _S for n in (1, 2, 3, 6, 12)),
    *(n * 86_400 * _S for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)  # fmt: skip

_HOURS: Final = 13
_MINUTES: Final = 16
_SECONDS: Final = 19
_REST: Final = {_HOURS: ":00:00", _MINUTES: ":00", _SECONDS: ""}
"""What a text of a time lacks that was cut after so many characters."""

Decode = Callable[[Sequence[Any]], int | None]


def width_of(low: int, high: int, buckets: int) -> int:
    """The narrowest of the usual widths, in milliseconds, that covers both times in at most ``buckets``."""
    for width in _WIDTHS:
        if high // width - low // width < max(1, buckets):
            return width
    return _WIDTHS[-1] * (1 + (high - low) // (_WIDTHS[-1] * max(1, buckets)))


def extent(store: Store, asked: Wheres, cancel: CancelToken) -> tuple[int, int]:
    """The earliest and latest time of creation in milliseconds, of all entities of the workflows; (0, 0) without."""
    ends: list[int] = []
    for bound, _ in asked:
        created = bound.created_at
        if created is None:
            continue
        for order in (created.asc(), created.desc()):
            statement = sa.select(created).where(created.is_not(None), *bound.scope).order_by(order).limit(1)
            ends += [row[0] // MS for row in store.all(statement, cancel) if row[0] is not None]
    return (min(ends), max(ends)) if ends else (0, 0)


def buckets_of(bound: Bound, width_ms: int, dialect: str) -> Iterator[tuple[list[Any], Decode]]:
    """Columns to group by that tell an entity's bucket, and how to make milliseconds of them."""
    created = bound.created_at
    if created is None:
        yield [], lambda parts: None
    elif (
        dialect == "postgresql"
        and isinstance(created.type, Instant)
        and not created.type.unit.startswith("epoch")
    ):
        yield [_epoch(created, width_ms).label("bucket")], lambda parts: _scaled(parts[0], width_ms)
    elif isinstance(created.type, Instant) and created.type.unit.startswith("epoch"):
        # Grouped as stored: numbers of any kind.
        yield [created.label("bucket")], lambda parts: None if parts[0] is None else parts[0] // MS
    else:
        yield _prefix(created, width_ms), _decoder(created.type)


def _scaled(bucket: Any, width_ms: int) -> int | None:
    return None if bucket is None else int(bucket) * width_ms


def _epoch(created: sa.Column[Any], width_ms: int) -> Any:
    kind: Any = created.type
    moment: Any = sa.type_coerce(created, sa.DateTime())
    if kind.unit.startswith("naive:"):
        moment = sa.func.timezone(kind.unit.partition(":")[2], moment)
    elif not kind.zoned:
        moment = sa.func.timezone("UTC", moment)
    return sa.func.floor(sa.extract("epoch", moment) * 1000 / width_ms)


def _prefix(created: sa.Column[Any], width_ms: int) -> list[Any]:
    """A text of a time, as far as it parts buckets of a width, and its zone, which is whole minutes from UTC."""
    text, kind = sa.type_coerce(created, sa.Text()), created.type
    zoned = sa.func.substr(text, -6, 1).in_(("+", "-"))
    fine = _MINUTES if width_ms % (60 * _S) == 0 else _SECONDS
    hours = width_ms % (3_600 * _S) == 0 and getattr(kind, "unit", "") in ("timestamptz", "naive_utc")
    length: Any = sa.case((zoned, fine), else_=_HOURS) if hours else fine
    zone = sa.case((zoned, sa.func.substr(text, -6)), else_="")
    return [sa.func.substr(text, 1, length).label("bucket"), zone.label("zone")]


def _decoder(kind: Any) -> Decode:
    def decode(parts: Sequence[Any]) -> int | None:
        text, zone = parts
        if text is None:
            return None
        rest = _REST.get(len(str(text)))
        ns = to_ns(text if rest is None else f"{text}{rest}{zone}", kind.unit)
        return None if ns is None else ns // MS

    return decode
