"""What the bridge says of runs agrees, field by field, with what a plain SQL client finds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.model import Provenance, Run, RunRef, Status
from engine_bridge.payloads import decode
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import OLD, Open, bridge_url, unpacked

MS = 1_000_000
NOW = CancelToken()
STATUS = {
    "PENDING": "running",
    "ENQUEUED": "queued",
    "DELAYED": "delayed",
    "SUCCESS": "completed",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
}
RECORDED = {
    "type": "name",
    "engine_status": "status",
    "queue": "queue_name",
    "partition": "queue_partition_key",
    "priority": "priority",
    "worker": "executor_id",
    "version": "application_version",
    "schedule": "schedule_name",
    "dispatches": "recovery_attempts",
}
TIMES = {
    "created_ns": "created_at",
    "updated_ns": "updated_at",
    "deadline_ns": "workflow_deadline_epoch_ms",
    "delay_until_ns": "delay_until_epoch_ms",
}


def all_runs(bridge: Bridge) -> dict[str, Run]:
    return {run.id: run for run in bridge.runs(None, Sort(), None, "forward", 1000, NOW).items}


@pytest.fixture(params=["sqlite", "postgresql"])
def source(
    request: pytest.FixtureRequest, open_bridge: Open
) -> tuple[Bridge, list[dict[str, Any]], dict[str, int]]:
    """A bridge, and the rows of workflow_status and numbers of steps as plain clients read them."""
    if request.param == "sqlite":
        path = request.getfixturevalue("made_sqlite")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as client:
            client.row_factory = sqlite3.Row
            rows = [dict(row) for row in client.execute("SELECT * FROM workflow_status")]
            steps = client.execute(
                "SELECT workflow_uuid, count(*) FROM operation_outputs GROUP BY 1"
            ).fetchall()
            return open_bridge(path), rows, {row[0]: row[1] for row in steps}
    uri = request.getfixturevalue("made_postgresql")
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM dbos.workflow_status").fetchall()
        counted = connection.execute(
            "SELECT workflow_uuid AS id, count(*) AS n FROM dbos.operation_outputs GROUP BY 1"
        )
        return open_bridge(bridge_url(uri)), rows, {row["id"]: row["n"] for row in counted.fetchall()}


def test_every_field_agrees_with_plain_sql(
    source: tuple[Bridge, list[dict[str, Any]], dict[str, int]],
) -> None:
    bridge, rows, steps = source
    runs = all_runs(bridge)
    assert len(runs) == len(rows) > 30
    for row in rows:
        run = runs[row["workflow_uuid"]]
        assert {name: getattr(run, name) for name in RECORDED} == {n: row[c] for n, c in RECORDED.items()}
        for name, column in TIMES.items():
            assert getattr(run, name) == (None if row[column] is None else row[column] * MS), (run.id, name)
        assert run.status.value == STATUS[row["status"]]
        assert run.attempts is None
        assert run.steps_done == steps.get(run.id, 0)
        assert (run.parent and run.parent.run) == row["parent_workflow_id"]
        assert (run.forked_from and run.forked_from.run) == row["forked_from"]


def test_starts_and_ends_say_where_they_come_from(
    source: tuple[Bridge, list[dict[str, Any]], dict[str, int]],
) -> None:
    bridge, rows, _ = source
    runs = all_runs(bridge)
    seen = set()
    for row in rows:
        run, begun = runs[row["workflow_uuid"]], row["started_at_epoch_ms"]
        if begun is not None:
            assert run.started_ns == begun * MS and "started_ns" not in run.provenance
            seen.add("recorded")
        elif row["status"] in ("ENQUEUED", "DELAYED"):
            assert run.started_ns is None
            seen.add("not begun")
        else:
            assert run.started_ns == row["created_at"] * MS
            assert run.provenance["started_ns"] is Provenance.REBUILT
            seen.add("rebuilt")
        closed = row["status"] not in ("PENDING", "ENQUEUED", "DELAYED")
        assert run.ended_ns == (row["completed_at"] * MS if closed else None)
    assert seen == {"recorded", "not begun", "rebuilt"}


def test_payloads_are_the_stored_bytes(source: tuple[Bridge, list[dict[str, Any]], dict[str, int]]) -> None:
    bridge, _, _ = source
    run = bridge.run(RunRef("workflow", "order-001", "order-001"), NOW)
    assert run.input is not None and run.output is None and run.error_payload is not None
    data = bridge.payload(run.input.key, 0, -1, NOW)
    assert len(data) == run.input.size
    assert bridge.payload(run.input.key, 3, 5, NOW) == data[3:8]
    decoded = decode(data, run.input.encoding)
    assert "sku1" in decoded.text and decoded.error is None
    portable = bridge.run(RunRef("workflow", "invoice-0", "invoice-0"), NOW)
    assert portable.output is not None
    assert b'"invoice"' in bridge.payload(portable.output.key, 0, -1, NOW)


def test_the_list_says_why(source: tuple[Bridge, list[dict[str, Any]], dict[str, int]]) -> None:
    runs = all_runs(source[0])
    assert runs["order-001"].now == "Declined: insufficient funds · after 3 attempts"
    assert runs["order-000"].now == "ValueError: order o0 has no items"
    assert "negative invoice Ünïcode" in (runs["invoice-1"].error or "")
    assert runs["timeout-1"].now == "cancelled: its deadline had passed"
    assert runs["timeout-1"].status is Status.CANCELLED
    assert runs["cancelled-1"].now == "cancelled"
    assert runs["later-1"].now.startswith("delayed, due in 23 h")
    assert "v1" in runs["held-1"].now
    for run_id in ("waiting-1", "nap-1", "stuck-1"):
        run = runs[run_id]
        assert run.blocked_on is not None and run.now and run.blocked_on.evidence, run_id


def test_attributes_and_extras(source: tuple[Bridge, list[dict[str, Any]], dict[str, int]]) -> None:
    runs = all_runs(source[0])
    assert runs["order-003"].attributes == {"tenant": "acme", "size": 3, "nested": {"gold": True}}
    assert runs["stocktake-1"].extra["class_name"] == "Warehouse"
    assert runs["stocktake-1"].extra["config_name"] == "ams"
    assert runs["report-1"].extra["deduplication_id"] == "r1"
    assert next(iter(runs["report-1"].extra)) == "serialization"


@pytest.mark.parametrize("name", OLD)
def test_older_schemas_read(name: str, tmp_path: Path, open_bridge: Open) -> None:
    bridge = open_bridge(unpacked(name, tmp_path))
    (run,) = bridge.runs(None, Sort(), None, "forward", 10, NOW).items
    assert (run.id, run.type, run.status, run.steps_done) == ("w1", "w", Status.COMPLETED, 2)
    assert run.ended_ns is not None and run.created_ns is not None
    assert run.provenance.get("ended_ns") == (None if name > "old_2.2" else Provenance.REBUILT)
    header = bridge.run(run.ref, NOW)
    assert header.input is not None and header.output is not None
    assert decode(bridge.payload(header.output.key, 0, -1, NOW), header.output.encoding).tree == 2
    assert bridge.facets(None, 90, NOW).by_status == {"completed": 1}
    assert bridge.failures(None, "", None, 10, NOW).items == ()
    for kind in ("queues", "versions", "workers"):
        bridge.resources(kind, NOW)
    assert {field.name for field in bridge.fields(NOW)} >= {"id", "type", "status", "created"}
