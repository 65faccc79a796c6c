"""Runner part: what the user's text says around a line: whether a name that the history has is still used behind it."""

from __future__ import annotations

import ast
import linecache
from typing import Any


def mentioned(place: dict[str, Any], names: set[str]) -> int:
    """The first line behind a place, in the same function, that mentions one of some names; 0 when none does."""
    try:
        tree = ast.parse("".join(linecache.getlines(place["file"])))
    except (SyntaxError, ValueError, KeyError, RecursionError):
        return 0
    line, wanted = place.get("line", 0), {_plain_name(name) for name in names}
    inside = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not inside or not wanted:
        return 0
    lines = [
        getattr(node, "lineno", 0)
        for node in ast.walk(min(inside, key=lambda node: (node.end_lineno or 0) - node.lineno))
        if _plain_name(_identifier(node)) in wanted
    ]
    behind = _end_of(tree, line)
    return min((one for one in lines if one > behind), default=0)


def _end_of(tree: ast.AST, line: int) -> int:
    """The last line of the statement at a line."""
    found = [
        node.end_lineno or line
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and not hasattr(node, "body")
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return min(found, default=line)


def _plain_name(name: str) -> str:
    """``ChargeCard`` and ``charge_card`` are one: a workflow's type is often its class' name written otherwise."""
    return name.replace("_", "").lower()


def _identifier(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
