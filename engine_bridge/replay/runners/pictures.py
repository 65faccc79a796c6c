"""Runner part: bounded, inert pictures of values. No ``__repr__``, property, metaclass or other code of the user runs.

Only the real type is asked (never ``isinstance``, which falls back on ``__class__``), and only by the slots and
descriptors of built-in types, which no class can override.
"""

from __future__ import annotations

import asyncio
import collections
import datetime
import decimal
import enum
import gc
import itertools
import math
import operator
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

DEEP = 4
MANY = 24
LONG = 240
NODES = 400
STEP_NODES = 4000
BIG = 1 << 53
CLASSES = 2000  # known at once

_NONE = object()
_SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset, collections.deque)
_DATE, _DATETIME = datetime.date, datetime.datetime
_ZONES: tuple[type, ...] = (type(None), datetime.timezone, zoneinfo.ZoneInfo)
_SPECIAL: tuple[Any, ...] = (
    *_SEQUENCES, dict, types.MappingProxyType, enum.Enum, type, BaseException, str, int, float, bytes, bytearray,
    uuid.UUID, datetime.date, asyncio.Future,
)  # fmt: skip
_RUNNING = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
_class_name = type.__dict__["__qualname__"].__get__
_class_order = type.__dict__["__mro__"].__get__
_class_module = type.__dict__["__module__"].__get__
_class_dict = type.__dict__["__dict__"].__get__
_error_args = BaseException.__dict__["args"].__get__
_bound_function = types.MethodType.__dict__["__func__"].__get__


def type_name(kind: type) -> str:
    """A class' name, within the function that made it."""
    return str(_class_name(kind)).rpartition("<locals>.")[2][:LONG]


def _time(value: Any) -> str:
    if type(value.tzinfo) in _ZONES:
        return str(value.isoformat())
    # Another tzinfo would be the user's code.
    return f"{value.replace(tzinfo=None).isoformat()} (in {type_name(type(value.tzinfo))})"


def _plain_date(value: Any, kind: type) -> Any:
    """The date or datetime inside a subclass of it, field by field."""
    base = _DATETIME if issubclass(kind, _DATETIME) else _DATE
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo")
    fields = [getattr(base, name) for name in names[: 8 if base is _DATETIME else 3]]
    return base(*(field.__get__(value, kind) for field in fields))


def _method(value: Any) -> str:
    function = _bound_function(value)
    return function.__qualname__ if type(function) is types.FunctionType else "?"


def _module(value: Any) -> str:
    name = object.__getattribute__(value, "__dict__").get("__name__")
    return name if type(name) is str else "?"


_PLAIN: dict[type, Callable[[Any], str]] = {
    complex: repr,
    decimal.Decimal: str,
    _DATE: lambda v: str(v.isoformat()),
    datetime.timedelta: str,
    types.ModuleType: _module,
    types.FunctionType: lambda v: str(v.__qualname__),
    types.BuiltinFunctionType: lambda v: str(v.__name__),
    types.MethodType: _method,
    **dict.fromkeys((_DATETIME, datetime.time), _time),
    **dict.fromkeys(_RUNNING, lambda v: str(v.__qualname__)),
}


class Painter:
    """Makes pictures; ``nodes`` bounds each, ``left`` all of them together."""

    def __init__(self, left: int = NODES) -> None:
        self.left = left
        self.nodes = 0
        self._open: list[Any] = []

    def __call__(self, value: Any) -> Any:
        """The picture of one value, as described in engine_bridge/replay/model.py."""
        self.nodes = allowed = min(NODES, self.left)
        painted = self.paint(value, 0)
        self.left -= allowed - self.nodes
        return painted

    def paint(self, value: Any, depth: int) -> Any:
        """An atom, or a dict."""
        self.nodes -= 1
        kind = type(value)
        if kind is str and len(value) <= LONG:
            return value
        atom = _atom(value, kind)
        if atom is not _NONE:
            return atom
        known = known_class(kind)
        if known.plain is not None:
            return {"t": known.name, "r": known.plain(value)[:LONG]}
        if depth >= DEEP or self.nodes <= 0 or self._is_open(value):
            return {"t": known.name, "r": "…"}
        self._open.append(value)
        try:
            inside = self._attributes(value, known, depth + 1) if known.simple else None
            if inside is not None:
                return {"t": known.name, "o": inside}
            return {"t": known.name, **self._inside(value, kind, depth + 1)}
        except Exception as error:  # noqa: BLE001 - another thread may be changing it
            return {"t": type_name(kind), "r": f"<unreadable: {type_name(type(error))}>"}
        finally:
            self._open.pop()

    def _is_open(self, value: Any) -> bool:
        """Whether a value is inside itself. At most ``DEEP`` are around it, and asking for an id is an audit event."""
        return any(map(operator.is_, self._open, itertools.repeat(value)))

    def _inside(self, value: Any, kind: type, depth: int) -> dict[str, Any]:
        if globals().get(_class_name(kind)) is kind:
            return {"r": "part of the replay"}
        names = _field_names(kind) if issubclass(kind, tuple) else ()
        if names:
            return {"o": self._pairs(zip(names, tuple.__iter__(value), strict=False), depth, False)}
        for base in _SEQUENCES:
            if issubclass(kind, base):
                return {"n": base.__len__(value), "i": self._items(base.__iter__(value), depth)}
        if issubclass(kind, dict):
            return {"n": dict.__len__(value), "m": self._pairs(dict.items(value), depth, True)}
        if kind is types.MappingProxyType:
            inner = gc.get_referents(value)[0]
            return self._inside(inner, type(inner), depth)
        if issubclass(kind, enum.Enum):
            name = _own_dict(value, kind).get("_name_")
            return {"r": name if type(name) is str else "?"}
        if issubclass(kind, type):
            return {"t": "type", "r": _class_text(value)}
        if issubclass(kind, BaseException):
            arguments = _error_args(value)
            return {"n": len(arguments), "i": self._items(iter(arguments), depth)}
        return _scalar(value, kind) or {"o": self._attributes(value, known_class(kind), depth)}

    def _items(self, items: Any, depth: int) -> list[Any]:
        found = []
        for item, _ in zip(items, range(MANY), strict=False):
            if self.nodes <= 0:
                break
            found.append(self.paint(item, depth))
        return found

    def _pairs(self, pairs: Any, depth: int, keys: bool) -> list[list[Any]]:
        found = []
        for (key, value), _ in zip(pairs, range(MANY), strict=False):
            if self.nodes <= 0:
                break
            found.append([self.paint(key, depth) if keys else key[:LONG], self.paint(value, depth)])
        return found

    def _attributes(self, value: Any, known: Known, depth: int) -> list[list[Any]]:
        own: dict[Any, Any] = {}
        if known.own is not None:
            own = known.own(value, known.kind)
            own = own if type(own) is dict else {}
        found: list[list[Any]] = []
        for name in list(own):
            if len(found) >= MANY or self.nodes <= 0:
                break
            if type(name) is str and name[:2] != "__":
                found.append([name[:LONG], self.paint(own[name], depth)])
        for name, member in known.slots:
            if len(found) < MANY and self.nodes > 0:
                try:
                    found.append([name[:LONG], self.paint(member.__get__(value, known.kind), depth)])
                except AttributeError:
                    continue
        return found


