"""Filters as SQL: what the stored form answers exactly is pushed, the rest stays for the predicate.

``split(node, columns, now_ns)`` gives ``(clause, residual)`` with: a row matches ``node`` exactly when it satisfies
``clause`` and its run matches ``residual``. A conjunct all of whose leaves are exact is pushed whole. Of any other
the clause holds what it implies (an over-approximation: no match is lost) and the residual keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import and_, bindparam, false, func, literal, not_, or_
from sqlalchemy.sql.elements import ColumnElement

from engine_bridge.query.ast import And, Compare, Duration, Instant, Node, Not, Or, Scalar, Text
from engine_bridge.query.elements import Grouped
from engine_bridge.query.leaves import Leaf, enum_leaf, json_leaf, number_leaf, ranged_leaf, text_leaf
from engine_bridge.query.predicate import TEXT_FIELDS
from engine_bridge.query.values import bounds

Clause = ColumnElement[bool]
Kind = Literal[
    "text", "int", "bool", "enum", "json",
    "time_s", "time_ms", "time_us", "time_ns",
    "duration_s", "duration_ms", "duration_us", "duration_ns",
]  # fmt: skip
_GROUP: Final = 50
UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """How an engine stores a field.

    ``expression`` has the value in the stored type and unit, NULL exactly where the run's field is None;
    booleans as 0 and 1 or BOOLEAN, JSON as text (SQLite) or JSONB (PostgreSQL). ``exact`` names the operators
    that SQL answers exactly (None: all of the kind; empty: none). ``clauses``, for kind "enum", maps each
    value to the condition that is true for exactly its rows (see ``enum_column``). ``prover(compare)`` may
    give a condition that a true leaf implies, written with literals so that partial indexes are used; it is
    added to an exact leaf and stands for an inexact one.
    """

    expression: ColumnElement[Any]
    kind: Kind = "text"
    exact: frozenset[str] | None = None
    prover: Callable[[Compare], Clause | None] | None = None
    clauses: Mapping[str, Clause] | None = None


def enum_column(
    expression: ColumnElement[Any],
    values: Mapping[str, Iterable[str]],
    other: str | None = None,
    prover: Callable[[Compare], Clause | None] | None = None,
) -> SqlColumn:
    """A column whose values stand for Playhead's words: ``{"failed": ("ERROR", …)}``.

    Stored values are rendered as literals, so partial indexes on them are used. ``other`` is the word for every
    value not listed.
    """
    stored = {word: tuple(items) for word, items in values.items()}
    clauses = {word: literal_in(expression, items) for word, items in stored.items() if items}
    if other is not None:
        known = [item for items in stored.values() for item in items]
        rest = not_(literal_in(expression, known))
        clauses[other] = or_(clauses[other], rest) if other in clauses else rest
    return SqlColumn(expression, "enum", prover=prover, clauses=clauses)


def literal_in(expression: ColumnElement[Any], values: Iterable[str]) -> Clause:
    """``expression IN ('a', 'b')`` or ``= 'a'`` with the values in the statement's text, quoted by the dialect."""
    items = list(values)
    if len(items) == 1:
        return expression == literal(items[0], literal_execute=True)
    return expression.in_(bindparam(None, items, expanding=True, literal_execute=True))


def split(node: Node, columns: Mapping[str, SqlColumn], now_ns: int) -> tuple[Clause | None, Node | None]:
    """The pushed condition and what is left for the predicate; either may be None."""
    pushed: list[Clause] = []
    left: list[Node] = []
    for conjunct in _conjuncts(node):
        part = _Pusher(columns, now_ns).push(conjunct, True)
        if part.clause is not None:
            pushed.append(part.clause)
        if not part.exact:
            left.append(conjunct)
    clause = _joined(and_, pushed) if pushed else None
    return clause, And(tuple(left)) if len(left) > 1 else left[0] if left else None


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [part for inner in node.nodes for part in _conjuncts(inner)]
    return [node]


@dataclass(frozen=True, slots=True)
class _Part:
    """``clause`` is implied by the node (None: nothing is); ``exact``: and implies it."""

    clause: Clause | None
    exact: bool


_UNKNOWN: Final = _Part(None, False)


