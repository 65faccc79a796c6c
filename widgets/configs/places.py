"""Where the values of a JSON text stand: JSON pointers (RFC 6901) by offset and line. Pure; any thread.

Broken text gives the places up to the fault: configs are looked at most closely when they are wrong.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True, slots=True)
class Spot:
    """A value with its name: offsets of the text, the end excluded. ``holds`` others: an object or a list."""

    pointer: str
    start: int
    end: int
    holds: bool = False


@dataclass(slots=True)
class _Open:
    """An object or list that is being read."""

    pointer: str
    start: int
    listed: bool
    index: int = 0
    key: str | None = None
    key_start: int = -1

    def child(self) -> str:
        return f"{self.pointer}/{self.index if self.listed else escape(self.key or '')}"


def escape(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


class Places:
    """The places of one text. Lines and columns count from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.spots = sorted(_scan(text), key=lambda spot: (spot.start, -spot.end))
        self._at = {spot.pointer: spot for spot in self.spots}

    def line(self, offset: int) -> int:
        """The line an offset is on."""
        return bisect_right(self._starts, offset)

    def line_of(self, pointer: str) -> int:
        """The line on which a value begins, 0 where the text has none such."""
        spot = self._at.get(pointer)
        return self.line(spot.start) if spot is not None else 0

    def holds_others(self, pointer: str) -> bool:
        """Whether a value is an object or a list."""
        spot = self._at.get(pointer)
        return spot is not None and spot.holds

    def at(self, line: int, column: int) -> str:
        """The pointer of the innermost value at a place; on a line's indentation, of the first value on the line."""
        if not 1 <= line <= len(self._starts):
            return ""
        begin = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else 1 << 60
        offset = min(begin + column, end) - 1
        first = next((spot for spot in self.spots if spot.start >= begin), None)
        if first is not None and offset < first.start < end:
            return first.pointer
        inside = [spot.pointer for spot in self.spots if spot.start <= offset < spot.end]
        return inside[-1] if inside else ""


def _scan(text: str) -> list[Spot]:
    found: list[Spot] = []
    stack: list[_Open] = []
    for match in _TOKEN.finditer(text):
        word, at, end = match.group(), match.start(), match.end()
        top = stack[-1] if stack else None
        if word in "}]" and top is not None:
            stack.pop()
            found.append(Spot(top.pointer, top.start, end, holds=True))
        elif word == "," and top is not None:
            top.index, top.key = top.index + 1, None
        elif word[0] == '"' and top is not None and not top.listed and top.key is None:
            top.key, top.key_start = _name(word), at
        elif word not in ":,}]":
            start = top.key_start if top is not None and not top.listed else at
            pointer = top.child() if top is not None else ""
            if word in "{[":
                stack.append(_Open(pointer, start, word == "["))
            else:
                found.append(Spot(pointer, start, end))
    return found + [Spot(left.pointer, left.start, len(text), holds=True) for left in stack]


def _name(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError:
        return word.strip('"')
