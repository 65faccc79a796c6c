"""The demo's past: executed by the engine, moved as a whole, true in itself."""

from __future__ import annotations

import base64
import itertools
import json
import random
from collections import defaultdict
from contextlib import closing
from datetime import datetime, timedelta

import pytest

import resources
from app.cli.main import main
from app.demo_shift import DAYS, MOMENTS, Family, find_families, place, release_time
from engine_bridge.sqlite_library import sqlite3
from tests.app.demo_sample import NOW, NOW_MS, Past, small_past

STATUSES = {
    "SUCCESS",
    "ERROR",
    "PENDING",
    "ENQUEUED",
    "DELAYED",
    "CANCELLED",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
}


@pytest.fixture(scope="module")
def past() -> Past:
    return small_past()


def test_every_status_is_there(past: Past) -> None:
    assert set(past.column("SELECT DISTINCT status FROM workflow_status")) == STATUSES


def test_every_feature_is_there(past: Past) -> None:
    steps = set(past.column("SELECT DISTINCT function_name FROM operation_outputs"))
    assert {"DBOS.recv", "DBOS.sleep", "DBOS.getResult", "DBOS.setEvent", "DBOS.writeStream"} <= steps
    assert "DBOS.patch-inspect-parcel" in steps
    features = past.rows(
        """SELECT count(parent_workflow_id) AS children, count(forked_from) AS forks, count(config_name) AS instances,
                  count(schedule_name) AS scheduled, count(queue_partition_key) AS partitioned,
                  sum(rate_limited) AS rate_limited, sum(priority > 0) AS priorities,
                  sum(serialization = 'portable_json') AS portable, sum(recovery_attempts > 2) AS recovered,
                  sum(attributes LIKE '%tenant%customer%tier%') AS attributes, count(authenticated_user) AS users,
                  count(workflow_timeout_ms) AS timeouts, count(deduplication_id) AS deduplicated
           FROM workflow_status"""
    )[0]
    assert [name for name, count in features.items() if not count] == []
    for table in ("streams", "workflow_events", "notifications", "workflow_schedules", "queues"):
        assert past.column(f"SELECT count(*) FROM {table}")[0] > 0, table


def test_runs_are_stranded_on_the_old_release(past: Past) -> None:
    stranded = past.rows(
        "SELECT name, status FROM workflow_status WHERE application_version = 'v1' AND completed_at IS NULL"
    )
    assert {row["name"] for row in stranded} == {"fulfil_order", "process_return", "monthly_report"}
    assert {row["status"] for row in stranded} == {"PENDING", "ENQUEUED"}
    patched = past.column(
        "SELECT DISTINCT application_version FROM operation_outputs JOIN workflow_status USING (workflow_uuid)"
        " WHERE function_name LIKE 'DBOS.patch-%'"
    )
    assert patched == ["v2"]


