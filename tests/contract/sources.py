"""The bridges that the contract suite runs over: to join, an engine adds one factory to ``FACTORIES``.

A factory takes the test's ``request`` (for fixtures) and gives a function that makes unopened bridges of one source
with at least a dozen runs of several statuses, of which ``GROW`` may add more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine_bridge.bridge import Bridge, Sort, load_engine
from engine_bridge.bundle import export
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import anchors
from engine_bridge.session import Session
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import bridge_url
from tests.engines.entity_state import fixtures as entities
from tests.engines.temporal.dev import databases
from tests.engines.temporal.files.contract import grown, write_folder
from tests.engines.temporal.shop import Shop
from tests.fakes import FakeBridge


@dataclass(frozen=True)
class Source:
    """``make``: an unopened bridge; ``grow``: adds a run newer than all others (None: this source cannot);
    ``watched``: a folder whose files must not change by reading (None: not a file)."""

    make: Callable[[], Bridge]
    grow: Callable[[], None] | None = None
    watched: Path | None = None


def fake(request: pytest.FixtureRequest) -> Source:
    return Source(lambda: FakeBridge(60))


_COLUMNS = "workflow_uuid, status, name, created_at, updated_at, priority, was_forked_from, rate_limited, is_debounced"
_ROW = "'grown', 'SUCCESS', 'grown', {now}, {now}, 0, {no}, {no}, {no}"


def dbos_sqlite(request: pytest.FixtureRequest) -> Source:
    path: Path = request.getfixturevalue("orders_file")

    def grow() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as client:
            client.execute(
                f"INSERT INTO workflow_status ({_COLUMNS}) VALUES ({_ROW.format(now=1 << 41, no=0)})"
            )

    return Source(lambda: load_engine("dbos").bridge(f"dbos+sqlite:///{path}", None), grow, path.parent)


def dbos_postgresql(request: pytest.FixtureRequest) -> Source:
    uri: str = request.getfixturevalue("made_postgresql")
    request.addfinalizer(lambda: _run(uri, "DELETE FROM dbos.workflow_status WHERE workflow_uuid = 'grown'"))

    def grow() -> None:
        row = _ROW.format(now=1 << 41, no="false")
        _run(uri, f"INSERT INTO dbos.workflow_status ({_COLUMNS}) VALUES ({row})")

    return Source(lambda: load_engine("dbos").bridge(bridge_url(uri), None), grow)


def _run(uri: str, statement: Any) -> None:
    with psycopg.connect(uri, autocommit=True) as client:
        client.execute(statement)


def bundle(request: pytest.FixtureRequest) -> Source:
    """The fake's runs, exported and opened again."""
    path = request.getfixturevalue("tmp_path") / "runs.playhead"
    session = Session(lambda: FakeBridge(60))
    info = session.open().result()
    refs = [run.ref for run in session.call("runs", None, Sort(), None, "forward", 60).result().items]
    export(session, info, refs, path, raw=False, cancel=CancelToken())
    session.close()
    return Source(lambda: load_engine("bundle").bridge(f"bundle://{path}", None))


def entity(shape: str) -> Callable[[pytest.FixtureRequest], Source]:
    """Entities of one shape on SQLite."""

    def make(request: pytest.FixtureRequest) -> Source:
        made = entities.make_file(shape, request.getfixturevalue("tmp_path") / "entities")
        path = made.path
        assert path is not None
        _be_patient(request)
        grow = (lambda: entities.grow(made)) if shape == "own" else None
        return Source(lambda: load_engine("entity_state").bridge(made.url, None), grow, path.parent)

    return make


def _be_patient(request: pytest.FixtureRequest) -> None:
    """A busy machine is no missing index: anchors are measured to the end."""
    request.getfixturevalue("monkeypatch").setattr(anchors, "_SLOW_S", 60.0)


def entity_postgresql(request: pytest.FixtureRequest) -> Source:
    made: entities.Sample = request.getfixturevalue("entity_server")
    _be_patient(request)
    request.addfinalizer(lambda: entities.shrink(made))
    return Source(lambda: load_engine("entity_state").bridge(made.url, None), lambda: entities.grow(made))


def temporal_server(request: pytest.FixtureRequest) -> Source:
    shop: Shop = request.getfixturevalue("temporal_shop")

    def grow() -> None:
        # Deleting takes half a minute, so the runs of this id pile up.
        shop.worker.ask("start", "fraud_check", "grown", "x", wait=True)
        shop.worker.ask("listed", "grown")

    return Source(lambda: shop.child.bridge(shop.server.url), grow)


def temporal_files(request: pytest.FixtureRequest) -> Source:
    """A folder of exported histories, in several dialects."""
    folder = request.getfixturevalue("tmp_path") / "histories"
    write_folder(folder)

    def grow() -> None:
        (folder / "grown.json").write_bytes(grown())

    return Source(lambda: load_engine("temporal").bridge(f"temporal+file://{folder}", None), grow, folder)


def temporal_dev(request: pytest.FixtureRequest) -> Source:
    """The database of a development server that does not run."""
    path = databases.write(request.getfixturevalue("tmp_path") / "dev" / "temporal.db")
    url = f"temporal+sqlite://{path}"
    return Source(
        lambda: load_engine("temporal").bridge(url, None), lambda: databases.grow(path), path.parent
    )


FACTORIES = {
    "bundle": bundle,
    "fake": fake,
    "dbos-sqlite": dbos_sqlite,
    "dbos-postgresql": dbos_postgresql,
    "entity-sqlite": entity("own"),
    "entity-postgresql": entity_postgresql,
    "entity-statesman": entity("statesman"),
    "entity-django": entity("django"),
    "temporal-dev": temporal_dev,
    "temporal-files": temporal_files,
    "temporal-server": temporal_server,
}
