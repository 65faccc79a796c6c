"""Who is due when: the same for the past, whose clock is ours, and for the present."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

import sqlalchemy as sa

from resources.demo_entities.behaviour import Arrival, habit_of, perform
from resources.demo_entities.community import Community

Deed = Callable[[], object]


class Timeline:
    """A queue of deeds by time; safe for threads. ``follow`` enters what will be done about what has moved."""

    def __init__(self, app: Community) -> None:
        self.app = app
        self.scripted: set[str] = set()
        """Entities whose life is written elsewhere: nobody does anything about them by habit."""
        self.awaited: set[str] = set()
        """Entities somebody watches: chance does not leave them lying, they go the way most others go."""
        self._due: list[tuple[datetime, int, Deed]] = []
        self._count = count()
        self._lock = threading.Lock()
        self._seen = 0
        app.born = self._born

    def enter(self, at: datetime, deed: Deed) -> None:
        """Something to be done at a time."""
        with self._lock:
            heapq.heappush(self._due, (at, next(self._count), deed))

    def pop(self, until: datetime) -> tuple[datetime, Deed] | None:
        """The next deed that is due by then."""
        with self._lock:
            if not self._due or self._due[0][0] > until:
                return None
            at, _, deed = heapq.heappop(self._due)
            return at, deed

    def start_at(self, moment: datetime) -> None:
        """Takes up the history from there: what happened later has still to be answered."""
        history = self.app.engine.tables.history.c
        found = self.app.rows(sa.select(sa.func.max(history.id)).where(history.changed_at < moment))
        self._seen = found[0][0] or 0

    def follow(self) -> None:
        """Reads what the history has got since, whoever wrote it, and enters what will be done about it."""
        table = self.app.engine.tables.history
        news = sa.select(table).where(table.c.id > self._seen).order_by(table.c.id)
        for row in self.app.rows(news):
            self._seen = row.id
            by = row.requester_type or ""
            if by == "operator":
                self.awaited.add(row.entity_id)
            # What was released after a refusal has been put off by whoever tried.
            if by == "operator" or (row.metadata or {}).get("kind") != "released":
                where = (row.workflow_type, row.entity_id, row.tenant_id, row.to_status)
                self._arrived(Arrival(row.id, *where, row.entity_id in self.awaited))

    def _born(self, kind: str, entity: str, tenant: str, status: str) -> None:
        self._arrived(Arrival(0, kind, entity, tenant, status))

    def _arrived(self, arrival: Arrival) -> None:
        if arrival.entity in self.scripted:
            return
        habit = habit_of(self.app, arrival)
        if habit is not None:
            after_s, act = habit
            at = self.app.engine.clock() + timedelta(seconds=after_s)
            self.enter(at, lambda: perform(self.app, arrival, act))
