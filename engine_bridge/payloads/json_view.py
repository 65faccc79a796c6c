"""A tolerant, bounded JSON decoder: keeps digits and repeated keys, shows the good prefix of broken text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecodeError
from json import decoder as _json
from typing import Any, Final

from engine_bridge.payloads.limits import DEFAULT, Limits
from engine_bridge.payloads.tree import Number, Opaque, hidden

_TOKEN: Final = re.compile(
    r"[ \t\n\r]*(?:(?P<mark>[\[\]{},:])|(?P<quote>\")|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>true|false|null|NaN|-?Infinity))"
)
_WORDS: Final = {"true": True, "false": False, "null": None}
_MAX_DIGITS: Final = 4000


@dataclass(frozen=True, slots=True)
class JsonView:
    """``tree`` is what was understood; ``error`` says where and why reading stopped; ``truncated``: a limit did."""

    tree: Any
    error: str = ""
    truncated: bool = False


def view(text: str, limits: Limits = DEFAULT) -> JsonView:
    """Decodes a JSON text. Never raises; nesting costs no stack."""
    reader = _Reader(text, limits)
    error = reader.read()
    return JsonView(reader.finish(), error, reader.truncated)


@dataclass(slots=True)
class _Open:
    """A list or object that is still open; ``kept`` is False below the depth limit."""

    kind: str
    kept: bool
    values: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def close(self) -> Any:
        if self.kind == "[":
            return self.values
        del self.keys[len(self.values) :]
        made = dict(zip(self.keys, self.values, strict=True))
        if len(made) == len(self.keys):
            return made
        return Opaque("dict", items=list(zip(self.keys, self.values, strict=True)))


_NOTHING: Final = object()
# The standard decoder's own scanner of quoted text; typeshed does not list it.
_scan_string: Final = vars(_json)["scanstring"]


class _Reader:
    """``_state`` says what comes next; its values are the keys of _EXPECTED."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._left = limits.max_nodes
        self._stack: list[_Open] = []
        self._root: Any = _NOTHING
        self._state = "value"
        self.truncated = False

    def read(self) -> str:
        """Reads to the end, a fault or a limit; gives the fault."""
        at, text = 0, self._text
        while True:
            match = _TOKEN.match(text, at)
            if match is None:
                return self._stop(at)
            if self._state == "done":
                return f"More text follows the value at character {match.start(match.lastgroup or 0)}."
            at = match.end()
            try:
                at = self._take(match, at)
            except JSONDecodeError:
                self._partial(at)
                return f"A text is not closed or has a bad escape at character {at - 1}."
            except ValueError as fault:
                return f"{fault} at character {match.start(match.lastgroup or 0)}."
            if self._left < 0:
                self.truncated = True
                return ""

    def finish(self) -> Any:
        """Closes what is open; gives the tree (None when nothing was understood)."""
        while self._stack:
            self._put(self._stack.pop())
        return None if self._root is _NOTHING else self._root

    def _stop(self, at: int) -> str:
        rest = self._text[at : at + 40].strip()
        if self._state == "done" and not rest:
            return ""
        if not rest and not self._text[at:].strip():
            return (
                f"The text ends too early: expected {_EXPECTED[self._state]} at character {len(self._text)}."
            )
        return f"Expected {_EXPECTED[self._state]} at character {at}."

    def _take(self, match: re.Match[str], at: int) -> int:
        group = match.lastgroup
        if group == "mark":
            self._mark(match["mark"])
            return at
        if group == "quote":
            value, at = _scan_string(self._text, at, False)
            self._string(value)
            return at
        self._need_value()
        self._value(_number(match["number"]) if group == "number" else _word(match["word"]))
        return at

    def _mark(self, mark: str) -> None:
        if mark in "[{":
            self._need_value()
            self._left -= 1
            self._stack.append(_Open(mark, len(self._stack) < self._limits.max_depth))
            self._state = "first" if mark == "[" else "first key"
        elif mark in "]}":
            self._end("[" if mark == "]" else "{")
        elif mark == "," and self._state == "next" and self._stack:
            self._state = "value" if self._stack[-1].kind == "[" else "key"
        elif mark == ":" and self._state == "colon":
            self._state = "value"
        else:
            raise ValueError(f"Expected {_EXPECTED[self._state]}")

    def _end(self, kind: str) -> None:
        fits = self._state == "next" or self._state == ("first" if kind == "[" else "first key")
        if not fits or not self._stack or self._stack[-1].kind != kind:
            raise ValueError(f"Expected {_EXPECTED[self._state]}")
        self._put(self._stack.pop())

    def _put(self, closed: _Open) -> None:
        if closed.kept:
            self._attach(closed.close())
        elif self._stack and self._stack[-1].kept:
            self.truncated = True
            self._attach(hidden(f"deeper than {self._limits.max_depth} levels"))
        self._state = "next" if self._stack else "done"

    def _string(self, value: str) -> None:
        if len(value) > self._limits.max_string:
            self.truncated = True
            value = value[: self._limits.max_string]
        if self._state in ("key", "first key"):
            self._stack[-1].keys.append(value)
            self._state = "colon"
            return
        self._need_value()
        self._value(value)

    def _partial(self, at: int) -> None:
        if self._state in ("value", "first"):
            self._value(self._text[at : at + self._limits.max_string])

    def _need_value(self) -> None:
        if self._state not in ("value", "first"):
            raise ValueError(f"Expected {_EXPECTED[self._state]}")

    def _value(self, value: Any) -> None:
        self._left -= 1
        self._attach(value)
        self._state = "next" if self._stack else "done"

    def _attach(self, value: Any) -> None:
        if not self._stack:
            self._root = value
        elif self._stack[-1].kept:
            self._stack[-1].values.append(value)


_EXPECTED: Final = {
    "value": "a value",
    "first": "a value or ]",
    "key": "a key in quotes",
    "first key": "a key in quotes or }",
    "colon": "a colon",
    "next": "a comma or the end",
    "done": "the end",
}


def _number(text: str) -> Any:
    if len(text) > _MAX_DIGITS:
        return Opaque("number", value=text[:_MAX_DIGITS] + "…")
    if text.lstrip("-").isdigit() and text != "-0":
        return int(text)
    value = float(text)
    return value if repr(value) == text else Number(text)


def _word(word: str) -> Any:
    return _WORDS[word] if word in _WORDS else float(word.replace("Infinity", "inf"))
