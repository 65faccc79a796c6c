"""Decoded trees as text: pretty for the raw view, one line for table cells. Foreign text stays text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from engine_bridge.format import plain
from engine_bridge.payloads.limits import DEFAULT
from engine_bridge.payloads.tree import UNSET, Number, Opaque

if TYPE_CHECKING:
    from engine_bridge.payloads.decoder import Decoded


def pretty(tree: Any, max_text: int = DEFAULT.max_text) -> str:
    """A tree over several lines, JSON where it is JSON; what exceeds ``max_text`` characters is cut."""
    return _Writer(max_text).text(tree, "\n")


def render(tree: Any, *, indented: bool) -> str:
    """A tree whole, in one line or indented."""
    return _Writer(sys.maxsize).text(tree, "\n" if indented else "")


def compact(tree: Any, width: int) -> str:
    """A tree in one line of at most ``width`` characters, safe to show anywhere."""
    return plain(_Writer(width + 1).text(tree, ""), width)


def summary(decoded: Decoded, width: int = 120) -> str:
    """One line for a table cell: the value, or what is known when there is none."""
    partly = decoded.format in ("pickle", "protobuf") and decoded.tree is not None
    if partly or (decoded.format == "json" and decoded.error is None):
        return compact(decoded.tree, width)
    if decoded.format == "binary":
        return plain(f"{decoded.size} bytes {decoded.text[: width * 2]}", width)
    return plain(decoded.text[: width + 1], width)


def scalar(value: Any) -> str:
    """A scalar as JSON writes it; bytes as Python does."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return repr(value)
    return str(value) if isinstance(value, Number) else json.dumps(value)


class _FullError(Exception):
    """The text is as long as it may get."""


class _Writer:
    """Writes a tree piece by piece until ``limit``; it nests as deep as the tree, which is bounded."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._pieces: list[str] = []

    def text(self, tree: Any, line: str) -> str:
        """``line`` is a line break with the indentation, or empty for one line."""
        try:
            self._value(tree, line)
        except _FullError:
            text = "".join(self._pieces)
            return text[: len(text) + self._left] + "…"
        return "".join(self._pieces)

    def _put(self, piece: str) -> None:
        self._pieces.append(piece)
        self._left -= len(piece)
        if self._left < 0:
            raise _FullError

    def _value(self, tree: Any, line: str) -> None:
        if isinstance(tree, dict):
            self._wrapped("{", tree.items(), "}", line, self._pair)
        elif isinstance(tree, list):
            self._wrapped("[", tree, "]", line, self._value)
        elif isinstance(tree, tuple):
            self._wrapped("(", tree, ",)" if len(tree) == 1 and not line else ")", line, self._value)
        elif isinstance(tree, Opaque):
            self._opaque(tree, line)
        else:
            self._put(scalar(tree))

    def _wrapped(
        self, start: str, items: Collection[Any], end: str, line: str, one: Callable[[Any, str], None]
    ) -> None:
        if not items:
            self._put(start + end)
            return
        inner = line + "  " if line else ""
        separator = "," + inner if line else ", "
        for at, item in enumerate(items):
            self._put(separator if at else start + inner)
            one(item, inner)
        self._put(line + end)

    def _pair(self, item: Any, line: str) -> None:
        if not (isinstance(item, tuple) and len(item) == 2):
            self._value(item, line)
            return
        self._value(item[0], line)
        self._put(": ")
        self._value(item[1], line)

    def _opaque(self, node: Opaque, line: str) -> None:
        if node.cut:
            self._put(f"… {node.value}")
        elif node.type == "dict":
            self._wrapped("{", node.items, "}", line, self._pair)
        elif node.value is not UNSET:
            self._put(f"{node.type}({scalar(node.value)})")
        else:
            self._put(node.type)
            self._wrapped("(", _arguments(node), ")", line, self._argument)

    def _argument(self, item: tuple[str, Any], line: str) -> None:
        self._put(item[0])
        self._value(item[1], line)


def _arguments(node: Opaque) -> list[tuple[str, Any]]:
    given = [("", arg) for arg in node.args] + [(f"{name}=", value) for name, value in node.kwargs.items()]
    if isinstance(node.state, dict) and all(isinstance(key, str) for key in node.state):
        given += [(f"{name}=", value) for name, value in node.state.items()]
    elif node.state is not None:
        given.append(("state=", node.state))
    if node.items:
        paired = all(isinstance(item, tuple) and len(item) == 2 for item in node.items)
        given.append(("", Opaque("dict", items=node.items) if paired else node.items))
    return given
