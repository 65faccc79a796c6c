"""Without a write-ahead log an application's commit waits for readers: a population is many short reads there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    checks,
    fields,
    population,
    population_checks,
    population_flows,
    store_connect,
)
from engine_bridge.engines.entity_state.engine import connect
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_connect import Connections, Reader
from engine_bridge.model import Run
from engine_bridge.populations import Population
from engine_bridge.query import parse
from engine_bridge.sqlite_library import sqlite3
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


VARIETY = (
    "UPDATE invoices SET version = id % 7, number = 'N-' || (id * 7919 % 1000), tenant_id = 't' || (id % 3), "
    "created_at = CASE WHEN id % 13 THEN datetime(1760000000 + id * 7919 % 5000 * 60, 'unixepoch') || '.000000' END",
    "UPDATE workflow_history SET changed_at = '2026-01-01 00:00:00.' || substr('000000' || id, -6)",
    "UPDATE invoices SET status = 'void' WHERE id % 50 = 0",
)
"""Ties, gaps and an order that is not that of the ids; and some entities that drifted."""
LISTS = (
    ("", "created"), ("", "label"), ("tenant == t1", "version"), ('label ~ "*7*"', "created"),
    ("drift == true", "created"), ("drift == true and version > 3", "label"), ("state == paid", "tenant"),
)  # fmt: skip


def every_page(bridge: Bridge, filter: str, field: str, descending: bool) -> list[Run]:
    """The list there, and the same back again, which must agree."""
    query = parse(f'type == "invoice" and ({filter})' if filter else "type == invoice", bridge.fields(NEVER))
    order = Sort(field=field, descending=descending)
    there: list[Run] = []
    page = bridge.runs(query, order, None, "forward", 900, NEVER)
    there += page.items
    while page.after is not None:
        page = bridge.runs(query, order, page.after, "forward", 900, NEVER)
        there += page.items
    back: list[Run] = []
    while page.before is not None:
        page = bridge.runs(query, order, page.before, "backward", 900, NEVER)
        back[:0] = page.items
    assert [run.id for run in back] == [run.id for run in there[: len(back)]]
    assert len(back) >= len(there) - 900
    return there


@pytest.mark.parametrize("descending", [True, False])
def test_lists_that_are_read_span_by_span_are_the_same(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    client = sqlite3.connect(database)
    for statement in VARIETY:
        client.execute(statement)
    client.commit()
    client.close()
    url = source_url(f"sqlite:///{database}", write_mapping(tmp_path))

    def lists() -> list[object]:
        bridge = load_engine("entity_state").bridge(url, None)
        bridge.open(NEVER)
        found: list[object] = [every_page(bridge, *one, descending) for one in LISTS]
        found += [bridge.facets(parse(f"type == invoice and {text}", bridge.fields(NEVER)), 60, NEVER) for text in (
            "drift == true", "version > 3", "state == paid")]  # fmt: skip
        bridge.close()
        return found

    journal(database, "delete")
    at_once = lists()
    reads: list[None] = []
    plain = Connections.reader

    @contextmanager
    def counted(self: Connections, cancel: CancelToken) -> Iterator[Reader]:
        reads.append(None)
        with plain(self, cancel) as read:
            yield read

    monkeypatch.setattr(Connections, "reader", counted)
    assert lists() == at_once
    whole = len(reads)
    monkeypatch.setattr(store_connect, "_STEPS", 2_000)
    monkeypatch.setattr(store_connect, "_TICK", 1_000)
    monkeypatch.setattr(checks.slices, "__defaults__", (SLICE, ()))
    monkeypatch.setattr(Store.spans, "__defaults__", (SLICE, ()))
    reads.clear()
    assert lists() == at_once
    assert len(reads) > 5 * whole


def test_a_filtered_population_looks_its_entities_up_by_an_index(
    database: Path, tmp_path: Path, meter: Meter
) -> None:
    """A text that names an integer id: without the index each history row would go over every entity."""
    journal(database, "delete")
    store = Store(source_url(f"sqlite:///{database}", write_mapping(tmp_path)))
    store.open(NEVER)
    meter.reads.clear()
    query = parse("state == paid", fields.read(store, NEVER))
    found = population.read(store, "invoice", query, NEVER)
    store.close()
    assert (
        found.total == sum(node.count for node in found.nodes if node.status == "paid") == ENTITIES * 6 // 10
    )
    assert sum(flow.count for flow in found.flows) == 2 * found.total
    assert max(meter.reads) < ROWS_A_READ * STEPS_A_ROW
