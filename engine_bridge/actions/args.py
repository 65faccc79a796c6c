"""Arguments of staged actions, as dialogs and command lines give them: checked, never guessed. Pure functions."""

from __future__ import annotations

import json
from typing import Any

from engine_bridge.errors import UsageError


def text(args: dict[str, Any], name: str) -> str | None:
    """A text; None for an absent or empty one."""
    value = args.get(name)
    return None if value in (None, "") else str(value)


def integer(args: dict[str, Any], name: str, at_least: int) -> int | None:
    """A whole number. Raises UsageError."""
    value = args.get(name)
    if value in (None, ""):
        return None
    try:
        number = int(str(value))
    except ValueError:
        raise UsageError(f"{name} is {value!r}, which is not a whole number.") from None
    if number < at_least:
        raise UsageError(f"{name} is {number}; it must be {at_least} or more.")
    return number


def boolean(args: dict[str, Any], name: str, default: bool = False) -> bool:
    """A switch. Raises UsageError."""
    value = args.get(name, default)
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("true", "yes", "1", "on"):
        return True
    if word in ("false", "no", "0", "off", "", "none"):
        return False
    raise UsageError(f"{name} is {value!r}; write true or false.")


def json_value(args: dict[str, Any], name: str) -> Any:
    """A JSON value: JSON text, or a value that is no text. Raises UsageError."""
    value = args.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}.", 'A text needs quotes: "yes".') from None
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply.") from None


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")
