"""How many entities stand on each status, how many claims are dead, how many failures are open."""

from __future__ import annotations

import time
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import filters, population_claims, runs
from engine_bridge.engines.entity_state.row_parts import key_of, labelled, owned
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.format import count
from engine_bridge.query.ast import Node

FAILURES: Final = 20_000
"""Open failures that are counted, the newest."""
WALKED: Final = 20_000
"""Entities that are counted of a filter which SQL does not answer whole."""
WALK_S: Final = 10.0


@dataclass(slots=True)
class Counted:
    """Entities on one status; ``oldest_ns`` only of claims, whose columns say since when."""

    count: int = 0
    stuck: int = 0
    oldest_ns: int | None = None

    def add(self, count: int, stuck: int, oldest_ns: int | None) -> None:
        """Adds those of another span."""
        self.count += count
        self.stuck += stuck
        known = [at for at in (self.oldest_ns, oldest_ns) if at is not None]
        self.oldest_ns = min(known, default=None)


@dataclass(slots=True, frozen=True)
class Scope:
    """Which entities of a workflow are asked about. ``whole``: all that may be seen; ``note`` where some were cut."""

    bound: Bound
    where: tuple[sa.ColumnElement[bool], ...]
    whole: bool
    note: str = ""

    @classmethod
    def of(cls, store: Store, bound: Bound, query: Node | None, now_ns: int, cancel: CancelToken) -> Scope:
        """The entities that match a filter; those that only a look at each can tell are walked through."""
        if query is None:
            return cls(bound, bound.scope, True)
        where = filters.where(bound, query, now_ns, store.dialect)
        if where.never:
            return cls(bound, (sa.false(),), False)
        if where.residual is None:
            return cls(bound, (*bound.scope, *where.conditions), False)
        ids, whole = _walked(store, bound, where, now_ns, cancel)
        note = "" if whole else f"Of the entities that match, the first {count(len(ids))} found are counted."
        return cls(bound, (*bound.scope, bound.id.in_(ids)), False, note)


def _walked(
    store: Store, bound: Bound, where: filters.Where, now_ns: int, cancel: CancelToken
) -> tuple[list[Any], bool]:
    """The ids of entities that match, and whether these are all; stops after ``WALK_S`` seconds."""
    ids: list[Any] = []
    until = time.monotonic() + WALK_S
    for found, searched in runs.matching(store, [(bound, where)], now_ns, cancel):
        ids += [entity.id for entity in found]
        cancel.progress(searched, None, "Looking for entities that match")
        if len(ids) >= WALKED or time.monotonic() > until:
            return ids[:WALKED], False
    return ids, True


def by_status(store: Store, scope: Scope, now_ns: int, cancel: CancelToken) -> dict[str, Counted]:
    """Counts of every status that has entities, the largest first."""
    claims = population_claims.columns(scope.bound, now_ns)
    found: dict[str, Counted] = {}
    for span in store.spans(scope.bound.place, cancel):
        with store.reader(cancel) as read:
            rows = _counted(store, scope, claims, read, span)
        for status, number, *claimed in rows:
            stuck, oldest = claimed or (0, None)
            found.setdefault(_name(status), Counted()).add(number, int(stuck or 0), oldest)
    return dict(sorted(found.items(), key=lambda item: -item[1].count))


def _counted(
    store: Store, scope: Scope, claims: list[Any], read: Reader, span: list[sa.ColumnElement[bool]]
) -> Sequence[Any]:
    whole = not span
    if claims and whole and (store.dialect == "postgresql" or _indexed(scope.bound, read)):
        rows = read.all(_counting(scope, [], []))
        return _with_claims(rows, read.all(_counting(scope, claims, [], only_claims=True)))
    return read.all(_counting(scope, claims, span))


def _with_claims(rows: Any, claims: Any) -> Sequence[Any]:
    known = {row[0]: tuple(row[2:]) for row in claims}
    return [(row[0], row[1], *known.get(row[0], (0, None))) for row in rows]


