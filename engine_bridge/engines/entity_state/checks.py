"""Findings about a mapping and the database under it: what is wrong, in which line of the mapping, how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state.mapping import Mapping, WorkflowMap
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import Connections
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.errors import PlayheadError
from engine_bridge.query.text import quote

SLICE_ROWS = 20_000
"""Rows that one short read counts."""


class Report:
    """Gathers findings about workflows of a mapping."""

    def __init__(self, mapping: Mapping, first: Iterable[Finding] = ()) -> None:
        self._mapping = mapping
        self._found = list(dict.fromkeys(_hashable(found) for found in first))
        self._first = {_hashable(found): found for found in first}
        self._own: list[Finding] = []

    def add(
        self,
        flow: WorkflowMap,
        code: str,
        name: str,
        reason: str,
        fix: str,
        *,
        severity: str = "error",
        count: int | None = None,
        filter: str = "",
    ) -> None:
        """Adds a finding about a name of the mapping ("entity.version")."""
        number = next((n for n, one in enumerate(self._mapping.workflows) if one.type == flow.type), 0)
        self._own.append(
            Finding(
                code=code,
                severity=severity,
                file=self._mapping.path,
                pointer=f"/workflow/{number}/{name.replace('.', '/')}".rstrip("/"),
                reason=f"{flow.type}: {reason}",
                line=flow.line(name),
                fix=fix,
                count=count,
                filter=filter,
            )
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, in the order of adding."""
        return (*self._first.values(), *self._own)


def _hashable(found: Finding) -> tuple[str, str, str, str]:
    return found.code, found.file, found.pointer, found.reason


def counts(connections: Connections, bound: Bound, cancel: CancelToken) -> dict[tuple[str, str], int]:
    """(tenant, status) -> entities that may be seen; many short reads. The tenant is "" where there is none."""
    tenant = sa.literal("") if bound.tenant is None else sa.func.coalesce(as_text(bound.tenant), "")
    found: dict[tuple[str, str], int] = {}
    for conditions in slices(connections, bound.id, cancel):
        inner = sa.select(tenant.label("tenant"), bound.status.label("status")).select_from(bound.table)
        both = inner.where(*bound.scope, *conditions).subquery()
        grouped = sa.select(both.c.tenant, both.c.status, sa.func.count()).group_by(
            both.c.tenant, both.c.status
        )
        with connections.reader(cancel) as read:
            for owner, status, count in read.all(grouped):
                key = (str(owner), NO_STATUS if status is None else str(status))
                found[key] = found.get(key, 0) + count
    return found


def slices(
    connections: Connections,
    column: sa.ColumnElement[Any],
    cancel: CancelToken,
    rows: int = SLICE_ROWS,
    within: Sequence[sa.ColumnElement[bool]] = (),
) -> Iterator[list[sa.ColumnElement[bool]]]:
    """Conditions that cut the rows ``within`` by an indexed column into spans of about ``rows``.

    A server needs no cutting: its readers block nobody. Values may repeat; all rows of one are in one span.
    """
    if connections.dialect == "postgresql":
        yield [*within]
        return
    low, start = [*within], None
    while True:
        with connections.reader(cancel) as read:
            edge = read.value(sa.select(column).where(*low).order_by(column).limit(1).offset(rows))
            if edge is not None and edge == start:
                # One value alone fills a span.
                edge = read.value(sa.select(sa.func.min(column)).where(*within, column > edge))
        if edge is None:
            yield low
            return
        yield [*low, column < edge]
        low, start = [*within, column >= edge], edge


def of_data(
    connections: Connections, bounds: Iterable[Bound], mapping: Mapping, cancel: CancelToken
) -> tuple[Finding, ...]:
    """Findings about the entities: statuses that no config knows, by count."""
    report = Report(mapping)
    for bound in bounds:
        try:
            _statuses(connections, bound, report, cancel)
        except PlayheadError as error:
            reason = f"its entities cannot be counted: {error.message}"
            report.add(bound.map, "unreadable_table", "entity.table", reason, error.hint)
    return report.findings


def _statuses(connections: Connections, bound: Bound, report: Report, cancel: CancelToken) -> None:
    if bound.hidden:
        reason = "row-level security hides its rows, and no tenant is set"
        report.add(
            bound.map,
            "tenant_required",
            "entity.table",
            reason,
            "Add tenant=… to the URL.",
            severity="warning",
        )
        return
    unknown: dict[str, int] = {}
    for (tenant, status), count in counts(connections, bound, cancel).items():
        if bound.role(status, tenant).role == "unknown":
            unknown[status] = unknown.get(status, 0) + count
    for status, count in sorted(unknown.items()):
        noun = "entity stands" if count == 1 else "entities stand"
        report.add(
            bound.map,
            "entities_on_unknown_status",
            "entity.status",
            f"{count:,} {noun} on the status “{status}”, which no config knows",
            "Add the status to the config, or move them.",
            count=count,
            filter=f"type == {quote(bound.type)} and state == {quote(status)}",
        )
