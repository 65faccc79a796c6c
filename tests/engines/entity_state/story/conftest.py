"""The sample on SQLite and on PostgreSQL, and stores of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine import connect
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.history import History
from engine_bridge.model import RunRef
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.conftest import alchemy
from tests.engines.entity_state.story.data import (
    MAPPING,
    Sample,
    fill,
    fill_others,
    source_url,
    write_mapping,
)

NEVER = CancelToken()

OpenStore = Callable[..., Store]


@pytest.fixture(scope="session")
def story_template(server: Any) -> str:
    """The filled sample on PostgreSQL, to be copied; its name."""
    uri = make_database(server, "story_template")
    db = connect(alchemy(uri))
    filled(db)
    db.dispose()
    return "story_template"


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The filled sample in a file, to be copied."""
    path = tmp_path_factory.mktemp("story") / "shop.sqlite"
    db = connect(f"sqlite:///{path}")
    filled(db)
    db.dispose()
    return path


def filled(db: sa.Engine) -> Sample:
    """The sample with all its rows."""
    sample = Sample(db).create()
    fill(sample)
    fill_others(sample)
    return sample


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine on a database of one's own that holds the sample."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("story_file"), tmp_path / "shop.sqlite")
        engine = connect(f"sqlite:///{tmp_path / 'shop.sqlite'}")
    else:
        template, server = request.getfixturevalue("story_template"), request.getfixturevalue("server")
        name = f"story_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        engine = connect(alchemy(server.get_uri(database=name)))
    yield engine
    engine.dispose()


@pytest.fixture
def sample(db: sa.Engine) -> Sample:
    return Sample(db)


@pytest.fixture
def open_store(db: sa.Engine, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens stores of the sample's database; closes them after the test."""
    opened: list[Store] = []

    def open_one(tenant: str = "", mapping: str = MAPPING, **more: Any) -> Store:
        path = write_mapping(tmp_path, mapping, **more)
        store = Store(source_url(db.url.render_as_string(hide_password=False), path, tenant))
        opened.append(store)
        store.open(NEVER)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


def invoice(id: int) -> RunRef:
    return RunRef("entity", "invoice", str(id))


def whole(store: Store, ref: RunRef) -> History:
    """A history as a view gets it."""
    from engine_bridge.engines.entity_state.history import read_history

    history = History()
    for batch in read_history(store, ref, NEVER):
        history.append(batch)
    return history
