"""Runner part: bounded, inert pictures of values. No ``__repr__``, property or other code of the user runs."""

from __future__ import annotations

import asyncio
import collections
import datetime
import decimal
import enum
import math
import types
import uuid
from collections.abc import Callable
from typing import Any

DEEP = 4
MANY = 24
LONG = 240
NODES = 400
BIG = 1 << 53

_NONE = object()
_SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset, collections.deque)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
_TIMES = (datetime.datetime, datetime.date, datetime.time)


def _function_name(value: Any) -> str:
    return str(getattr(value, "__qualname__", "?"))


def _future_state(value: Any) -> str:
    return "cancelled" if value.cancelled() else "done" if value.done() else "pending"


_PLAIN: dict[type, Callable[[Any], str]] = {
    bytes: lambda v: repr(v[:48]),
    bytearray: lambda v: repr(bytes(v[:48])),
    complex: repr,
    decimal.Decimal: str,
    uuid.UUID: str,
    datetime.timedelta: str,
    types.ModuleType: lambda v: str(v.__name__),
    **dict.fromkeys(_TIMES, lambda v: v.isoformat()),
    **dict.fromkeys(_FUNCTIONS, _function_name),
}


class Painter:
    """Makes one picture; ``nodes`` bounds it as a whole."""

    def __init__(self) -> None:
        self.nodes = NODES
        self.open: set[int] = set()

    def paint(self, value: Any, depth: int = 0) -> Any:
        """An atom, or a dict as described in engine_bridge/replay/model.py."""
        self.nodes -= 1
        kind = type(value)
        atom = _atom(value, kind)
        if atom is not _NONE:
            return atom
        if kind in _PLAIN:
            picture = {"t": kind.__name__, "r": _PLAIN[kind](value)[:LONG]}
            return {**picture, "n": len(value)} if kind in (bytes, bytearray) else picture
        if depth >= DEEP or self.nodes <= 0 or id(value) in self.open:
            return {"t": kind.__name__, "r": "…"}
        self.open.add(id(value))
        try:
            return self._inside(value, kind, depth + 1)
        except Exception as error:  # noqa: BLE001 - whatever a foreign object does, the picture says so
            return {"t": kind.__name__, "r": f"<unreadable: {type(error).__name__}>"}
        finally:
            self.open.discard(id(value))

    def _inside(self, value: Any, kind: type, depth: int) -> Any:
        # The real type is asked, and its base's own methods are called: a class may override all others.
        if issubclass(kind, enum.Enum):
            return {"t": kind.__name__, "r": str(object.__getattribute__(value, "_name_"))}
        for base in _SEQUENCES:
            if issubclass(kind, base):
                # Another thread may change it meanwhile; a copy of the front is enough.
                items = [item for item, _ in zip(base.__iter__(value), range(MANY), strict=False)]
                painted = [self.paint(item, depth) for item in items]
                return {"t": kind.__name__, "n": base.__len__(value), "i": painted}
        if issubclass(kind, dict) or kind is types.MappingProxyType:
            entries = dict.items(value) if issubclass(kind, dict) else value.items()
            pairs = [pair for pair, _ in zip(entries, range(MANY), strict=False)]
            painted = [[self.paint(k, depth), self.paint(v, depth)] for k, v in pairs]
            return {"t": kind.__name__, "n": len(entries), "m": painted}
        if issubclass(kind, str):
            return {"t": kind.__name__, "n": str.__len__(value), "r": str.__getitem__(value, slice(LONG))}
        if issubclass(kind, type):
            names = [type.__getattribute__(value, name) for name in ("__module__", "__qualname__")]
            return {"t": "type", "r": ".".join(map(str, names))}
        if issubclass(kind, BaseException):
            args = BaseException.__getattribute__(value, "args")
            return {"t": kind.__name__, "i": [self.paint(arg, depth) for arg in args[:MANY]], "n": len(args)}
        if issubclass(kind, asyncio.Future) and kind.__module__ in ("_asyncio", "asyncio.futures"):
            return {"t": kind.__name__, "r": _future_state(value)}
        return {"t": kind.__qualname__, "o": self._attributes(value, kind, depth)}

    def _attributes(self, value: Any, kind: type, depth: int) -> list[list[Any]]:
        own = _own_dict(value)
        names: list[str] = [name for name in own if isinstance(name, str) and not name.startswith("__")]
        found = [[name, self.paint(own[name], depth)] for name in names[:MANY]]
        for base in kind.__mro__:
            for name, member in list(vars(base).items())[: 4 * MANY]:
                if isinstance(member, types.MemberDescriptorType) and len(found) < MANY:
                    try:
                        found.append([name, self.paint(member.__get__(value, kind), depth)])
                    except AttributeError:
                        continue
        return found


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


def _own_dict(value: Any) -> dict[str, Any]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - a class may raise anything here
        return {}
    return own if type(own) is dict else {}


def _digits(value: int) -> str:
    # str() of a huge integer takes quadratic time, and newer interpreters refuse it.
    return str(value) if value.bit_length() < 256 else f"about 2**{value.bit_length() - 1}"


def picture(value: Any) -> Any:
    """A picture of one value."""
    return Painter().paint(value)