def test_the_code_as_it_is_replays_every_run_with_no_alarm(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/demo.md says it: every type, every state, both releases; neither divergence nor drift."""
    chosen = ("--filter", "created > 2020-01-01", "--code", str(resources.path() / "demo"))
    with pytest.raises(SystemExit) as stop:
        main(["replay", str(past.after), *chosen, "--yes", "--strict-drift", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert stop.value.code == 0, report["groups"]
    assert {group["section"] for group in report["groups"]} == {"waiting"}
    assert len(report["runs"]) == past.column("SELECT count(*) FROM workflow_status")[0] > 100
    assert {run["type"] for run in report["runs"]} == set(past.column("SELECT name FROM workflow_status"))
    assert {run["outcome"] for run in report["runs"]} == {"same", "stopped"}


def test_a_killed_worker_left_a_run_in_mid_step_that_blocks_its_partition(past: Past) -> None:
    rows = past.rows(
        "SELECT workflow_uuid, status, executor_id FROM workflow_status WHERE queue_partition_key = 'brandt'"
        " ORDER BY created_at"
    )
    assert [row["status"] for row in rows] == ["PENDING", "ENQUEUED", "ENQUEUED", "ENQUEUED"]
    steps = past.column(
        "SELECT function_name FROM operation_outputs WHERE workflow_uuid = 'import-brandt-90'"
    )
    assert "fetch_feed" in steps and "parse_feed" not in steps


def test_failures_are_of_many_kinds(past: Past) -> None:
    errors = past.column("SELECT error FROM workflow_output WHERE error IS NOT NULL")
    portable = [error for error in errors if error.startswith("{")]
    pickles = b"".join(base64.b64decode(error) for error in errors if not error.startswith("{"))
    assert json.loads(portable[0])["code"] == "VAT-404"
    for name in (
        "ValidationError",
        "PaymentDeclinedError",
        "DBOSMaxStepRetriesExceeded",
        "ApprovalRejectedError",
        "ApprovalTimeoutError",
        "CarrierDownError",
        "LedgerError",
        "ExceptionGroup",
    ):
        assert name.encode() in pickles, name


def test_nothing_was_inserted_or_removed(past: Past) -> None:
    tables = [
        *MOMENTS,
        "workflow_events",
        "workflow_events_history",
        "streams",
        "queues",
        "application_versions",
    ]
    for table in tables:
        key = "workflow_uuid, function_id" if table == "operation_outputs" else "rowid"
        sql = (
            f"SELECT {key} FROM {table} ORDER BY 1, 2"
            if "," in key
            else f"SELECT {key} FROM {table} ORDER BY 1"
        )
        assert past.rows(sql) == past.rows(sql, before=True), table
    statuses = "SELECT workflow_uuid, status, name FROM workflow_status ORDER BY 1"
    assert past.rows(statuses) == past.rows(statuses, before=True)


def test_all_moments_of_a_family_moved_by_one_offset(past: Past) -> None:
    offsets: dict[str, set[int]] = defaultdict(set)
    for table, (key, columns) in MOMENTS.items():
        sql = f"SELECT {key} AS run, {', '.join(columns)} FROM {table} ORDER BY rowid"
        for old, new in zip(past.rows(sql, before=True), past.rows(sql), strict=True):
            offsets[old["run"]] |= {new[c] - old[c] for c in columns if old[c] is not None}
            assert [c for c in columns if (old[c] is None) != (new[c] is None)] == []
    sleeps = (
        "SELECT workflow_uuid AS run, output FROM operation_outputs"
        " WHERE function_name = 'DBOS.sleep' ORDER BY rowid"
    )
    for old, new in zip(past.rows(sleeps, before=True), past.rows(sleeps), strict=True):
        moved = (float(new["output"]) - float(old["output"])) * 1000
        assert moved == pytest.approx(next(iter(offsets[old["run"]])), abs=0.01)
    with closing(sqlite3.connect(past.before)) as connection:
        families = find_families(connection)
    assert {run for family in families for run in family.runs} == set(offsets)
    for family in families:
        assert len(set().union(*(offsets[run] for run in family.runs))) == 1, family.runs
    assert len({min(offsets[family.runs[0]]) for family in families}) > 20


def test_order_within_runs_and_families_is_true(past: Past) -> None:
    disorder = past.rows(
        """SELECT w.workflow_uuid, function_name FROM operation_outputs o JOIN workflow_status w USING (workflow_uuid)
           WHERE w.forked_from IS NULL AND (o.started_at_epoch_ms < w.created_at
              OR o.completed_at_epoch_ms < o.started_at_epoch_ms
              OR (o.completed_at_epoch_ms > w.completed_at AND function_name <> 'DBOS.sleep'))"""
    )
    assert disorder == []
    early = past.rows(
        """SELECT c.workflow_uuid FROM workflow_status c
           JOIN workflow_status p ON p.workflow_uuid = coalesce(c.parent_workflow_id, c.forked_from)
           WHERE c.created_at < p.created_at"""
    )
    assert early == []


def test_the_past_fills_two_weeks_and_nothing_finished_lies_ahead(past: Past) -> None:
    created = past.column("SELECT created_at FROM workflow_status ORDER BY created_at")
    assert NOW_MS - (DAYS + 1) * 86_400_000 < created[0] < NOW_MS - 12 * 86_400_000
    assert created[-1] > NOW_MS - 5 * 3_600_000
    assert (
        max(past.column("SELECT completed_at FROM workflow_status WHERE completed_at IS NOT NULL")) < NOW_MS
    )
    gaps = [b - a for a, b in itertools.pairwise(created)]
    assert max(gaps) < 3 * 86_400_000


def test_releases_follow_each_other(past: Past) -> None:
    deployed = int(release_time(NOW).timestamp() * 1000)
    spans = {
        row["v"]: (row["a"], row["b"])
        for row in past.rows(
            "SELECT application_version AS v, min(created_at) AS a, max(created_at) AS b"
            " FROM workflow_status GROUP BY 1"
        )
    }
    assert spans["v1"][1] < deployed < spans["v2"][0]
    newest = past.rows("SELECT version_name FROM application_versions ORDER BY version_timestamp DESC")
    assert newest[0]["version_name"] == "v2"


def test_what_waits_can_still_be_answered(past: Past) -> None:
    deadlines = past.column(
        """SELECT o.output * 1000 FROM operation_outputs o JOIN workflow_status w USING (workflow_uuid)
           WHERE function_name = 'DBOS.sleep' AND w.status = 'PENDING' AND application_version = 'v2'
             AND w.name <> 'monthly_report'"""
    ) or pytest.fail("nothing waits")
    assert min(deadlines) > NOW_MS + 12 * 3_600_000
    assert (
        min(past.column("SELECT delay_until_epoch_ms FROM workflow_status WHERE status = 'DELAYED'")) > NOW_MS
    )


def test_scheduled_runs_stand_at_the_tick_that_their_id_names(past: Past) -> None:
    rows = past.rows("SELECT workflow_uuid, created_at FROM workflow_status WHERE schedule_name IS NOT NULL")
    assert len(rows) >= DAYS
    for row in rows:
        tick = datetime.fromisoformat(row["workflow_uuid"].removeprefix("sched-stock-drift-nightly-"))
        assert 0 <= row["created_at"] - tick.timestamp() * 1000 < 1000
    assert past.column("SELECT last_fired_at FROM workflow_schedules")[0] is not None


def test_no_column_with_a_moment_was_forgotten(past: Past) -> None:
    surroundings = {"application_versions", "queues", "workflow_schedules"}
    with closing(sqlite3.connect(past.after)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            moments = {n for n in names if n.endswith(("_at", "_epoch_ms", "timestamp", "deadline", "until"))}
            if moments and table not in surroundings:
                assert moments == set(MOMENTS[table][1]), table


def test_times_have_milliseconds_and_the_journal_is_a_wal(past: Past) -> None:
    created = past.column("SELECT created_at FROM workflow_status")
    assert sum(at % 1000 != 0 for at in created) > len(created) / 2
    assert all(isinstance(at, int) for at in created)
    assert past.column("PRAGMA journal_mode") == ["wal"]


def test_progress_never_goes_back(past: Past) -> None:
    assert list(past.progress) == sorted(past.progress)
    assert past.progress[-1] >= 95


def test_most_runs_fall_into_office_hours() -> None:
    families = [Family(created=0, release="v1", runs=[str(n)]) for n in range(400)]
    noon = NOW.replace(hour=12)
    times = [datetime.fromtimestamp(ms / 1000).astimezone() for ms in place(families, noon, random.Random(1))]
    assert sum(8 <= t.hour < 18 for t in times) > 240
    assert max(times) < noon - timedelta(days=3)
