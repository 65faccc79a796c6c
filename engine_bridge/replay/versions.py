"""Version specifiers as in ``requires-python`` (PEP 440's common part), for telling what fits before it is run."""

from __future__ import annotations

import re
from typing import Final

_CLAUSE: Final = re.compile(r"\s*(~=|===|==|!=|<=|>=|<|>|\^|~)?\s*v?([0-9]+(?:\.[0-9]+)*)(\.\*)?[^,]*")
_NUMBERS: Final = re.compile(r"v?(\d+(?:\.\d+)*)")


def release(version: str) -> tuple[int, ...]:
    """The numbers at the front of a version, () without any; a pre-release counts as its release."""
    found = _NUMBERS.match(version.strip())
    return tuple(map(int, found[1].split("."))) if found else ()


def fits(version: str, specifier: str) -> bool:
    """Whether a version satisfies every clause (``>=3,<4``). What cannot be read is not held against it."""
    numbers = release(version)
    return not numbers or all(_holds(numbers, clause) for clause in specifier.split(",") if clause.strip())


def _holds(version: tuple[int, ...], clause: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True
    sign, wanted, prefix = match[1] or "==", release(match[2]), bool(match[3])
    if sign in ("~=", "^", "~"):
        # Poetry's ^3.10 and ~3.10 bound it from above as well: by the first number, or by the second.
        kept = wanted[:-1] if sign == "~=" else wanted[:1] if sign == "^" else wanted[:2]
        return _padded(version, wanted) >= wanted and version[: len(kept)] == kept
    left = version[: len(wanted)] if prefix else _padded(version, wanted)
    right = wanted if prefix else _padded(wanted, version)
    return {
        "==": left == right, "===": left == right, "!=": left != right,
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
    }[sign]  # fmt: skip


def _padded(numbers: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return numbers + (0,) * (len(other) - len(numbers))
