"""A subsequence scorer for the palette and quick open. Pure functions; any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def score(pattern: str, text: str) -> float | None:
    """How well the letters of ``pattern`` stand in ``text``, in order; None when they do not.

    Starts of words and unbroken runs count more, late and long texts less. Case and spaces of the pattern do not count.
    """
    wanted = pattern.lower().replace(" ", "")
    if not wanted:
        return 0.0
    return _best(wanted, text.lower(), _starts(text))


def _starts(text: str) -> list[bool]:
    before = " " + text[:-1]
    return [not b.isalnum() or (b.islower() and c.isupper()) for b, c in zip(before, text, strict=True)]


def _best(wanted: str, text: str, starts: list[bool]) -> float | None:
    tries = [_greedy(wanted, text, starts, at) for at, char in enumerate(text) if char == wanted[0]]
    found = [value for value in tries if value is not None]
    return max(found) if found else None


def _greedy(wanted: str, text: str, starts: list[bool], at: int) -> float | None:
    total, last = 0.0, at - 1
    for char in wanted:
        place = _next(char, text, starts, last)
        if place < 0:
            return None
        total += 1.0 + (1.5 if place == last + 1 else 0.0) + (2.0 if starts[place] else 0.0)
        last = place
    return total - at * 0.05 - len(text) * 0.01


def _next(char: str, text: str, starts: list[bool], last: int) -> int:
    """The letter's next place: right after the last one, else the next start of a word, else anywhere."""
    if last + 1 < len(text) and text[last + 1] == char:
        return last + 1
    anywhere = text.find(char, last + 1)
    place = anywhere
    while place >= 0:
        if starts[place]:
            return place
        place = text.find(char, place + 1)
    return anywhere


def ranked(pattern: str, items: Iterable[T], text: Callable[[T], str]) -> list[T]:
    """The items that match, best first; equal ones keep their order."""
    scored = [(score(pattern, text(item)), item) for item in items]
    kept = [(value, item) for value, item in scored if value is not None]
    return [item for _, item in sorted(kept, key=lambda pair: -pair[0])]
