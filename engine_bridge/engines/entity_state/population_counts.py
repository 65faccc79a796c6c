"""How many entities stand on each status, how many claims are dead, how many failures are open."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.row_parts import labelled, owned
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.errors import UsageError
from engine_bridge.query.ast import Node

_SECOND_NS: Final = 1_000_000_000
FAILURES: Final = 20_000
"""Open failures that are counted, the newest."""


@dataclass(slots=True)
class Counted:
    """Entities on one status; ``oldest_ns`` only of claims, whose columns say since when."""

    count: int = 0
    stuck: int = 0
    oldest_ns: int | None = None


@dataclass(slots=True, frozen=True)
class Scope:
    """Which entities of a workflow are asked about. ``whole``: all that may be seen."""

    bound: Bound
    where: tuple[sa.ColumnElement[bool], ...]
    whole: bool

    @classmethod
    def of(cls, store: Store, bound: Bound, query: Node | None, now_ns: int) -> Scope:
        """The entities that match a filter. Raises UsageError for one that SQL cannot answer."""
        if query is None:
            return cls(bound, bound.scope, True)
        from engine_bridge.engines.entity_state import filters

        clause, rest = filters.clause(store, bound, query, now_ns)
        if rest is not None:
            raise UsageError(
                "Populations cannot be filtered by this.", "Filter the list of entities instead."
            )
        return cls(bound, (*bound.scope, *([] if clause is None else [clause])), False)


def by_status(store: Store, scope: Scope, now_ns: int, cancel: CancelToken) -> dict[str, Counted]:
    """Counts of every status that has entities, the largest first."""
    with store.reader(cancel) as read:
        if _claims_need_rows(scope.bound, read):
            rows = read.all(_counting(scope, []))
            rows = _with_claims(
                rows, read.all(_counting(scope, _claims(scope.bound, now_ns), only_claims=True))
            )
        else:
            rows = read.all(_counting(scope, _claims(scope.bound, now_ns)))
    found: dict[str, Counted] = {}
    for status, number, *claims in rows:
        stuck, oldest = claims or (0, None)
        found[_name(status)] = Counted(number, int(stuck or 0), oldest)
    return dict(sorted(found.items(), key=lambda item: -item[1].count))


def _with_claims(rows: Any, claims: Any) -> list[tuple[Any, ...]]:
    known = {row[0]: tuple(row[2:]) for row in claims}
    return [(row[0], row[1], *known.get(row[0], (0, None))) for row in rows]


def _name(status: Any) -> str:
    return NO_STATUS if status is None else str(status)


def _counting(scope: Scope, more: list[Any], only_claims: bool = False) -> sa.Select[Any]:
    bound = scope.bound
    column = bound.status_column
    if column is None:
        return _by_history(scope, more)
    statement = sa.select(*labelled(column, sa.func.count(), *more)).where(*scope.where)
    if only_claims:
        statement = statement.where(bound.status_in(_claim_names(bound)))
    return statement.group_by(column)


def _by_history(scope: Scope, more: list[Any]) -> sa.Select[Any]:
    # The status is a correlated query here: it must not be asked for twice a row.
    bound = scope.bound
    chosen = sa.select(bound.status.label("status")).select_from(bound.table)
    inner = chosen.where(*scope.where).subquery()
    nothing = [sa.null()] * len(more)
    return sa.select(*labelled(inner.c.status, sa.func.count(), *nothing)).group_by(inner.c.status)


def _claim_names(bound: Bound) -> list[str]:
    return [name for name, info in bound.statuses.items() if info.ttl_s is not None]


def _claims(bound: Bound, now_ns: int) -> list[Any]:
    """Dead claims, and since when the oldest is held; nothing where no column says since when."""
    names = _claim_names(bound)
    since, status = bound.claimed_at, bound.status_column
    if since is None or status is None or not names:
        return []
    dead = []
    for name in names:
        ttl = bound.statuses[name].ttl_s or 0
        limit = sa.literal(now_ns - int(ttl * _SECOND_NS), since.type)
        dead.append(sa.and_(bound.status_in([name]), sa.or_(since.is_(None), since < limit)))
    oldest = sa.case((bound.status_in(names), since), else_=None)
    return [
        sa.func.sum(sa.case((sa.or_(*dead), 1), else_=0)),
        sa.type_coerce(sa.func.min(oldest), since.type),
    ]


_INDEXED: weakref.WeakKeyDictionary[Bound, bool] = weakref.WeakKeyDictionary()


def _claims_need_rows(bound: Bound, read: Reader) -> bool:
    """Whether counting alone is answered by an index on the status, so that claims are better asked about apart."""
    column = bound.status_column
    if column is None or not _claim_names(bound) or bound.claimed_at is None:
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
    with store.reader(cancel) as read:
        statement = sa.select(sa.func.count()).select_from(bound.table).where(strange, *scope.where)
        return int(read.value(statement))


def open_failures(store: Store, scope: Scope, cancel: CancelToken) -> Counter[str]:
    """Open failures by the status of their entity."""
    bound, table = scope.bound, scope.bound.failures
    if table is None or table.resolved_at is None:
        return Counter()
    where = [*owned(bound, table), table.resolved_at.is_(None)]
    newest = sa.select(table.entity_id).where(*where).order_by(table.id.desc()).limit(FAILURES)
    with store.reader(cancel) as read:
        entities = Counter(row[0] for row in read.all(newest))
        statuses = _statuses(scope, read, list(entities))
    found: Counter[str] = Counter()
    for entity, number in entities.items():
        if str(entity) in statuses:
            found[statuses[str(entity)]] += number
    return found


_IDS: Final = 500


def _statuses(scope: Scope, read: Reader, entities: list[Any]) -> dict[str, str]:
    """The status of each of some entities that are asked about."""
    bound = scope.bound
    found: dict[str, str] = {}
    for at in range(0, len(entities), _IDS):
        keys = [key for entity in entities[at : at + _IDS] if (key := _key(bound, entity)) is not None]
        statement = sa.select(*labelled(bound.id, bound.status)).where(bound.id.in_(keys), *scope.where)
        found |= {str(id_): _name(status) for id_, status in read.all(statement)}
    return found


def _key(bound: Bound, entity: Any) -> Any:
    from engine_bridge.errors import NotFoundError

    try:
        return bound.key(str(entity))
    except NotFoundError:
        return None
