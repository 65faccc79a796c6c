"""A small shop for tests: two configs, their tables and use cases. Imported by child processes too."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import (
    Call,
    Catalogue,
    Context,
    DeadClaim,
    DomainEvent,
    Engine,
    Janitors,
    Known,
    Later,
    Result,
    Tables,
    UseCases,
    Verdict,
    entity_table,
    failure,
    load_texts,
    success,
)

INVOICE: dict[str, Any] = {
    "workflow_type": "invoice",
    "entity": {
        "table": "invoices", "type": "Invoice", "tenant": "tenant_id", "claimed_by": "claimed_by",
        "claimed_at": "claimed_at", "updated_at": "updated_at",
    },
    "owning_module": "billing",
    "status_types": ["draft", "approved", "sending", "sent", "reminded", "paid", "void", "lost"],
    "initial": "draft",
    "terminal": {"good": ["paid", "void"], "bad": ["lost"]},
    "steps": [
        {"key": "approve", "status": "draft", "requesters": ["user", "admin"], "validation": "amount_is_positive",
         "action": {"user": "note", "admin": "note_admin"}, "successful_state": "approved",
         "rejection_state": {"default": "void", "admin": "lost"}, "rejection_action": "note"},
        {"key": "send", "status": "approved", "requesters": ["system", "user"], "action": "send_mail",
         "claim": {"status": "sending", "ttl_s": 60, "release": "approved"}, "successful_state": "sent",
         "after_effects": ["tell_boss"]},
        {"key": "remind", "status": "sent", "requesters": ["system"], "action": "note", "successful_state": "reminded"},
        {"key": "pay", "status": "sent", "requesters": ["user", "system"], "when": {"kind": ["bank", "card"]},
         "action": "book", "transactional": True, "successful_state": "paid"},
        {"key": "pay_late", "status": "reminded", "requesters": ["user"], "action": "book", "transactional": True,
         "successful_state": "paid"},
        {"key": "give_up", "status": "reminded", "requesters": ["cron", "admin"], "successful_state": "lost"},
    ],
}  # fmt: skip
INVOICE["steps"][2]["requesters"] = ["cron"]

CHAIN: dict[str, Any] = {
    "workflow_type": "chain",
    "entity": {"table": "chains", "type": "Chain"},
    "owning_module": "billing",
    "status_types": ["a", "b", "c", "d", "end", "bad"],
    "initial": "a",
    "terminal": {"good": ["end"], "bad": ["bad"]},
    "steps": [
        {"key": "ab", "status": "a", "requesters": ["user"], "successful_state": "b", "auto_advance": True,
         "batch": True},
        {"key": "bc", "status": "b", "requesters": ["user"], "successful_state": "c", "auto_advance": True,
         "batch": True, "validation": "batch_odd", "rejection_state": "bad", "action": "batch_note"},
        {"key": "cd", "status": "c", "requesters": ["user"], "successful_state": "d"},
        {"key": "finish", "status": "d", "requesters": ["user"], "successful_state": "end"},
    ],
}  # fmt: skip


def changed(config: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of a config with top-level fields replaced."""
    return deepcopy(config) | fields


def catalogue(*configs: dict[str, Any], known: Known | None = None) -> Catalogue:
    """The configs as loaded from files named 0.json, 1.json …"""
    return load_texts([(f"{i}.json", json.dumps(c, indent=2)) for i, c in enumerate(configs)], known)


