"""Sample databases of entities: our own tables with every situation, and the shapes of other people's.

``own`` holds two workflows. Invoices (ids as text) ``inv-001`` … stand on every status of their config; ``INVOICES``
says what is special about which. Users (integer ids) belong to the tenants acme (with an overlay) and globex.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Tables, entity_table
from engine_bridge.sqlite_library import sqlite3
from tests.engines.entity_state import sample_configs

TENANTS = ("acme", "globex")


@dataclass(frozen=True)
class Life:
    """An invoice: its history as (step, status, minutes ago), the first the initial one; then what is odd about it."""

    id: str
    moves: tuple[tuple[str, str, int], ...]
    tenant: str = "acme"
    status: str = ""  # where raw SQL put it, when not where its history says
    claimed: tuple[str, int] | None = None  # holder, minutes ago
    failures: tuple[tuple[str, str, bool], ...] = ()  # type, message, resolved
    delayed: int | None = None  # due in so many minutes


_APPROVED = (("approve", "approved", 300),)
_CLAIMED = (*_APPROVED, ("send", "sending", 31))
_SENT = (*_APPROVED, ("send", "sending", 200), ("send", "sent", 199))
_OVERDUE = (*_SENT, ("remind", "overdue", 100))
_PAID = (*_SENT, ("pay", "paid", 90))
_LOST = (*_OVERDUE, ("give_up", "lost", 50))

INVOICES = (
    Life("inv-001", ()),
    Life("inv-002", (), "globex"),
    Life("inv-003", _APPROVED, failures=(("MailDown", "no route to host", False),) * 3),
    Life("inv-004", _APPROVED, "globex"),
    Life("inv-005", _CLAIMED, claimed=("worker-3", 31)),  # dead: its time to live is 10 minutes
    Life("inv-006", (*_APPROVED, ("send", "sending", 2)), claimed=("worker-1", 2)),  # alive
    Life("inv-007", _SENT, delayed=60),
    Life("inv-008", _SENT, "globex"),
    Life("inv-009", _OVERDUE),
    Life("inv-010", _PAID),
    Life("inv-011", _PAID, "globex"),
    Life("inv-012", (("approve", "cancelled", 240),)),
    Life("inv-013", _LOST, failures=(("PaymentRefused", "insufficient funds", False),)),
    Life("inv-014", _LOST, "globex", failures=(("PaymentRefused", "insufficient funds", True),)),
    Life("inv-015", _SENT, status="paid"),  # drift: raw SQL
    Life("inv-016", _APPROVED, "globex", status="draft"),  # drift
    Life("inv-017", _SENT, status="archived"),  # drift to a status that no config knows
    Life("inv-018", (*_APPROVED, ("pay", "paid", 80))),  # a move that no config declares
    Life("inv-019", _CLAIMED, "globex", claimed=("worker-9", 45)),  # dead
    Life("inv-020", (*_SENT, ("remind", "overdue", 120), ("override", "sent", 110))),
)
FIRST_USER = 101
USERS: tuple[tuple[str, str], ...] = (
    ("new", "acme"), ("new", "globex"), ("pending_documents", "acme"), ("pending_documents", "globex"),
    ("review", "globex"), ("video_call", "acme"), ("active", "acme"), ("active", "globex"), ("rejected", "globex"),
    ("video_call", "globex"),  # unknown to globex
)  # fmt: skip


def engine(path: Path) -> sa.Engine:
    """A SQLAlchemy engine on a file, through the one SQLite library of this process; rollback journal."""
    return sa.create_engine(f"sqlite:///{path}", module=sqlite3)


def alchemy(uri: str) -> str:
    """The SQLAlchemy URL of a libpq URI."""
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


def file_url(path: Path, mapping: Path, tenant: str = "") -> str:
    """The source URL of a file."""
    return f"entity+sqlite:///{path}?mapping={mapping}" + (f"&tenant={tenant}" if tenant else "")


def server_url(uri: str, mapping: Path, tenant: str = "", **parameters: str) -> str:
    """The source URL of a libpq URI of the test server."""
    parts = urlsplit(uri)
    host = parse_qs(parts.query).get("host", [""])[0]
    given = ({"host": host} if host else {}) | {"mapping": str(mapping)} | parameters
    given |= {"tenant": tenant} if tenant else {}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    port = f":{parts.port}" if parts.port else ""
    place = f"{parts.hostname}{port}" if parts.hostname else ""
    return f"entity+postgresql://{parts.username}@{place}{parts.path}?{query}"


def write_mapping(folder: Path, text: str = sample_configs.OWN, name: str = "billing.toml") -> Path:
    """A mapping file, with the configs of the own tables beside it."""
    for file, config in (
        ("invoice.json", sample_configs.INVOICE),
        ("registration.json", sample_configs.REGISTRATION),
        ("registration.acme.json", sample_configs.ACME_REGISTRATION),
    ):
        (folder / file).write_text(json.dumps(config, indent=2))
    path = folder / name
    path.write_text(text)
    return path


def tables(schema: str | None = None) -> tuple[sa.Table, sa.Table]:
    """Invoices (ids as text) and users."""
    users = entity_table("users", sa.Column("email", sa.Text), schema=schema)
    invoices = sa.Table(
        "invoices",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.Text, primary_key=True),
        *(column._copy() for column in list(users.c)[1:8]),
        sa.Column("number", sa.Text),
        sa.Column("data", sa.Text),
    )
    return invoices, users


def own(engine: sa.Engine, now: datetime | None = None) -> None:
    """Fills an empty database with our own tables."""
    now = now or datetime.now(UTC)
    invoices, users = tables()
    shared = Tables()
    for table in (invoices, users):
        table.metadata.create_all(engine)
    shared.create(engine)
    with engine.begin() as connection:
        for number, life in enumerate(INVOICES):
            _invoice(connection, invoices, shared, life, now, now - timedelta(minutes=400 - number))
        for number, (status, tenant) in enumerate(USERS, FIRST_USER):
            _user(connection, users, shared, number, status, tenant, now - timedelta(minutes=190 - number))


def _invoice(
    connection: sa.Connection,
    invoices: sa.Table,
    shared: Tables,
    life: Life,
    now: datetime,
    created: datetime,
) -> None:
    last = life.moves[-1] if life.moves else ("", "draft", 0)
    holder, claimed = life.claimed or (None, None)
    connection.execute(
        invoices.insert().values(
            id=life.id,
            status=life.status or last[1],
            version=len(life.moves),
            tenant_id=life.tenant,
            claimed_by=holder,
            claimed_at=None if claimed is None else now - timedelta(minutes=claimed),
            created_at=created,
            updated_at=now - timedelta(minutes=last[2]) if life.moves else created,
            number=f"2026-{life.id[4:]}",
            data=json.dumps({"amount": 100, "kind": "bank", "note": f"order of {life.id}"}),
        )
    )
    before = "draft"
    for count, (step, status, ago) in enumerate(life.moves):
        _moved(
            connection,
            shared,
            "Invoice",
            "invoice",
            life.id,
            life.tenant,
            step,
            before,
            status,
            now,
            ago,
            count,
        )
        before = status
    for type, message, resolved in life.failures:
        _failed(connection, shared, life, before, type, message, resolved, now)
    if life.delayed is not None:
        _delay(connection, shared, life, now)


def _moved(
    connection: sa.Connection, shared: Tables, kind: str, flow: str, id: str, tenant: str, step: str, before: str,
    status: str, now: datetime, ago: int, count: int,
) -> None:  # fmt: skip
    connection.execute(
        shared.history.insert().values(
            entity_type=kind,
            entity_id=id,
            workflow_type=flow,
            step_key=step,
            from_status=before,
            to_status=status,
            requester_type="cron" if step == "remind" else "user",
            actor="ann",
            correlation_id=f"corr-{id}-{count}",
            tenant_id=tenant,
            execution_ms=12.5,
            metadata={"reason": f"because of {step}"},
            changed_at=now - timedelta(minutes=ago),
        )
    )


def _failed(
    connection: sa.Connection, shared: Tables, life: Life, status: str, type: str, message: str, resolved: bool,
    now: datetime,
) -> None:  # fmt: skip
    about = {
        "entity_type": "Invoice",
        "entity_id": life.id,
        "workflow_type": "invoice",
        "tenant_id": life.tenant,
    }
    step = "send" if status == "approved" else "give_up"
    connection.execute(
        shared.failures.insert().values(
            **about,
            step_key=step,
            status=status,
            error_type=type,
            message=message,
            details={"gateway": "bank-1"},
            attempts=3,
            correlation_id=f"corr-{life.id}-f",
            failed_at=now - timedelta(minutes=50),
            resolved_at=now - timedelta(minutes=5) if resolved else None,
        )
    )


def _rejected(connection: sa.Connection, shared: Tables, id: int, tenant: str, at: datetime) -> None:
    about = {
        "entity_type": "User",
        "entity_id": str(id),
        "workflow_type": "registration",
        "tenant_id": tenant,
    }
    failed = {
        "step_key": "accept",
        "status": "rejected",
        "error_type": "Rejected",
        "message": "papers are not valid",
    }
    connection.execute(shared.failures.insert().values(**about, **failed, attempts=1, failed_at=at))


def _delay(connection: sa.Connection, shared: Tables, life: Life, now: datetime) -> None:
    connection.execute(
        shared.delayed.insert().values(
            request_id=f"remind-{life.id}",
            workflow_type="invoice",
            entity_id=life.id,
            requester_type="cron",
            step_key="remind",
            expected_status="sent",
            data={},
            envelope={"correlation_id": f"corr-{life.id}-d", "tenant_id": life.tenant},
            tenant_id=life.tenant,
            due_at=now + timedelta(minutes=life.delayed or 0),
            created_at=now - timedelta(minutes=199),
        )
    )


_WAY = ("new", "pending_documents", "review", "active")
_STEPS = {"pending_documents": "confirm", "review": "upload", "active": "accept", "rejected": "accept",
          "video_call": "accept"}  # fmt: skip


def _user(
    connection: sa.Connection,
    users: sa.Table,
    shared: Tables,
    id: int,
    status: str,
    tenant: str,
    created: datetime,
) -> None:
    way = _WAY[: _WAY.index(status) + 1] if status in _WAY else (*_WAY[:3], status)
    moved = created + timedelta(minutes=len(way))
    connection.execute(
        users.insert().values(
            id=id,
            status=status,
            version=len(way) - 1,
            tenant_id=tenant,
            created_at=created,
            updated_at=moved,
            email=f"user{id}@{tenant}.example",
        )
    )
    for count, (before, after) in enumerate(pairwise(way)):
        _moved(
            connection, shared, "User", "registration", str(id), tenant, _STEPS[after], before, after, created,
            -1 - count, count,
        )  # fmt: skip
    if status == "rejected":
        _rejected(connection, shared, id, tenant, moved)


def grow(engine: sa.Engine) -> None:
    """One more invoice, newer than all others: ``grown``."""
    invoices, _ = tables()
    soon = datetime.now(UTC) + timedelta(days=1)
    values: dict[str, Any] = {"id": "grown", "status": "draft", "version": 0, "tenant_id": "acme"}
    with engine.begin() as connection:
        connection.execute(invoices.insert().values(**values, created_at=soon, updated_at=soon))
