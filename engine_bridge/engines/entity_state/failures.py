"""The permanent failure log of a source: what failed for good, open and resolved, newest first.

A filter speaks of the failure where it can: ``tenant``, ``correlation_id``, ``error``, ``error.type``,
``error.message``, ``step`` and ``resolved`` are those of the row; every other field is that of its entity.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import FailureRow, Field, FieldType, Page
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    failures_stays,
    filters,
    payloads,
    resource_ids,
    runs_enrich,
    runs_rows,
)
from engine_bridge.engines.entity_state.failures_log import BATCH, Line, Log, decoded, encoded
from engine_bridge.engines.entity_state.row_parts import key_of, number, text
from engine_bridge.engines.entity_state.runs import refuse_hidden
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.model import Failure, Run, Status
from engine_bridge.query.ast import And, Compare, Node, Not, Or, Text
from engine_bridge.query.predicate import value_test

SCAN_S: Final = 3.0
"""How long one page searches, in seconds; it then says that there may be more."""

FIELDS: Final = (
    Field(
        name="resolved", type=FieldType.BOOLEAN, title="resolved", doc="whether somebody settled the failure"
    ),
    Field(name="step", type=FieldType.TEXT, title="step", doc="the step that failed"),
    Field(name="error.type", type=FieldType.TEXT, title="error type"),
    Field(name="error.message", type=FieldType.TEXT, title="message"),
    Field(name="correlation_id", type=FieldType.TEXT, title="correlation id"),
    Field(name="tenant", type=FieldType.TEXT, title="tenant"),
)
"""What the log's rows can be filtered by, beside the fields of their entities."""


def page(
    store: Store, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
) -> Page:
    """A page of FailureRow, newest first; ``text`` is looked for in ids, types, messages, steps, tenants.

    ``cells`` of the log stand in ``FailureRow.attributes``: correlation_id, tenant, attempts, status, resolved_ns.
    """
    places = decoded(cursor)
    search = _Search(store, query, text, cancel)
    batch = BATCH if search.narrow else limit + 1
    items: list[FailureRow] = []
    searched, until = 0, time.monotonic() + SCAN_S
    where = {bound.type: _pushed(bound, query) for bound in store.workflows}
    for lines in _batches(Log(store, places, where, batch, cancel).lines(), batch):
        for line, row in search.rows(lines):
            if row is not None and len(items) == limit:
                return Page(items=tuple(items), after=encoded(places), searched=search.told(searched))
            searched += 1
            places[line.bound.type] = line.place
            if row is not None:
                items.append(row)
        if search.narrow and time.monotonic() > until:
            return Page(items=tuple(items), after=encoded(places), searched=searched, complete=False)
        cancel.progress(searched, None, "Searching the failure log")
    if not items and cursor is None:
        refuse_hidden(store.workflows)
    return Page(items=tuple(items), searched=search.told(searched))


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    some: list[Line] = []
    for line in lines:
        some.append(line)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def _pushed(bound: Bound, query: Node | None) -> list[Any]:
    """Conditions that a filter implies of the rows themselves, so that most others are not even read."""
    found: list[Any] = []
    table = bound.failures
    for node in query.nodes if isinstance(query, And) else (query,):
        if not isinstance(node, Compare) or node.op != "==" or table is None:
            continue
        if node.field in ("correlation_id", "tenant") and isinstance(node.value, str):
            column = getattr(table, node.field)
            found.append(sa.false() if column is None else as_text(column) == node.value)
        elif node.field == "resolved" and isinstance(node.value, bool) and table.resolved_at is not None:
            found.append(table.resolved_at.is_not(None) if node.value else table.resolved_at.is_(None))
    return found


