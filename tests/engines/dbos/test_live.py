"""Live lists and cancellable work on SQLite: what changed, what went away, and stopping in the middle."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.errors import CancelledError
from engine_bridge.model import RunRef, Status
from engine_bridge.query import parse
from tests.engines.dbos.databases import Open, writer

NEVER = CancelToken()


def ref(run_id: str) -> RunRef:
    return RunRef("workflow", run_id, run_id)


def test_nothing_moved_when_nothing_was_written(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    mark = bridge.changes(None, (), NEVER).mark
    assert not bridge.changes(mark, (ref("order-002"),), NEVER).moved


def test_visible_rows_are_read_again(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    visible = (ref("waiting-1"), ref("order-002"))
    mark = bridge.changes(None, visible, NEVER).mark
    with writer(orders_file) as client:
        client.execute("UPDATE workflow_status SET status = 'CANCELLED' WHERE workflow_uuid = 'waiting-1'")
    first = bridge.changes(mark, visible, NEVER)
    assert {run.id: run.status for run in first.changed}["waiting-1"] is Status.CANCELLED
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_status SET attributes = '{\"a\": 1}' WHERE workflow_uuid = 'order-002'"
        )
    second = bridge.changes(first.mark, visible, NEVER)
    # What is visible is read anew, whatever moved: nothing is remembered of a caller but its mark.
    now = {run.id: run for run in second.changed}
    assert now["order-002"].attributes == {"a": 1}
    assert now["waiting-1"].status is Status.CANCELLED
    assert second.new == 0 and not second.removed


def test_new_finished_and_deleted_runs(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    mark = bridge.changes(None, (), NEVER).mark
    now_ms = time.time_ns() // 1_000_000
    with writer(orders_file) as client:
        for i in range(3):
            client.execute(
                "INSERT INTO workflow_status (workflow_uuid, status, name, created_at, updated_at) "
                "VALUES (?, 'PENDING', 'n', ?, ?)",
                (f"n{i}", now_ms + i, now_ms),
            )
        client.execute(
            "UPDATE workflow_status SET status = 'SUCCESS', completed_at = ? WHERE workflow_uuid = 'nap-1'",
            (now_ms,),
        )
        client.execute("DELETE FROM workflow_status WHERE workflow_uuid = 'order-003'")
    found = bridge.changes(mark, (ref("order-003"),), NEVER)
    assert found.new == 3 and found.removed == (ref("order-003"),)
    assert {"n0", "n1", "n2", "nap-1"} <= {run.id for run in found.changed}
    assert bridge.changes(b"nonsense", (), NEVER).moved is False


def cancelled_after(seconds: float) -> tuple[CancelToken, threading.Timer]:
    token = CancelToken()
    timer = threading.Timer(seconds, token.cancel)
    timer.start()
    return token, timer


_ENDLESS = sa.text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")


def test_a_long_statement_is_interrupted(orders_file: Path) -> None:
    db = Database(f"dbos+sqlite:///{orders_file}")
    db.open(NEVER)
    token, timer = cancelled_after(0.1)
    with pytest.raises(CancelledError):
        db.all(_ENDLESS, token)
    timer.join()
    assert db.all(sa.text("SELECT 1"), NEVER)[0][0] == 1
    db.close()


def fill(path: Path, count: int) -> None:
    with writer(path) as client:
        client.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO workflow_status (workflow_uuid, status, name, created_at, updated_at, completed_at) "
            "SELECT 'f' || i, 'SUCCESS', 'filler', 1700000000000 + i * 1000, 0, 1700000000500 + i * 1000 FROM n",
            (count,),
        )


def walk_searched(bridge: Bridge, text: str) -> tuple[list[str], int]:
    query = parse(text, bridge.fields(NEVER))
    found: list[str] = []
    pages, cursor = 0, None
    while True:
        page = bridge.runs(query, Sort(), cursor, "forward", 5, NEVER)
        assert page.searched is not None and page.of is not None and page.searched <= page.of
        found += [run.id for run in page.items]
        pages += 1
        cursor = page.after
        if cursor is None:
            assert page.complete
            return found, pages


def test_scans_tell_how_far_they_are_and_can_be_cancelled(orders_file: Path, open_bridge: Open) -> None:
    fill(orders_file, 6_000)
    bridge = open_bridge(orders_file)
    found, _ = walk_searched(bridge, "steps > 8 and not type == 'filler'")
    everything = bridge.runs(None, Sort(), None, "forward", 10_000, NEVER).items
    assert found == [run.id for run in everything if (run.steps_done or 0) > 8]
    told: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None, _text: str) -> None:
        told.append((done, total))
        if len(told) == 3:
            token.cancel()

    token = CancelToken(progress)
    query = parse("steps > 1000", bridge.fields(NEVER))
    with pytest.raises(CancelledError):
        bridge.runs(query, Sort(), None, "forward", 5, token)
    assert told[-1][0] == 3_000 and told[-1][1] == len(everything)


def test_an_unfinished_scan_goes_on_where_it_stopped(
    orders_file: Path, open_bridge: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_bridge.engines.dbos import runs

    monkeypatch.setattr(runs, "SCAN_S", 0.0)
    monkeypatch.setattr(runs, "SCAN_ROWS", 7)
    bridge = open_bridge(orders_file)
    found, pages = walk_searched(bridge, "steps > 3")
    everything = bridge.runs(None, Sort(), None, "forward", 10_000, NEVER).items
    assert found == [run.id for run in everything if (run.steps_done or 0) > 3]
    assert pages > 3


def test_counts_over_many_slices_add_up(
    orders_file: Path, open_bridge: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_bridge.engines.dbos import slices

    fill(orders_file, 1_000)
    monkeypatch.setattr(slices.cut, "__defaults__", (37,))
    bridge = open_bridge(orders_file)
    facets = bridge.facets(None, 90, NEVER)
    assert facets.by_type["filler"] == 1_000
    assert facets.total == bridge.count(None, NEVER) == sum(sum(b.counts.values()) for b in facets.buckets)
    assert bridge.count(parse("type == filler", bridge.fields(NEVER)), NEVER) == 1_000
    assert bridge.facets(parse("status == failed", bridge.fields(NEVER)), 90, NEVER).total == 8


def test_failed_runs_of_both_kinds_come_in_one_order(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        client.execute(
            "UPDATE workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' "
            "WHERE status = 'SUCCESS' AND (rowid % 2 OR workflow_uuid = 'stuck-1')"
        )
        client.execute("UPDATE workflow_status SET created_at = created_at / 1000 * 1000")
    bridge = open_bridge(orders_file)
    everything = bridge.runs(None, Sort(), None, "forward", 1000, NEVER).items
    wanted = [run.id for run in everything if run.status is Status.FAILED]
    assert {run.engine_status for run in everything} >= {"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}
    for text in ("status == failed", "status in (failed) and id exists"):
        query = parse(text, bridge.fields(NEVER))
        for down in (True, False):
            found: list[str] = []
            cursor = None
            while True:
                page = bridge.runs(query, Sort(descending=down), cursor, "forward", 3, NEVER)
                found += [run.id for run in page.items]
                cursor = page.after
                if cursor is None:
                    break
            assert found == (wanted if down else wanted[::-1])
