"""The failure log summed up: error types with open and resolved failures, and below each its weeks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.row_parts import labelled, owned
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.format import count

MOST: Final = 20_000
"""Failures of each type of entity that are counted, the newest."""
WEEKS: Final = 12
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Group:
    open: int = 0
    resolved: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    entities: set[str] = field(default_factory=set)
    weeks: dict[str, _Group] = field(default_factory=dict)

    def add(self, entity: str, at_ns: int | None, resolved: bool) -> None:
        self.open += not resolved
        self.resolved += resolved
        self.entities.add(entity)
        if at_ns is not None:
            self.first_ns = at_ns if self.first_ns is None else min(self.first_ns, at_ns)
            self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)

    @property
    def cells(self) -> dict[str, Any]:
        return {
            "open": self.open,
            "resolved": self.resolved,
            "entities": len(self.entities),
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
        }


def present(store: Store) -> bool:
    """Whether any workflow has a failure log."""
    return any(bound.failures is not None for bound in store.workflows)


def read(store: Store, cancel: CancelToken) -> list[Resource]:
    """Error types of each workflow, those with the most open failures first."""
    found: list[Resource] = []
    for bound in store.workflows:
        if bound.failures is not None:
            with store.reader(cancel) as reader:
                rows = reader.all(_statement(bound, bound.failures))
            found += _counted(bound.type, rows)
    return sorted(found, key=lambda r: (-r.cells["open"], -(r.cells["last_ns"] or 0)))


def _statement(bound: Bound, table: BoundTable) -> sa.Select[Any]:
    chosen = labelled(table.entity_id, table.error_type, table.at, table.resolved_at)
    statement = sa.select(*chosen).select_from(table.table).where(*owned(bound, table))
    return statement.order_by(table.id.desc()).limit(MOST + 1)


def _counted(type_: str, rows: Iterable[Any]) -> list[Resource]:
    groups: dict[str, _Group] = {}
    listed = list(rows)
    for entity, error, at_ns, resolved in listed[:MOST]:
        group = groups.setdefault("failure" if error is None else str(error), _Group())
        group.add(str(entity), at_ns, resolved is not None)
        if at_ns is not None:
            group.weeks.setdefault(week_of(at_ns), _Group()).add(str(entity), at_ns, resolved is not None)
    cut = f"of the newest {count(MOST)} failures" if len(listed) > MOST else ""
    return [_resource(type_, error, group, cut) for error, group in groups.items()]


def week_of(at_ns: int) -> str:
    """The ISO week of a time, in UTC: "2026-W07"."""
    year, week, _ = (_EPOCH + timedelta(microseconds=at_ns // 1_000)).isocalendar()
    return f"{year}-W{week:02d}"


def _resource(type_: str, error: str, group: _Group, cut: str) -> Resource:
    weeks = sorted(group.weeks.items(), reverse=True)[:WEEKS]
    below = tuple(Resource(kind="weeks", id=week, title=week, cells=inner.cells) for week, inner in weeks)
    return Resource(
        kind="errors",
        id=f"{type_}/{error}",
        title=error,
        cells={"type": type_, **group.cells},
        warning=cut,
        children=below,
    )
