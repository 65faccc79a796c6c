"""Where the axes of the charts have ticks, and what they say: time in a zone, durations on a log scale. Knows no Qt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from engine_bridge.format import count, duration

_DAY: Final = 86_400
_SECOND, _MINUTE = 1_000, 60_000  # ms, as all steps within a day
_LONGER: Final = 1.5  # how much room the labels with milliseconds take
_ROUNDING: Final = 1e-3  # ms: seconds since 1970 have no more digits
_SECONDS: Final = (1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200)
_STEPS: Final = (1, 5, 10, 50, 100, 500, *(seconds * _SECOND for seconds in _SECONDS))
_DAY_STEPS: Final = (1, 2, 5, 10, 30, 90, 365, 1_825, 3_650, 18_250, 36_500)
_DURATIONS_NS: Final = tuple(
    int(seconds * 1e9)
    for seconds in (
        1e-3,
        1e-2,
        0.1,
        1,
        10,
        60,
        600,
        3_600,
        36_000,
        86_400,
        864_000,
        8_640_000,
    )
)

Tick = tuple[float, str]


def time_ticks(start_s: float, end_s: float, most: int, zone: tzinfo | None) -> list[Tick]:
    """At most about ``most`` (position, label) between two times in seconds UTC, on round local times."""
    if not end_s > start_s or most < 1:
        return []
    wanted_s = (end_s - start_s) / most
    try:
        wanted = wanted_s * _SECOND
        step = next((s for s in _STEPS if s >= wanted * (_LONGER if s < _SECOND else 1)), None)
        if step is not None:
            return list(_within_days(start_s, end_s, step, zone))
        days = next((d for d in _DAY_STEPS if d * _DAY >= wanted_s), _DAY_STEPS[-1])
        return list(_whole_days(start_s, end_s, days, zone))
    except (OverflowError, ValueError, OSError):
        return []


def _midnights(start_s: float, end_s: float, zone: tzinfo | None) -> Iterator[datetime]:
    first = datetime.fromtimestamp(start_s, UTC).astimezone(zone).date()
    count = int((end_s - start_s) // _DAY) + 2
    for number in range(count + 1):
        yield _aware(datetime.combine(first + timedelta(days=number), datetime.min.time()), zone)


def _within_days(start_s: float, end_s: float, step: int, zone: tzinfo | None) -> Iterator[Tick]:
    for midnight in _midnights(start_s, end_s, zone):
        base = midnight.timestamp()
        first = max(0, math.ceil(((start_s - base) * _SECOND - _ROUNDING) / step) * step)
        last = min(_DAY * _SECOND - 1, math.floor((end_s - base) * _SECOND + _ROUNDING))
        for offset in range(first, last + 1, step):
            yield base + offset / _SECOND, _label(midnight, offset, step)


def _label(midnight: datetime, offset: int, step: int) -> str:
    at = datetime.fromtimestamp(midnight.timestamp() + offset // _SECOND, UTC).astimezone(midnight.tzinfo)
    if step >= _MINUTE and at.hour == at.minute == 0:
        return f"{at.day} {at:%b}"
    if step >= _SECOND:
        return f"{at:%H:%M:%S}" if step < _MINUTE else f"{at:%H:%M}"
    return f"{at:%H:%M:%S}.{offset % _SECOND:03}"


def _whole_days(start_s: float, end_s: float, step: int, zone: tzinfo | None) -> Iterator[Tick]:
    first = datetime.fromtimestamp(start_s, UTC).astimezone(zone).toordinal()
    last = datetime.fromtimestamp(end_s, UTC).astimezone(zone).toordinal()
    for ordinal in range(-(-first // step) * step, last + 1, step):
        midnight = _aware(datetime.fromordinal(ordinal), zone)
        at = midnight.timestamp()
        if start_s <= at <= end_s:
            yield at, f"{midnight:%b %Y}" if step >= 90 else f"{midnight.day} {midnight:%b}"


def _aware(at: datetime, zone: tzinfo | None) -> datetime:
    return at.replace(tzinfo=zone) if zone is not None else at.astimezone()


def duration_ticks(low: float, high: float, most: int = 8) -> list[Tick]:
    """At most about ``most`` (position, label) between two positions on a log10 axis of seconds."""
    marks = [(math.log10(ns / 1e9), duration(ns)) for ns in _DURATIONS_NS]
    shown = [(at, label) for at, label in marks if low <= at <= high]
    kept: list[Tick] = []
    for at, label in shown:
        if not kept or (at - kept[-1][0]) * most >= high - low:
            kept.append((at, label))
    return kept


def count_ticks(high: float, most: int) -> list[Tick]:
    """Whole numbers from 0 to ``high``, at most about ``most`` steps."""
    step = next((s for s in _count_steps() if s * max(1, most) >= high), None)
    if step is None or high <= 0:
        return []
    return [(float(at), count(at)) for at in range(0, int(high) + 1, step)]


def _count_steps() -> Iterator[int]:
    for power in range(16):
        yield from (10**power, 2 * 10**power, 5 * 10**power)


def log_position(duration_ns: int) -> float:
    """Where a duration stands on that axis; nothing is shorter than a millisecond there."""
    return math.log10(max(duration_ns, 1_000_000) / 1e9)