class _Pusher:
    """Translates one conjunct; ``positive`` is False below an odd number of ``not``."""

    def __init__(self, columns: Mapping[str, SqlColumn], now_ns: int) -> None:
        self._columns = columns
        self._now_ns = now_ns

    def push(self, node: Node, positive: bool) -> _Part:
        match node:
            case Not(inner):
                return self.push(inner, not positive)
            case And(nodes):
                return self._join(nodes, positive, positive)
            case Or(nodes):
                return self._join(nodes, positive, not positive)
            case Text(text):
                return self.push(
                    Or(tuple(Compare(field, "contains", text) for field in TEXT_FIELDS)), positive
                )
        return self._compare(node, positive)

    def _join(self, nodes: tuple[Node, ...], positive: bool, every: bool) -> _Part:
        parts = [self.push(node, positive) for node in nodes]
        clauses = [part.clause for part in parts if part.clause is not None]
        exact = all(part.exact for part in parts)
        if every:
            return _Part(_joined(and_, clauses) if clauses else None, exact)
        return _Part(_joined(or_, clauses), exact) if len(clauses) == len(parts) else _UNKNOWN

    def _compare(self, node: Compare, positive: bool) -> _Part:
        if node.op in ("!=", "!~"):
            opposite = Compare(node.field, "==" if node.op == "!=" else "~", node.value, node.path)
            return self._compare(opposite, not positive)
        column = self._columns.get(node.field)
        if column is None:
            derived = _derived(node, self._columns, self._now_ns)
            return self.push(derived, positive) if derived is not None else _UNKNOWN
        if node.op == "in" and isinstance(node.value, tuple):
            return self._in(node, node.value, positive)
        return self._leaf(node, column, positive)

    def _in(self, node: Compare, values: tuple[Scalar, ...], positive: bool) -> _Part:
        leaves = tuple(Compare(node.field, "==", value, node.path) for value in values)
        return self.push(Or(leaves), positive)

    def _leaf(self, node: Compare, column: SqlColumn, positive: bool) -> _Part:
        implied = column.prover(node) if column.prover is not None and positive else None
        allowed = column.exact is None or node.op in column.exact
        leaf = _translate(node, column, self._now_ns) if allowed else None
        if leaf is None:
            return _Part(implied, False)
        return _signed(leaf, implied) if positive else _Part(_opposite(leaf), leaf.unsure is None)


def _joined(join: Callable[..., Clause], clauses: list[Clause]) -> Clause:
    """All clauses, in groups of groups: SQLite nests ``a OR b OR …`` one level per term, and refuses 1,000."""
    while len(clauses) > _GROUP:
        chunks = [clauses[at : at + _GROUP] for at in range(0, len(clauses), _GROUP)]
        clauses = [Grouped(join(*chunk)) for chunk in chunks]
    return join(*clauses)


def _signed(leaf: Leaf, implied: Clause | None) -> _Part:
    clause = leaf.clause if leaf.unsure is None else or_(leaf.clause, leaf.unsure)
    return _Part(clause if implied is None else and_(clause, implied), leaf.unsure is None)


def _opposite(leaf: Leaf) -> Clause:
    # NOT of NULL is NULL; a leaf is never unknown, so NULL counts as false first.
    opposite = not_(leaf.clause if leaf.total else func.coalesce(leaf.clause, false()))
    return opposite if leaf.unsure is None else or_(opposite, leaf.unsure)


def _translate(node: Compare, column: SqlColumn, now_ns: int) -> Leaf | None:
    if column.kind == "json":
        return json_leaf(node, column.expression)
    if node.op == "exists":
        return Leaf(column.expression.is_not(None), total=True)
    if column.kind == "enum":
        return enum_leaf(node, column.clauses or {})
    if column.kind == "text":
        return text_leaf(node, column.expression)
    if column.kind in ("int", "bool"):
        return number_leaf(node, column.expression, boolean=column.kind == "bool")
    if not isinstance(node.value, Scalar) or node.value is None:
        return None
    low, high = bounds(node.value, now_ns)
    return ranged_leaf(node.op, low, high, column.expression, UNITS[column.kind.partition("_")[2]])


_MIRRORED: Final[dict[str, Literal["<", "<=", ">", ">=", "=="]]] = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==",
}  # fmt: skip


def _derived(node: Compare, columns: Mapping[str, SqlColumn], now_ns: int) -> Node | None:
    """``age`` and ``running_for`` said by created, started and ended: a gap to now mirrors the order."""
    start = {"age": "created", "running_for": "started"}.get(node.field)
    if start is None or start not in columns or (node.field == "running_for" and "ended" not in columns):
        return None
    moment = _moment(node, start, now_ns)
    if moment is None or node.field == "age":
        return moment
    return And((moment, Not(Compare("ended", "exists", None))))


def _moment(node: Compare, start: str, now_ns: int) -> Node | None:
    if node.op == "exists":
        return Compare(start, "exists", None)
    if node.op == "in" and isinstance(node.value, tuple):
        parts = [_moment(Compare(node.field, "==", value), start, now_ns) for value in node.value]
        return Or(tuple(part for part in parts if part is not None))
    if node.op not in _MIRRORED or not isinstance(node.value, Duration):
        return None
    return Compare(start, _MIRRORED[node.op], Instant(now_ns - node.value.ns))
