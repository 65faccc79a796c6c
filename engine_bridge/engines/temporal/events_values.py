"""Scalars of protobuf JSON and of what looks like it: ids, times, durations. None for whatever does not fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
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
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?s", re.ASCII)


def integer(value: Any) -> int | None:
    """An int64 as number, text or protobufjs ``Long`` ({low, high})."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"-?\d{1,19}", value, re.ASCII) else None
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
    """Many RFC 3339 times at once (0.1 us each where all are as a server writes them); NO_TIME for what is none."""
    if _as_written_by_servers(values):
        try:
            return np.array([value[:-1] for value in values], "datetime64[ns]").astype(np.int64)
        except ValueError:
            pass
    found = [time_ns(value) for value in values]
    return np.array([NO_TIME if time is None else time for time in found], np.int64)


def _as_written_by_servers(values: list[str]) -> bool:
    # numpy wraps years beyond 2262 silently, warns of zones, and takes words such as "today".
    return (
        bool(values)
        and min(values) > "1971"
        and max(values) < "2262"
        and min(map(len, values)) >= 20
        and max(map(len, values)) <= 30
        and {value[-1] for value in values} == {"Z"}
        and {value[10] for value in values} == {"T"}
    )
