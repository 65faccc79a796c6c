"""Binds raw values to the types of their fields; knows which operators a type takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from difflib import get_close_matches
from typing import Any, Final

from engine_bridge.bridge import Field, FieldType
from engine_bridge.errors import QueryError
from engine_bridge.query import literals
from engine_bridge.query.ast import Ago, And, Compare, Duration, Node, Not, Operator, Or, Scalar, Span, Text
from engine_bridge.query.build import Raw, RawCompare

_ORDER: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "exists"})
_TEXT: Final = _ORDER | {"~", "!~", "contains"}
OPERATORS: Final[dict[FieldType, frozenset[str]]] = {
    FieldType.TEXT: _TEXT,
    FieldType.STATUS: frozenset({"==", "!=", "~", "!~", "in", "exists", "contains"}),
    FieldType.INTEGER: _ORDER,
    FieldType.TIME: _ORDER,
    FieldType.DURATION: _ORDER,
    FieldType.BOOLEAN: frozenset({"==", "!=", "in", "exists"}),
    FieldType.JSON: _TEXT,
}
_TAKES: Final = {
    FieldType.INTEGER: "a whole number such as 3",
    FieldType.TIME: "a time such as 2h ago, today, 2026-11-20 or 2026-11-20T14:05:00Z",
    FieldType.DURATION: "a duration such as 250ms, 5s, 1m30s, 2h or 3d",
    FieldType.BOOLEAN: "true or false",
}
_PATTERN: Final = frozenset({"~", "!~", "contains"})
_HINTS: Final = {
    "success": "completed",
    "succeeded": "completed",
    "error": "failed",
    "failure": "failed",
    "pending": "running",
    "enqueued": "queued",
    "waiting": "queued",
    "canceled": "cancelled",
    "timeout": "timed_out",
}


class Binder:
    """Binds one tree against a source's fields; times without a zone are read in ``zone``."""

    def __init__(self, fields: Sequence[Field], zone: tzinfo | None) -> None:
        self._fields = {field.name: field for field in fields}
        self._zone = zone

    def node(self, node: Any) -> Node:
        """The bound twin of a raw tree. Raises QueryError."""
        match node:
            case RawCompare():
                return self._compare(node)
            case Not(inner):
                return Not(self.node(inner))
            case And(nodes):
                return And(tuple(self.node(inner) for inner in nodes))
            case Or(nodes):
                return Or(tuple(self.node(inner) for inner in nodes))
        text: Text = node
        return text

    def _compare(self, raw: RawCompare) -> Node:
        field, path = self._field(raw)
        if raw.op not in OPERATORS[field.type]:
            raise _operator_error(raw, field)
        if raw.op == "exists":
            return Compare(field.name, "exists", None, path, raw.span)
        first = raw.values[0]
        if first.form == "word" and first.text.lower() == "null" and len(raw.values) == 1:
            return self._null(raw, field, path)
        values = tuple(self._value(value, field, raw.op) for value in raw.values)
        value_span = Span(first.span.start, raw.values[-1].span.end)
        return Compare(
            field.name, raw.op, values if raw.op == "in" else values[0], path, raw.span, value_span
        )

    def _null(self, raw: RawCompare, field: Field, path: str) -> Node:
        exists = Compare(field.name, "exists", None, path, raw.span)
        if raw.op in ("==", "in"):
            return Not(exists)
        if raw.op == "!=":
            return exists
        span = raw.values[0].span
        raise QueryError(
            f"null takes == or !=, not {raw.op}.",
            f"Or write: {field.name} exists.",
            span.start,
            span.end - span.start,
        )

    def _field(self, raw: RawCompare) -> tuple[Field, str]:
        if raw.field in self._fields:
            return self._fields[raw.field], ""
        name, _, path = raw.field.partition(".")
        field = self._fields.get(name)
        if field is not None and path and field.type is FieldType.JSON:
            return field, path
        raise self._unknown(raw)

    def _unknown(self, raw: RawCompare) -> QueryError:
        names = sorted(self._fields)
        near = get_close_matches(raw.field.lower(), names, 1, 0.6)
        hint = f"Did you mean {near[0]}?" if near else f"Fields: {', '.join(names)}."
        return QueryError(
            f"There is no field {raw.field!r}.", hint, raw.span.start, raw.span.end - raw.span.start
        )

    def _value(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        value = _READERS[field.type](self, raw, field, op)
        if value is not None:
            return value
        kind = _TAKES.get(field.type, "a value")
        raise QueryError(
            f"{field.name} takes {kind}, not {raw.text!r}.",
            "",
            raw.span.start,
            max(1, raw.span.end - raw.span.start),
        )

    def _text(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        return f"{raw.text} ago" if raw.form == "ago" else raw.text

    def _status(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        if op in _PATTERN or not field.values or raw.text in field.values:
            return raw.text
        if raw.text.lower() in field.values:
            return raw.text.lower()
        raise _status_error(raw, field)

    def _integer(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        value = literals.number(raw.text) if raw.form == "word" else None
        return value if isinstance(value, int) else None

    def _time(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        if raw.form == "ago":
            ns = literals.duration(raw.text)
            return None if ns is None else Ago(ns)
        return literals.time(raw.text, self._zone)

    def _duration(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        ns = literals.duration(raw.text) if raw.form != "ago" else None
        return None if ns is None else Duration(ns)

    def _boolean(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        return _BOOLEANS.get(raw.text.lower()) if raw.form == "word" else None

    def _json(self, raw: Raw, field: Field, op: Operator) -> Scalar:
        if raw.form != "word" or op in _PATTERN:
            return self._text(raw, field, op)
        boolean = _BOOLEANS.get(raw.text.lower())
        if boolean is not None:
            return boolean
        number = literals.number(raw.text)
        return raw.text if number is None else number


_BOOLEANS: Final = {"true": True, "false": False}
_READERS: Final = {
    FieldType.TEXT: Binder._text,
    FieldType.STATUS: Binder._status,
    FieldType.INTEGER: Binder._integer,
    FieldType.TIME: Binder._time,
    FieldType.DURATION: Binder._duration,
    FieldType.BOOLEAN: Binder._boolean,
    FieldType.JSON: Binder._json,
}


def _operator_error(raw: RawCompare, field: Field) -> QueryError:
    takes = ", ".join(
        op
        for op in ("==", "!=", "<", "<=", ">", ">=", "~", "!~", "contains", "in", "exists")
        if op in OPERATORS[field.type]
    )
    return QueryError(
        f"{field.name} is a {field.type} and does not take {raw.op}.",
        f"It takes {takes}.",
        raw.op_span.start,
        raw.op_span.end - raw.op_span.start,
    )


def _status_error(raw: Raw, field: Field) -> QueryError:
    guess = _HINTS.get(raw.text.lower(), "")
    near = [guess] if guess in field.values else get_close_matches(raw.text.lower(), field.values, 1, 0.6)
    hint = f"Did you mean {near[0]}? " if near else ""
    return QueryError(
        f"There is no status {raw.text!r}.",
        f"{hint}Known: {', '.join(field.values)}.",
        raw.span.start,
        max(1, raw.span.end - raw.span.start),
    )
