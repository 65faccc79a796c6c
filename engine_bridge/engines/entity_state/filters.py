"""Filters over entities: per workflow, what SQL answers exactly, and what is left for the decoded entity.

What the workflow's type decides is decided before anything is asked, so that other workflows are not even looked at.
A correlation id matches when any history or failure row of the entity has it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import and_

from engine_bridge.engines.entity_state import filters_columns
from engine_bridge.engines.entity_state.runs_rows import CORRELATIONS
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.model import Run
from engine_bridge.query.ast import Ago, And, Compare, Day, Node, Not, Or, Text
from engine_bridge.query.predicate import DEFAULT, Predicate, Test, predicate, value_test
from engine_bridge.query.sql import Clause, split

_ALIASES: Final = {("attributes", "tenant"): "tenant", ("attributes", "label"): "label"}
_MARK: Final = "correlation "
_RELATIVE: Final = ("age", "here_for", "running_for", "stuck")
_KEPT: Final = 64


@dataclass(frozen=True)
class Where:
    """A filter for one workflow, split. ``never``: none of its entities can match.

    ``needs`` are the fields that the residual looks at: they decide what must be read. ``marks`` are the comparisons
    of correlation ids in it, by the names that stand for them. ``key`` names the pushed part among prepared statements;
    None where it holds the time of the question.
    """

    clause: Clause | None = None
    residual: Node | None = None
    needs: frozenset[str] = field(default_factory=frozenset)
    never: bool = False
    marks: dict[str, Compare] = field(default_factory=dict)
    key: Hashable = "all"

    @property
    def conditions(self) -> tuple[Clause, ...]:
        """The pushed part as conditions of a statement."""
        return () if self.clause is None else (self.clause,)

    def also(self, clause: Clause) -> Where:
        """The same with one more condition."""
        return replace(self, clause=clause if self.clause is None else and_(self.clause, clause), key=None)

    def predicate(self, now_ns: int) -> Predicate:
        """The rest as a function of a run."""
        if self.residual is None:
            return lambda run: True
        tests = {name: value_test(node, now_ns) for name, node in self.marks.items()}
        return predicate(self.residual, now_ns, _Lookup(now_ns, tests))


def where(bound: Bound, query: Node | None, now_ns: int, dialect: str) -> Where:
    """Splits a filter for one workflow."""
    if query is None:
        return Where()
    known: Where | None = bound.kept.get(query)
    if known is not None:
        return known
    made = _split(bound, query, now_ns, dialect)
    if made.key is not None:
        if len(bound.kept) >= _KEPT:
            bound.kept.clear()
        bound.kept[query] = made
    return made


def _split(bound: Bound, query: Node, now_ns: int, dialect: str) -> Where:
    marks: dict[str, Compare] = {}
    folded = _folded(query, bound, now_ns, marks)
    if isinstance(folded, bool):
        return Where(never=not folded)
    columns = filters_columns.columns(bound, now_ns, dialect)
    columns |= {name: filters_columns.correlation(bound, node) for name, node in marks.items()}
    clause, residual = split(folded, columns, now_ns)
    needs = frozenset() if residual is None else frozenset(_fields(residual))
    return Where(clause, residual, needs, marks=marks, key=query if _timeless(query) else None)


def _timeless(node: Node) -> bool:
    match node:
        case Compare():
            values = node.value if isinstance(node.value, tuple) else (node.value,)
            relative = any(isinstance(value, Ago | Day) for value in values)
            return not relative and node.field not in _RELATIVE
        case Not(inner):
            return _timeless(inner)
        case And(nodes) | Or(nodes):
            return all(_timeless(inner) for inner in nodes)
    return True


def _folded(node: Node, bound: Bound, now_ns: int, marks: dict[str, Compare]) -> Node | bool:
    """The filter with what the workflow alone decides decided."""
    match node:
        case Compare():
            return _leaf(node, bound, now_ns, marks)
        case Not(inner):
            found = _folded(inner, bound, now_ns, marks)
            return not found if isinstance(found, bool) else Not(found)
        case And(nodes):
            return _joined([_folded(inner, bound, now_ns, marks) for inner in nodes], And, False)
        case Or(nodes):
            return _joined([_folded(inner, bound, now_ns, marks) for inner in nodes], Or, True)
        case Text(text):
            either = Or(tuple(Compare(name, "contains", text) for name in ("id", "type", "error")))
            return _folded(either, bound, now_ns, marks)
    return node


def _joined(parts: list[Node | bool], kind: type[And] | type[Or], absorbing: bool) -> Node | bool:
    if any(part is absorbing for part in parts):
        return absorbing
    left = tuple(part for part in parts if not isinstance(part, bool))
    if not left:
        return not absorbing
    return left[0] if len(left) == 1 else kind(left)


def _leaf(node: Compare, bound: Bound, now_ns: int, marks: dict[str, Compare]) -> Node | bool:
    alias = _ALIASES.get((node.field, node.path))
    if alias is not None:
        return replace(node, field=alias, path="")
    if node.field == "type":
        return value_test(node, now_ns)(bound.type)
    if node.field != "correlation_id":
        return node
    if node.op in ("!=", "!~"):
        positive = replace(node, op="==" if node.op == "!=" else "~")
        found = _leaf(positive, bound, now_ns, marks)
        return found if isinstance(found, bool) else Not(found)
    name = f"{_MARK}{len(marks)}"
    marks[name] = node
    return Compare(name, "==", True)


def _fields(node: Node) -> list[str]:
    match node:
        case Compare():
            return ["correlation_id" if node.field.startswith(_MARK) else node.field.partition(".")[0]]
        case Not(inner):
            return _fields(inner)
        case And(nodes) | Or(nodes):
            return [name for inner in nodes for name in _fields(inner)]
    return []


class _Lookup:
    """Fields of an entity's run that are no attributes of ``Run``."""

    def __init__(self, now_ns: int, marks: dict[str, Test]) -> None:
        self._now_ns = now_ns
        self._marks = marks

    def __call__(self, run: Run, field: str, path: str) -> Any:
        mark = self._marks.get(field)
        if mark is not None:
            return any(mark(text) for text in run.extra.get(CORRELATIONS, ()))
        found = _LOOKUPS.get(field)
        return DEFAULT if found is None or path else found(run, self._now_ns)


def _version(run: Run, now_ns: int) -> int | None:
    text = run.version or ""
    return int(text) if text.removeprefix("-").isdigit() else None


def _here_for(run: Run, now_ns: int) -> int | None:
    since = run.extra.get("since_ns")
    return None if since is None else now_ns - since


_LOOKUPS: Final[dict[str, Callable[[Run, int], Any]]] = {
    "state": lambda run, now: run.engine_status,
    "tenant": lambda run, now: run.attributes.get("tenant"),
    "label": lambda run, now: run.attributes.get("label"),
    "claimed_by": lambda run, now: run.worker,
    "version": _version,
    "here_for": _here_for,
    "drift": lambda run, now: bool(run.extra.get("drift")),
    "stuck": lambda run, now: bool(run.extra.get("stuck")),
    "unknown": lambda run, now: bool(run.extra.get("unknown")),
    "failures": lambda run, now: run.extra.get("failures", 0),
}
