"""Single comparisons as List Filter clauses, by the type of the search attribute.

A ``Leaf`` is what a comparison implies, positively and negatively: a clause that every matching run satisfies, and
whether every run that satisfies it matches. None: nothing that the server can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from engine_bridge.query.ast import Compare, Scalar
from engine_bridge.query.predicate import glob_regex
from engine_bridge.query.values import RANGED, bounds

Kind = Literal["keyword", "int", "double", "bool", "time", "duration", "list", "status", "presence"]

#: Longest text that is sent; Temporal's own ids are at most 1,000 bytes long.
_LONGEST: Final = 1_000
_UNSENT: Final = frozenset('"\\')
_ORDER: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SECOND: Final = 1_000_000_000
_ROUNDED: Final = 1_000
_EXACT: Final = 2**53
_YEARS: Final = (0, 253_402_300_799)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A search attribute. ``always``: every run has one; ``exact``: the store compares its texts as they are."""

    name: str
    kind: Kind
    always: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition that is implied (``exact``: and implies what it stands for)."""

    text: str
    exact: bool = True


def quoted(value: str) -> str:
    """A string literal of the List Filter language, of a text that is ``sendable``."""
    return "'" + value.replace("'", "\\'") + "'"


def moment(ns: int) -> str | None:
    """A time literal with every nanosecond; None where it cannot be one."""
    seconds, rest = divmod(ns, _SECOND)
    if not _YEARS[0] <= seconds <= _YEARS[1]:
        return None
    return f"'{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z'"


def sendable(value: object) -> bool:
    """Whether a text can be part of a question: printable, and not longer than what it is compared with.

    Servers with SQL visibility (1.32) escape quotes and backslashes once too often, and then find nothing; single
    quotes at either end they drop.
    """
    return (
        isinstance(value, str)
        and len(value) <= _LONGEST
        and value.isprintable()
        and not _UNSENT & {*value}
        and value == value.strip("'")
    )


def leaf(node: Compare, attribute: Attribute, positive: bool, now_ns: int) -> Clause | None:
    """The clause of ``node`` (of ``not node`` unless ``positive``), whose operator is none of !=, !~ and in."""
    name = attribute.name
    if node.op == "exists":
        return _presence(attribute, positive)
    if attribute.kind == "time":
        return _time(node, attribute, positive, now_ns)
    if attribute.kind == "duration":
        return _span(node, attribute, positive, now_ns)
    if attribute.kind in ("int", "double"):
        return _number(node, attribute, positive)
    if attribute.kind == "bool":
        if node.op != "==" or not isinstance(node.value, bool):
            return None
        return _signed(
            attribute,
            f"{name} = {str(node.value).lower()}",
            f"{name} = {str(not node.value).lower()}",
            positive,
        )
    if attribute.kind == "list":
        return _listed(node, attribute, positive)
    return _keyword(node, attribute, positive) if attribute.kind == "keyword" else None


def _presence(attribute: Attribute, positive: bool) -> Clause | None:
    if attribute.always:
        return None
    if attribute.kind == "duration":
        return Clause(span_known(attribute.name) if positive else span_unknown(attribute.name))
    return Clause(f"{attribute.name} is not null" if positive else f"{attribute.name} is null")


def _signed(attribute: Attribute, yes: str, no: str, positive: bool) -> Clause:
    """A leaf of a missing value is false, so its opposite is true."""
    if positive:
        return Clause(yes, attribute.exact)
    opposite = no if attribute.always else f"({attribute.name} is null or {no})"
    return Clause(opposite) if attribute.exact else _anything()


def _anything() -> Clause:
    return Clause("", False)


def _keyword(node: Compare, attribute: Attribute, positive: bool) -> Clause | None:
    name, value = attribute.name, node.value
    if not isinstance(value, str) or not sendable(value):
        return None
    if node.op == "==":
        return _signed(attribute, f"{name} = {quoted(value)}", f"{name} != {quoted(value)}", positive)
    if node.op == "~" and positive:
        prefix = re.split(r"[*?]", value, maxsplit=1)[0]
        if prefix == value:
            return Clause(f"{name} = {quoted(value)}", attribute.exact)
        # SQLite compares prefixes without case.
        return Clause(f"{name} STARTS_WITH {quoted(prefix)}", False) if prefix else None
    return None


def _listed(node: Compare, attribute: Attribute, positive: bool) -> Clause | None:
    """A list holds no scalar, and ``~`` and ``contains`` look at each of its texts."""
    value = node.value
    # A full-text index has letters and digits only.
    words = sendable(value) and re.search(r"[^\W_]", str(value)) is not None
    if node.op == "~" and positive and words and not re.search(r"[*?]", str(value)):
        return Clause(f"{attribute.name} = {quoted(str(value))}", attribute.exact)
    return None


def _number(node: Compare, attribute: Attribute, positive: bool) -> Clause | None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _EXACT:
        return None
    if attribute.kind == "int" and not float(value).is_integer():
        return None
    text = str(int(value)) if attribute.kind == "int" else repr(float(value))
    return _compared(node.op, attribute, text, positive)


def _compared(op: str, attribute: Attribute, text: str, positive: bool) -> Clause | None:
    name = attribute.name
    if op == "==":
        return _signed(attribute, f"{name} = {text}", f"{name} != {text}", positive)
    if op in _ORDER:
        return _signed(attribute, f"{name} {op} {text}", f"{name} {_ORDER[op]} {text}", positive)
    return None


def _time(node: Compare, attribute: Attribute, positive: bool, now_ns: int) -> Clause | None:
    """``t >= x`` is asked as ``t > x - 1 ns``: stores of microseconds drop what is below one of the question too."""
    if not isinstance(node.value, RANGED):
        return None
    low, high = bounds(node.value, now_ns)
    name, first, after = attribute.name, moment(low - 1), moment(high - 1)
    if first is None or after is None:
        return None
    if node.op == "==":
        yes, no = (
            f"({name} > {first} and {name} <= {after})",
            f"({name} <= {first} or {name} > {after})",
        )
        return _signed(attribute, yes, no, positive)
    edge = first if node.op in ("<", ">=") else after
    sides = f"{name} > {edge}", f"{name} <= {edge}"
    yes, no = sides if node.op in (">", ">=") else sides[::-1]
    return _signed(attribute, yes, no, positive) if node.op in _ORDER else None


def _span(node: Compare, attribute: Attribute, positive: bool, now_ns: int) -> Clause | None:
    """Rows tell their times to the microsecond, the server measures a duration to the nanosecond; that of a run which
    closed before it was to start is below zero."""
    if not isinstance(node.value, RANGED):
        return None
    low, high = bounds(node.value, now_ns)
    name = attribute.name
    if node.op == "==":
        first, after = max(low - _ROUNDED, 0), max(high + _ROUNDED, 0)
        return Clause(f"({name} >= {first} and {name} < {after})", False) if positive else _anything()
    if node.op not in _ORDER:
        return None
    edge = max(low if node.op in ("<", ">=") else high, 0)
    above = node.op in (">", ">=")
    if positive:
        return Clause(f"{name} >= {edge}" if above else f"({span_known(name)} and {name} < {edge})")
    return Clause(
        f"({name} is null or {name} < {edge})" if above else f"({span_unknown(name)} or {name} >= {edge})"
    )


def span_known(name: str) -> str:
    """Of runs that have closed after they started."""
    return f"{name} >= 0"


def span_unknown(name: str) -> str:
    return f"({name} is null or {name} < 0)"


STATUSES: Final = {
    "running": "Running", "paused": "Paused", "completed": "Completed", "failed": "Failed", "cancelled": "Canceled",
    "terminated": "Terminated", "timed_out": "TimedOut", "continued": "ContinuedAsNew",
}  # fmt: skip
"""Playhead's words for the server's statuses. Of the running ones, those that have not begun are ``delayed``."""


def status(node: Compare, positive: bool, now_ns: int, engine: bool, known: frozenset[str]) -> Clause:
    """A choice among the statuses; ``known`` are those that this server has."""
    words = [*STATUSES.values()] if engine else [*STATUSES, "delayed"]
    chosen = [word for word in words if _word_matches(node, word) is positive]
    names = {STATUSES[word] for word in chosen if word in STATUSES} if not engine else set(chosen)
    clauses = []
    if not engine and ("running" in chosen) is not ("delayed" in chosen):
        names.discard("Running")
        operator = ">" if "delayed" in chosen else "<="
        clauses.append(f"(ExecutionStatus = 'Running' and ExecutionTime {operator} {moment(now_ns)})")
    if names & known:
        clauses.append(one_of("ExecutionStatus", sorted(names & known)))
    return Clause(f"({' or '.join(clauses)})" if clauses else NOTHING)


NOTHING: Final = "(WorkflowId = 'a' and WorkflowId = 'b')"
"""A condition that no run satisfies."""


def one_of(name: str, values: Iterable[str]) -> str:
    items = [quoted(value) for value in values]
    return f"{name} = {items[0]}" if len(items) == 1 else f"{name} IN ({', '.join(items)})"


def none_of(name: str, values: Iterable[str]) -> str:
    return f"{name} NOT IN ({', '.join(quoted(value) for value in values)})"


def _word_matches(node: Compare, word: str) -> bool:
    wanted = str(_scalar(node.value))
    if node.op == "~":
        return glob_regex(wanted).match(word) is not None
    if node.op == "contains":
        return wanted.casefold() in word.casefold()
    return wanted == word


def _scalar(value: Scalar | tuple[Scalar, ...]) -> object:
    return getattr(value, "text", value)
