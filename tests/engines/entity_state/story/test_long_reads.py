"""Without a write-ahead log an application's commit waits for readers: a population is many short reads there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import checks, population, population_checks, population_flows
from engine_bridge.engines.entity_state.engine import connect
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_connect import Connections, Reader
from engine_bridge.populations import Population
from tests.bench.bench_population import fill
from tests.engines.entity_state.story.conftest import NEVER
from tests.engines.entity_state.story.data import source_url, write_mapping

ENTITIES = 3_000
SLICE = 200
ROWS_A_READ = 12 * SLICE
"""Rows that one read may touch: those of its span, in the tables beside it too."""
STEPS_A_ROW = 150


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    engine = connect(f"sqlite:///{path}")
    fill(engine, ENTITIES)
    engine.dispose()
    return path


def journal(path: Path, mode: str) -> None:
    client = sqlite3.connect(path)
    assert client.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
    client.close()


class Meter:
    """Counts the virtual machine's steps of every read transaction: a measure of its length that no load changes."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    @contextmanager
    def reader(self, read: Reader) -> Iterator[Reader]:
        driver = read.connection.connection.driver_connection
        assert driver is not None
        steps = [0]

        def tick() -> int:
            steps[0] += 1
            return 0

        driver.set_progress_handler(tick, 1_000)
        try:
            yield read
        finally:
            driver.set_progress_handler(None, 0)
            self.reads.append(steps[0] * 1_000)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    found, plain = Meter(), Connections.reader

    @contextmanager
    def metered(self: Connections, cancel: CancelToken) -> Iterator[Reader]:
        with plain(self, cancel) as read, found.reader(read) as told:
            yield told

    monkeypatch.setattr(Connections, "reader", metered)
    monkeypatch.setattr(checks.slices, "__defaults__", (SLICE, ()))
    monkeypatch.setattr(Store.spans, "__defaults__", (SLICE, ()))
    monkeypatch.setattr(population_checks, "COMPARED", SLICE)
    monkeypatch.setattr(population_checks, "SAMPLE", SLICE)
    return found


def look(path: Path, folder: Path, meter: Meter) -> Population:
    population_flows._KEPT.clear()
    store = Store(source_url(f"sqlite:///{path}", write_mapping(folder)))
    store.open(NEVER)
    meter.reads.clear()
    found = population.read(store, "invoice", None, NEVER)
    store.close()
    return found


def test_no_read_of_a_population_is_long_where_a_writer_would_wait(
    database: Path, tmp_path: Path, meter: Meter
) -> None:
    journal(database, "delete")
    cut = look(database, tmp_path, meter)
    longest, reads = max(meter.reads), len(meter.reads)
    assert reads > 3 * ENTITIES / SLICE
    assert longest < ROWS_A_READ * STEPS_A_ROW
    journal(database, "wal")
    client = sqlite3.connect(database)  # keeps the log there, so that the file is read in place
    client.execute("SELECT count(*) FROM invoices").fetchone()
    whole = look(database, tmp_path, meter)
    client.close()
    assert len(meter.reads) < reads and max(meter.reads) > 3 * longest
    assert cut.total == whole.total == ENTITIES
    assert (cut.nodes, cut.flows) == (whole.nodes, whole.flows)
    assert (cut.drift, cut.broken, cut.stuck) == (whole.drift, whole.broken, whole.stuck)


def test_one_value_that_fills_many_spans_is_read_in_one(database: Path, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE workflow_history SET entity_id = '7' WHERE id <= 1000")
    engine.dispose()
    journal(database, "delete")
    store = Store(source_url(f"sqlite:///{database}", write_mapping(tmp_path)))
    store.open(NEVER)
    history = store.workflow("invoice").history
    assert history is not None
    counted = sa.select(sa.func.count()).select_from(history.table)
    spans = list(store.spans(history.entity_id, NEVER, SLICE))
    counts = [store.all(counted.where(*span), NEVER)[0][0] for span in spans]
    store.close()
    assert sum(counts) == 2 * ENTITIES and max(counts) >= 1_000 and len(counts) > 10
