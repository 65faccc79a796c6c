"""The clauses of a filter that chips and brush write: found in its tree, changed in its text. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from engine_bridge.query.ast import And, Compare, Instant, Node, Word
from engine_bridge.query.text import and_, compare, instant, to_text

TIME_FIELD: Final = "created"


def clauses(node: Node | None) -> tuple[Node, ...]:
    """What the filter demands all at once."""
    if node is None:
        return ()
    return node.nodes if isinstance(node, And) else (node,)


def is_status(node: Node) -> bool:
    """Whether a clause is one that the status chips write."""
    return isinstance(node, Compare) and node.field == "status" and node.op in ("==", "in")


def is_time(node: Node) -> bool:
    """Whether a clause is one that the brush writes."""
    return isinstance(node, Compare) and node.field == TIME_FIELD and isinstance(node.value, Instant)


def is_type(node: Node) -> bool:
    """Whether a clause is one that the choice of a type writes."""
    return (
        isinstance(node, Compare) and node.field == "type" and node.op == "==" and isinstance(node.value, str)
    )


def type_of(node: Node | None) -> str | None:
    """The one workflow type that the filter asks for; None for all, or for something else."""
    found = [clause.value for clause in clauses(node) if isinstance(clause, Compare) and is_type(clause)]
    return str(found[0]) if len(found) == 1 else None


def with_type(text: str, node: Node | None, name: str | None) -> str:
    """The filter's text asking for this workflow type instead of its own; None asks for all."""
    return rewritten(text, node, is_type, "" if name is None else compare("type", name))


def without_status(node: Node | None) -> Node | None:
    """The filter without its status clauses: what the chips count."""
    return _without(node, is_status)


def without_time(node: Node | None) -> Node | None:
    """The filter without its time range: what the charts show."""
    return _without(node, is_time)


def statuses(node: Node | None) -> frozenset[str]:
    """The statuses that the filter asks for, empty for all."""
    return asked(node, is_status)


def asked(node: Node | None, wanted: Callable[[Node], bool]) -> frozenset[str]:
    """The values that some clauses of the filter ask for."""
    found: set[str] = set()
    for clause in clauses(node):
        if isinstance(clause, Compare) and wanted(clause):
            values = clause.value if isinstance(clause.value, tuple) else (clause.value,)
            found |= {value.text if isinstance(value, Word) else str(value) for value in values}
    return frozenset(found)


def time_range(node: Node | None) -> tuple[int, int] | None:
    """The brushed range in nanoseconds UTC, end exclusive; None when the filter has none."""
    bounds = {
        clause.op: clause.value.ns
        for clause in clauses(node)
        if isinstance(clause, Compare) and is_time(clause) and isinstance(clause.value, Instant)
    }
    return (bounds[">="], bounds["<"]) if bounds.keys() == {">=", "<"} else None


def with_statuses(text: str, node: Node | None, wanted: Iterable[str]) -> str:
    """The filter's text asking for exactly these statuses; none asks for all."""
    names = sorted(wanted)
    if not names:
        return rewritten(text, node, is_status, "")
    one = len(names) == 1
    clause = f"status == {names[0]}" if one else f"status in ({', '.join(names)})"
    return rewritten(text, node, is_status, clause)


def with_time_range(text: str, node: Node | None, bounds: tuple[int, int] | None) -> str:
    """The filter's text with this brushed range (nanoseconds UTC, end exclusive) instead of its own."""
    clause = ""
    if bounds is not None:
        clause = f"{TIME_FIELD} >= {instant(bounds[0])} and {TIME_FIELD} < {instant(bounds[1])}"
    return rewritten(text, node, is_time, clause)


def rewritten(text: str, node: Node | None, drop: Callable[[Node], bool], clause: str) -> str:
    """The filter's text with a clause instead of those to drop; "" only drops."""
    # What the user wrote stays as written, unless a clause must go: then the tree is written anew.
    kept = _without(node, drop)
    rest = text.strip() if kept is node else to_text(kept) if kept is not None else ""
    return and_(rest, clause) if clause else rest


def _without(node: Node | None, drop: Callable[[Node], bool]) -> Node | None:
    kept = tuple(clause for clause in clauses(node) if not drop(clause))
    if len(kept) == len(clauses(node)):
        return node
    return kept[0] if len(kept) == 1 else And(kept) if kept else None
