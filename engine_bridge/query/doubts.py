"""What may be wrong with a filter that is right: words that no value of a field seen so far is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from engine_bridge.query.ast import And, Compare, Node, Not, Or

if TYPE_CHECKING:
    from engine_bridge.bridge import Field

_WHOLE: Final = frozenset({"==", "!=", "in"})
_TOLD: Final = 6


def doubt(node: Node | None, fields: Sequence[Field]) -> str:
    """One line for a filter that finds nothing: which of its values was never seen, and what is like it; "" without.

    Values of a field may be a sample, so that a filter is never refused for this.
    """
    known = {field.name: field.values for field in fields if field.values}
    for leaf in _leaves(node):
        seen = known.get(leaf.field, ())
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        for value in values if seen and leaf.op in _WHOLE and not leaf.path else ():
            if isinstance(value, str) and value not in seen:
                return f"No {leaf.field} “{value[:60]}” was seen. {_instead(value, seen)}"
    return ""


def _instead(value: str, seen: tuple[str, ...]) -> str:
    near = get_close_matches(value.lower(), seen, 1, 0.6)
    more = ", …" if len(seen) > _TOLD else "."
    return f"Did you mean {near[0]}?" if near else f"Seen: {', '.join(seen[:_TOLD])}{more}"


def _leaves(node: Node | None) -> Iterator[Compare]:
    match node:
        case Compare():
            yield node
        case Not(inner):
            yield from _leaves(inner)
        case And(nodes) | Or(nodes):
            for inner in nodes:
                yield from _leaves(inner)