class _Search:
    """Turns rows of the log into rows of the page; None for those that do not match."""

    def __init__(self, store: Store, query: Node | None, wanted: str, cancel: CancelToken) -> None:
        self._store = store
        self._cancel = cancel
        self._text = wanted.casefold()
        self._query = query
        self._now_ns = store.now_ns(cancel)
        self._matches = None if query is None else _compiled(query, self._now_ns)
        self.narrow = query is not None or bool(wanted)

    def told(self, searched: int) -> int | None:
        """How many rows were looked at, where that is not what is shown."""
        return searched if self.narrow else None

    def rows(self, lines: Sequence[Line]) -> Iterator[tuple[Line, FailureRow | None]]:
        """Each row of the log with its row of the page."""
        with self._store.reader(self._cancel) as read:
            runs = self._runs(read, lines)
            stays = failures_stays.read(read, lines)
        for line in lines:
            run = runs.get((line.bound.type, str(line.values["entity_id"])))
            row = _row(line, run, stays.get((line.bound.type, str(line.values["id"]))))
            yield line, row if self._fits(row, run) else None

    def _runs(self, read: Reader, lines: Sequence[Line]) -> dict[tuple[str, str], Run]:
        wanted: dict[Bound, dict[Any, None]] = {}
        for line in lines:
            key = key_of(line.bound, line.values["entity_id"])
            if key is not None:
                wanted.setdefault(line.bound, {})[key] = None
        entities = []
        for bound, keys in wanted.items():
            statement = sa.select(*runs_rows.listed(bound)).select_from(bound.table)
            rows = read.all(statement.where(bound.id.in_(list(keys)), *bound.scope))
            entities += [runs_rows.entity(bound, row, self._now_ns) for row in rows]
        if self._query is not None:
            runs_enrich.enrich(read, entities)
        return {(entity.bound.type, str(entity.id)): runs_rows.run(entity) for entity in entities}

    def _fits(self, row: FailureRow, run: Run | None) -> bool:
        if self._text and not any(self._text in part.casefold() for part in _texts(row)):
            return False
        if self._matches is None:
            return True
        # An entity that is gone has no fields, but its failure still has its own.
        return self._matches(row, run if run is not None else _gone(row))


_Match = Callable[[FailureRow, Run], bool]

_OWN: Final[dict[str, Callable[[FailureRow], Any]]] = {
    "resolved": lambda row: row.resolved,
    "step": lambda row: row.step_name,
    "error": lambda row: f"{row.failure.type}: {row.failure.message}",
    "error.type": lambda row: row.failure.type,
    "error.message": lambda row: row.failure.message,
    "correlation_id": lambda row: row.attributes.get("correlation_id"),
    "tenant": lambda row: row.attributes.get("tenant"),
}


def _compiled(node: Node, now_ns: int) -> _Match:
    """A filter as a function of a failure and its entity."""
    match node:
        case Not(inner):
            negated = _compiled(inner, now_ns)
            return lambda row, run: not negated(row, run)
        case And(nodes):
            every = [_compiled(inner, now_ns) for inner in nodes]
            return lambda row, run: all(one(row, run) for one in every)
        case Or(nodes):
            some = [_compiled(inner, now_ns) for inner in nodes]
            return lambda row, run: any(one(row, run) for one in some)
        case Text(text):
            wanted = text.casefold()
            return lambda row, run: any(wanted in part.casefold() for part in _texts(row))
    name = node.path if node.field == "attributes" else node.field
    own = _OWN.get(name)
    if own is None:
        of_run = filters.Where(residual=node).predicate(now_ns)
        return lambda row, run: of_run(run)
    test = value_test(node, now_ns)
    return lambda row, run: test(own(row))


def _gone(row: FailureRow) -> Run:
    return Run(
        ref=row.ref,
        id=row.ref.run,
        type=row.run_type,
        status=Status.UNKNOWN,
        engine_status="",
        engine=runs_rows.ENGINE,
    )


def _row(line: Line, run: Run | None, stay: str | None) -> FailureRow:
    values, type_ = line.values, line.bound.type
    entity = str(values["entity_id"])
    resolves = line.bound.failures is not None and line.bound.failures.resolved_at is not None
    facts = {
        "correlation_id": text(values["correlation_id"]),
        "tenant": text(values["tenant"]) or (run.attributes.get("tenant") if run is not None else None),
        "attempts": number(values["attempts"]),
        "status": text(values["status"]),
        "state": run.engine_status if run is not None else None,
        "resolved_ns": values["resolved_at"],
    }
    return FailureRow(
        ref=line.bound.ref(entity),
        run_type=type_,
        time_ns=line.at_ns,
        failure=_failure(line, entity),
        step_id=stay,
        step_name=text(values["step"]),
        run_status=run.status.value if run is not None else "",
        id=resource_ids.make(type_, values["id"]),
        resolved=values["resolved_at"] is not None if resolves else None,
        attributes={name: value for name, value in facts.items() if value is not None},
    )


def _failure(line: Line, entity: str) -> Failure:
    values, raw = line.values, None
    if line.size is not None:
        head = line.details if line.size <= payloads.HEAD_CHARACTERS else None
        raw = payloads.ref(
            "failure", line.bound.type, entity, values["id"], label="details", size=line.size, head=head
        )
    named = text(values["error_type"]) or text(values["step"]) or "failure"
    return Failure(type=named, message=text(line.message) or "", time_ns=line.at_ns, raw=raw)


def _texts(row: FailureRow) -> list[str]:
    facts = row.attributes
    own = (row.ref.run, row.run_type, row.step_name, row.failure.type, row.failure.message)
    return [
        part for part in (*own, facts.get("correlation_id"), facts.get("tenant"), facts.get("status")) if part
    ]


__all__ = ["FIELDS", "page"]
