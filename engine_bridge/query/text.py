"""Writes filters: the inverse of parse, and what "filter by this" puts into the filter bar."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from engine_bridge.query.ast import (
    Ago,
    And,
    Compare,
    Day,
    Duration,
    Instant,
    Node,
    Not,
    Or,
    Scalar,
    Text,
    Word,
)
from engine_bridge.query.literals import UNITS, unquote

_PLAIN_PART: Final = re.compile(r"[\w-]+")
_PATH_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\w-]+', re.DOTALL)
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_NAMED: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quote(value: Scalar) -> str:
    """A value as a filter writes it: text always in double quotes, so any text is safe."""
    match value:
        case str() | Word():
            return f'"{_SPECIAL.sub(_escape, value.text if isinstance(value, Word) else value)}"'
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
    return _time(value)


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _NAMED.get(char) or f"\\u{ord(char):04x}"


def _number(value: float) -> str:
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _time(value: Duration | Ago | Instant | Day) -> str:
    match value:
        case Duration(ns):
            return duration(ns)
        case Ago(ns):
            return f"{duration(ns)} ago" if ns else "now"
        case Instant(ns):
            return instant(ns)
    return value.day


def duration(ns: int) -> str:
    """An exact duration in as few units as it takes ("1h30m", "250ms")."""
    if ns < 0:
        return "-" + duration(-ns)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms", "us", "ns"):
        count, ns = divmod(ns, UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def instant(ns: int) -> str:
    """A time as ISO 8601 in UTC with as many decimals as it has."""
    seconds, rest = divmod(ns, 1_000_000_000)
    at = datetime.fromtimestamp(seconds, UTC)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return (
        f"{at:%Y-%m-%dT%H:%M:%S}{fraction}Z".rjust(20, "0")
        if at.year < 1000
        else f"{at:%Y-%m-%dT%H:%M:%S}{fraction}Z"
    )


def split_path(path: str) -> tuple[str, ...]:
    """The keys of an attribute path as written: ``a."b.c"`` is ("a", "b.c")."""
    return tuple(unquote(part) if part[0] == '"' else part for part in _PATH_PART.findall(path))


def join_path(field: str, *parts: str) -> str:
    """A field and attribute keys as a filter names them; keys that are no plain word are quoted."""
    return ".".join([field, *(part if _PLAIN_PART.fullmatch(part) else quote(part) for part in parts)])


def to_text(node: Node) -> str:
    """The filter that parses back to ``node`` (in the same zone)."""
    match node:
        case Text(text):
            return quote(text)
        case Not(inner):
            return f"not {_grouped(inner)}"
        case And(nodes):
            return " and ".join(_grouped(inner) for inner in nodes)
        case Or(nodes):
            return " or ".join(_grouped(inner) for inner in nodes)
    return _leaf(node)


def _grouped(node: Node) -> str:
    text = to_text(node)
    return f"({text})" if isinstance(node, And | Or) else text


def _leaf(node: Compare) -> str:
    name = f"{node.field}.{node.path}" if node.path else node.field
    if node.op == "exists":
        return f"exists({name})"
    if isinstance(node.value, tuple):
        return f"{name} in ({', '.join(quote(value) for value in node.value)})"
    return f"{name} {node.op} {quote(node.value)}"


def compare(field: str, value: Scalar, op: str = "==") -> str:
    """``field == value``; a missing value (None) gives ``not exists(field)``."""
    if value is None:
        return f"not exists({field})" if op == "==" else f"exists({field})"
    return f"{field} {op} {quote(value)}"


def and_(filter_text: str, condition: str) -> str:
    """A filter narrowed by one more condition; what is there already is not added again."""
    return _with(filter_text, condition, "and")


def or_(filter_text: str, condition: str) -> str:
    """A filter widened by one more condition."""
    return _with(filter_text, condition, "or")


def not_(condition: str) -> str:
    """The opposite of a condition; ``!=`` for a plain ``==``."""
    match = re.fullmatch(r'([\w.-]+) == ("(?:[^"\\]|\\.)*"|[\w.-]+)', condition, re.DOTALL)
    return f"{match[1]} != {match[2]}" if match else f"not ({condition})"


def _with(filter_text: str, condition: str, word: str) -> str:
    text = filter_text.strip()
    if not text or text == condition:
        return condition
    other = "or" if word == "and" else "and"
    return f"{_wrapped(text, other)} {word} {_wrapped(condition, other)}"


def _wrapped(text: str, word: str) -> str:
    """Parentheses around a text that holds ``word`` outside quotes and parentheses."""
    flat = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', "", text, flags=re.DOTALL)
    depth = 0
    for piece in re.findall(r"[()]|[\w.-]+", flat):
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and piece.lower() == word:
            return f"({text})"
    return text
