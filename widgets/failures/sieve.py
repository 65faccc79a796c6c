"""Which failures of a log are listed: by cell values, open or resolved, and time. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from engine_bridge.bridge import FailureRow, Page
from engine_bridge.payloads import root
from engine_bridge.query.ast import And, Compare, Node

Span = tuple[int, int]
"""Nanoseconds UTC, end exclusive."""

FIELDS: Final[dict[str, Callable[[FailureRow], Any]]] = {
    "type": lambda row: row.run_type or None,
    "run": lambda row: row.ref.name,
    "step": lambda row: row.step_name or row.step_id,
    "error": lambda row: root(row.failure)[0].type or None,
    "status": lambda row: row.attributes.get("status"),
    "tenant": lambda row: row.attributes.get("tenant"),
    "correlation_id": lambda row: row.attributes.get("correlation_id"),
}
"""What a failure can be told by, by column id."""

_SHARED: Final = frozenset({"tenant", "correlation_id", "type"})
"""Fields that mean the same of a failure and of what failed."""

TITLES: Final = {"type": "workflow", "correlation_id": "correlation id"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A failure's field is a value; ``negated``: it is not."""

    field: str
    value: Any
    negated: bool = False

    @property
    def words(self) -> str:
        """ "tenant = acme", "error ≠ Timeout"."""
        shown = "none" if self.value is None else str(self.value)
        return f"{TITLES.get(self.field, self.field)} {'≠' if self.negated else '='} {shown}"

    def holds(self, row: FailureRow) -> bool:
        return (FIELDS[self.field](row) == self.value) is not self.negated


@dataclass(frozen=True, slots=True)
class Sieve:
    """All conditions must hold; ``resolved`` None lists open and resolved ones; ``span`` None all times."""

    conditions: tuple[Condition, ...] = ()
    resolved: bool | None = None
    span: Span | None = None

    @property
    def open(self) -> bool:
        """Whether it keeps everything."""
        return self == _OPEN

    def keeps(self, row: FailureRow) -> bool:
        if self.resolved is not None and bool(row.resolved) is not self.resolved:
            return False
        if self.span is not None and not _within(row.time_ns, self.span):
            return False
        return all(condition.holds(row) for condition in self.conditions)

    def with_(self, condition: Condition) -> Sieve:
        """Narrowed by a condition; one that asks for another value of the same field gives way."""
        kept = [
            c
            for c in self.conditions
            if c.field != condition.field or (c.negated and condition.negated and c != condition)
        ]
        return replace(self, conditions=(*kept, condition))

    def without(self, condition: Condition) -> Sieve:
        return replace(self, conditions=tuple(c for c in self.conditions if c != condition))

    def query(self, fields: frozenset[str]) -> Node | None:
        """What a source with these filter fields can itself narrow the log by; rows are sifted all the same."""
        nodes = [
            Compare(condition.field, "==", condition.value)
            for condition in self.conditions
            if condition.field in _SHARED & fields
            and isinstance(condition.value, str)
            and not condition.negated
        ]
        return And(tuple(nodes)) if len(nodes) > 1 else nodes[0] if nodes else None

    def page(self, page: Page) -> Page:
        """What of a page is listed, as a scan that goes on where the log does: it is sorted by time, newest first."""
        if self.open:
            return page
        kept = tuple(row for row in page.items if self.keeps(row))
        after = None if self._past(page) else page.after
        searched = page.searched if page.searched is not None else len(page.items)
        return msgspec.structs.replace(
            page, items=kept, after=after, searched=searched, complete=after is None
        )

    def _past(self, page: Page) -> bool:
        span = self.span
        if span is None or not page.items:
            return False
        return all(row.time_ns is None or row.time_ns < span[0] for row in page.items)


_OPEN: Final = Sieve()


def _within(time_ns: int | None, span: Span) -> bool:
    return time_ns is not None and span[0] <= time_ns < span[1]
