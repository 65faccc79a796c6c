"""Small databases written by hand, so that tests know every row: our own tables, and those of other people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Tables, entity_table
from tests.engines.entity_state.engine.shop import INVOICE

T0 = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
MINUTE = 60_000_000_000

MAPPING = """
version = 1
name = "shop"

[[workflow]]
type = "invoice"
profile = "own"
config = ["invoice.json"]
[workflow.entity]
label = "number"
created_at = "created_at"
payload = ["note"]

[[workflow]]
type = "order"
profile = "django_fsm_log"
states = { initial = ["new"], good = ["done"], bad = ["failed"], cancelled = ["dropped"] }
transitions = [["new", "picked", "pick"], ["picked", "done", "ship"], ["picked", "failed", "lose"]]
[workflow.entity]
table = "orders"
[workflow.history]
discriminator = { content_type_id = 7 }

[[workflow]]
type = "parcel"
profile = "statesman"
states = { initial = ["pending"], good = ["delivered"] }
[workflow.entity]
table = "parcels"
[workflow.history]
from = ""

[[workflow]]
type = "ticket"
profile = "plain"
states = { initial = ["open"], good = ["closed"] }
[workflow.entity]
table = "tickets"
updated_at = "updated_at"
"""


def at(minutes: float) -> datetime:
    """A time of the sample: minutes after its beginning."""
    return T0 + timedelta(minutes=minutes)


def ns(minutes: float) -> int:
    """The same in nanoseconds."""
    return int((T0 - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1_000 + int(
        minutes * MINUTE
    )


class Sample:
    """The tables of the sample, and how rows get into them."""

    def __init__(self, db: sa.Engine) -> None:
        self.db = db
        self.own = Tables()
        self.invoices = entity_table("invoices", sa.Column("number", sa.Text), sa.Column("note", sa.Text))
        self.others = sa.MetaData()
        stamp = sa.DateTime(timezone=True)
        self.orders = self._table("orders", sa.Column("state", sa.Text))
        self.users = self._table("auth_user", sa.Column("username", sa.Text))
        self.statelog = self._table(
            "django_fsm_log_statelog",
            sa.Column("timestamp", stamp),
            *(sa.Column(name, sa.Text) for name in ("source_state", "state", "transition", "description")),
            *(sa.Column(name, sa.Integer) for name in ("by_id", "content_type_id", "object_id")),
        )
        self.parcels = self._table("parcels", *(sa.Column(n, stamp) for n in ("created_at", "updated_at")))
        self.transitions = self._table(
            "parcel_transitions",
            *(sa.Column(name, sa.Text) for name in ("to_state", "metadata")),
            *(sa.Column(name, sa.Integer) for name in ("sort_key", "parcel_id")),
            sa.Column("most_recent", sa.Boolean),
            *(sa.Column(n, stamp) for n in ("created_at", "updated_at")),
        )
        self.tickets = self._table("tickets", sa.Column("status", sa.Text), sa.Column("updated_at", stamp))

    def _table(self, name: str, *columns: sa.Column[Any]) -> sa.Table:
        return sa.Table(name, self.others, sa.Column("id", sa.Integer, primary_key=True), *columns)

    def create(self) -> Sample:
        """Makes the tables, empty."""
        self.own.create(self.db)
        self.invoices.metadata.create_all(self.db)
        self.others.create_all(self.db)
        return self

    def put(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        """Inserts rows."""
        with self.db.begin() as connection:
            for row in rows:
                connection.execute(sa.insert(table), row)

    def run(self, statement: sa.Executable) -> None:
        """Writes by raw SQL."""
        with self.db.begin() as connection:
            connection.execute(statement)

    def rows(self, sql: str) -> list[Any]:
        """Plain SQL."""
        with self.db.connect() as connection:
            return list(connection.execute(sa.text(sql)))

    def invoice(self, id: int, status: str, tenant: str = "t1", **more: Any) -> None:
        """One invoice; created at minute 0."""
        row = {"id": id, "status": status, "version": 3, "tenant_id": tenant, "created_at": at(0)}
        self.put(self.invoices, row | {"updated_at": at(60), "number": f"N-{id}"} | more)

    def moves(self, id: int, *moves: tuple[str, str, str, float], tenant: str = "t1", **more: Any) -> None:
        """History rows of an invoice: (from, to, step, minute)."""
        for source, target, step, minute in moves:
            row = {
                "entity_type": "Invoice", "entity_id": str(id), "workflow_type": "invoice", "step_key": step,
                "from_status": source, "to_status": target, "requester_type": "user", "actor": "ann",
                "correlation_id": f"c-{id}", "tenant_id": tenant, "execution_ms": 12.5,
                "metadata": {"kind": "step", "version": 2}, "changed_at": at(minute),
            }  # fmt: skip
            self.put(self.own.history, row | more)

    def failed(self, id: int, error: str, minute: float, *, tenant: str = "t1", **more: Any) -> None:
        """A row of the failure log."""
        row = {
            "entity_type": "Invoice", "entity_id": str(id), "workflow_type": "invoice", "step_key": "send",
            "status": "approved", "error_type": error, "message": f"{error} of {id}", "attempts": 3,
            "details": {"smtp": "550 no such user"}, "correlation_id": f"c-{id}", "tenant_id": tenant,
            "failed_at": at(minute),
        }  # fmt: skip
        self.put(self.own.failures, row | more)

    def later(self, id: int, step: str, created: float, due: float, **more: Any) -> None:
        """A delayed step."""
        row = {
            "request_id": f"r-{id}-{step}", "workflow_type": "invoice", "entity_id": str(id),
            "requester_type": "cron", "step_key": step, "expected_status": "sent", "data": {"n": 1},
            "envelope": {"correlation_id": f"c-{id}"}, "tenant_id": "t1", "due_at": at(due),
            "created_at": at(created),
        }  # fmt: skip
        self.put(self.own.delayed, row | more)


STRAIGHT = [
    ("draft", "approved", "approve", 1),
    ("approved", "sending", "send", 2),
    ("sending", "sent", "send", 3),
]


def fill(sample: Sample) -> None:
    """Everything that can be right or wrong with an invoice, one each (see the tests for what is which)."""
    sample.invoice(1, "sent", note='{"to": "Ann", "secret_word": "Xylophon"}')
    sample.moves(1, *STRAIGHT, correlation_id="c-shared")
    sample.invoice(2, "sending", claimed_by="worker-3", claimed_at=at(2))
    sample.moves(2, *STRAIGHT[:2])
    now = datetime.now(UTC) + timedelta(hours=1)  # this sample is used for a while
    sample.invoice(3, "sending", claimed_by="worker-1", claimed_at=now)
    sample.moves(3, STRAIGHT[0])
    sample.moves(3, STRAIGHT[1], changed_at=now)
    sample.invoice(4, "sent")
    sample.moves(4, STRAIGHT[0])
    sample.invoice(5, "paid")
    sample.moves(5, STRAIGHT[0], ("sent", "paid", "pay", 9))
    sample.invoice(6, "limbo")
    sample.moves(6, ("draft", "limbo", "import", 4))
    sample.invoice(7, "lost")
    sample.moves(7, *STRAIGHT, ("sent", "reminded", "remind", 5), ("reminded", "lost", "give_up", 7))
    sample.failed(7, "Unpaid", 7, step_key="give_up", status="lost")
    sample.invoice(8, "approved")
    sample.moves(8, STRAIGHT[0])
    sample.failed(8, "SMTPError", 3, resolved_at=at(4))
    sample.failed(8, "SMTPError", 5)
    sample.invoice(9, "draft")
    sample.invoice(10, "approved")
    sample.invoice(11, "sent")
    sample.moves(11, *STRAIGHT)
    sample.later(11, "remind", 3, 60 * 24 * 3650)
    sample.later(11, "pay", 3, 6, done_at=at(8), outcome="gave_up", last_error="BankError", attempts=10)
    back = ("sent", "draft", "send_back", 4)
    sample.invoice(12, "draft", "t2")
    sample.moves(12, *STRAIGHT, tenant="t2", correlation_id="c-shared")
    sample.moves(
        12, back, tenant="t2", requester_type="admin", metadata={"kind": "moved", "reason": "wrong address"}
    )
    event = {"event_type": "invoice.sent", "entity_type": "Invoice", "entity_id": "1", "payload": {"a": 1}}
    sealed = {"envelope": {"correlation_id": "c-shared"}, "tenant_id": "t1", "created_at": at(3)}
    sample.put(sample.own.outbox, {"event_id": "e-1", **event, **sealed})
    sample.put(sample.own.outbox, {"event_id": "e-2", **event, **sealed, "published_at": at(4)})


def fill_others(sample: Sample) -> None:
    """Other people's tables."""
    sample.put(sample.users, {"id": 5, "username": "bea"})
    sample.put(
        sample.orders, {"id": 1, "state": "done"}, {"id": 2, "state": "picked"}, {"id": 3, "state": "new"}
    )
    log = {"by_id": 5, "content_type_id": 7, "description": "by hand"}
    moves = [
        (1, "new", "picked", "pick", 1),
        (2, "new", "picked", "pick", 2),
        (1, "picked", "done", "ship", 3),
    ]
    for entity, source, target, step, minute in moves:
        row = {"object_id": entity, "source_state": source, "state": target, "transition": step}
        sample.put(sample.statelog, log | row | {"timestamp": at(minute)})
    alien = {"object_id": 1, "source_state": "x", "state": "y", "transition": "z", "timestamp": at(2)}
    sample.put(sample.statelog, alien | {"content_type_id": 8, "by_id": None})
    times = {"created_at": at(0), "updated_at": at(0)}
    sample.put(sample.parcels, {"id": 1} | times, {"id": 2} | times)
    steps = [("collected", 10, False, 5), ("delivered", 20, True, 9)]
    for target, key, newest, minute in steps:
        row = {"parcel_id": 1, "to_state": target, "sort_key": key, "most_recent": newest, "metadata": "{}"}
        sample.put(sample.transitions, row | {"created_at": at(minute), "updated_at": at(minute)})
    sample.put(sample.tickets, {"id": 1, "status": "open", "updated_at": at(1)})
    sample.put(sample.tickets, {"id": 2, "status": "closed", "updated_at": at(2)})


def write_mapping(
    folder: Path,
    text: str = MAPPING,
    configs: Iterable[dict[str, Any]] = (INVOICE,),
    names: Iterable[str] = ("invoice.json",),
) -> Path:
    """The mapping and its configs as files."""
    for name, config in zip(names, configs, strict=True):
        (folder / name).write_text(json.dumps(config, indent=2))
    path = folder / "shop.toml"
    path.write_text(text)
    return path


def source_url(url: str, mapping: Path, tenant: str = "") -> str:
    """The source URL of a SQLAlchemy URL."""
    own = f"mapping={mapping}" + (f"&tenant={tenant}" if tenant else "")
    if url.startswith("sqlite"):
        return f"entity+sqlite:///{url.removeprefix('sqlite:///')}?{own}"
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [""])[0]
    port = f":{parts.port}" if parts.port else ""
    place = f"{parts.hostname}{port}" if parts.hostname else ""
    socket = f"&host={host}" if host else ""
    return f"entity+postgresql://{parts.username}@{place}{parts.path}?{own}{socket}"
