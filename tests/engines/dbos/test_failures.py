"""The failure log over many steps: found in windows, in order, without gaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.bridge import Bridge, FailureRow
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import failures
from engine_bridge.query import parse
from tests.engines.dbos.databases import Open, writer

NEVER = CancelToken()


def walk(bridge: Bridge, limit: int, text: str = "", query: str = "") -> list[FailureRow]:
    found: list[FailureRow] = []
    cursor = None
    parsed = parse(query, bridge.fields(NEVER))
    while True:
        page = bridge.failures(parsed, text, cursor, limit, NEVER)
        found += page.items
        cursor = page.after
        if cursor is None:
            assert page.complete
            return found


@pytest.mark.parametrize("window", [1, 3, 10, 15_000])
@pytest.mark.parametrize("budget", [0.0, 3.0])
def test_every_window_gives_the_same_log(
    orders_file: Path, open_bridge: Open, monkeypatch: pytest.MonkeyPatch, window: int, budget: float
) -> None:
    with writer(orders_file) as client:
        client.execute(
            "UPDATE operation_outputs SET completed_at_epoch_ms = NULL WHERE workflow_uuid = 'order-005'"
        )
        client.execute("UPDATE workflow_status SET completed_at = NULL WHERE workflow_uuid = 'order-000'")
        client.execute(
            "UPDATE operation_outputs SET completed_at_epoch_ms = 5000 WHERE workflow_uuid LIKE 'order-00%'"
        )
        errors = client.execute("SELECT count(*) FROM operation_outputs WHERE error IS NOT NULL").fetchone()[
            0
        ]
        failed = client.execute("SELECT count(*) FROM workflow_status WHERE status = 'ERROR'").fetchone()[0]
    bridge = open_bridge(orders_file)
    whole = walk(bridge, 1000)
    assert len(whole) == errors + failed == len({(row.ref, row.step_id) for row in whole})
    monkeypatch.setattr(failures, "WINDOW", window)
    monkeypatch.setattr(failures, "SCAN_S", budget)
    for limit in (2, 7, 1000):
        assert [(r.ref, r.step_id) for r in walk(bridge, limit)] == [(r.ref, r.step_id) for r in whole]
    mine = [row for row in whole if "insufficient" in str(row.failure)]
    assert [(r.ref, r.step_id) for r in walk(bridge, 2, "insufficient")] == [(r.ref, r.step_id) for r in mine]


def test_the_log_follows_a_filter_of_runs(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    acme = walk(bridge, 3, query="attributes.tenant == acme")
    assert acme and {row.ref.run for row in acme} == {"order-001", "order-003", "order-005", "order-009"}
    assert walk(bridge, 3, query="error contains insufficient and steps > 0")


def test_a_row_says_what_and_where(orders_file: Path, open_bridge: Open) -> None:
    rows = {(row.ref.run, row.step_name): row for row in walk(open_bridge(orders_file), 100)}
    step = rows["order-001", "charge"]
    assert step.failure.message == "Step charge has exceeded its maximum of 3 retries"
    assert [cause.message for cause in step.failure.causes] == ["insufficient funds"] * 3
    assert step.run_type == "order" and step.run_status == "failed" and step.time_ns is not None
    run = rows["order-001", None]
    assert run.step_id is None and (run.time_ns or 0) > step.time_ns - 1_000_000_000
