"""Runner part: whether two values are the same to a reader, also where their classes know no equality."""

from __future__ import annotations

import base64
import enum
import io
import pickle
from typing import Any

_DEEP = 60
_ATOMS = (type(None), bool, int, str, bytes, bytearray)


def alike(recorded: Any, replayed: Any) -> bool:
    """Equal, or of the same structure. Classes count by name: a module may be loaded under another one."""
    try:
        return _same(recorded, replayed, 0)
    except Exception:  # noqa: BLE001 - a foreign class may raise anything; what cannot be compared is no drift
        return True


def apart(recorded: Any, replayed: Any) -> int:
    """About how many parts of two values differ."""
    if isinstance(recorded, (list, tuple)) and isinstance(replayed, (list, tuple)):
        pairs = zip(recorded, replayed, strict=False)
        return abs(len(recorded) - len(replayed)) + sum(apart(one, other) for one, other in pairs)
    if isinstance(recorded, dict) and isinstance(replayed, dict) and recorded.keys() == replayed.keys():
        return sum(apart(value, replayed[key]) for key, value in recorded.items())
    return int(not alike(recorded, replayed))


def _same(a: Any, b: Any, depth: int) -> bool:
    if a is b or depth > _DEEP:
        return True
    kind = type(a)
    if kind.__qualname__ != type(b).__qualname__:
        return False
    if kind is float:
        return bool(a == b or (a != a and b != b))
    if kind in _ATOMS:
        return bool(a == b)
    if isinstance(a, enum.Enum):
        return bool(a.name == b.name)
    if isinstance(a, type):
        return bool(a.__qualname__ == b.__qualname__)
    if kind in (list, tuple):
        return len(a) == len(b) and all(_same(x, y, depth + 1) for x, y in zip(a, b, strict=True))
    if kind is dict:
        return _same_mappings(a, b, depth)
    return _equal(a, b) or _same_inside(a, b, depth)


def _same_mappings(a: dict[Any, Any], b: dict[Any, Any], depth: int) -> bool:
    if len(a) != len(b):
        return False
    if a.keys() == b.keys():
        return all(_same(value, b[key], depth + 1) for key, value in a.items())
    pairs = zip(a.items(), b.items(), strict=True)
    return all(_same(k, m, depth + 1) and _same(v, w, depth + 1) for (k, v), (m, w) in pairs)


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - arrays and others have no single answer
        return False


def _same_inside(a: Any, b: Any, depth: int) -> bool:
    """By what pickle would keep of both, as it was pickled anyway."""
    if isinstance(a, (set, frozenset)):
        # Members that only equal themselves cannot be matched: as many of them is all that can be said.
        return len(a) == len(b) and any(_identical_only(m) for m in a)
    one, other = a.__reduce_ex__(4), b.__reduce_ex__(4)
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return all(_same(_listed(x), _listed(y), depth + 1) for x, y in zip(one[1:], other[1:], strict=False))


def _identical_only(value: Any) -> bool:
    plain: Any = object.__eq__
    return getattr(type(value), "__eq__", None) is plain


def _listed(value: Any) -> Any:
    # The classes are compared by name already; iterators of items are made lists.
    if isinstance(value, tuple):
        return [item for item in value if not isinstance(item, type)]
    return list(value) if hasattr(value, "__next__") else value


class Inert:
    """Stands for an object of a class that cannot be made: what was pickled of it."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


class InertUnpickler(pickle.Unpickler):
    """Makes no object of any class but the plain ones."""

    def find_class(self, module: str, name: str) -> Any:
        return type(name.rpartition(".")[2], (Inert,), {})


def loads_inert(text: Any) -> Any:
    """What a stored value is made of, running none of its classes; the text itself where it is no pickle."""
    try:
        return InertUnpickler(io.BytesIO(base64.b64decode(text, validate=True))).load()
    except Exception:  # noqa: BLE001 - no pickle, or one that needs its classes
        return text