def _name(status: Any) -> str:
    return NO_STATUS if status is None else str(status)


def _counting(
    scope: Scope, more: list[Any], span: list[sa.ColumnElement[bool]], only_claims: bool = False
) -> sa.Select[Any]:
    bound = scope.bound
    column = bound.status_column
    if column is None:
        return _by_history(scope, more, span)
    statement = sa.select(*labelled(column, sa.func.count(), *more)).where(*scope.where, *span)
    if only_claims:
        statement = statement.where(bound.status_in(population_claims.names(bound)))
    return statement.group_by(column)


def _by_history(scope: Scope, more: list[Any], span: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    # The status is a correlated query here: it must not be asked for twice a row.
    bound = scope.bound
    chosen = sa.select(bound.status.label("status")).select_from(bound.table)
    inner = chosen.where(*scope.where, *span).subquery()
    nothing = [sa.null()] * len(more)
    return sa.select(*labelled(inner.c.status, sa.func.count(), *nothing)).group_by(inner.c.status)


_INDEXED: weakref.WeakKeyDictionary[Bound, bool] = weakref.WeakKeyDictionary()


def _indexed(bound: Bound, read: Reader) -> bool:
    """Whether an index on the status answers the counting alone, so that claims are better asked about apart.

    PostgreSQL counts in parallel only what does not look into other tables.
    """
    column = bound.status_column
    if column is None:
        return False
    if bound not in _INDEXED:
        found = sa.inspect(read.connection).get_indexes(bound.table.name, schema=bound.table.schema)
        _INDEXED[bound] = any(index["column_names"][:1] == [column.name] for index in found)
    return _INDEXED[bound]


def unknown(store: Store, scope: Scope, counted: dict[str, Counted], cancel: CancelToken) -> int:
    """Entities on statuses that no config of theirs knows."""
    bound = scope.bound
    if bound.observed:
        return 0
    if len(bound.by_tenant) == 1:
        return sum(one.count for status, one in counted.items() if bound.role(status).role == "unknown")
    strange = bound.where_role(lambda info: info.role == "unknown")
    statement = sa.select(sa.func.count()).select_from(bound.table).where(strange, *scope.where)
    spans = store.spans(bound.place, cancel)
    return sum(store.all(statement.where(*span), cancel)[0][0] for span in spans)


def open_failures(store: Store, scope: Scope, cancel: CancelToken) -> tuple[Counter[str], bool]:
    """Open failures by the status of their entity, and whether these are all."""
    bound, table = scope.bound, scope.bound.failures
    if table is None or table.resolved_at is None:
        return Counter(), True
    where = [*owned(bound, table), table.resolved_at.is_(None)]
    newest = sa.select(table.entity_id).where(*where).order_by(table.id.desc()).limit(FAILURES + 1)
    rows: list[Any] = []
    for span in reversed(list(store.spans(table.id, cancel))):
        rows += (row[0] for row in store.all(newest.where(*span), cancel))
        if len(rows) > FAILURES:
            break
    entities = Counter(rows[:FAILURES])
    statuses = _statuses(store, scope, list(entities), cancel)
    found: Counter[str] = Counter()
    for entity, number in entities.items():
        if str(entity) in statuses:
            found[statuses[str(entity)]] += number
    return found, len(rows) <= FAILURES


_IDS: Final = 500


def _statuses(store: Store, scope: Scope, entities: list[Any], cancel: CancelToken) -> dict[str, str]:
    """The status of each of some entities that are asked about."""
    bound = scope.bound
    found: dict[str, str] = {}
    for at in range(0, len(entities), _IDS):
        keys = [key for entity in entities[at : at + _IDS] if (key := key_of(bound, entity)) is not None]
        statement = sa.select(*labelled(bound.id, bound.status)).where(bound.id.in_(keys), *scope.where)
        found |= {str(id_): _name(status) for id_, status in store.all(statement, cancel)}
    return found
