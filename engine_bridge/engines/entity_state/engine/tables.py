"""The engine's own tables, for SQLite and PostgreSQL; also entity tables and row-level security for tests and demos."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware datetime in UTC; microseconds. SQLite keeps text without a zone, PostgreSQL timestamptz."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Naive UTC for SQLite, which would drop the zone."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> sa.Column[Any]:
    return sa.Column("id", BIG, primary_key=True, autoincrement=True)


def _text(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


class Tables:
    """The tables of the engine in one schema (None: the default one). ``create`` makes those that are missing."""

    def __init__(self, schema: str | None = None) -> None:
        self.metadata = sa.MetaData(schema=schema)
        self.history = self._history()
        self.failures = self._failures()
        self.outbox = self._outbox()
        self.delayed = self._delayed()

    @property
    def all(self) -> tuple[sa.Table, ...]:
        """Every table."""
        return (self.history, self.failures, self.outbox, self.delayed)

    def create(self, engine: sa.Engine) -> None:
        """Creates missing tables and indexes; existing ones are left as they are."""
        self.metadata.create_all(engine)

    def _history(self) -> sa.Table:
        table = sa.Table(
            "workflow_history",
            self.metadata,
            _id(),
            *(_text(name, False) for name in ("entity_type", "entity_id", "workflow_type", "step_key")),
            *(_text(name, False) for name in ("from_status", "to_status")),
            *(_text(name) for name in ("requester_type", "actor", "correlation_id", "tenant_id")),
            sa.Column("execution_ms", sa.Float),
            sa.Column("metadata", JSON),
            sa.Column("changed_at", UtcTime, nullable=False),
        )
        sa.Index("ix_workflow_history_entity", table.c.entity_type, table.c.entity_id, table.c.id)
        sa.Index("ix_workflow_history_actor", table.c.actor, table.c.id)
        gin = sa.Index("ix_workflow_history_metadata", table.c.metadata, postgresql_using="gin")
        gin.ddl_if(dialect="postgresql")
        return table

    def _failures(self) -> sa.Table:
        table = sa.Table(
            "workflow_permanent_failure_log",
            self.metadata,
            _id(),
            *(
                _text(name, False)
                for name in ("entity_type", "entity_id", "workflow_type", "step_key", "status")
            ),
            *(_text(name) for name in ("error_type", "message")),
            sa.Column("details", JSON),
            sa.Column("attempts", sa.Integer),
            *(_text(name) for name in ("correlation_id", "tenant_id")),
            sa.Column("failed_at", UtcTime, nullable=False),
            sa.Column("resolved_at", UtcTime),
        )
        sa.Index("ix_workflow_failure_entity", table.c.entity_type, table.c.entity_id)
        sa.Index("ix_workflow_failure_at", table.c.failed_at)
        return table

    def _outbox(self) -> sa.Table:
        table = sa.Table(
            "workflow_outbox",
            self.metadata,
            _id(),
            sa.Column("event_id", sa.Text, nullable=False, unique=True),
            *(_text(name, False) for name in ("event_type", "entity_type", "entity_id")),
            sa.Column("payload", JSON, nullable=False),
            sa.Column("envelope", JSON, nullable=False),
            _text("tenant_id"),
            sa.Column("created_at", UtcTime, nullable=False),
            sa.Column("leased_until", UtcTime),
            sa.Column("published_at", UtcTime),
            sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        )
        open_rows = table.c.published_at.is_(None)
        sa.Index("ix_workflow_outbox_open", table.c.id, sqlite_where=open_rows, postgresql_where=open_rows)
        return table

    def _delayed(self) -> sa.Table:
        table = sa.Table(
            "workflow_delayed",
            self.metadata,
            _id(),
            sa.Column("request_id", sa.Text, nullable=False, unique=True),
            *(_text(name, False) for name in ("workflow_type", "entity_id", "requester_type")),
            *(_text(name) for name in ("step_key", "expected_status")),
            sa.Column("data", JSON),
            sa.Column("envelope", JSON),
            _text("tenant_id"),
            sa.Column("due_at", UtcTime, nullable=False),
            sa.Column("created_at", UtcTime, nullable=False),
            sa.Column("leased_until", UtcTime),
            sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
            sa.Column("done_at", UtcTime),
            *(_text(name) for name in ("outcome", "last_error")),
        )
        open_rows = table.c.done_at.is_(None)
        sa.Index(
            "ix_workflow_delayed_due", table.c.due_at, sqlite_where=open_rows, postgresql_where=open_rows
        )
        return table


def entity_table(name: str, *columns: sa.Column[Any], schema: str | None = None) -> sa.Table:
    """An entity table with the usual columns (id, status, version, claim, tenant, times) and the given ones."""
    return sa.Table(
        name,
        sa.MetaData(schema=schema),
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        _text("status", False),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        _text("tenant_id"),
        _text("claimed_by"),
        sa.Column("claimed_at", UtcTime),
        sa.Column("created_at", UtcTime),
        sa.Column("updated_at", UtcTime),
        *columns,
    )


def enforce_tenants(connection: sa.Connection, tables: Iterable[tuple[sa.Table, str]]) -> None:
    """Row-level security on (table, tenant column) pairs by `app.tenant_id`, also for the owner; PostgreSQL only."""
    quoted = connection.dialect.identifier_preparer
    for table, column in tables:
        name, tenant = quoted.format_table(table), quoted.quote(column)
        rule = f"{tenant} = nullif(current_setting('app.tenant_id', true), '')"
        connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"CREATE POLICY tenant ON {name} USING ({rule}) WITH CHECK ({rule})")
