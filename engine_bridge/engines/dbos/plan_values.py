"""Recorded values as JSON that an operator can edit, and which types that loses."""

from __future__ import annotations

import base64
import math
from typing import Any, Final

from engine_bridge.engines.dbos.plan_args import json_text
from engine_bridge.payloads import FULL, Opaque, decode
from engine_bridge.payloads.tree import UNSET

_LIMIT: Final = 1 << 20


class CannotError(Exception):
    """The value cannot be shown whole as JSON."""


def as_json(data: str | None, encoding: str | None) -> tuple[Any, tuple[str, ...]]:
    """A stored value as plain JSON values, and what was lost ("datetime -> text"). Raises CannotError."""
    if data is None:
        return None, ()
    if len(data) > _LIMIT:
        raise CannotError("it is larger than 1 MiB")
    found = decode(data.encode(errors="surrogateescape"), encoding, FULL)
    if found.error is not None or found.truncated or found.format not in ("json", "pickle"):
        raise CannotError(f"its encoding {encoding or 'of the application'} cannot be read")
    lost: dict[str, None] = {}
    value = _plain(_arguments(found.tree), lost)
    return value, tuple(lost)


def _arguments(tree: Any) -> Any:
    """A pickled input is {"args": (…), "kwargs": {…}} (dbos/_serialization.py): that tuple is no loss."""
    is_input = isinstance(tree, dict) and set(tree) == {"args", "kwargs"} and isinstance(tree["args"], tuple)
    return {**tree, "args": list(tree["args"])} if is_input else tree


def as_text(data: str | None, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    """As ``as_json``, as JSON text."""
    value, lost = as_json(data, encoding)
    return json_text(value), lost


def _plain(node: Any, lost: dict[str, None]) -> Any:
    if isinstance(node, float):
        return _finite(float(node))
    if node is None or isinstance(node, bool | int | str):
        return node
    if isinstance(node, list):
        return [_plain(item, lost) for item in node]
    if isinstance(node, tuple):
        lost["tuple -> list"] = None
        return [_plain(item, lost) for item in node]
    if isinstance(node, dict):
        return {_key(key, lost): _plain(value, lost) for key, value in node.items()}
    if isinstance(node, bytes):
        lost["bytes -> base64 text"] = None
        return base64.b64encode(node).decode()
    return _foreign(node, lost)


def _key(key: Any, lost: dict[str, None]) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool | int | float) or key is None:
        lost[f"{type(key).__name__} key -> text"] = None
        return str(key)
    raise CannotError(f"it has a key of type {type(key).__name__}")


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise CannotError("it has a number that JSON has not")
    return number


def _foreign(node: Any, lost: dict[str, None]) -> Any:
    if not isinstance(node, Opaque) or node.cut:
        raise CannotError("a part of it is too large or too deep")
    if node.type in ("set", "frozenset"):
        lost[f"{node.type} -> list"] = None
        items = node.items or (node.args[0] if node.args else [])
        return [_plain(item, lost) for item in items]
    if node.value is UNSET or not isinstance(node.value, str | int | float):
        raise CannotError(f"it has a {node.type}")
    lost[f"{node.type} -> text"] = None
    return node.value
