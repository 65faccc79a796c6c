"""Completion: what may stand at the cursor, from the grammar's own state and the source's fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lark.exceptions import UnexpectedInput
from lark.parsers.lalr_interactive_parser import InteractiveParser

from engine_bridge.bridge import Field, FieldType
from engine_bridge.query.bind import OPERATORS
from engine_bridge.query.grammar import lalr
from engine_bridge.query.text import quote

MOST: Final = 20
_BEFORE: Final = re.compile(r'"(?:[^"\\]|\\.)*$|\'(?:[^\'\\]|\\.)*$|[^\s()"\',=!<>~]+$|[=!<>~]+$', re.DOTALL)
_AFTER: Final = re.compile(r'[^\s()"\',=!<>~]*"?')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
_BARE: Final = re.compile(r"[A-Za-z_][\w.:-]*")
_OPERATOR_DOCS: Final = {
    "==": "equals",
    "!=": "differs from; also matches where there is no value",
    "<": "before, or less than",
    "<=": "not after, or at most",
    ">": "after, or more than",
    ">=": "not before, or at least",
    "~": "matches a pattern: * any text, ? one character",
    "!~": "does not match a pattern",
    "contains": "contains a text, ignoring case",
    "in": "is one of several values",
    "exists": "has a value",
}
_KEYWORDS: Final = {
    "_AGO": ("ago", "before now"),
    "_AND": ("and", "both conditions"),
    "_OR": ("or", "either condition"),
    "_NOT": ("not", "the opposite of the next condition"),
    "_NULL": ("null", "no value"),
    "RPAR": (")", "closes the parenthesis"),
}
_SAMPLES: Final[dict[FieldType, tuple[tuple[str, str], ...]]] = {
    FieldType.TIME: (
        ("15m ago", "fifteen minutes ago"),
        ("1h ago", "an hour ago"),
        ("24h ago", "a day ago"),
        ("7d ago", "a week ago"),
        ("today", "the whole day; since midnight is >= today"),
        ("yesterday", "the whole day before"),
        ("now", "the engine's now"),
    ),
    FieldType.DURATION: (
        ("250ms", "milliseconds"),
        ("5s", "seconds"),
        ("1m30s", "minutes and seconds"),
        ("1h", "hours"),
        ("1d", "days"),
    ),
    FieldType.BOOLEAN: (("true", "yes"), ("false", "no")),
}
_UNIT_NAMES: Final = (
    ("s", "seconds"),
    ("m", "minutes"),
    ("h", "hours"),
    ("d", "days"),
    ("ms", "milliseconds"),
)


@dataclass(frozen=True, slots=True)
class Completion:
    """``text`` replaces the filter's ``start`` to ``end``; ``label`` is shown in the list, ``doc`` beside it."""

    text: str
    start: int
    end: int
    label: str
    doc: str = ""


def complete(text: str, cursor: int, fields: Sequence[Field]) -> list[Completion]:
    """At most 20 completions of the token under the cursor, best first. Never raises; broken text gives few or none."""
    cursor = max(0, min(cursor, len(text)))
    start, prefix = _token(text[:cursor])
    rest = _AFTER.match(text, cursor)
    end = rest.end() if prefix and rest else cursor
    parser, last = _state(text[:start])
    if parser is None:
        return []
    candidates = _candidates(parser, last, fields, prefix)
    ranked = _ranked(prefix.lstrip("\"'").lower(), candidates)
    return [Completion(insert, start, end, label, doc) for insert, label, doc in ranked[:MOST]]


def _token(before: str) -> tuple[int, str]:
    """Start and text of what is being written; quotes that are closed are no part of it."""
    masked = _QUOTED.sub(lambda match: " " * len(match.group()), before)
    match = _BEFORE.search(masked)
    return (match.start(), before[match.start() :]) if match else (len(before), "")


def _state(before: str) -> tuple[InteractiveParser | None, list[Any]]:
    """The parser after the finished tokens, and these; None when they cannot stand."""
    parser = lalr().parse_interactive(before)
    try:
        return parser, list(parser.exhaust_lexer())
    except UnexpectedInput:
        return None, []


def _candidates(
    parser: InteractiveParser, tokens: list[Any], fields: Sequence[Field], prefix: str
) -> Iterator[tuple[str, str, str]]:
    accepted = parser.accepts()
    field = _last_field(tokens, fields)
    if "WORD" in accepted:
        yield from _values(field, prefix)
    if "FIELD" in accepted:
        yield from _fields(fields)
    if "COMPARE" in accepted:
        yield from _operators(field)
    elif "_CONTAINS" in accepted:
        yield from ((word, word, _OPERATOR_DOCS[word]) for word in ("contains", "in", "exists"))
    yield from ((word, word, doc) for name, (word, doc) in _KEYWORDS.items() if _fits(name, accepted, field))
    if "LPAR" in accepted:
        yield "(", "(", "opens a group" if "FIELD" in accepted else "opens the list"


def _fits(name: str, accepted: set[str], field: Field | None) -> bool:
    if name == "_NOT" and "COMPARE" in accepted:
        return False
    return name in accepted and (name != "_AGO" or (field is not None and field.type is FieldType.TIME))


def _last_field(tokens: list[Any], fields: Sequence[Field]) -> Field | None:
    name = next((str(token) for token in reversed(tokens) if token.type == "FIELD"), "")
    exact = next((field for field in fields if field.name == name), None)
    return exact or next((field for field in fields if field.name == name.partition(".")[0]), None)


def _fields(fields: Sequence[Field]) -> Iterator[tuple[str, str, str]]:
    for field in fields:
        doc = field.doc or field.title or f"a {field.type}"
        path = field.type is FieldType.JSON
        for key in field.values if path else ():
            yield f"{field.name}.{key}", f"{field.name}.{key}", "an attribute"
        yield field.name + ("." if path else ""), field.name + (".…" if path else ""), doc


def _operators(field: Field | None) -> Iterator[tuple[str, str, str]]:
    taken = OPERATORS[field.type if field else FieldType.TEXT]
    yield from ((word, word, doc) for word, doc in _OPERATOR_DOCS.items() if word in taken)


def _values(field: Field | None, prefix: str) -> Iterator[tuple[str, str, str]]:
    if field is None:
        return
    for value in map(str, () if field.type is FieldType.JSON else field.values):
        yield value if _BARE.fullmatch(value) else quote(value), value, f"a {field.title or field.name}"
    if prefix.isdigit() and field.type in (FieldType.TIME, FieldType.DURATION):
        ago = " ago" if field.type is FieldType.TIME else ""
        yield from ((f"{prefix}{unit}{ago}", f"{prefix}{unit}{ago}", name) for unit, name in _UNIT_NAMES)
    else:
        yield from ((value, value, doc) for value, doc in _SAMPLES.get(field.type, ()))


def _ranked(prefix: str, candidates: Iterator[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Those that begin with the prefix, then those that hold it; what is written out already offers nothing."""
    unique = list(dict.fromkeys(candidates))
    begins = [item for item in unique if item[1].lower().startswith(prefix)]
    holds = [item for item in unique if prefix and prefix in item[1].lower() and item not in begins]
    return [item for item in begins + holds if item[0].lower() != prefix]
