"""Tokens of a filter for colouring: by regular expression, so broken and half-written text works too."""

from __future__ import annotations

import re
from typing import Final, Literal

Kind = Literal["field", "operator", "keyword", "string", "number", "time", "word", "paren", "error"]

_TOKEN: Final = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<error>["'].*)
      | (?P<paren>[(),])
      | (?P<operator>==|!=|<=|>=|!~|<|>|~|=)
      | (?P<keyword>(?:and|or|not|in|is|exists|contains|ago|null|true|false)(?![\w.-])|&&|\|\|)
      | (?P<time>(?:now|today|yesterday)(?![\w.-])|\d{4}-\d\d-\d\d[\w:.,+-]*|\d\d:\d\d[\w:.,+-]*
               |-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdw]))+(?![\w.-]))
      | (?P<number>[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.-]))
      | (?P<word>[^\s()"',=!<>~]+)
      | (?P<stray>\S)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FIELD: Final = re.compile(r'[^\W\d][\w-]*(?:\.(?:[\w-]+|"(?:[^"\\]|\\.)*"))*')
_VALUE_FOLLOWS: Final = frozenset({"contains"})


def tokens(text: str) -> list[tuple[int, int, Kind]]:
    """(start, end, kind) of every token, in order; blanks belong to none. Never fails."""
    found: list[tuple[int, int, Kind]] = []
    at, value, depth = 0, False, 0
    while match := _TOKEN.search(text, at):
        kind = match.lastgroup or "stray"
        start, end = match.span()
        word = match.group().lower()
        if not value and kind in ("word", "time", "number") and (field := _FIELD.match(text, start)):
            kind, end = "field", field.end()
        found.append((start, end, _shown(kind)))
        depth += word == "(" and bool(found[:-1]) and text[found[-2][0] : found[-2][1]].lower() == "in"
        depth -= word == ")" and depth > 0
        value = kind == "operator" or word in _VALUE_FOLLOWS or depth > 0
        at = end
    return found


def _shown(kind: str) -> Kind:
    known: dict[str, Kind] = {
        "field": "field",
        "operator": "operator",
        "keyword": "keyword",
        "string": "string",
        "number": "number",
        "time": "time",
        "word": "word",
        "paren": "paren",
    }
    return known.get(kind, "error")
