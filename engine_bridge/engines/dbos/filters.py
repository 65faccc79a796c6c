"""Filters over runs: what SQL answers exactly, what is left for the decoded run, and the fields themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import sqlalchemy as sa

from engine_bridge.engines.dbos import keyset
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.model import Status
from engine_bridge.query.ast import Ago, And, Compare, Day, Node, Not, Or
from engine_bridge.query.predicate import Predicate, predicate, value_test
from engine_bridge.query.sql import Clause, SqlColumn, enum_column, literal_in, split

FAILED: Final = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""The statuses of the partial index on failed runs, in its order (SQLite wants the very same list)."""
IN_FLIGHT: Final = ("ENQUEUED", "PENDING")

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "running": ("PENDING",),
    "queued": ("ENQUEUED",),
    "delayed": ("DELAYED",),
    "completed": ("SUCCESS",),
    "failed": ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
    "cancelled": ("CANCELLED",),
    **{word.value: () for word in (Status.PAUSED, Status.TERMINATED, Status.TIMED_OUT, Status.CONTINUED)},
}
_TEXTS: Final = {
    "queue": "queue_name",
    "partition": "queue_partition_key",
    "version": "application_version",
    "worker": "executor_id",
    "schedule": "schedule_name",
    "parent": "parent_workflow_id",
    "forked_from": "forked_from",
}
# Shown as extras, where an empty text counts as none.
_EXTRA_TEXTS: Final = {
    "user": "authenticated_user",
    "application_name": "application_name",
    "class_name": "class_name",
    "config_name": "config_name",
    "deduplication_id": "deduplication_id",
}
_TIMES: Final = {
    "created": "created_at",
    "updated": "updated_at",
    "deadline": "workflow_deadline_epoch_ms",
    "delay_until": "delay_until_epoch_ms",
}


@dataclass(frozen=True)
class Where:
    """A filter, split.

    ``needs`` are the fields that the residual looks at: they decide what must be read. ``key`` names the pushed part
    among prepared statements; None where it holds the time of the question. ``states`` are the stored statuses that
    it allows, where it names some that an index has in order of time.
    """

    clause: Clause | None = None
    residual: Node | None = None
    needs: frozenset[str] = field(default_factory=frozenset)
    key: Node | Literal["all"] | None = "all"
    states: tuple[str, ...] = ()

    def conditions(self) -> list[Clause]:
        """The pushed part as conditions of a statement."""
        return [] if self.clause is None else [self.clause]

    def predicate(self, now_ns: int) -> Predicate:
        """The rest as a function of a run."""
        return (lambda run: True) if self.residual is None else predicate(self.residual, now_ns)


def where(db: Database, query: Node | None, now_ns: int) -> Where:
    """Splits a filter for this database."""
    if query is None:
        return Where()
    known: Where | None = db.statements.get(("where", query))
    if known is not None:
        return known
    made = _split(db.tables, query, now_ns)
    return made if made.key is None else db.statements.add(("where", query), made)


def _split(tables: Tables, query: Node, now_ns: int) -> Where:
    clause, residual = split(query, columns(tables), now_ns)
    needs = frozenset() if residual is None else frozenset(_fields(residual))
    return Where(clause, residual, needs, query if _timeless(query) else None, _states(query))


def _states(query: Node) -> tuple[str, ...]:
    for node in query.nodes if isinstance(query, And) else (query,):
        if isinstance(node, Compare) and node.field == "status" and node.op in ("==", "in"):
            stored = _stored(node)
            return stored if set(stored) <= set(FAILED) else ()
    return ()


def _stored(node: Compare) -> tuple[str, ...]:
    """The stored statuses for which a comparison of the status is true."""
    test = value_test(node, 0)
    return tuple(item for word, items in _WORDS.items() if test(word) for item in items)


