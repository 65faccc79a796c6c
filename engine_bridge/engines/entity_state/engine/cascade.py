"""The cascade: a tenant's overlay merged over the base, field by field; every value keeps the place it came from.

Objects merge by name, steps by ``key``, anything else replaces. ``null`` in an overlay takes an optional field away,
``"remove": true`` a step. A per-requester object over a plain value leaves that value as the default.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .json_nodes import Node


def per_requester(value: Any, requesters: Collection[str]) -> bool:
    """Whether a JSON value is a per-requester object: a member is named like a requester, or ``default``."""
    return isinstance(value, dict) and any(key == "default" or key in requesters for key in value)


def merge(base: Node, over: Node, requesters: Collection[str]) -> Node:
    """The base with the overlay's fields; the result shares unchanged nodes with both."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        below = merged.get(key)
        if child.value is None:
            merged.pop(key, None)
        elif below is None:
            merged[key] = child
        elif key == "steps" and isinstance(below.value, list) and isinstance(child.value, list):
            merged[key] = Node(_steps(below.value, child.value, requesters), below.place)
        else:
            merged[key] = _field(below, child, requesters)
    return Node(merged, base.place)


def _field(base: Node, over: Node, requesters: Collection[str]) -> Node:
    ours, theirs = per_requester(base.value, requesters), per_requester(over.value, requesters)
    if theirs and not ours:
        return Node({"default": base, **over.value}, over.place)
    if ours and not theirs:
        return over
    if ours:
        return Node({**base.value, **over.value}, base.place)
    return merge(base, over, requesters)


def _steps(base: list[Node], over: list[Node], requesters: Collection[str]) -> list[Node]:
    changes = {_key(node): node for node in over}
    merged = [merge(node, changes.pop(_key(node), node), requesters) for node in base]
    merged += [node for node in over if _key(node) in changes]
    return [_without_mark(node) for node in merged if not _removed(node)]


def _key(node: Node) -> Any:
    key = node.get("key")
    # A step without a usable key merges with nothing; the shape check reports it.
    return key.value if key is not None and isinstance(key.value, str) else id(node)


def _removed(node: Node) -> bool:
    mark = node.get("remove")
    return mark is not None and mark.value is True


def _without_mark(node: Node) -> Node:
    if node.get("remove") is None:
        return node
    return Node({key: child for key, child in node.value.items() if key != "remove"}, node.place)
