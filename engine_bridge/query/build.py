"""Turns the parser's tokens into syntax nodes, while it parses: nothing here recurses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lark import Token, Transformer, v_args

from engine_bridge.query.ast import And, Node, Not, Operator, Or, Span, Text
from engine_bridge.query.literals import unquote


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as written, before its field's type is known. ``text`` is already unquoted."""

    text: str
    form: Literal["word", "quoted", "ago"]
    span: Span


@dataclass(frozen=True, slots=True)
class RawCompare:
    """A comparison before binding."""

    field: str
    op: Operator
    values: tuple[Raw, ...]
    span: Span
    op_span: Span


RawNode = RawCompare | Text | Not | And | Or


def _span(token: Token) -> Span:
    start = token.start_pos or 0
    return Span(start, start + len(token))


def _join(field: Token, op: Operator, values: tuple[Raw, ...], op_span: Span | None = None) -> RawCompare:
    span = _span(field)
    return RawCompare(str(field), op, values, span, op_span or span)


@v_args(inline=True)
class Build(Transformer):  # type: ignore[misc]  # mypy skips lark, so its classes are Any
    """Callbacks by rule name (grammar.py)."""

    def value(self, token: Token) -> Raw:
        if token.type == "QUOTED":
            return Raw(unquote(token), "quoted", _span(token))
        return Raw(str(token), "word", _span(token))

    def ago(self, token: Token) -> Raw:
        return Raw(str(token), "ago", _span(token))

    def date_time(self, day: Token, clock: Token) -> Raw:
        return Raw(f"{day}T{clock}", "word", Span(_span(day).start, _span(clock).end))

    def text(self, token: Token) -> Node:
        return Text(unquote(token), _span(token))

    def compare(self, field: Token, op: Token, value: Raw) -> RawCompare:
        name: Operator = "==" if op == "=" else op.value
        return _join(field, name, (value,), _span(op))

    def contains(self, field: Token, value: Raw) -> RawCompare:
        return _join(field, "contains", (value,))

    def not_contains(self, field: Token, value: Raw) -> Not:
        return _negate(self.contains(field, value))

    def in_(self, field: Token, *values: Raw) -> RawCompare:
        return _join(field, "in", values)

    def not_in(self, field: Token, *values: Raw) -> Not:
        return _negate(_join(field, "in", values))

    def exists(self, field: Token) -> RawCompare:
        return _join(field, "exists", ())

    def not_exists(self, field: Token) -> Not:
        return _negate(_join(field, "exists", ()))

    def not_(self, node: Node) -> Not:
        return Not(node)

    def and_(self, *nodes: Node) -> And:
        return And(nodes)

    def or_(self, *nodes: Node) -> Or:
        return Or(nodes)


def _negate(node: RawCompare) -> Not:
    # Until bind.py has run, a tree holds RawCompare where the bound tree holds Compare.
    return Not(node)  # type: ignore[arg-type]