def _timeless(node: Node) -> bool:
    match node:
        case Compare():
            values = node.value if isinstance(node.value, tuple) else (node.value,)
            relative = any(isinstance(value, Ago | Day) for value in values)
            return not relative and node.field not in ("age", "running_for")
        case Not(inner):
            return _timeless(inner)
        case And(nodes) | Or(nodes):
            return all(_timeless(inner) for inner in nodes)
    return True


def _fields(node: Node) -> list[str]:
    match node:
        case Compare():
            return [node.field.partition(".")[0]]
        case Not(inner):
            return _fields(inner)
        case And(nodes) | Or(nodes):
            return [name for inner in nodes for name in _fields(inner)]
    return ["error"]


def columns(tables: Tables) -> dict[str, SqlColumn]:
    """How the fields are stored."""
    status = tables.col("workflow_status", "status")
    found = {
        "id": SqlColumn(
            tables.col("workflow_status", "workflow_uuid"), prover=lambda node: _prefix(tables, node)
        ),
        "type": SqlColumn(_never_null(tables, "name")),
        "status": enum_column(status, _WORDS, "unknown", lambda node: _prove(status, node)),
        "engine_status": SqlColumn(_never_null(tables, "status"), prover=_EngineStatus(status)),
        "error": SqlColumn(sa.null(), exact=frozenset(), prover=lambda node: _closed_badly(status)),
        "started": SqlColumn(keyset.started(tables), "time_ms"),
        "ended": SqlColumn(keyset.ended(tables), "time_ms", prover=lambda node: _ended(tables)),
        "duration": SqlColumn(keyset.ended(tables) - keyset.started(tables), "duration_ms"),
        "priority": SqlColumn(tables.col("workflow_status", "priority"), "int"),
        "dispatches": SqlColumn(tables.col("workflow_status", "recovery_attempts"), "int"),
        "attributes": SqlColumn(tables.col("workflow_status", "attributes"), "json"),
    }
    found |= {name: SqlColumn(tables.col("workflow_status", column)) for name, column in _TEXTS.items()}
    found |= {name: SqlColumn(_or_null(tables, column)) for name, column in _EXTRA_TEXTS.items()}
    found |= {
        name: SqlColumn(tables.col("workflow_status", column), "time_ms") for name, column in _TIMES.items()
    }
    return found


def _never_null(tables: Tables, column: str) -> Expression:
    return sa.func.coalesce(tables.col("workflow_status", column), sa.literal_column("''"))


def _or_null(tables: Tables, column: str) -> Expression:
    return sa.func.nullif(tables.col("workflow_status", column), sa.literal_column("''"))


def _closed_badly(status: Expression) -> Clause:
    return sa.and_(literal_in(status, FAILED), literal_in(status, ("ERROR",)))


def _ended(tables: Tables) -> Clause | None:
    if tables.has("workflow_status", "completed_at"):
        return None
    return literal_in(tables.col("workflow_status", "status"), ("SUCCESS", *FAILED))


def _prefix(tables: Tables, node: Compare) -> Clause | None:
    # GLOB and LIKE with bound patterns use no index; a range does.
    head = str(node.value).partition("*")[0].partition("?")[0]
    if node.op != "~" or not head or tables.dialect != "sqlite":
        return None
    run_id = tables.col("workflow_status", "workflow_uuid")
    return sa.and_(run_id >= head, run_id < head + chr(0x10FFFF))


class _EngineStatus:
    """Literal conditions for comparisons with one stored status."""

    def __init__(self, status: Expression) -> None:
        self._status = status

    def __call__(self, node: Compare) -> Clause | None:
        if node.op != "==":
            return None
        if node.value in FAILED:
            return literal_in(self._status, FAILED)
        return literal_in(self._status, (str(node.value),)) if node.value in ("PENDING", "DELAYED") else None


def _prove(status: Expression, node: Compare) -> Clause | None:
    stored = set(_stored(node))
    if not stored or value_test(node, 0)("unknown"):
        return None
    if stored <= set(FAILED):
        return literal_in(status, FAILED)
    if len(stored) > 1 and stored <= set(IN_FLIGHT):
        return literal_in(status, IN_FLIGHT)
    return None
