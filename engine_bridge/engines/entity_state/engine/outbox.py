"""The outbox: events are written with their transition and sent after its commit, at least once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from .context import Context, unseal
from .database import Database
from .errors import MissingEnvelopeError
from .leases import lease
from .logs import log
from .tables import Tables


class Event(msgspec.Struct, frozen=True):
    """A domain event as sent. ``id`` is the same at every repeat; consumers drop what they have seen."""

    id: str
    type: str
    entity_type: str
    entity_id: str
    payload: dict[str, Any]
    context: Context
    created_at: datetime


class Publisher:
    """Sends events by ``send``; whatever that raises puts the event back for ``retry_s`` seconds.

    Events are sent in the order they were written, but a repeated one may come after later ones.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        send: Callable[[Event], None],
        clock: Callable[[], datetime],
        *,
        lease_s: float = 60.0,
        retry_s: float = 5.0,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self.database = database
        self.table = tables.outbox
        self.send = send
        self.clock = clock
        self.lease_s = lease_s
        self.retry_s = retry_s
        self.at = at

    def publish(self, tick: Context, limit: int = 100) -> int:
        """Sends up to ``limit`` events; how many were. Under row-level security only those of the tick's tenant."""
        with self.database.write(tick) as connection:
            due = self.table.c.published_at.is_(None)
            rows = lease(connection, self.table, due, self.table.c.id, self.clock(), self.lease_s, limit)
        self.at("leased")
        sent = [row["id"] for row in rows if self._send(row, tick)]
        self.at("sent")
        self._mark(tick, sent, published_at=self.clock())
        failed = [row["id"] for row in rows if row["id"] not in set(sent)]
        self._mark(tick, failed, leased_until=self.clock() + timedelta(seconds=self.retry_s))
        self.at("marked")
        return len(sent)

    def _send(self, row: sa.RowMapping, tick: Context) -> bool:
        try:
            self.send(_event(row))
        except Exception as error:  # noqa: BLE001 - whatever the transport raises, the event must stay
            level = logging.ERROR if isinstance(error, MissingEnvelopeError) else logging.WARNING
            log("event_failed", level, entity=row["entity_id"], error_type=type(error).__name__,
                count=row["attempts"], correlation_id=tick.correlation_id)  # fmt: skip
            return False
        return True

    def _mark(self, tick: Context, ids: list[int], **values: Any) -> None:
        if ids:
            with self.database.write(tick) as connection:
                connection.execute(sa.update(self.table).where(self.table.c.id.in_(ids)).values(**values))


def _event(row: sa.RowMapping) -> Event:
    return Event(
        row["event_id"],
        row["event_type"],
        row["entity_type"],
        row["entity_id"],
        row["payload"],
        unseal(row["envelope"]),
        row["created_at"],
    )
