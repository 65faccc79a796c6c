"""kill -9 at every point of a step and of publishing: no status without history, no event lost or made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Engine, bound, new_context
from tests.conftest import ROOT
from tests.engines.entity_state.engine.crash_child import publisher
from tests.engines.entity_state.engine.shop import Shop, broken_links, user

STEP = ["selected", "validated", "acted", "swapped", "recorded", "written", "committed", "after_effects"]
TRANSITION = ["swapped", "recorded", "written", "committed"]
# (status, amount, requester, point, passed before): a plain step, a claimed one, a transactional one, a rejection.
PLACES: list[tuple[str, int, str, str, int]] = [
    *(("draft", 10, "user", point, 0) for point in STEP),
    *(("approved", 10, "system", point, 0) for point in [*STEP, "claimed"]),
    *(("approved", 10, "system", point, 1) for point in TRANSITION),
    *(("sent", 10, "user", point, 0) for point in STEP[:-1]),
    *(("draft", 0, "admin", point, 0) for point in STEP[:-1]),
]
ENDS = {("draft", 10): "approved", ("approved", 10): "sent", ("sent", 10): "paid", ("draft", 0): "lost"}


class Victim:
    """The process that forks the children to be killed."""

    def __init__(self, url: str, sent: Path) -> None:
        command = [sys.executable, "-m", "tests.engines.entity_state.engine.crash_child", url, str(sent)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ)
        )
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self, *task: Any) -> int:
        """The exit code of a child that did a task."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0


def crash(shop: Shop, url: str, sent: Path, times: int) -> int:
    """Kills a child ``times`` at every place, then recovers and checks everything; how many were killed."""
    victim = Victim(url, sent)
    entities: dict[int, tuple[str, int, str]] = {}
    killed = 0
    for _ in range(times):
        for status, amount, requester, point, skip in PLACES:
            invoice = shop.add(status, amount=amount)
            entities[invoice] = (status, amount, requester)
            assert victim.run("step", invoice, requester, point, skip) == -9, (status, point)
            killed += 1
        for point in ("leased", "one_sent", "sent", "marked"):
            assert victim.run("publish", 0, "", point, 0) == -9, point
            killed += 1
    victim.close()
    check(shop)
    engine = shop.engine(clock=lambda: datetime.now(UTC) + timedelta(hours=1))
    recover(shop, engine, entities)
    check(shop)
    check_events(shop, engine, sent)
    return killed


def check(shop: Shop) -> None:
    """Every status has its history row, every write of the other module its transition, and no link is broken."""
    history = shop.tables.history
    with shop.db.connect() as connection:
        assert broken_links(history, connection) == 0
        rows = list(connection.execute(sa.select(history).order_by(history.c.id)))
    made = Counter(row.entity_id for row in rows)
    last = {row.entity_id: row.to_status for row in rows}
    for invoice in shop.rows(shop.invoices):
        assert invoice.version - 1 == made[str(invoice.id)]
        assert last.get(str(invoice.id), invoice.status) == invoice.status
    paid = sorted(int(row.entity_id) for row in rows if row.to_status == "paid")
    assert sorted(row.invoice for row in shop.rows(shop.ledger)) == paid
    lost = sorted(row.entity_id for row in rows if row.to_status == "lost")
    assert sorted(row.entity_id for row in shop.rows(shop.tables.failures)) == lost
    told = Counter(
        (r.entity_id, r.to_status) for r in rows if r.metadata["kind"] not in ("claim", "released")
    )
    events = [row for row in shop.rows(shop.tables.outbox) if row.event_type.startswith("invoice.")]
    assert Counter((row.entity_id, row.payload["to"]) for row in events) == told


def recover(shop: Shop, engine: Engine, entities: dict[int, tuple[str, int, str]]) -> None:
    """Calling again is the retry; dead claims go to the janitor first."""
    flow = engine.workflow("invoice")
    flow.sweep_claims(limit=10_000)
    now = {row.id: row.status for row in shop.rows(shop.invoices)}
    for invoice, (status, amount, requester) in entities.items():
        if now[invoice] == status:
            flow.execute_step(invoice, requester, {"kind": "bank"})
        assert shop_status(shop, invoice) == ENDS[status, amount]


def shop_status(shop: Shop, invoice: int) -> str:
    with shop.db.connect() as connection:
        statement = sa.select(shop.invoices.c.status).where(shop.invoices.c.id == invoice)
        return str(connection.execute(statement).scalar_one())


def check_events(shop: Shop, engine: Engine, sent: Path) -> None:
    """Every event of the outbox was sent at least once, and none that is not there."""
    tick = new_context("cron", "t1")
    while publisher(engine, str(sent)).publish(tick, 1_000):
        pass
    told = sent.read_text(encoding="ascii").split()
    written = {row.event_id for row in shop.rows(shop.tables.outbox)}
    assert set(told) == written
    assert all(row.published_at is not None for row in shop.rows(shop.tables.outbox))


def test_a_kill_at_any_point_loses_nothing(shop: Shop, url: str, tmp_path: Path) -> None:
    assert crash(shop, url, tmp_path / "sent", 2) == 2 * (len(PLACES) + 4)


@pytest.mark.long
def test_five_hundred_kills_lose_nothing(shop: Shop, url: str, tmp_path: Path) -> None:
    with bound(user()):
        assert crash(shop, url, tmp_path / "sent", 13) >= 500
