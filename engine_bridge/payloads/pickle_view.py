"""Static rendering of pickles: the machine's nodes as a bounded tree. Nothing is imported, called or unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.payloads.constructors import CONSTRUCTORS, Plain
from engine_bridge.payloads.limits import DEFAULT, Limits
from engine_bridge.payloads.pickle_ops import Global, Machine, Made, Pairs
from engine_bridge.payloads.tree import CUT, Opaque, hidden

_SMALL: Final = 2**60


@dataclass(frozen=True, slots=True)
class PickleView:
    """``tree`` is what was understood; ``error`` is empty for a well-formed pickle; ``globals`` in order of mention."""

    tree: Any
    globals: tuple[str, ...]
    error: str = ""
    truncated: bool = False


def view(data: bytes, limits: Limits = DEFAULT) -> PickleView:
    """Renders a pickle of any protocol. Never raises; time and memory follow the limits, not the pickle."""
    machine = Machine(limits)
    machine.run(data)
    renderer = _Renderer(limits)
    tree = renderer.tree(machine.result, 0)
    if tree is None and machine.truncated:
        tree = hidden("nothing before the limit of opcodes")
    return PickleView(
        tree,
        tuple(_bare(name) for name in machine.globals),
        machine.error,
        machine.truncated or renderer.truncated,
    )


def _bare(name: str) -> str:
    # Protocols 0 to 2 write Python 2's names of the builtins.
    module, _, rest = name.partition(".")
    return rest if module in ("builtins", "__builtin__", "exceptions") and rest else name


class _Renderer:
    """Copies nodes into a tree of at most ``max_nodes``; shared ones are copied, cycles marked."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.max_nodes
        self._open: set[int] = set()
        self.truncated = False

    def tree(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if node is None or isinstance(node, bool | float):
            return node
        if isinstance(node, int):
            return _integer(node)
        if isinstance(node, str | bytes | bytearray):
            return self._text(node)
        if isinstance(node, Global):
            return Opaque("type", value=_bare(node.name))
        return self._container(node, depth)

    def _container(self, node: Any, depth: int) -> Any:
        if self._left <= 0 or depth >= self._limits.max_depth:
            self.truncated = True
            return hidden("too many values" if self._left <= 0 else f"deeper than {depth} levels")
        if id(node) in self._open:
            return Opaque("recursive reference", value=_kind(node))
        self._open.add(id(node))
        try:
            return self._opened(node, depth + 1)
        finally:
            self._open.discard(id(node))

    def _opened(self, node: Any, depth: int) -> Any:
        if isinstance(node, Pairs):
            return self._mapping(node.items, depth)
        if isinstance(node, Made):
            return self._made(node, depth)
        values = self._list(node, depth)
        return tuple(values) if isinstance(node, tuple) else values

    def _list(self, items: Any, depth: int) -> list[Any]:
        values: list[Any] = []
        for item in items:
            if self._left <= 0:
                self.truncated = True
                values.append(hidden(f"{len(items) - len(values)} more"))
                break
            pair = isinstance(item, tuple) and len(item) == 2
            values.append(
                self._pair(item, depth) if pair and isinstance(items, _PairList) else self.tree(item, depth)
            )
        return values

    def _pair(self, item: tuple[Any, Any], depth: int) -> tuple[Any, Any]:
        return self.tree(item[0], depth), self.tree(item[1], depth)

    def _mapping(self, items: list[tuple[Any, Any]], depth: int) -> Any:
        pairs = self._list(_PairList(items), depth)
        if pairs and not isinstance(pairs[-1], tuple):
            pairs[-1] = (CUT, pairs[-1])
        if all(_is_plain_key(key) for key, _ in pairs):
            return dict(pairs)
        return Opaque("dict", items=pairs)

    def _made(self, node: Made, depth: int) -> Any:
        name = _called(node.type)
        if not name:
            called = self.tree(node.type, depth)
            return Opaque(
                "call", (called, *self._args(node.args, depth)), items=self._items(node.items, depth)
            )
        made = Opaque(
            name,
            self._args(node.args, depth),
            self._names(node.kwargs, depth),
            None if node.state is None else _state(self.tree(node.state, depth)),
            self._items(node.items, depth),
        )
        return _readable(made)

    def _args(self, args: Any, depth: int) -> tuple[Any, ...]:
        return tuple(self._list(args, depth)) if isinstance(args, tuple) else (self.tree(args, depth),)

    def _names(self, names: Any, depth: int) -> dict[str, Any]:
        shown = self.tree(names, depth) if names is not None else {}
        return (
            shown if isinstance(shown, dict) and all(isinstance(key, str) for key in shown) else {"**": shown}
        )

    def _items(self, items: list[Any], depth: int) -> list[Any]:
        paired = bool(items) and all(isinstance(item, tuple) and len(item) == 2 for item in items)
        return self._list(_PairList(items) if paired else items, depth)

    def _text(self, node: str | bytes | bytearray) -> Any:
        limit = self._limits.max_string
        value: str | bytes = bytes(node[: limit + 1]) if isinstance(node, bytearray) else node
        if len(node) > limit:
            self.truncated = True
            value = value[:limit]
        return Opaque("bytearray", value=value) if isinstance(node, bytearray) else value


class _PairList(list[Any]):
    """Items whose 2-tuples are pairs of a mapping, not values."""


def _integer(value: int) -> Any:
    # str() of more digits is quadratic, and refused beyond 4,300 by the interpreter.
    if value.bit_length() <= 4096:
        return value
    return Opaque(
        "int",
        value=f"{'-' if value < 0 else ''}0x{abs(value) >> (value.bit_length() - 64):x}… ({value.bit_length()} bits)",
    )


def _is_plain_key(key: Any) -> bool:
    return isinstance(key, str | bytes) or key is None or (isinstance(key, int) and abs(key) < _SMALL)


def _kind(node: Any) -> str:
    if isinstance(node, Made):
        return _bare(node.type.name) if isinstance(node.type, Global) else "object"
    return "dict" if isinstance(node, Pairs) else type(node).__name__


def _called(function: Any) -> str:
    """The name of what is called; ``getattr(Class, "name")`` is how pickles name class methods. Empty for none."""
    parts: list[str] = []
    while isinstance(function, Made) and len(parts) < 8:
        args = function.args
        fits = isinstance(function.type, Global) and _bare(function.type.name) == "getattr"
        if not fits or not isinstance(args, tuple) or len(args) != 2 or not isinstance(args[1], str):
            return ""
        parts.append(args[1][:200])
        function = args[0]
    return ".".join([_bare(function.name), *reversed(parts)]) if isinstance(function, Global) else ""


def _state(state: Any) -> Any:
    """Slots come as (dict or None, dict): one dict says the same."""
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        if state[0] is None:
            return state[1]
        if isinstance(state[0], dict):
            return {**state[0], **state[1]}
    return state


def _readable(made: Opaque) -> Any:
    make = CONSTRUCTORS.get(made.type)
    if make is None:
        return made
    try:
        result = make(made)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError, ArithmeticError):
        return made
    if isinstance(result, Plain):
        return result.value
    return _readable(result) if result.type != made.type else result
