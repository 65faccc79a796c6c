"""A decoded payload as flat rows that open and close; only opened nodes cost anything. Pure; no Qt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from engine_bridge.format import count, plain
from engine_bridge.payloads.render import pretty
from engine_bridge.payloads.tree import UNSET, Opaque

CHUNK: Final = 500  # children that one opening adds; the rest waits behind a "more" row
AUTO_ROWS: Final = 60  # a payload that is no longer than this opens whole
_SHOWN: Final = 300  # characters of a scalar in its row


@dataclass(slots=True, eq=False)
class Row:
    """One visible line; ``path`` is a JSONPath. A row with ``more`` stands for that many children not listed yet."""

    key: str
    value: Any
    depth: int
    path: str
    expanded: bool = False
    more: int = 0
    parent: Row | None = None

    @property
    def expandable(self) -> bool:
        return not self.more and size_of(self.value) > 0


class Tree:
    """Rows in the order shown. ``open`` and ``close`` return how many rows came or went after the index."""

    def __init__(self, value: Any) -> None:
        self.rows = [Row("", value, 0, "$")]
        self.open(0)
        for depth in range(1, 8):
            if not self._open_level(depth):
                break

    def _open_level(self, depth: int) -> bool:
        level = [row for row in self.rows if row.depth == depth and row.expandable]
        if not level or len(self.rows) + sum(size_of(row.value) for row in level) > AUTO_ROWS:
            return False
        for row in level:
            self.open(self.rows.index(row))
        return True

    def open(self, index: int) -> int:
        """Lists a row's children, or the next of them when it is a "more" row."""
        row = self.rows[index]
        if row.more and row.parent is not None:
            skip = size_of(row.parent.value) - row.more
            new = _children(row.parent, skip)
            self.rows[index : index + 1] = new
            return len(new) - 1
        if not row.expandable or row.expanded:
            return 0
        row.expanded = True
        new = _children(row, 0)
        self.rows[index + 1 : index + 1] = new
        return len(new)

    def close(self, index: int) -> int:
        """Hides everything below a row."""
        row = self.rows[index]
        if not row.expanded:
            return 0
        end = index + 1
        while end < len(self.rows) and self.rows[end].depth > row.depth:
            end += 1
        row.expanded = False
        del self.rows[index + 1 : end]
        return end - index - 1

    def parent(self, index: int) -> int:
        """The index of the row above in the hierarchy; -1 for the root."""
        row = self.rows[index].parent
        return -1 if row is None else self.rows.index(row)


def _children(parent: Row, skip: int) -> list[Row]:
    total = size_of(parent.value)
    found = [
        Row(key, value, parent.depth + 1, parent.path + step, parent=parent)
        for key, step, value in islice(items_of(parent.value), skip, skip + CHUNK)
    ]
    left = total - skip - len(found)
    if left > 0:
        found.append(Row("", None, parent.depth + 1, parent.path, more=left, parent=parent))
    return found


def _opaque_parts(value: Opaque) -> list[tuple[str, Any]]:
    parts = [(f"argument {i}", arg) for i, arg in enumerate(value.args)] + list(value.kwargs.items())
    if isinstance(value.state, Mapping):
        parts += [(_key(key), part) for key, part in value.state.items()]
    elif value.state is not None:
        parts.append(("state", value.state))
    for index, item in enumerate(value.items):
        pair = (
            isinstance(item, tuple) and len(item) == 2 and value.type in ("dict", "collections.OrderedDict")
        )
        parts.append((_key(item[0]), item[1]) if pair else (str(index), item))
    return parts


def size_of(value: Any) -> int:
    """How many children a value has."""
    if isinstance(value, dict | list | tuple | set | frozenset):
        return len(value)
    if isinstance(value, Opaque) and value.value is UNSET and not value.cut:
        return len(_opaque_parts(value))
    return 0


def items_of(value: Any) -> Iterator[tuple[str, str, Any]]:
    """Key to show, step of the path, and child of each child."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield _key(key), f"[{json.dumps(str(key))}]", child
        return
    if isinstance(value, Opaque):
        for name, child in _opaque_parts(value):
            yield name, f"[{json.dumps(name)}]", child
        return
    for index, child in enumerate(value if size_of(value) else ()):
        yield str(index), f"[{index}]", child


def _key(key: Any) -> str:
    return plain(key if isinstance(key, str) else repr(key), 120)


def words_of(row: Row) -> tuple[str, str]:
    """What a row says about its value, and the theme token of its colour."""
    value = row.value
    if row.more:
        return f"… {count(row.more)} more", "accent"
    if isinstance(value, Opaque):
        return _opaque_words(value), "muted" if value.cut else "waiting"
    if isinstance(value, str):
        return plain(json.dumps(value[: _SHOWN + 1], ensure_ascii=False), _SHOWN), "completed"
    if isinstance(value, bytes):
        return plain(repr(value[:_SHOWN]), _SHOWN), "completed"
    if value is None or isinstance(value, bool):
        return json.dumps(value), "running"
    if isinstance(value, int | float):
        return plain(str(value), _SHOWN), "retrying"
    opening, closing = (
        ("{", "}") if isinstance(value, dict) else ("(", ")") if isinstance(value, tuple) else ("[", "]")
    )
    return f"{opening}{count(len(value)) if value else ''}{closing}", "muted"


def _opaque_words(value: Opaque) -> str:
    if value.cut:
        return plain(f"… {value.value}", _SHOWN)
    words = "" if value.value is UNSET else f"({value.value})"
    return plain(f"{value.type}{words}", _SHOWN)


def copy_text(value: Any) -> str:
    """A value as text for the clipboard: strings as they are, all else as the text view shows it."""
    return value if isinstance(value, str) else pretty(value)
