"""How values are written: durations, times, numbers and quoted text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine_bridge.query.ast import Ago, Day, Instant

UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_DURATION: Final = re.compile(rf"-?(?:{_PART.pattern})+")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"[+-]?\d+(_\d+)*(\.\d+)?([eE][+-]?\d+)?")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_MAX_NS: Final = 2**63 - 1


def unquote(text: str) -> str:
    """The content of a quoted text (either quote), its escapes resolved."""
    return _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return _SIMPLE.get(code, code)


def duration(text: str) -> int | None:
    """Nanoseconds of "5s", "1m30s", "250ms", "1.5h"; None when it is none or exceeds 292 years."""
    if not _DURATION.fullmatch(text):
        return None
    total = sum((Decimal(count) * UNITS[unit] for count, unit in _PART.findall(text)), Decimal(0))
    ns = int(total)
    if ns > _MAX_NS:
        return None
    return -ns if text.startswith("-") else ns


def number(text: str) -> int | float | None:
    """A number as written in a filter; None when it is none."""
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        return None
    plain = text.replace("_", "")
    return int(plain) if plain.lstrip("+-").isdigit() else float(plain)


def time(text: str, zone: tzinfo | None) -> Ago | Day | Instant | None:
    """A time: ISO 8601, a date, ``today``, ``yesterday`` or ``now``; None when it is none."""
    word = text.lower()
    if word == "now":
        return Ago(0)
    if word in ("today", "yesterday") or _DAY.fullmatch(text):
        day = Day(word, zone_name(zone))
        return day if _valid(day) else None
    match = _INSTANT.fullmatch(text)
    return _instant(match, zone) if match else None


def _valid(day: Day) -> bool:
    try:
        day_bounds(day, 0)
    except (ValueError, OverflowError):
        return False
    return True


def _instant(match: re.Match[str], zone: tzinfo | None) -> Instant | None:
    day, hour, minute, second, fraction, offset = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second or '00'}")
        at = at.replace(tzinfo=offset_zone(offset)) if offset else at.replace(tzinfo=zone)
        seconds = _epoch_seconds(at)
    except (ValueError, OverflowError):
        return None
    return Instant(seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0")))


def _epoch_seconds(at: datetime) -> int:
    # datetime.timestamp() is a float; whole seconds stay exact through the subtraction.
    aware = at.astimezone(UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def offset_zone(text: str) -> timezone:
    """The zone of an offset: "Z", "+02:00", "-0530"."""
    if text in ("Z", "z"):
        return UTC
    digits = text[1:].replace(":", "")
    gap = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-gap if text[0] == "-" else gap)


def zone_name(zone: tzinfo | None) -> str:
    """How a Day remembers its zone: IANA name, offset, or empty for the machine's own."""
    if zone is None:
        return ""
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    minutes = (zone.utcoffset(None) or timedelta(0)) // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    if name[0] in "+-":
        return offset_zone(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def day_bounds(day: Day, now_ns: int) -> tuple[int, int]:
    """First nanosecond of a day and of the next; 23 to 25 hours apart. ValueError for no such date."""
    zone = _zone(day.zone)
    if day.day in ("today", "yesterday"):
        today = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).astimezone(zone).date()
        first = today - timedelta(days=day.day == "yesterday")
    else:
        first = date.fromisoformat(day.day)
    return _midnight(first, zone), _midnight(first + timedelta(days=1), zone)


def _midnight(day: date, zone: tzinfo | None) -> int:
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return _epoch_seconds(at) * 1_000_000_000
