"""A pickle machine that builds inert nodes: it imports, calls and sets nothing."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from engine_bridge.payloads.limits import Limits

_MAX_MEMO: Final = 2**32
_PUSHED: Final = frozenset(
    [
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
        "UNICODE",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
    ]
)
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
# Opcodes of counted texts and bytes: how wide the count is, and whether text follows.
_COUNTED: Final = {
    "X": (4, True), "\x8c": (1, True), "\x8d": (8, True), "B": (4, False), "C": (1, False),
    "\x8e": (8, False), "\x96": (8, False), "T": (4, False), "U": (1, False),
}  # fmt: skip
# Messages of pickletools that quote no content.
_SAFE_REASONS: Final = (
    "expected ",
    "pickle exhausted",
    "opcode ",
    "no newline",
    "long4 byte",
    "string4 byte",
)


class MalformedError(ValueError):
    """An opcode that a well-formed pickle cannot have here."""


class Mark:
    """The machine's mark; there is only MARK."""


MARK: Final = Mark()


@dataclass(slots=True, eq=False)
class Global:
    """A name a pickle would import."""

    name: str


@dataclass(slots=True, eq=False)
class Pairs:
    """A dict under construction. No Python dict: hostile keys could collide, or not hash."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Made:
    """An object as the pickle describes it."""

    type: Any
    args: Any = ()
    kwargs: Any = None
    state: Any = None
    items: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Machine:
    """Runs one pickle. After ``run``, ``result`` holds the value, or with ``error`` what was understood so far."""

    limits: Limits
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    globals: dict[str, None] = field(default_factory=dict)
    error: str = ""
    truncated: bool = False
    result: Any = None

    def run(self, data: bytes) -> None:
        """Interprets opcodes until STOP, a fault or a limit. Raises nothing."""
        stream = io.BytesIO(data)
        end = 0
        try:
            for count, (op, arg, _) in enumerate(pickletools.genops(stream)):
                if op.name == "STOP":
                    self.result = self._pop()
                    return
                if count >= self.limits.max_ops:
                    self.truncated = True
                    break
                self._step(op.name, arg)
                end = stream.tell()
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, Warning) as fault:
            # Warning: codecs warn about odd escapes, which is an error where warnings are.
            self._cut_text(data, end)
            self.error = f"This pickle is malformed at byte {end}: {_reason(fault)}."
        self.result = self._so_far()

    def _step(self, name: str, arg: Any) -> None:
        if name in _PUSHED:
            self.stack.append(arg)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        else:
            _ACTIONS[name](self, arg)

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise MalformedError("a mark where a value should be")
        return value

    def _to_mark(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is MARK:
                items = self.stack[at + 1 :]
                del self.stack[at:]
                return items
        raise MalformedError("no mark on the stack")

    def _tuple(self, size: int) -> None:
        if len(self.stack) < size or any(value is MARK for value in self.stack[-size:]):
            raise MalformedError("a tuple of too few values")
        items = tuple(self.stack[-size:])
        del self.stack[-size:]
        self.stack.append(items)

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise MalformedError("the stack is empty")
        return self.stack[-1]

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Made):
            target.items.extend(values)
        else:
            raise MalformedError("items appended to something that is no list")

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, Pairs | Made) or len(values) % 2:
            raise MalformedError("items set on something that is no dict")
        target.items.extend(zip(values[::2], values[1::2], strict=True))

    def _put(self, arg: Any) -> None:
        index = len(self.memo) if arg is None else int(arg)
        if not 0 <= index < _MAX_MEMO:
            raise MalformedError("a memo index out of range")
        self.memo[index] = self._top()

    def _get(self, arg: Any) -> None:
        if int(arg) not in self.memo:
            raise MalformedError("a reference to nothing")
        self.stack.append(self.memo[int(arg)])

    def _name(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise MalformedError("a global without a name")
        full = f"{module}.{name}"[:500]
        if len(self.globals) < 1000:
            self.globals[full] = None
        return Global(full)

    def _global(self, arg: Any) -> Global:
        module, _, name = str(arg).partition(" ")
        return self._name(module, name)

    def _stack_global(self, _arg: Any) -> None:
        name, module = self._pop(), self._pop()
        self.stack.append(self._name(module, name))

    def _call(self, _arg: Any) -> None:
        args, function = self._pop(), self._pop()
        self.stack.append(Made(function, args))

    def _call_with_names(self, _arg: Any) -> None:
        names, args, function = self._pop(), self._pop(), self._pop()
        self.stack.append(Made(function, args, names))

    def _object(self, _arg: Any) -> None:
        items = self._to_mark()
        if not items:
            raise MalformedError("an object without a class")
        self.stack.append(Made(items[0], tuple(items[1:])))

    def _build(self, _arg: Any) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Made):
            target.state = state
        else:
            self.stack[-1] = Made(Global("state"), (target,), state=state)

    def _cut_text(self, data: bytes, at: int) -> None:
        """Pushes the beginning of a text whose end is missing, as in a slice of a big payload."""
        width, text = _COUNTED.get(chr(data[at]) if at < len(data) else "", (0, False))
        rest = data[at + 1 + width : at + 1 + width + self.limits.max_string]
        if width and rest:
            self.stack.append(rest.decode("utf-8", "replace") if text else rest)

    def _so_far(self) -> Any:
        values = [value for value in self.stack if value is not MARK]
        return values if len(values) > 1 else values[0] if values else None


def _reason(fault: Exception) -> str:
    """Why, without a byte of the content: messages travel further than payloads do."""
    if isinstance(fault, MalformedError):
        return str(fault)
    if isinstance(fault, UnicodeError):
        return "a text is not in its encoding"
    if not isinstance(fault, ValueError):
        return "its opcodes do not fit together"
    text = str(fault).partition("\n")[0]
    text = text.partition(", ")[2] if text.startswith("at position ") else text
    return text if text.startswith(_SAFE_REASONS) and len(text) < 120 else "a literal cannot be read"


def _push(make: Callable[[Machine, Any], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, arg: machine.stack.append(make(machine, arg))


def _pairs(items: list[Any]) -> Pairs:
    if len(items) % 2:
        raise MalformedError("a dict with a key but no value")
    return Pairs(list(zip(items[::2], items[1::2], strict=True)))


def _nothing(_machine: Machine, _arg: Any) -> None:
    """Opcodes that only announce something."""


_ACTIONS: Final[dict[str, Callable[[Machine, Any], Any]]] = {
    **dict.fromkeys(("PROTO", "FRAME", "READONLY_BUFFER"), _nothing),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._get),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _push(lambda m, arg: m._name("copyreg.extension", str(arg)))),
    "MARK": _push(lambda m, arg: MARK),
    "POP": lambda m, arg: m.stack.pop(),
    "POP_MARK": lambda m, arg: m._to_mark(),
    "DUP": _push(lambda m, arg: m._top()),
    "EMPTY_LIST": _push(lambda m, arg: []),
    "LIST": _push(lambda m, arg: m._to_mark()),
    "TUPLE": _push(lambda m, arg: tuple(m._to_mark())),
    "TUPLE1": lambda m, arg: m._tuple(1),
    "TUPLE2": lambda m, arg: m._tuple(2),
    "TUPLE3": lambda m, arg: m._tuple(3),
    "EMPTY_DICT": _push(lambda m, arg: Pairs()),
    "DICT": _push(lambda m, arg: _pairs(m._to_mark())),
    "EMPTY_SET": _push(lambda m, arg: Made(Global("builtins.set"))),
    "FROZENSET": _push(lambda m, arg: Made(Global("builtins.frozenset"), items=m._to_mark())),
    "ADDITEMS": lambda m, arg: m._extend(m._to_mark()),
    "APPEND": lambda m, arg: m._extend([m._pop()]),
    "APPENDS": lambda m, arg: m._extend(m._to_mark()),
    "SETITEM": lambda m, arg: m._set_items([m._pop(), m._pop()][::-1]),
    "SETITEMS": lambda m, arg: m._set_items(m._to_mark()),
    "GLOBAL": _push(Machine._global),
    "STACK_GLOBAL": Machine._stack_global,
    "INST": _push(lambda m, arg: Made(m._global(arg), tuple(m._to_mark()))),
    "OBJ": Machine._object,
    "NEWOBJ": Machine._call,
    "NEWOBJ_EX": Machine._call_with_names,
    "REDUCE": Machine._call,
    "BUILD": Machine._build,
    "PERSID": _push(lambda m, arg: Made(Global("persistent id"), (arg,))),
    "BINPERSID": _push(lambda m, arg: Made(Global("persistent id"), (m._pop(),))),
    "NEXT_BUFFER": _push(lambda m, arg: Made(Global("out-of-band buffer"))),
}
