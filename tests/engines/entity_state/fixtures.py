"""Fixtures for everybody who tests on entities; import them in a conftest, with ``server`` of tests.engines.dbos."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine import Tables, enforce_tenants
from engine_bridge.engines.entity_state.store import Store
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state import sample, sample_configs, sample_others

BUILDERS: dict[str, tuple[Callable[[sa.Engine], None], str]] = {
    "own": (sample.own, sample_configs.OWN),
    "django": (sample_others.django, sample_configs.DJANGO),
    "statesman": (sample_others.statesman, sample_configs.STATESMAN),
    "plain": (sample_others.plain, sample_configs.PLAIN),
}


@dataclass(frozen=True)
class Sample:
    """A sample database. ``url``: the source's; ``engine()``: a writer of SQLAlchemy, to be disposed of."""

    url: str
    mapping: Path
    alchemy: str
    path: Path | None = None

    def engine(self) -> sa.Engine:
        if self.path is not None:
            return sample.engine(self.path)
        return sa.create_engine(self.alchemy)


def make_file(shape: str, folder: Path) -> Sample:
    """A sample database in a folder of its own, filled within the last half a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    path, mapping = folder / "app.sqlite", sample.write_mapping(folder, BUILDERS[shape][1])
    made, content = _files.get(shape, (0.0, b""))
    if not content or time.monotonic() > made + 30:
        made = time.monotonic()
        content = _filled(shape)
        _files[shape] = made, content
    path.write_bytes(content)
    return Sample(sample.file_url(path, mapping), mapping, f"sqlite:///{path}", path)


_files: dict[str, tuple[float, bytes]] = {}


def _filled(shape: str) -> bytes:
    """A sample database; filling one takes as long as many tests of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.sqlite"
        engine = sample.engine(path)
        BUILDERS[shape][0](engine)
        engine.dispose()
        return path.read_bytes()


def make_on_server(shape: str, server: Any, name: str, folder: Path) -> Sample:
    """A sample database of a name on the test server."""
    build, text = BUILDERS[shape]
    uri = make_database(server, name)
    mapping = sample.write_mapping(folder, text)
    engine = sa.create_engine(sample.alchemy(uri))
    build(engine)
    if shape == "own":
        # It is looked at until the end of the run: the claim that is alive stays so.
        with engine.begin() as connection:
            alive = "UPDATE invoices SET claimed_at = claimed_at + interval '1 day' WHERE id = 'inv-006'"
            connection.exec_driver_sql(alive)
    engine.dispose()
    return Sample(sample.server_url(uri, mapping), mapping, sample.alchemy(uri))


def grow(made: Sample) -> None:
    """One more entity in our own tables, newer than all others: ``grown``."""
    engine = made.engine()
    sample.grow(engine)
    engine.dispose()


def shrink(made: Sample) -> None:
    """Takes ``grown`` away again."""
    engine = made.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM invoices WHERE id = 'grown'"))
    engine.dispose()


@pytest.fixture
def entity_file(tmp_path: Path) -> Sample:
    """Our own tables on SQLite, everybody's own copy."""
    return make_file("own", tmp_path / "entities")


@pytest.fixture(scope="session")
def entity_server(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Our own tables on PostgreSQL, made once: do not write to them."""
    return make_on_server("own", server, "entities_read", tmp_path_factory.mktemp("entities"))


READER = "entity_reader"


def ensure_role(connection: sa.Connection, name: str) -> None:
    """A role that row-level security holds for. The server has it for all its databases, perhaps already."""
    known = connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": name}).first()
    if known is None:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT")


def secure(connection: sa.Connection, reader: str) -> None:
    """FORCE ROW LEVEL SECURITY on all our own tables, and a role that may read them."""
    ensure_role(connection, reader)
    connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
    enforce_tenants(connection, [(table, "tenant_id") for table in (*sample.tables(), *Tables().all)])


@pytest.fixture(scope="session")
def tenants_server(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Our own tables with FORCE ROW LEVEL SECURITY on all of them, made once; its ``url`` is the superuser's."""
    made = make_on_server("own", server, "entities_tenants", tmp_path_factory.mktemp("tenants"))
    engine = made.engine()
    with engine.begin() as connection:
        secure(connection, READER)
    engine.dispose()
    return made


OpenStore = Callable[[str], Store]
OpenBridge = Callable[..., Bridge]


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Opens stores of URLs and closes them after the test."""
    opened: list[Store] = []

    def open_one(url: str) -> Store:
        store = Store(url)
        opened.append(store)
        store.open(CancelToken())
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def open_entities() -> Iterator[OpenBridge]:
    """Opens bridges of URLs and closes them after the test."""
    opened: list[Bridge] = []

    def open_one(url: str, secret: str | None = None) -> Bridge:
        bridge = load_engine("entity_state").bridge(url, secret)
        opened.append(bridge)
        bridge.open(CancelToken())
        return bridge

    yield open_one
    for bridge in opened:
        bridge.close()