class Known:
    """What is known of a class, by built-in slots and descriptors only. Kept: asking a class anew for each value costs.

    ``simple`` ones are nothing but their attributes; ``own`` reads an object's dictionary; ``plain`` ones are a text.
    """

    __slots__ = ("kind", "name", "own", "plain", "simple", "slots")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.name = type_name(kind)
        self.plain = next((told for plain, told in _PLAIN.items() if plain is kind), None)
        self.slots = [
            (name, member)
            for base in _class_order(kind)
            for name, member in list(_class_dict(base).items())[: 4 * MANY]
            if type(member) is types.MemberDescriptorType and type(name) is str and name[:2] != "__"
        ]
        members = (_class_dict(base).get("__dict__") for base in _class_order(kind))
        self.own = next((m.__get__ for m in members if type(m) is types.GetSetDescriptorType), None)
        self.simple = not issubclass(kind, _SPECIAL) and globals().get(_class_name(kind)) is not kind


_classes: dict[Any, Known] = {}


def forget_classes() -> None:
    """Another run begins: a sandbox imports its classes anew, and those of before are not to be kept."""
    _classes.clear()


def known_class(kind: type) -> Known:
    """What is known of a class; by its identity where a metaclass may define equality."""
    key: Any = kind if type(kind) is type else id(kind)
    found = _classes.get(key)
    if found is None or found.kind is not kind:
        if len(_classes) >= CLASSES:
            _classes.clear()
        found = _classes[key] = Known(kind)
    return found


def _scalar(value: Any, kind: type) -> dict[str, Any]:
    """Text of subclasses of atoms, of bytes, futures and UUIDs; {} for all others."""
    if issubclass(kind, str):
        return {"n": str.__len__(value), "r": str.__getitem__(value, slice(LONG))}
    if issubclass(kind, int):
        return {"r": _digits(int.__index__(value))}
    if issubclass(kind, float):
        return {"r": float.__repr__(value)}
    for base in (bytes, bytearray):
        if issubclass(kind, base):
            return {"n": base.__len__(value), "r": repr(bytes(base.__getitem__(value, slice(48))))}
    if kind is uuid.UUID:
        return {"r": str(value)}
    if issubclass(kind, _DATE):
        exact = _plain_date(value, kind)
        return {"r": _PLAIN[type(exact)](exact)}
    if issubclass(kind, asyncio.Future) and asyncio.Future is not getattr(asyncio.futures, "_PyFuture", None):
        # The C class' own methods: they look at nothing that a subclass defines.
        done = asyncio.Future.done(value)
        return {"r": "cancelled" if asyncio.Future.cancelled(value) else "done" if done else "pending"}
    return {}


def _atom(value: Any, kind: type) -> Any:
    """What JSON holds as it is, in bounds; else _NONE."""
    if value is None or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"t": "float", "r": repr(value)}
    if kind is int:
        return value if -BIG <= value <= BIG else {"t": "int", "r": _digits(value)}
    if kind is str:
        return value if len(value) <= LONG else {"t": "str", "n": len(value), "r": value[:LONG]}
    return _NONE


def _field_names(kind: type) -> tuple[str, ...]:
    """The fields of a named tuple, () of any other."""
    names = next((_class_dict(b)["_fields"] for b in _class_order(kind) if "_fields" in _class_dict(b)), ())
    return names if type(names) is tuple and all(type(name) is str for name in names) else ()


def _own_dict(value: Any, kind: type) -> dict[Any, Any]:
    """An object's real dictionary, by the descriptor of the class that brought it; {} without one."""
    for base in _class_order(kind):
        member = _class_dict(base).get("__dict__")
        if type(member) is types.GetSetDescriptorType:
            own = member.__get__(value, kind)
            return own if type(own) is dict else {}
    return {}


def _class_text(value: type) -> str:
    module = _class_module(value)
    return f"{module}.{type_name(value)}" if type(module) is str else type_name(value)


def _digits(value: int) -> str:
    # str() of a huge integer takes quadratic time, and newer interpreters refuse it.
    return str(value) if value.bit_length() < 256 else f"about 2**{value.bit_length() - 1}"


def picture(value: Any) -> Any:
    """A picture of one value."""
    return Painter()(value)
