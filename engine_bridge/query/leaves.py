"""SQL of single comparisons, by how the column is stored; ``values`` defines what they mean."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import String, and_, false, literal, or_, true
from sqlalchemy.sql.elements import ColumnElement

from engine_bridge.query.ast import Compare
from engine_bridge.query.elements import (
    AsciiLower,
    BeyondAscii,
    Find,
    Glob,
    JsonNumber,
    JsonText,
    JsonType,
    Ordered,
    json_paths,
)
from engine_bridge.query.predicate import glob_regex
from engine_bridge.query.values import path_parts

Clause = ColumnElement[bool]
Column = ColumnElement[Any]

_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INT64: Final = 2**63
_EXACT_FLOAT: Final = 2**53
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
# Keys that JSON writers leave unescaped and both path languages take as they are; never an array index.
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ .:@-]*")


@dataclass(frozen=True, slots=True)
class Leaf:
    """``clause`` is true where the leaf surely is; ``unsure`` where SQL cannot tell (None: it always can).

    ``total``: the clause is never NULL.
    """

    clause: Clause
    unsure: Clause | None = None
    total: bool = False


def text_leaf(node: Compare, column: Column) -> Leaf | None:
    """A text column. Text that a database cannot hold is not sent to one."""
    value = node.value
    if not isinstance(value, str):
        return Leaf(false())
    if _UNSTORABLE.search(value):
        return None
    if node.op == "==":
        return Leaf(column == literal(value, String()))
    if node.op == "~":
        return Leaf(Glob(column, value))
    if node.op == "contains":
        return _contains(value, column)
    return Leaf(_ORDER[node.op](Ordered(column), literal(value, String())))


def _contains(value: str, column: Column) -> Leaf:
    folded = value.casefold()
    unsure = BeyondAscii(column)
    if not folded.isascii():
        return Leaf(false(), unsure)
    return Leaf(Find(AsciiLower(column), literal(folded, String())) > 0, unsure)


def number_leaf(node: Compare, column: Column, *, boolean: bool) -> Leaf | None:
    """An integer or boolean column."""
    value = node.value
    if boolean:
        return Leaf(column == (true() if value else false())) if isinstance(value, bool) else Leaf(false())
    if isinstance(value, bool) or not isinstance(value, int):
        return None if isinstance(value, float) else Leaf(false())
    return Leaf(_ORDER[node.op](column, value)) if abs(value) < _INT64 else None


def ranged_leaf(op: str, low: int, high: int, column: Column, unit_ns: int) -> Leaf | None:
    """A time or duration in whole units: ``unit * x < ns`` is ``x < ceil(ns / unit)``, so only ceilings occur."""
    first, after = -(-low // unit_ns), -(-high // unit_ns)
    if max(abs(first), abs(after)) >= _INT64:
        return None
    if op == "==":
        return Leaf(_within(column, first, after))
    edge = first if op in ("<", ">=") else after
    return Leaf(column < edge if op in ("<", "<=") else column >= edge)


def _within(column: Column, first: int, after: int) -> Clause:
    if after <= first:
        return false()
    return column == first if after == first + 1 else and_(column >= first, column < after)


def enum_leaf(node: Compare, clauses: Mapping[str, Clause]) -> Leaf:
    """A column of known words: every operator is a choice among them."""
    if node.op == "==":
        return Leaf(clauses.get(str(node.value), false()))
    chosen = [clause for word, clause in clauses.items() if _word_matches(node, word)]
    return Leaf(or_(*chosen) if chosen else false())


def _word_matches(node: Compare, word: str) -> bool:
    wanted = str(node.value)
    if node.op == "~":
        return glob_regex(wanted).match(word) is not None
    return wanted.casefold() in word.casefold()


def json_leaf(node: Compare, column: Column) -> Leaf | None:
    """A scalar under a path of a JSON column."""
    parts = path_parts(node.path)
    if not parts or not all(_PLAIN_KEY.fullmatch(part) for part in parts):
        return None
    paths = json_paths(parts)
    kind = JsonType(column, *paths)
    if node.op == "exists":
        return Leaf(kind.is_not(None), total=True)
    if isinstance(node.value, bool):
        return _json_bool(node.op, node.value, kind)
    if isinstance(node.value, str):
        return _json_text(node, kind, JsonText(column, *paths))
    if isinstance(node.value, int | float) and abs(node.value) <= _EXACT_FLOAT:
        return Leaf(_ORDER[node.op](JsonNumber(column, *paths), node.value))
    return None


def _json_bool(op: str, value: bool, kind: Column) -> Leaf | None:
    return Leaf(kind == ("true" if value else "false")) if op == "==" else None


def _json_text(node: Compare, kind: Column, text: Column) -> Leaf | None:
    inner = text_leaf(node, text)
    if inner is None:
        return None
    clause = and_(kind == "text", inner.clause)
    if node.op not in ("~", "contains"):
        return Leaf(clause)
    inside = kind.in_(("array", "object"))
    return Leaf(clause, inside if inner.unsure is None else or_(inside, and_(kind == "text", inner.unsure)))
