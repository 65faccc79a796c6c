"""Filters as predicates over runs; ``values`` defines what they mean. Any thread."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, Final

from engine_bridge.model import Run
from engine_bridge.query.ast import And, Compare, Node, Not, Or, Scalar, Text
from engine_bridge.query.values import RANGED, bounds, path_parts

Lookup = Callable[[Run, str, str], Any]
"""(run, field, path) -> the field's value, None for none, or DEFAULT to use the run's own."""

Predicate = Callable[[Run], bool]
Test = Callable[[Any], bool]

DEFAULT: Final = object()
TEXT_FIELDS: Final = ("id", "type", "error")
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ATTRIBUTE: Final = {
    "created": "created_ns",
    "started": "started_ns",
    "ended": "ended_ns",
    "updated": "updated_ns",
    "deadline": "deadline_ns",
    "delay_until": "delay_until_ns",
    "duration": "duration_ns",
    "steps": "steps_done",
    "blocked_on": "blocked_on",
}


def matches(node: Node, run: Run, now_ns: int, lookup: Lookup | None = None) -> bool:
    """Whether a run matches. For many runs make the ``predicate`` once."""
    return predicate(node, now_ns, lookup)(run)


def predicate(node: Node, now_ns: int, lookup: Lookup | None = None) -> Predicate:
    """The filter as a function of a run, with ``now_ns`` as the engine's now."""
    match node:
        case Not(inner):
            negated = predicate(inner, now_ns, lookup)
            return lambda run: not negated(run)
        case And(nodes):
            every = [predicate(inner, now_ns, lookup) for inner in nodes]
            return lambda run: all(one(run) for one in every)
        case Or(nodes):
            some = [predicate(inner, now_ns, lookup) for inner in nodes]
            return lambda run: any(one(run) for one in some)
        case Text(text):
            leaves = [Compare(field, "contains", text) for field in TEXT_FIELDS]
            return predicate(Or(tuple(leaves)), now_ns, lookup)
    return _leaf(node, now_ns, lookup)


def _leaf(node: Compare, now_ns: int, lookup: Lookup | None) -> Predicate:
    test = value_test(node, now_ns)

    def leaf(run: Run) -> bool:
        value = lookup(run, node.field, node.path) if lookup is not None else DEFAULT
        return test(field_value(run, node.field, node.path, now_ns) if value is DEFAULT else value)

    return leaf


def field_value(run: Run, field: str, path: str, now_ns: int) -> Any:
    """A field of a run as it is compared: times and durations in nanoseconds, references as their ids."""
    if field in _DERIVED:
        return _DERIVED[field](run, now_ns)
    name = _ATTRIBUTE.get(field, field)
    value = getattr(run, name) if name in Run.__struct_fields__ else getattr(run, name, None)
    if value is None and name not in Run.__struct_fields__:
        value = run.extra.get(field)
    return _at(value, path) if path else value


def _at(value: Any, path: str) -> Any:
    for part in path_parts(path):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _gap(start: int | None, now_ns: int) -> int | None:
    return None if start is None else now_ns - start


def _error_type(run: Run, _now: int) -> str | None:
    return run.failure.type.rpartition(".")[2] if run.failure else None


_DERIVED: Final[dict[str, Callable[[Run, int], Any]]] = {
    "duration": lambda run, now: run.duration_ns,
    "age": lambda run, now: _gap(run.created_ns, now),
    "running_for": lambda run, now: None if run.ended_ns is not None else _gap(run.started_ns, now),
    "status": lambda run, now: run.status.value,
    "parent": lambda run, now: str(run.parent) if run.parent else None,
    "forked_from": lambda run, now: str(run.forked_from) if run.forked_from else None,
    "group": lambda run, now: run.ref.group or None,
    "now": lambda run, now: run.now or None,
    "blocked_on": lambda run, now: run.blocked_on.what if run.blocked_on else None,
    "error.type": _error_type,
    "error.message": lambda run, now: run.failure.message if run.failure else None,
}


def value_test(node: Compare, now_ns: int) -> Test:
    """What a leaf asks of its field's value."""
    if node.op == "exists":
        return lambda value: value is not None
    if node.op == "in":
        wanted = node.value if isinstance(node.value, tuple) else (node.value,)
        tests = [_equal(item, now_ns) for item in wanted]
        return lambda value: any(test(value) for test in tests)
    if isinstance(node.value, tuple):
        raise TypeError("only 'in' takes several values")
    return _scalar_test(node.op, node.value, now_ns)


def _scalar_test(op: str, wanted: Scalar, now_ns: int) -> Test:
    if op in ("!=", "!~"):
        positive = _scalar_test("==" if op == "!=" else "~", wanted, now_ns)
        return lambda value: not positive(value)
    if op == "==":
        return _equal(wanted, now_ns)
    if op in ("~", "contains"):
        return _text_test(op, str(wanted))
    return _ordered(op, wanted, now_ns)


def _equal(wanted: Scalar, now_ns: int) -> Test:
    if isinstance(wanted, RANGED):
        low, high = bounds(wanted, now_ns)
        return lambda value: type(value) is int and low <= value < high
    if wanted is None:
        return lambda value: value is None
    return lambda value: _comparable(value, wanted) and value == wanted


def _ordered(op: str, wanted: Scalar, now_ns: int) -> Test:
    if isinstance(wanted, RANGED):
        low, high = bounds(wanted, now_ns)
        edge, operate = (low if op in ("<", ">=") else high), _ORDER["<" if op in ("<", "<=") else ">="]
        return lambda value: type(value) is int and operate(value, edge)
    compare = _ORDER[op]
    return lambda value: _comparable(value, wanted) and compare(value, wanted)


def _comparable(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return isinstance(value, str)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(wanted, bool) and isinstance(value, bool)
    return isinstance(value, int | float)


def _text_test(op: str, wanted: str) -> Test:
    one = _glob(wanted) if op == "~" else _contains(wanted)
    return lambda value: any(one(text) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """The texts to look at: a text itself, or every one inside a JSON list or object."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)


def _glob(pattern: str) -> Callable[[str], bool]:
    compiled = glob_regex(pattern)
    return lambda text: compiled.match(text.partition("\0")[0]) is not None


@lru_cache(maxsize=256)
def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob's whole-text expression; only ``*`` and ``?`` are special."""
    return re.compile(translate(pattern.replace("[", "[[]")))


def _contains(wanted: str) -> Callable[[str], bool]:
    folded = wanted.casefold()
    return lambda text: folded in text.casefold()
