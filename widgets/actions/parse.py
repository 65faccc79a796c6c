"""Values of parameters from what was typed, and back. Pure functions; any thread."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)\s*")


class InvalidError(ValueError):
    """What was typed does not fit; ``at`` is the place in the text (characters), -1 for none."""

    def __init__(self, message: str, at: int = -1) -> None:
        super().__init__(message)
        self.at = at


def json_value(text: str) -> Any:
    """A JSON value; a text keeps its quotes, as JSON text, so that it stays apart from JSON. Raises InvalidError."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise InvalidError(f"No JSON at {where}: {error.msg.lower()}.", error.pos) from None
    except RecursionError:
        raise InvalidError("It is nested too deeply.") from None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value


def _refuse(word: str) -> Any:
    raise InvalidError(f"{word} is not a JSON number.")


def json_text(value: Any) -> str:
    """A prefilled value as JSON to edit; text that is JSON already is laid out, other text is quoted."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return json.dumps(value, ensure_ascii=False)
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 48 else json.dumps(value, ensure_ascii=False, indent=2)


def duration_ns(text: str) -> int:
    """A duration such as "2 m 30 s", "90s" or "1.5 h"; a bare number is seconds. Raises InvalidError."""
    stripped = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return round(float(stripped) * _UNITS["s"])
    at, total = 0, 0
    while at < len(stripped):
        part = _PART.match(stripped, at)
        if part is None or part[2] not in _UNITS:
            raise InvalidError("Write a duration such as 90 s, 5 m or 1 h 30 m.", at)
        total += round(float(part[1]) * _UNITS[part[2]])
        at = part.end()
    if not stripped:
        raise InvalidError("Write a duration such as 90 s, 5 m or 1 h 30 m.")
    return total


def integer(text: str) -> int:
    """Raises InvalidError."""
    try:
        return int(text.strip())
    except ValueError:
        raise InvalidError("Write a whole number.") from None


def number(text: str) -> float:
    """Raises InvalidError."""
    try:
        value = float(text.strip())
    except ValueError:
        raise InvalidError("Write a number.") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidError("Write a finite number.")
    return value
