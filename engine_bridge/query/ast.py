"""The syntax tree of a filter. Values are typed by the field's type when the tree is bound (bind.py)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as member
from typing import Literal

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "~", "!~", "contains", "in", "exists"]


@dataclass(frozen=True, slots=True)
class Span:
    """Where in the filter's text a node stands: columns from 0, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration literal, in nanoseconds ("5s", "2h30m")."""

    ns: int


@dataclass(frozen=True, slots=True)
class Ago:
    """A time relative to the engine's now: ``2h ago``."""

    ns: int


@dataclass(frozen=True, slots=True)
class Instant:
    """An absolute time, nanoseconds UTC."""

    ns: int


@dataclass(frozen=True, slots=True)
class Day:
    """A whole calendar day: ``today``, ``yesterday`` or an ISO date, in a zone.

    ``zone`` is an IANA name or an offset ("+02:00"); empty is the machine's own.
    """

    day: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word (``failed``), text or a status by the field's type."""

    text: str


Scalar = str | int | float | bool | None | Duration | Ago | Instant | Day | Word


@dataclass(frozen=True, slots=True)
class Compare:
    """``field op value``; for ``in`` the value is a tuple; for ``exists`` it is None.

    ``path`` is the part behind ``attributes.`` as written (parts may be quoted: ``text.path_parts``), else empty.
    Spans take no part in equality.
    """

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]
    path: str = ""
    span: Span = member(default=Span(0, 0), compare=False)
    value_span: Span = member(default=Span(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A bare quoted string: matches id, type or error that contain it, ignoring case."""

    text: str
    span: Span = member(default=Span(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class And:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple[Node, ...]


Node = Compare | Text | Not | And | Or
