"""The system tables as they are in one database: columns found by looking, so that every schema version reads.

A column that this database lacks reads as NULL; one that this bridge does not know yet shows among a run's extras.
Times are epoch milliseconds. Source: reference of schema version 125 (dbos 3.4.0) and the versions before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

KNOWN_VERSION: Final = 125
"""The newest ``dbos_migrations.version`` that this bridge was tested on."""

_TEXT: Final = sa.Text()
_INT: Final = sa.BigInteger()
_REAL: Final = sa.Float()

_INTEGER_NAMES: Final = """created_at updated_at recovery_attempts workflow_timeout_ms workflow_deadline_epoch_ms
    started_at_epoch_ms
    priority delay_until_epoch_ms was_forked_from rate_limited completed_at debounce_deadline_epoch_ms is_debounced
    function_id completed_at_epoch_ms created_at_epoch_ms consumed consumed_by_function_id offset version
    version_timestamp concurrency worker_concurrency rate_limit_max priority_enabled partition_queue
    partition_concurrency partition_worker_concurrency partition_rate_limit_max automatic_backfill
    retention_timestamp"""
_INTEGERS: Final = frozenset(_INTEGER_NAMES.split())
_REALS: Final = frozenset(
    {"rate_limit_period_sec", "polling_interval_sec", "partition_rate_limit_period_sec"}
)

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(columns.split())
    for name, columns in {
        "workflow_status": """workflow_uuid status name created_at updated_at started_at_epoch_ms completed_at
            recovery_attempts executor_id application_version queue_name queue_partition_key priority
            workflow_deadline_epoch_ms delay_until_epoch_ms parent_workflow_id forked_from schedule_name attributes
            serialization class_name config_name application_name application_id deduplication_id
            workflow_timeout_ms rate_limited was_forked_from is_debounced debounce_deadline_epoch_ms
            authenticated_user assumed_role authenticated_roles owner_xid creator_xid request
            inputs output error""",
        "workflow_input": "workflow_uuid inputs retention_timestamp",
        "workflow_output": "workflow_uuid output error retention_timestamp",
        "operation_outputs": """workflow_uuid function_id function_name output error child_workflow_id
            started_at_epoch_ms completed_at_epoch_ms serialization application_name retention_timestamp""",
        "notifications": """message_uuid destination_uuid topic message serialization created_at_epoch_ms consumed
            consumed_by_function_id""",
        "workflow_events": "workflow_uuid key value serialization",
        "workflow_events_history": "workflow_uuid function_id key value serialization",
        "streams": "workflow_uuid key value offset function_id serialization",
        "workflow_schedules": """schedule_id schedule_name workflow_name workflow_class_name schedule status context
            last_fired_at automatic_backfill cron_timezone queue_name application_name""",
        "queues": """queue_id name concurrency worker_concurrency rate_limit_max rate_limit_period_sec
            priority_enabled partition_queue polling_interval_sec created_at updated_at application_name
            partition_concurrency partition_worker_concurrency partition_rate_limit_max
            partition_rate_limit_period_sec""",
        "application_versions": "version_id version_name version_timestamp created_at application_name",
        "dbos_migrations": "version",
    }.items()
}

FIRST: Final = {
    "workflow_status": """workflow_uuid status name created_at updated_at started_at_epoch_ms recovery_attempts
        executor_id application_version queue_name priority workflow_deadline_epoch_ms inputs output error""",
    "workflow_input": "workflow_uuid inputs",
    "workflow_output": "workflow_uuid output error",
    "operation_outputs": "workflow_uuid function_id function_name output error child_workflow_id",
    "notifications": "message_uuid destination_uuid topic message created_at_epoch_ms",
    "workflow_events": "workflow_uuid key value",
    "workflow_events_history": "workflow_uuid function_id key value",
    "streams": "workflow_uuid key value offset",
    "workflow_schedules": "schedule_id schedule_name workflow_name schedule status context",
    "queues": "name concurrency worker_concurrency",
    "application_versions": "version_name version_timestamp",
}
"""Columns that each table has had since it exists. One that lacks any was changed by hand: they read as NULL."""

Expression = sa.ColumnElement[Any]


class Tables:
    """The tables of one database. ``found`` maps table names to their columns; immutable, any thread.

    Each known table is an attribute-like item (``tables["workflow_status"]``) with the columns that are there;
    ``col`` gives a typed column, or NULL where this schema version lacks it.
    """

    def __init__(self, found: Mapping[str, tuple[str, ...]], schema: str | None, dialect: str) -> None:
        self.found = found
        self.dialect = dialect
        self._tables = {name: _table(name, columns, schema, dialect) for name, columns in found.items()}

    def __getitem__(self, name: str) -> sa.FromClause:
        return self._tables[name]

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether this database has a table, or a column of it."""
        return table in self.found and (column is None or column in self.found[table])

    def col(self, table: str, column: str) -> Expression:
        """A column, or a typed NULL under its name where this schema version lacks it."""
        if self.has(table, column):
            return self._tables[table].c[column]
        return sa.cast(sa.null(), _type(column)).label(column)

    def text(self, table: str, column: str) -> Expression:
        """A column as text: JSON columns of PostgreSQL would be parsed by the driver otherwise."""
        found = self.col(table, column)
        if self.dialect == "postgresql" and self.has(table, column):
            return sa.cast(found, _TEXT).label(column)
        return found

    def cols(self, table: str) -> list[Expression]:
        """All known columns of a table, in the order of ``COLUMNS``, missing ones as NULL."""
        return [self.col(table, column) for column in COLUMNS[table]]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Columns of ``workflow_status`` that this bridge does not know."""
        return tuple(c for c in self.found["workflow_status"] if c not in COLUMNS["workflow_status"])

    @property
    def sharded(self) -> bool:
        """Whether this is a sharded database of the proprietary edition."""
        return self.has("workflow_status", "shard_key")


def _table(name: str, columns: tuple[str, ...], schema: str | None, dialect: str) -> sa.FromClause:
    table = sa.table(name, *(sa.column(c, _type(c)) for c in columns), schema=schema)
    lacking = [column for column in FIRST.get(name, "").split() if column not in columns]
    if not lacking:
        return table
    more: list[Expression] = [sa.cast(sa.null(), _type(column)).label(column) for column in lacking]
    if dialect == "sqlite":
        more.append(sa.literal_column("rowid").label("rowid"))
    return sa.select(*table.c, *more).subquery(name)


def _type(column: str) -> sa.types.TypeEngine[Any]:
    if column in _INTEGERS:
        return _INT
    return _REAL if column in _REALS else _TEXT
