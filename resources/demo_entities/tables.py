"""The community's tables. The engine's own four (history, failures, outbox, delayed) are the engine's business."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine.tables import UtcTime

METADATA = sa.MetaData()


def _entity(name: str, *columns: sa.Column[Any]) -> sa.Table:
    table = sa.Table(
        name,
        METADATA,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_at", UtcTime),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("updated_at", UtcTime),
        *columns,
    )
    sa.Index(f"ix_{name}_status", table.c.status, table.c.tenant_id)
    return table


USERS = _entity("users", sa.Column("name", sa.Text), sa.Column("profile", sa.JSON))
INVOICES = _entity(
    "invoices",
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id")),
    sa.Column("number", sa.Text),
    sa.Column("amount_cents", sa.Integer),
    sa.Column("term_s", sa.Float),
    sa.Column("lines", sa.JSON),
)
ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("opened_at", UtcTime),
)
PAYMENTS = sa.Table(
    "payments",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("invoice_id", sa.Text, sa.ForeignKey("invoices.id")),
    sa.Column("amount_cents", sa.Integer),
    sa.Column("way", sa.Text),
)
