"""Queues, schedules, versions and workers, and what an operator must see of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine_bridge.bridge import Bridge, Resource, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.resources_schedules import GRACE_S
from engine_bridge.errors import UnsupportedError
from engine_bridge.query import parse
from tests.engines.dbos.databases import Open, bridge_url, writer

NEVER = CancelToken()


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, open_bridge: Open) -> Bridge:
    if request.param == "sqlite":
        return open_bridge(request.getfixturevalue("made_sqlite"))
    return open_bridge(bridge_url(request.getfixturevalue("made_postgresql")))


def of(bridge: Bridge, kind: str) -> dict[str, Resource]:
    return {resource.id: resource for resource in bridge.resources(kind, NEVER)}


def matching(bridge: Bridge, text: str) -> int:
    return bridge.count(parse(text, bridge.fields(NEVER)), NEVER)


def test_queues(bridge: Bridge) -> None:
    queues = of(bridge, "queues")
    assert list(queues)[:3] == ["paused", "reports", "warehouse"]
    warehouse, paused, reports = queues["warehouse"], queues["paused"], queues["reports"]
    assert warehouse.cells["limit"] == 4 and warehouse.cells["limit_per_partition"] == 1
    assert paused.cells["paused"] and paused.cells["depth"] == 1 and "paused" in paused.warning
    assert reports.cells["limit_per_worker"] == 1 and reports.cells["delayed"] == 1
    assert reports.cells["in_flight"] + reports.cells["depth"] == 3
    for queue in queues.values():
        cells = queue.cells
        assert matching(bridge, queue.filter) == cells["depth"] + cells["in_flight"] + cells["delayed"]


def test_partitions_of_a_queue(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_status SET status = 'ENQUEUED', created_at = 1000 WHERE queue_partition_key = 'ams'"
        )
    bridge = open_bridge(orders_file)
    warehouse = of(bridge, "queues")["warehouse"]
    (ams,) = warehouse.children
    assert ams.title == "ams" and ams.cells["depth"] == warehouse.cells["depth"] > 0
    assert ams.cells["oldest_ns"] == 1_000_000_000 and "blocked" in ams.warning
    assert matching(bridge, ams.filter) == ams.cells["depth"]


def test_schedules(bridge: Bridge) -> None:
    before = bridge.now_ns(NEVER)
    schedule = of(bridge, "schedules")["drift-eu"]
    assert schedule.cells["cron"] == "*/2 * * * * *" and schedule.cells["timezone"] == "UTC"
    assert before < schedule.cells["next_ns"] <= bridge.now_ns(NEVER) + 2_000_000_000
    assert schedule.cells["next_ns"] % 2_000_000_000 == 0
    assert schedule.cells["last_fired_ns"] is not None
    assert matching(bridge, schedule.filter) >= 1


def test_missed_firings_and_pauses(orders_file: Path, open_bridge: Open) -> None:
    fired = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 10 * 3600 - 2 * GRACE_S, UTC)
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_schedules SET schedule = '0 * * * *', last_fired_at = ?", (fired.isoformat(),)
        )
        columns = "schedule_id, schedule_name, workflow_name, schedule, status, context, cron_timezone"
        for row in (
            ("a", "paused", "w", "0 3 * * *", "PAUSED", "", None),
            ("b", "odd", "w", "not cron", "ACTIVE", "", None),
            ("c", "zoned", "w", "30 3 * * *", "ACTIVE", "", "Europe/Prague"),
        ):
            client.execute(f"INSERT INTO workflow_schedules ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    schedules = of(open_bridge(orders_file), "schedules")
    assert schedules["drift-eu"].cells["missed"] in (10, 11) and "missed" in schedules["drift-eu"].warning
    assert schedules["paused"].warning == "paused" and schedules["paused"].cells["next_ns"] is None
    assert "cannot be read" in schedules["odd"].warning
    at = datetime.fromtimestamp(schedules["zoned"].cells["next_ns"] / 1e9, UTC)
    assert at.minute == 30 and at.hour in (1, 2)


def test_versions_and_runs_stranded_on_them(bridge: Bridge) -> None:
    versions = of(bridge, "versions")
    v1, v2 = versions["v1"], versions["v2"]
    assert v2.cells["latest"] and not v1.cells["latest"] and v2.warning == ""
    assert v1.cells["stranded"] == matching(bridge, v1.filter) >= 5
    assert "only go on with a worker of this version; the latest is v2" in v1.warning


def test_workers(bridge: Bridge) -> None:
    worker = of(bridge, "workers")["local"]
    assert worker.cells["running"] == matching(bridge, worker.filter) >= 3


def test_an_unknown_kind_is_refused(bridge: Bridge) -> None:
    with pytest.raises(UnsupportedError, match="no entities"):
        bridge.resources("entities", NEVER)


def test_sorting_by_anything_else_is_refused(bridge: Bridge) -> None:
    from engine_bridge.errors import UsageError

    with pytest.raises(UsageError, match="cannot be sorted by mood"):
        bridge.runs(None, Sort(field="mood"), None, "forward", 5, NEVER)
    cursor = bridge.runs(None, Sort(), None, "forward", 5, NEVER).after
    for bad in (cursor, b"\xff", b"[]"):
        with pytest.raises(UsageError):
            bridge.runs(None, Sort(field="id"), bad, "forward", 5, NEVER)
