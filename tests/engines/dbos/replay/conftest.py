"""Histories of real workers, made and replayed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.replay.model import ReplayInput
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.replay.replays import APPS, All, execute, inputs_of, replay

SHAPES = APPS / "shapes.py"
ORDER = APPS / "order.py"
ORDERS = ("order", "declined", "approval", "approved", "helped", "old", "old-waiting")


@pytest.fixture(scope="session")
def shapes_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of shapes.py."""
    folder = tmp_path_factory.mktemp("shapes")
    execute(SHAPES, str(folder))
    return folder / "shapes.sqlite"


@pytest.fixture(scope="session")
def all_runs(shapes_file: Path) -> list[str]:
    with sqlite3.connect(shapes_file) as connection:
        return [row[0] for row in connection.execute("SELECT workflow_uuid FROM workflow_status")]


@pytest.fixture(scope="session")
def shapes(shapes_file: Path, all_runs: list[str]) -> All:
    """Every run of shapes.py, replayed with the code that made it."""
    return replay(inputs_of(shapes_file, all_runs), SHAPES)


@pytest.fixture(scope="session")
def order_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of order.py."""
    folder = tmp_path_factory.mktemp("order")
    execute(ORDER, str(folder))
    return folder / "order.sqlite"


@pytest.fixture(scope="session")
def order_inputs(order_file: Path) -> list[ReplayInput]:
    return inputs_of(order_file, ORDERS)
