"""The generator of big databases: what it writes could have been written by the engine."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from engine_bridge.sqlite_library import sqlite3
from tests.bench.make_big_db import write

NOW = 1_795_000_000_000


def _all(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("big") / "big.sqlite"
    runs, steps = write(out, 3_000, days=30, seed=7, now=NOW, payload=60)
    assert 2_900 < runs < 3_100
    assert steps > 2 * runs
    return out


def test_times_are_in_order(big: Path) -> None:
    assert (
        _all(
            big, "SELECT 1 FROM workflow_status WHERE completed_at < created_at OR created_at > 1795000000000"
        )
        == []
    )
    late = """SELECT 1 FROM operation_outputs o JOIN workflow_status w USING (workflow_uuid)
              WHERE o.started_at_epoch_ms < w.created_at OR o.completed_at_epoch_ms > w.completed_at"""
    assert _all(big, late) == []
    assert _all(big, "SELECT max(created_at) - min(created_at) > 28 * 86400000 FROM workflow_status") == [
        (1,)
    ]


def test_children_have_parents_and_start_rows(big: Path) -> None:
    orphans = """SELECT 1 FROM workflow_status c LEFT JOIN workflow_status p ON p.workflow_uuid = c.parent_workflow_id
                 WHERE c.parent_workflow_id IS NOT NULL AND p.workflow_uuid IS NULL"""
    unknown = """SELECT 1 FROM operation_outputs LEFT JOIN workflow_status w ON w.workflow_uuid = child_workflow_id
                 WHERE child_workflow_id IS NOT NULL AND w.workflow_uuid IS NULL"""
    assert _all(big, orphans) == _all(big, unknown) == []
    assert _all(big, "SELECT count(*) > 500 FROM workflow_status WHERE parent_workflow_id IS NOT NULL") == [
        (1,)
    ]


def test_statuses_are_mixed_and_indexes_are_those_of_the_engine(big: Path, tmp_path: Path) -> None:
    from dbos import DBOS

    assert len(_all(big, "SELECT DISTINCT status FROM workflow_status")) >= 5
    DBOS.migrate(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    names = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1"
    assert _all(big, names) == _all(tmp_path / "empty.sqlite", names)


def test_the_same_seed_writes_the_same_rows(big: Path, tmp_path: Path) -> None:
    write(tmp_path / "again.sqlite", 3_000, days=30, seed=7, now=NOW, payload=60)
    for table in ("workflow_status", "operation_outputs", "workflow_input"):
        sql = f"SELECT * FROM {table} ORDER BY rowid"
        if table == "workflow_input":
            sql = "SELECT workflow_uuid, inputs FROM workflow_input ORDER BY 1"
        assert _all(big, sql) == _all(tmp_path / "again.sqlite", sql), table
