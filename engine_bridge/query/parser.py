"""Text to bound tree: parse, then bind; every fault becomes a QueryError at its column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from lark.exceptions import UnexpectedInput

from engine_bridge.errors import QueryError
from engine_bridge.query.ast import And, Node, Not, Or
from engine_bridge.query.bind import Binder
from engine_bridge.query.grammar import lalr
from engine_bridge.query.problems import explain

if TYPE_CHECKING:
    from engine_bridge.bridge import Field

MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 60


def parse_filter(text: str, fields: Sequence[Field], zone: tzinfo | None) -> Node:
    """As ``engine_bridge.query.parse``, for a text that is not blank."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"A filter takes at most {MAX_LENGTH} characters.", column=MAX_LENGTH)
    try:
        tree: Any = lalr().parse(text)
    except UnexpectedInput as fault:
        raise explain(text, fault) from None
    if _depth(tree) > MAX_DEPTH:
        raise QueryError(
            f"A filter nests at most {MAX_DEPTH} levels.", "Take parentheses away.", 0, len(text)
        )
    return Binder(fields, zone).node(tree)


def _depth(tree: Node) -> int:
    deepest, todo = 0, [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        children = node.nodes if isinstance(node, And | Or) else (node.node,) if isinstance(node, Not) else ()
        todo += [(child, depth + 1) for child in children]
    return deepest