class Shop:
    """An application: its tables on a database, its use cases and what they did."""

    def __init__(self, engine: sa.Engine) -> None:
        self.db = engine
        self.tables = Tables()
        self.invoices = entity_table(
            "invoices", sa.Column("amount", sa.Integer), sa.Column("number", sa.Text)
        )
        self.chains = entity_table("chains")
        self.ledger = sa.Table(
            "ledger",
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("invoice", sa.Integer),
        )
        self.use_cases = UseCases()
        self.janitors = Janitors()
        self.calls: list[tuple[str, Any]] = []
        self.verdict = Verdict("back", "the mail was never sent")
        self.before_verdict: Callable[[DeadClaim], None] = lambda _dead: None
        self.verdicts: dict[int, Exception] = {}
        self.answers: dict[str, Callable[[Call], Any]] = {}
        self._lock = threading.Lock()
        self._register()

    def create(self) -> Shop:
        """Makes the tables, empty."""
        mine = (self.invoices, self.chains, self.ledger)
        if self.db.dialect.name == "postgresql" and sa.inspect(self.db).has_table("workflow_delayed"):
            names = ", ".join(table.name for table in (*mine, *self.tables.all))
            with self.db.begin() as connection:
                connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
            return self
        for table in mine:
            table.metadata.create_all(self.db)
        self.tables.create(self.db)
        return self

    def _register(self) -> None:
        names = ("note", "note_admin", "send_mail", "tell_boss", "batch_note")
        for name in names:
            self.use_cases.register(name)(self._noting(name, lambda _call: success()))
        self.use_cases.register("amount_is_positive")(self._noting("amount_is_positive", positive))
        self.use_cases.register("batch_odd")(self._noting("batch_odd", odd))
        self.use_cases.register("book")(self._noting("book", self.book))

        @self.janitors.register("billing")
        def janitor(dead: DeadClaim) -> Verdict:
            self.note("janitor", dead)
            self.before_verdict(dead)
            if dead.row.id in self.verdicts:
                raise self.verdicts[dead.row.id]
            return self.verdict

    def _noting(self, name: str, do: Callable[[Call], Any]) -> Callable[[Call], Any]:
        def use_case(call: Call) -> Any:
            self.note(name, call.rows[0].id if len(call.rows) == 1 else tuple(row.id for row in call.rows))
            return self.answers.get(name, do)(call)

        return use_case

    def note(self, name: str, what: Any) -> None:
        with self._lock:
            self.calls.append((name, what))

    def called(self, name: str) -> int:
        return sum(1 for called, _ in self.calls if called == name)

    def book(self, call: Call) -> Result:
        """Writes to another module's table in the transition's own transaction."""
        assert call.connection is not None
        call.connection.execute(sa.insert(self.ledger), {"invoice": call.row.id})
        if call.data.get("refuse"):
            return failure("Refused", "the bank said no")
        return success(
            events=(DomainEvent("money.booked", {"invoice": call.row.id}),),
            later=(Later(60, "cron", expected_status="reminded"),) if call.data.get("later") else (),
        )

    def engine(self, *configs: dict[str, Any], **options: Any) -> Engine:
        """An engine on the shop's database (the invoice and chain configs unless others are given)."""
        found = catalogue(*(configs or (INVOICE, CHAIN)))
        return Engine(self.db, found, self.use_cases, janitors=self.janitors, tables=self.tables, **options)

    def add(self, status: str = "draft", *, tenant: str = "t1", amount: int = 10, count: int = 1) -> int:
        """Enters invoices; the id of the last."""
        with self.db.begin() as connection:
            for _ in range(count):
                row = {"status": status, "version": 1, "tenant_id": tenant, "amount": amount}
                added = connection.execute(
                    sa.insert(self.invoices).returning(self.invoices.c.id), row
                ).scalar_one()
        return int(added)

    def add_chains(self, count: int, status: str = "a") -> list[int]:
        """Enters chains; their ids."""
        with self.db.begin() as connection:
            rows = [{"status": status, "version": 1} for _ in range(count)]
            connection.execute(sa.insert(self.chains), rows)
            return list(connection.execute(sa.select(self.chains.c.id).order_by(self.chains.c.id)).scalars())

    def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table, by id."""
        with self.db.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(table.c.id)))

    @property
    def history(self) -> list[tuple[str, str, str, str]]:
        """(entity id, from, to, kind) of every history row."""
        return [
            (r.entity_id, r.from_status, r.to_status, r.metadata["kind"])
            for r in self.rows(self.tables.history)
        ]

    def status(self, entity_id: int) -> str:
        return next(str(row.status) for row in self.rows(self.invoices) if row.id == entity_id)


def positive(call: Call) -> Result:
    return (
        success() if call.row.values["amount"] > 0 else failure("NotPositive", "the amount must be positive")
    )


def odd(call: Call) -> Any:
    return {row.id: success() if row.id % 2 else failure("Even", f"{row.id} is even") for row in call.rows}


def user(tenant: str | None = "t1", name: str = "ann") -> Context:
    return Context("c-" + name, "user", tenant, name)


def broken_links(history: sa.Table, connection: sa.Connection) -> int:
    """How many history rows do not begin where the one before of the same entity ended."""
    before = sa.func.lag(history.c.to_status).over(
        partition_by=(history.c.entity_type, history.c.entity_id), order_by=history.c.id
    )
    links = sa.select(history.c.from_status.label("start"), before.label("before")).subquery()
    bad = sa.select(sa.func.count()).where(links.c.before.is_not(None), links.c.before != links.c.start)
    return int(connection.execute(bad.select_from(links)).scalar_one())
