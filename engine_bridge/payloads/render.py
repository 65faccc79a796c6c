"""Decoded trees as text: pretty for the raw view, one line for table cells. Foreign text stays text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from engine_bridge.format import plain
from engine_bridge.payloads.limits import DEFAULT
from engine_bridge.payloads.tree import UNSET, Opaque

if TYPE_CHECKING:
    from engine_bridge.payloads.decoder import Decoded


def pretty(tree: Any, max_text: int = DEFAULT.max_text) -> str:
    """A tree over several lines, JSON where it is JSON; what exceeds ``max_text`` characters is cut."""
    return _join(_pieces(tree, "\n"), max_text)


def compact(tree: Any, width: int) -> str:
    """A tree in one line of at most ``width`` characters, safe to show anywhere."""
    return plain(_join(_pieces(tree, ""), width + 1), width)


def summary(decoded: Decoded, width: int = 120) -> str:
    """One line for a table cell: the value, or what is known when there is none."""
    if decoded.format in ("json", "pickle") and (decoded.error is None or decoded.tree is not None):
        return compact(decoded.tree, width)
    if decoded.format == "binary":
        return plain(f"{decoded.size} bytes {decoded.text[: width * 2]}", width)
    return plain(decoded.text[: width + 1], width)


def _join(pieces: Iterator[str], limit: int) -> str:
    parts: list[str] = []
    length = 0
    for piece in pieces:
        parts.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(parts)[:limit] + "…"
    return "".join(parts)


def _pieces(tree: Any, line: str) -> Iterator[str]:
    """Depth is bounded by the tree's; ``line`` is a line break with the indentation so far, or empty for one line."""
    match tree:
        case str() | bytes() | None | bool() | int() | float():
            yield scalar(tree)
        case dict():
            yield from _wrapped("{", tree.items(), "}", line, _pair)
        case list():
            yield from _wrapped("[", tree, "]", line, _pieces)
        case tuple():
            yield from _wrapped("(", tree, ",)" if len(tree) == 1 else ")", line, _pieces)
        case Opaque():
            yield from _opaque(tree, line)


def scalar(value: Any) -> str:
    """A scalar as JSON writes it; bytes as Python does."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return repr(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def _wrapped(start: str, items: Iterable[Any], end: str, line: str, one: Any) -> Iterator[str]:
    inner = line + "  " if line else ""
    first = True
    for item in items:
        yield start + inner if first else ("," + inner if line else ", ")
        yield from one(item, inner)
        first = False
    yield start + end.lstrip(",") if first else line + end


def _pair(item: Any, line: str) -> Iterator[str]:
    if not (isinstance(item, tuple) and len(item) == 2):
        yield from _pieces(item, line)
        return
    yield from _pieces(item[0], line)
    yield ": "
    yield from _pieces(item[1], line)


def _opaque(node: Opaque, line: str) -> Iterator[str]:
    if node.cut:
        yield f"… {node.value}"
    elif node.type == "dict":
        yield from _wrapped("{", node.items, "}", line, _pair)
    elif node.value is not UNSET:
        yield f"{node.type}("
        yield scalar(node.value)
        yield ")"
    else:
        yield node.type
        yield from _wrapped("(", _arguments(node), ")", line, _argument)


def _arguments(node: Opaque) -> Iterator[tuple[str, Any]]:
    yield from (("", arg) for arg in node.args)
    yield from ((f"{name}=", value) for name, value in node.kwargs.items())
    if isinstance(node.state, dict) and all(isinstance(key, str) for key in node.state):
        yield from ((f"{name}=", value) for name, value in node.state.items())
    elif node.state is not None:
        yield "state=", node.state
    if node.items:
        paired = all(isinstance(item, tuple) and len(item) == 2 for item in node.items)
        yield "", Opaque("dict", items=node.items) if paired else node.items


def _argument(item: tuple[str, Any], line: str) -> Iterator[str]:
    yield item[0]
    yield from _pieces(item[1], line)
