"""Relations between runs of the sample, paged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_bridge.bridge import Relation
from engine_bridge.engines.dbos import relations
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history_rows import run_ref
from engine_bridge.errors import NotFoundError, UsageError
from tests.engines.dbos.story_data import CANCEL, opened, unpack, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return unpack("orders", tmp_path)


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    db = opened(path)
    yield db
    db.close()


def related(db: Database, run_id: str, limit: int = 2) -> list[Relation]:
    """Every relation, page by page."""
    found: list[Relation] = []
    cursor = None
    while True:
        page = relations.read(db, run_ref(run_id), cursor, limit, CANCEL)
        found += page.items
        cursor = page.after
        if cursor is None:
            return found


def brief(found: list[Relation]) -> list[tuple[str, str, str | None]]:
    return [(item.role, item.ref.run, item.step_id) for item in found]


def test_children_carry_the_step_that_started_them(db: Database) -> None:
    found = related(db, "order-00006")
    assert brief(found) == [
        ("child", "order-00006-5", "5"),
        ("child", "order-00006-12", "12"),
        ("child", "order-00006-15", "15"),
        ("child", "order-00006-18", "18"),
    ]
    assert [item.run.type for item in found if item.run] == [
        "reserve_inventory", "quote_carriers", "ship_order", "notify_customer",
    ]  # fmt: skip
    assert brief(related(db, "order-00006-5")) == [("parent", "order-00006", None)]


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_of_any_size_say_the_same(db: Database, limit: int) -> None:
    assert brief(related(db, "order-00006", limit)) == brief(related(db, "order-00006"))


def test_a_deleted_relative_stays(db: Database, path: Path) -> None:
    write(path, "DELETE FROM workflow_status WHERE workflow_uuid IN ('order-00006-12', 'order-00007')")
    child = related(db, "order-00006")[1]
    assert (child.run, child.note) == (None, "not in the database any more")
    parent = related(db, "order-00007-5")[0]
    assert (parent.role, parent.run, parent.ref) == ("parent", None, run_ref("order-00007"))


def test_a_schedules_runs_are_chained(db: Database) -> None:
    name = "sched-reconcile-eu-2026-11-20T03:18:{:02}+00:00"
    assert brief(related(db, name.format(6))) == [
        ("previous of schedule", name.format(3), None),
        ("next of schedule", name.format(9), None),
    ]
    assert brief(related(db, name.format(3))) == [("next of schedule", name.format(6), None)]


def test_forks_awaited_runs_and_children_without_a_launch(db: Database, path: Path) -> None:
    write(
        path,
        "UPDATE workflow_status SET forked_from = 'order-00001' WHERE workflow_uuid IN ('order-00007', 'order-00009')",
        "UPDATE workflow_status SET parent_workflow_id = 'stuck-1' WHERE workflow_uuid = 'portable-1'",
        "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, child_workflow_id)"
        " VALUES ('stuck-1', 2, 'DBOS.getResult', 'portable-2')",
    )
    assert brief(related(db, "order-00001"))[-2:] == [
        ("fork", "order-00007", None),
        ("fork", "order-00009", None),
    ]
    assert ("forked_from", "order-00001", None) in brief(related(db, "order-00007"))
    found = related(db, "stuck-1")
    assert brief(found) == [("awaited", "portable-2", "2"), ("child", "portable-1", None)]
    assert found[1].note == "its launch is not recorded"


def test_a_schema_without_a_parent_column_finds_the_parent_by_its_step(tmp_path: Path) -> None:
    path = unpack("old_2.10.0", tmp_path)
    write(
        path,
        "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, child_workflow_id)"
        " VALUES ('w1', 3, 'w', 'w1-3')",
        "INSERT INTO workflow_status (workflow_uuid, status, name) VALUES ('w1-3', 'SUCCESS', 'w')",
        "INSERT INTO workflow_status (workflow_uuid, status, name) VALUES ('w1-2', 'SUCCESS', 'w')",
    )
    db = opened(path)
    assert brief(related(db, "w1-3")) == [("parent", "w1", None)]
    assert related(db, "w1-2") == []
    assert brief(related(db, "w1")) == [("child", "w1-3", "3")]
    db.close()


def test_unknown_runs_and_cursors_are_refused(db: Database) -> None:
    with pytest.raises(NotFoundError):
        relations.read(db, run_ref("nope"), None, 10, CANCEL)
    with pytest.raises(UsageError):
        relations.read(db, run_ref("order-00006"), b"{", 10, CANCEL)
