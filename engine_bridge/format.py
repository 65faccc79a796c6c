"""Times, durations and hostile text, made fit to read. Pure functions; any thread."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))
_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff]"
)


def duration(ns: int | None) -> str:
    """A duration in its two largest units ("2 m 58 s", "340 ms"); negative ones keep their sign."""
    if ns is None:
        return ""
    if ns < 0:
        return "-" + duration(-ns)
    if ns < 1_000_000:
        return f"{ns / 1_000:g} µs" if ns else "0 s"
    if ns < 1_000_000_000:
        return f"{ns // 1_000_000} ms"
    if ns < 60_000_000_000:
        seconds = ns / 1e9
        return f"{seconds:.1f} s".replace(".0 s", " s") if seconds < 10 else f"{int(seconds)} s"
    return _large(ns // 1_000_000_000)


def _large(seconds: int) -> str:
    parts: list[str] = []
    for size, unit in (*_UNITS, (1, "s")):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def duration_exact(ns: int | None) -> str:
    """A duration with every nanosecond, in seconds ("178.250000000 s")."""
    if ns is None:
        return ""
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{ns // 1_000_000_000}.{ns % 1_000_000_000:09d} s"


def moment(ns: int | None, zone: tzinfo | None = None) -> datetime | None:
    """A time as a datetime in a zone (None: the machine's); None where it cannot be one."""
    if ns is None:
        return None
    try:
        return datetime.fromtimestamp(ns // 1_000_000_000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return None


def clock(ns: int | None, zone: tzinfo | None = None, *, digits: int = 3) -> str:
    """Time of day with ``digits`` decimals of a second (0 to 9)."""
    at = moment(ns, zone)
    if at is None or ns is None:
        return "" if ns is None else f"{ns} ns"
    fraction = f".{ns % 1_000_000_000:09d}"[: digits + 1] if digits else ""
    return f"{at:%H:%M:%S}{fraction}"


def day(ns: int | None, zone: tzinfo | None = None) -> str:
    """A short day ("6 Nov")."""
    at = moment(ns, zone)
    return "" if at is None else f"{at.day} {at:%b}"


def short_time(ns: int | None, now_ns: int, zone: tzinfo | None = None) -> str:
    """Time of day when it is today, day and time otherwise ("18 Nov 14:05:00")."""
    at, now = moment(ns, zone), moment(now_ns, zone)
    if at is None or now is None:
        return clock(ns, zone, digits=0)
    text = f"{at:%H:%M:%S}"
    if at.date() == now.date():
        return text
    year = f" {at.year}" if at.year != now.year else ""
    return f"{at.day} {at:%b}{year} {text}"


def timestamp(ns: int | None, zone: tzinfo | None = None) -> str:
    """A full ISO time with nanoseconds and offset, for tooltips, copy and the terminal."""
    at = moment(ns, zone)
    if at is None or ns is None:
        return "" if ns is None else f"{ns} ns"
    return f"{at:%Y-%m-%d %H:%M:%S}.{ns % 1_000_000_000:09d}{at:%z}"


def ago(ns: int | None, now_ns: int) -> str:
    """How long ago, or how far ahead ("3 m ago", "in 41 m")."""
    if ns is None:
        return ""
    gap = now_ns - ns
    if abs(gap) < 1_000_000_000:
        return "now"
    largest = duration(abs(gap)).split(" ")
    text = " ".join(largest[:2]) if abs(gap) >= 60_000_000_000 else duration(abs(gap))
    return f"{text} ago" if gap > 0 else f"in {text}"


def count(number: int) -> str:
    """An integer with thin groups ("1 284")."""
    return f"{number:,}".replace(",", "\u202f")


def in_words(value: object) -> str:
    """A recorded value as people write it: "yes" and "no" for truth values."""
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def counted(number: int, noun: str, many: str = "") -> str:
    """ "1 run", "2 runs", "3 activities"; ``many`` where no s makes the plural."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def size(number: int) -> str:
    """Bytes in binary units ("1.2 MiB")."""
    value = float(number)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def plain(text: str, limit: int = 400) -> str:
    """One safe line of foreign text: controls, bidi overrides and lone surrogates become escapes.

    At most ``limit`` characters; what was cut shows as an ellipsis.
    """
    cut = text[: limit + 1]
    shown = _CONTROL.sub(_escape, cut)
    return shown[: limit - 1] + "…" if len(shown) > limit else shown


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if char in "\n\r\t":
        return {"\n": "⏎", "\r": "␍", "\t": "⇥"}[char]
    return f"\\u{ord(char):04x}" if ord(char) > 0xFF else f"\\x{ord(char):02x}"


def safe_lines(text: str) -> str:
    """As ``plain``, but keeps newlines and tabs and the whole length: for terminals and text views."""
    return _CONTROL.sub(lambda m: m.group() if m.group() in "\n\t" else _escape(m), text)


def width(text: str) -> int:
    """Terminal columns of a text (wide East Asian characters count two, combining ones none)."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
