"""Taking work from a table: rows are leased for a while, so that a dead worker's rows return by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa


def lease(
    connection: sa.Connection,
    table: sa.Table,
    due: Any,
    order: Any,
    now: datetime,
    seconds: float,
    limit: int,
) -> list[sa.RowMapping]:
    """Up to ``limit`` rows that satisfy ``due`` and are leased by nobody, now leased for ``seconds``; in id order."""
    free = sa.or_(table.c.leased_until.is_(None), table.c.leased_until < now)
    chosen = sa.select(table.c.id).where(due, free).order_by(order).limit(limit)
    if connection.dialect.name == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    statement = (
        sa.update(table)
        .where(table.c.id.in_(chosen.scalar_subquery()), free)
        .values(leased_until=now + timedelta(seconds=seconds), attempts=table.c.attempts + 1)
        .returning(*table.c)
    )
    return sorted(connection.execute(statement).mappings(), key=lambda row: row["id"])
