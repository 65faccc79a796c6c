"""Filters as List Filter queries: what the server's visibility answers exactly is asked of it, the rest stays.

``split`` gives ``(clause, residual)`` as ``engine_bridge.query.sql.split`` does: a run matches the filter exactly when
it satisfies the clause and matches the residual predicate. Temporal has no ORDER BY, and groups by status only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine_bridge.engines.temporal import visibility_leaves as leaves
from engine_bridge.engines.temporal.visibility_leaves import Attribute, Clause
from engine_bridge.query.ast import And, Compare, Duration, Instant, Node, Not, Or, Text
from engine_bridge.query.predicate import TEXT_FIELDS
from engine_bridge.query.values import path_parts

#: Search attributes of every server, by field. A closed run alone has an end, a duration and a length.
FIELDS: Final[dict[str, Attribute]] = {
    "type": Attribute("WorkflowType", "keyword", always=True),
    "id": Attribute("WorkflowId", "keyword", always=True),
    "run_id": Attribute("RunId", "keyword", always=True),
    "queue": Attribute("TaskQueue", "keyword", always=True),
    "created": Attribute("StartTime", "time", always=True),
    "ended": Attribute("CloseTime", "time"),
    "duration": Attribute("ExecutionDuration", "duration"),
    "parent": Attribute("ParentRunId", "keyword"),
    "schedule": Attribute("TemporalScheduledById", "keyword"),
}
_KINDS: Final[dict[str, leaves.Kind]] = {
    "Keyword": "keyword", "Int": "int", "Double": "double", "Bool": "bool", "KeywordList": "list",
    "Datetime": "presence", "Text": "presence",
}  # fmt: skip
_FAILED: Final = "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')"
_ERRORS: Final = frozenset({"error", "error.type", "error.message"})
_SPAN: Final = "ExecutionDuration"
_LOOSE: Final[Mapping[str, tuple[str, ...]]] = {"keyword": ("mysql",), "list": ("mysql", "sqlite")}
"""Stores that may compare texts without case: by their collations, by their full-text index of lists."""
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


@dataclass(frozen=True, slots=True)
class Visibility:
    """What one server can be asked.

    ``custom``: its search attributes, name to type ("Keyword"); ``store``: what keeps them ("sqlite",
    "elasticsearch"); ``statuses``: the execution statuses it knows.
    """

    custom: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    statuses: frozenset[str] = frozenset(leaves.STATUSES.values())

    def attribute(self, node: Compare) -> Attribute | None:
        """The search attribute that a comparison is about."""
        if node.field != "attributes":
            return self._fitted(FIELDS.get(node.field))
        parts = path_parts(node.path)
        kind = _KINDS.get(self.custom.get(parts[0], "")) if len(parts) == 1 else None
        return self._fitted(Attribute(parts[0], kind)) if kind is not None else None

    def _fitted(self, attribute: Attribute | None) -> Attribute | None:
        if attribute is None or not self.store.startswith(_LOOSE.get(attribute.kind, ())):
            return attribute
        return Attribute(attribute.name, attribute.kind, attribute.always, exact=False)


def split(node: Node | None, visibility: Visibility, now_ns: int) -> tuple[str, Node | None]:
    """The query ("" for none) and what is left for the predicate."""
    pushed: list[str] = []
    left: list[Node] = []
    for conjunct in _conjuncts(node) if node is not None else ():
        part = _Pusher(visibility, now_ns).push(conjunct, True)
        if part is not None and part.text:
            pushed.append(part.text)
        if part is None or not part.exact:
            left.append(conjunct)
    return joined(pushed), And(tuple(left)) if len(left) > 1 else left[0] if left else None


def joined(clauses: Iterable[str]) -> str:
    """All non-empty clauses, which must all hold."""
    return " and ".join(clause for clause in clauses if clause)


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, And):
        return [part for inner in node.nodes for part in _conjuncts(inner)]
    return [node]


class _Pusher:
    """Translates one conjunct; ``positive`` is False below an odd number of ``not``. None: nothing is implied."""

    def __init__(self, visibility: Visibility, now_ns: int) -> None:
        self._visibility = visibility
        self._now_ns = now_ns

    def push(self, node: Node, positive: bool) -> Clause | None:
        match node:
            case Not(inner):
                return self.push(inner, not positive)
            case And(nodes):
                return self._join(nodes, positive, every=positive)
            case Or(nodes):
                return self._join(nodes, positive, every=not positive)
            case Text(text):
                either = Or(tuple(Compare(name, "contains", text) for name in TEXT_FIELDS))
                return self.push(either, positive)
        return self._compare(node, positive)

    def _join(self, nodes: tuple[Node, ...], positive: bool, *, every: bool) -> Clause | None:
        parts = [self.push(node, positive) for node in nodes]
        known = [part for part in parts if part is not None and part.text]
        exact = all(part is not None and part.exact for part in parts)
        if not known or (not every and len(known) < len(parts)):
            return None
        texts = [part.text for part in known]
        return Clause(
            f"({(' and ' if every else ' or ').join(texts)})" if len(texts) > 1 else texts[0], exact
        )

    def _compare(self, node: Compare, positive: bool) -> Clause | None:
        if node.op in ("!=", "!~"):
            opposite = Compare(node.field, "==" if node.op == "!=" else "~", node.value, node.path)
            return self._compare(opposite, not positive)
        if node.op == "in" and isinstance(node.value, tuple):
            each = tuple(Compare(node.field, "==", value, node.path) for value in node.value)
            return self._several(node, each, positive)
        if node.field in ("status", "engine_status") and node.op in ("==", "~", "contains"):
            engine = node.field == "engine_status"
            return leaves.status(node, positive, self._now_ns, engine, self._visibility.statuses)
        return self._leaf(node, positive)

    def _several(self, node: Compare, each: tuple[Compare, ...], positive: bool) -> Clause | None:
        attribute = self._visibility.attribute(node)
        values = [one.value for one in each]
        if (
            attribute is not None
            and attribute.kind == "keyword"
            and positive
            and all(map(leaves.sendable, values))
        ):
            return Clause(leaves.one_of(attribute.name, map(str, values)), attribute.exact)
        return self.push(Or(each), positive)

    def _leaf(self, node: Compare, positive: bool) -> Clause | None:
        if node.field in _ERRORS:
            return Clause(_FAILED, False) if positive else None
        if node.field == "started":
            return self._started(node, positive)
        attribute = self._visibility.attribute(node)
        if attribute is not None:
            return leaves.leaf(node, attribute, positive, self._now_ns)
        derived = self._derived(node)
        return self.push(derived, positive) if derived is not None else None

    def _started(self, node: Compare, positive: bool) -> Clause | None:
        """A run that is delayed has a time of execution, but has not started; nor has one that closed before it."""
        now = leaves.moment(self._now_ns)
        begun = f"ExecutionTime <= {now} and (CloseTime is null or {leaves.span_known(_SPAN)})"
        never = f"(ExecutionTime > {now} or {_SPAN} < 0)"
        if node.op == "exists":
            return Clause(f"({begun})" if positive else never)
        inner = leaves.leaf(node, Attribute("ExecutionTime", "time", always=True), positive, self._now_ns)
        if inner is None:
            return None
        return Clause(f"({inner.text} {f'and {begun}' if positive else f'or {never}'})", inner.exact)

    def _derived(self, node: Compare) -> Node | None:
        """``age`` and ``running_for`` said by created, started and ended: a gap to now mirrors the order."""
        start = {"age": "created", "running_for": "started"}.get(node.field)
        operator = _MIRRORED.get(node.op)
        if start is None or operator is None or not isinstance(node.value, Duration):
            return None
        then = Compare(start, operator, Instant(self._now_ns - node.value.ns))  # type: ignore[arg-type]  # one of them
        return then if node.field == "age" else And((then, Not(Compare("ended", "exists", None))))
