"""A shop on SQLite and on PostgreSQL, with a bound context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import bound, connect
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.shop import Shop, user


@pytest.fixture(scope="session")
def postgres_uri(server: Any) -> str:
    """A database of the server; its libpq URI."""
    return make_database(server, "entities")


def alchemy(uri: str) -> str:
    """The SQLAlchemy URL of a libpq URI."""
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of a database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.sqlite'}"
    return alchemy(request.getfixturevalue("postgres_uri"))


@pytest.fixture
def db(url: str) -> Iterator[sa.Engine]:
    engine = connect(url, pool_size=20, max_overflow=60)
    yield engine
    engine.dispose()


@pytest.fixture
def shop(db: sa.Engine) -> Iterator[Shop]:
    """An empty shop, called by user ann of tenant t1."""
    made = Shop(db).create()
    with bound(user()):
        yield made
