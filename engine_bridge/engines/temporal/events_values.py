"""Scalars of protobuf JSON and of what looks like it: ids, times, durations. None for whatever does not fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME

_SECOND: Final = 1_000_000_000
_LIMIT: Final = 2**62
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?\s*",
    re.ASCII | re.IGNORECASE,
)
_INTEGER: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?s", re.ASCII)


def integer(value: Any) -> int | None:
    """An int64 as number, text or protobufjs ``Long`` ({low, high})."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    if (
        isinstance(value, dict)
        and isinstance(value.get("low"), int)
        and isinstance(value.get("high", 0), int)
    ):
        value = (value.get("high", 0) << 32) | (value["low"] & 0xFFFFFFFF)
    return value if isinstance(value, int) and -_LIMIT < value < _LIMIT else None


def id_of(value: Any) -> int:
    """An event id, 0 where there is none."""
    return max(integer(value) or 0, 0)


def text(value: Any) -> str:
    """A text field, "" where there is none."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """A message field, {} where there is none."""
    return value if isinstance(value, dict) else {}


def time_ns(value: Any) -> int | None:
    """A Timestamp: RFC 3339 (to the ns) or {seconds, nanos}. The zero time of Go is no time."""
    if isinstance(value, dict):
        return _seconds(value)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    except ValueError:
        return None
    hour, minute, second = (int(part) for part in found.groups()[3:6])
    seconds = (day - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 + hour * 3600 + minute * 60 + second
    zone = found[8] or "Z"
    if zone not in "Zz":
        away = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds -= -away if zone[0] == "-" else away
    ns = seconds * _SECOND + int((found[7] or "").ljust(9, "0"))
    return ns if -_LIMIT < ns < _LIMIT else None


def _seconds(value: dict[str, Any]) -> int | None:
    if not value.keys() & {"seconds", "nanos"}:
        return None
    seconds, nanos = integer(value.get("seconds", 0)), integer(value.get("nanos", 0))
    if seconds is None or nanos is None or abs(seconds) > _LIMIT // _SECOND:
        return None
    return seconds * _SECOND + nanos


def duration_ns(value: Any) -> int | None:
    """A Duration: "1.5s" or {seconds, nanos}."""
    if isinstance(value, dict):
        return _seconds(value) if value else 0
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    ns = int(found[2]) * _SECOND + int((found[3] or "").ljust(9, "0"))
    ns = -ns if found[1] else ns
    return ns if -_LIMIT < ns < _LIMIT else None


def positive_ns(value: Any) -> int | None:
    """A duration that says something: protobuf writes "0s" for what is not set."""
    found = duration_ns(value)
    return found if found else None


def times_ns(values: list[str]) -> NDArray[np.int64]:
    """Many RFC 3339 times at once (0.1 us each where all are as servers write them); NO_TIME for what is none."""
    found = _as_servers_write(values)
    if found is not None:
        return found
    single = [time_ns(value) for value in values]
    return np.array([NO_TIME if time is None else time for time in single], np.int64)


_WIDTH: Final = 30  # 2026-11-20T03:18:36.197520182Z
_SIGNS: Final = {4: 45, 7: 45, 10: 84, 13: 58, 16: 58}  # - - T : :
_DIGITS: Final = np.array([i for i in range(19) if i not in _SIGNS])


def _as_servers_write(values: list[str]) -> NDArray[np.int64] | None:
    """Times in UTC with up to nine digits of a second, by columns of characters; None when one is otherwise."""
    if not values or max(map(len, values)) > _WIDTH:
        return None
    try:
        cells = np.array(values, f"S{_WIDTH}").view(np.uint8).reshape(len(values), _WIDTH).T.copy()
    except UnicodeEncodeError:
        return None
    ends = cells[19:] == 90  # Z
    after = np.logical_or.accumulate(ends, axis=0)
    fraction = np.where(after[1:10], np.uint8(0), cells[20:29] - np.uint8(48))
    digits = cells[_DIGITS] - np.uint8(48)  # what is no digit wraps far beyond 9
    right = (
        all((cells[i] == sign).all() for i, sign in _SIGNS.items())
        and digits.max() <= 9
        and fraction.max() <= 9
        and (ends.sum(axis=0) == 1).all()
        and (ends[0] | ((cells[19] == 46) & ~ends[1])).all()
        and not cells[20:][after[:-1]].any()
    )
    return _joined(digits, fraction) if right else None


def _joined(digits: NDArray[np.uint8], fraction: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    year, month, day, hour, minute, second = (
        _number(digits[a:b]) for a, b in pairwise((0, 4, 6, 8, 10, 12, 14))
    )
    for values, low, high in (
        (year, 1970, 2261),
        (month, 1, 12),
        (day, 1, 28),
        (hour, 0, 23),
        (minute, 0, 59),
        (second, 0, 59),
    ):
        if values.min() < low or (
            values.max() > high and not (values is day and _month_ends(year, month, day))
        ):
            return None
    found: NDArray[np.int64] = _days(year, month, day).astype(np.int64)
    found *= 86_400
    found += hour * 3600 + minute * 60 + second
    found *= _SECOND
    found += _number(fraction)
    return found


def _number(digits: NDArray[np.uint8]) -> NDArray[np.int32]:
    total = np.zeros(digits.shape[1], np.int32)
    for row in digits:
        total *= 10
        total += row
    return total


def _month_ends(year: NDArray[np.int32], month: NDArray[np.int32], day: NDArray[np.int32]) -> bool:
    """Whether every day is in its month."""
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[month - 1]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0)) & (month == 2)
    return bool((day <= lengths + leap).all())


def _days(year: NDArray[np.int32], month: NDArray[np.int32], day: NDArray[np.int32]) -> NDArray[np.int32]:
    """Days since 1970-01-01 (Hinnant, days_from_civil: http://howardhinnant.github.io/date_algorithms.html)."""
    shifted: NDArray[np.int32] = year - (month <= 2).astype(np.int32)  # years that begin with March
    era, of_era = shifted // 400, shifted % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
