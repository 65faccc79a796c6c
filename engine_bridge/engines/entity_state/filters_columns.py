"""How the filter fields of one workflow are stored, and what comparisons imply about columns that have an index.

Times are pushed exactly only where a column can hold nothing else; texts of times (SQLite) are narrowed to days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_states import StatusInfo
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text, family
from engine_bridge.engines.entity_state.store_time import Instant
from engine_bridge.errors import NotFoundError
from engine_bridge.model import Status
from engine_bridge.query.ast import Compare
from engine_bridge.query.leaves import text_leaf
from engine_bridge.query.predicate import value_test
from engine_bridge.query.sql import Clause, SqlColumn
from engine_bridge.query.values import RANGED, bounds

STATUSES: Final = (Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.UNKNOWN)
_SLACK_NS: Final = 2 * 86_400_000_000_000
# Times that every database and Python can write: 1900 to 2200.
_FIRST_NS: Final = -2_208_988_800_000_000_000
_LAST_NS: Final = 7_258_118_400_000_000_000
_NONE: Final[frozenset[str]] = frozenset()


class _MicroInstant(Instant):
    """An instant that is bound as microseconds: filters compare in whole units."""

    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        return None if value is None else self.encode(value * 1_000)


def columns(bound: Bound, now_ns: int, dialect: str) -> dict[str, SqlColumn]:
    """The fields that SQL knows anything about."""
    words = {word.value: bound.where_role(_stands_for(word)) for word in STATUSES}
    found = {
        "status": SqlColumn(sa.literal_column("1"), "enum", clauses=words),
        "state": SqlColumn(bound.status, prover=lambda node: _state(bound, node)),
        "id": SqlColumn(as_text(bound.id), prover=lambda node: _id(bound, node, dialect)),
        "unknown": _truth(bound.where_role(lambda info: info.role == "unknown")),
        "stuck": _hint(lambda node: _claims(bound) if node.value is True else None),
        "error": _hint(lambda node: _errors(bound, dialect)),
        "ended": _hint(lambda node: _closed(bound)),
        "duration": _hint(lambda node: _closed(bound)),
        "failures": _failures(bound, now_ns, dialect),
        "tenant": _text(bound.tenant),
        "label": _text(bound.label),
        "claimed_by": _text(bound.claimed_by),
        "created": _time(bound.created_at, now_ns),
        "started": _time(bound.created_at, now_ns),
    }
    if bound.updated_at is not None:
        found["updated"] = _time(bound.updated_at, now_ns)
    if bound.version is not None:
        found["version"] = SqlColumn(bound.version, "int")
    return found


def correlation(bound: Bound, node: Compare) -> SqlColumn:
    """Whether any row beside the entity has a correlation id that a comparison wants; compared with true."""
    tables = [table for table in (bound.history, bound.failures) if table is not None]
    named = [table for table in tables if table.correlation_id is not None]
    parts, exact = [], True
    for table in named:
        wanted = _wanted(node, as_text(table.correlation_id))
        if wanted is None:
            return SqlColumn(sa.null(), "bool", exact=_NONE)
        clause, sure = wanted
        parts.append(sa.exists().where(table.link, *table.rows, clause).correlate(bound.table))
        exact = exact and sure
    either = sa.or_(*parts) if parts else sa.false()
    return _truth(either) if exact else SqlColumn(sa.null(), "bool", exact=_NONE, prover=lambda _: either)


def _wanted(node: Compare, column: Any) -> tuple[Clause, bool] | None:
    if node.op == "exists":
        return column.is_not(None), True
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    op = "==" if node.op == "in" else node.op
    leaves = [text_leaf(Compare(node.field, op, value), column) for value in values]
    if any(leaf is None for leaf in leaves):
        return None
    told = [leaf for leaf in leaves if leaf is not None]
    unsure = [leaf.unsure for leaf in told if leaf.unsure is not None]
    return sa.or_(*(leaf.clause for leaf in told), *unsure), not unsure


def _stands_for(word: Status) -> Callable[[StatusInfo], bool]:
    return lambda info: info.neutral is word


def _truth(clause: Clause) -> SqlColumn:
    value = sa.case((clause, sa.true()), else_=sa.false())
    return SqlColumn(value, "bool", prover=lambda node: clause if node.value is True else None)


def _hint(prover: Callable[[Compare], Clause | None]) -> SqlColumn:
    """A field that only narrows: the decoded entity decides."""
    return SqlColumn(sa.null(), exact=_NONE, prover=prover)


def _text(column: sa.Column[Any] | None) -> SqlColumn:
    if column is None:
        return SqlColumn(sa.cast(sa.null(), sa.Text))
    # Numbers and the like may read otherwise in SQL than they are shown.
    same = isinstance(column.type, sa.String | sa.Integer | sa.Uuid)
    return SqlColumn(as_text(column), exact=None if same else frozenset({"exists"}))


def _time(column: sa.Column[Any] | None, now_ns: int) -> SqlColumn:
    if column is None:
        return SqlColumn(sa.null(), "time_ns", exact=frozenset({"exists"}))
    kind = column.type
    zones = ("timestamptz", "naive_utc")
    if isinstance(kind, Instant) and kind.shape is None and kind.unit in zones:
        return SqlColumn(sa.type_coerce(column, _MicroInstant(kind.unit, None, kind.zoned)), "time_us")
    return SqlColumn(column, exact=_NONE, prover=_Days(column, now_ns))


class _Days:
    """What a comparison of a time implies about its day: two days to and fro cover any zone and spelling."""

    def __init__(self, column: sa.Column[Any], now_ns: int) -> None:
        self._column = column
        self._now_ns = now_ns

    def __call__(self, node: Compare) -> Clause | None:
        value = node.value
        if not isinstance(value, RANGED):
            return None
        low, high = bounds(value, self._now_ns)
        after: Clause = self._column >= low - _SLACK_NS
        before: Clause = self._column < high + _SLACK_NS
        if not _FIRST_NS < low < high < _LAST_NS:
            return None
        if node.op == "==":
            return sa.and_(after, before)
        return before if node.op in ("<", "<=") else after if node.op in (">", ">=") else None


def _state(bound: Bound, node: Compare) -> Clause | None:
    """The column itself, which an index serves."""
    declared = node.op == "==" and node.value in bound.statuses
    return bound.status_in([str(node.value)]) if declared else None


def _id(bound: Bound, node: Compare, dialect: str) -> Clause | None:
    if node.op == "==" and isinstance(node.value, str):
        try:
            same: Clause = bound.id == bound.key(node.value)
        except NotFoundError:
            return sa.false()
        return same
    head = str(node.value).partition("*")[0].partition("?")[0]
    if node.op == "~" and head and dialect == "sqlite" and family(bound.id) == "text":
        return sa.and_(bound.id >= head, bound.id < head + chr(0x10FFFF))
    return None


def _claims(bound: Bound) -> Clause:
    return bound.where_role(lambda info: info.role == "claim" and info.ttl_s is not None)


def _closed(bound: Bound) -> Clause:
    return bound.where_role(lambda info: info.neutral.closed)


def _errors(bound: Bound, dialect: str) -> Clause:
    bad = bound.where_role(lambda info: info.neutral is Status.FAILED)
    return bad if bound.failures is None else sa.or_(bad, named_in(bound, bound.failures, [], dialect))


def _failures(bound: Bound, now_ns: int, dialect: str) -> SqlColumn:
    table = bound.failures
    if table is None:
        return SqlColumn(sa.literal(0), "int")
    unresolved = [] if table.resolved_at is None else [table.resolved_at.is_(None)]
    counted = sa.select(sa.func.count()).select_from(table.table).where(table.link, *table.rows, *unresolved)

    def prover(node: Compare) -> Clause | None:
        return None if value_test(node, now_ns)(0) else named_in(bound, table, unresolved, dialect)

    return SqlColumn(counted.correlate(bound.table).scalar_subquery(), "int", prover=prover)


def named_in(bound: Bound, table: BoundTable, conditions: list[Any], dialect: str) -> Clause:
    """Entities with a row in a table, found from that table, which is small, where their ids can be compared."""
    ids = _as_ids(bound, table.entity_id, dialect)
    if ids is None:
        return sa.exists().where(table.link, *table.rows, *conditions).correlate(bound.table)
    return bound.id.in_(sa.select(ids).select_from(table.table).where(*table.rows, *conditions))


def _as_ids(bound: Bound, column: sa.Column[Any], dialect: str) -> Any:
    ours, theirs = family(bound.id), family(column)
    if ours == theirs:
        return column
    if theirs == "text" and ours == "integer":
        whole = sa.cast(column, sa.BigInteger)
        if dialect == "sqlite":
            return whole
        return sa.case((column.op("~")(sa.literal_column("'^-?[0-9]{1,18}$'")), whole), else_=None)
    return None
