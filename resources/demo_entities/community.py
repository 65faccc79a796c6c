"""The application: its database, its engine, and what people and programs do with them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import (
    Call,
    Context,
    DeadClaim,
    Engine,
    Event,
    Janitors,
    Later,
    Poller,
    Publisher,
    Result,
    Tables,
    Verdict,
    bound,
    connect,
    load,
    new_context,
)
from engine_bridge.engines.entity_state.engine.engine import Workflow
from resources.demo_entities import tables
from resources.demo_entities.use_cases import registry

FOLDER = Path(__file__).parent
CONFIGS = tuple(FOLDER / f"{name}.json" for name in ("registration", "registration.acme-energy", "invoice"))
TENANTS = ("acme-energy", "globex-water", "northwind-gas")
ATTEMPTS = 3
RETRY_S = 30.0
FIRST = {"users": 46_600, "invoices": 20_500}
PROGRAM = Context("-", "system")
"""The circumstances of what runs for all tenants: the poller's and the publisher's ticks."""


class Community:
    """One process of the application; safe for threads. ``past``: its time is the given clock's, nothing takes long."""

    def __init__(
        self, database: Path, clock: Callable[[], datetime], *, past: bool, pace: float = 1.0
    ) -> None:
        self.past = past
        self.pace = pace
        self.doomed: set[str] = set()
        """Invoices whose worker will die while it sends them."""
        self.refusals: dict[tuple[str, str], Result] = {}
        self.scheduled: Callable[[float], None] = lambda _after_s: None
        """Told whenever something is put off, and for how long."""
        self.born: Callable[[str, str, str, str], None] = lambda _kind, _entity, _tenant, _status: None
        """Told of every new entity: it has no history row yet."""
        self.dice = random.Random()
        self.db = connect(f"sqlite:///{database}")
        if past:
            sa.event.listen(self.db, "connect", _without_waiting_for_the_disk)
        tables.METADATA.create_all(self.db)
        own = Tables()
        own.create(self.db)
        self.engine = Engine(
            self.db, load(CONFIGS), registry(self), janitors=_janitors(), tables=own, clock=clock
        )
        self.poller = Poller(self.engine, retry_s=RETRY_S, max_attempts=ATTEMPTS)
        self._publisher = Publisher(self.engine.database, own, _send, clock)
        self._lock = threading.Lock()
        self._numbers = {
            table.name: count(self._greatest(table) + 1) for table in (tables.USERS, tables.INVOICES)
        }

    def _greatest(self, table: sa.Table) -> int:
        ids = (key for (key,) in self.rows(sa.select(table.c.id)))
        return max((int(key[2:]) for key in ids), default=FIRST[table.name])

    def number(self, table: sa.Table) -> int:
        """The number of the next new entity of a table."""
        return next(self._numbers[table.name])

    def work(self, low: float, high: float) -> None:
        """Takes as long as a call to another service would, in seconds at human speed."""
        if not self.past:
            time.sleep(self.dice.uniform(low, high) * self.pace)

    def dies(self, invoice: str) -> bool:
        """Whether the worker that sends this invoice dies of it; once."""
        with self._lock:
            if invoice in self.doomed:
                self.doomed.remove(invoice)
                return True
        return False

    @contextmanager
    def inside(self, call: Call) -> Iterator[sa.Connection]:
        """The transition's own transaction where the step has one, else one of this block."""
        if call.connection is not None:
            yield call.connection
        else:
            with self.db.begin() as connection:
                yield connection

    def update(self, table: sa.Table, key: str, **values: Any) -> None:
        """What an application does to its own rows besides: never the status."""
        with self.db.begin() as connection:
            connection.execute(sa.update(table).where(table.c.id == key).values(**values))

    def insert(self, table: sa.Table, **values: Any) -> None:
        """A new entity, on its initial status."""
        with self.db.begin() as connection:
            connection.execute(sa.insert(table), {"created_at": self.engine.clock(), "version": 1, **values})

    def rows(self, statement: Any, **values: Any) -> list[Any]:
        """The rows of a query."""
        with self.engine.database.read(PROGRAM) as connection:
            return list(connection.execute(statement, values))

    @contextmanager
    def acting(self, kind: str, requester: str, tenant: str, name: str | None) -> Iterator[Workflow]:
        """A workflow in the name of somebody."""
        with bound(new_context(requester, tenant, name)):
            yield self.engine.workflow(kind)

    def later(
        self, kind: str, entity: str, tenant: str, name: str, after_s: float, step: str, status: str
    ) -> None:
        """Puts a step off, to be tried by the poller at most three times."""
        with self.acting(kind, "system", tenant, name) as workflow:
            workflow.schedule(entity, Later(after_s, "system", expected_status=status, step=step))
        self.scheduled(after_s)

    def poll(self) -> None:
        """Executes what is due, and enters what was given up into the failure log."""
        self.poller.poll(PROGRAM)
        if self.refusals:
            for wait in (RETRY_S, 2 * RETRY_S):
                self.scheduled(wait)
            self._bury()

    def _bury(self) -> None:
        delayed, log = self.engine.tables.delayed, self.engine.tables.failures
        refused, self.refusals = self.refusals, {}
        lost = sa.select(delayed).where(
            delayed.c.outcome == "gave_up", delayed.c.entity_id.in_([entity for _, entity in refused])
        )
        with self.db.begin() as connection:
            seen = {
                (d or {}).get("request_id") for d in connection.execute(sa.select(log.c.details)).scalars()
            }
            for row in connection.execute(lost).mappings().all():
                why = refused.get((row["workflow_type"], row["entity_id"]))
                if why is not None and row["request_id"] not in seen:
                    connection.execute(sa.insert(log), _failure(row, why))

    def publish(self) -> None:
        """Sends the events that wait in the outbox."""
        self._publisher.publish(PROGRAM, 500)

    def sweep(self, limit: int = 100) -> None:
        """Lets the janitor see to dead claims, as it does every night."""
        for tenant in TENANTS:
            with self.acting("invoice", "cron", tenant, "janitor") as workflow:
                workflow.sweep_claims(limit)


def _failure(row: Any, why: Result) -> dict[str, Any]:
    kind = {"registration": "User", "invoice": "Invoice"}[row["workflow_type"]]
    return {
        "entity_type": kind,
        "entity_id": row["entity_id"],
        "workflow_type": row["workflow_type"],
        "step_key": row["step_key"] or "unknown",
        "status": row["expected_status"] or "unknown",
        "error_type": why.error_type,
        "message": f"retry limit in {row['step_key']}: {why.message}",
        "details": {"request_id": row["request_id"]},
        "attempts": row["attempts"],
        "correlation_id": (row["envelope"] or {}).get("correlation_id"),
        "tenant_id": row["tenant_id"],
        "failed_at": row["done_at"],
    }


def _janitors() -> Janitors:
    janitors = Janitors()

    @janitors.register("billing")
    def billing(dead: DeadClaim) -> Verdict:
        # The mail server keeps no books: a second mail is the lesser evil.
        return Verdict(
            "back", f"{dead.holder or 'nobody'} is gone, and nobody knows whether the mail went out"
        )

    return janitors


def _send(_event: Event) -> None:
    """The community's event bus; nobody listens in a demo."""


def _without_waiting_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")
