"""``runs``, ``failures`` and ``resources`` say what a plain SQL client finds in the same file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from engine_bridge.sqlite_library import sqlite3
from tests.app.cli.conftest import Run

MS = 1_000_000
NEUTRAL = {
    "PENDING": "running",
    "ENQUEUED": "queued",
    "DELAYED": "delayed",
    "SUCCESS": "completed",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}


def rows(path: Path, sql: str, *args: object) -> list[sqlite3.Row]:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        found = db.execute(sql, args).fetchall()
    db.close()
    return found


def ns(ms: int | None) -> int | None:
    return None if ms is None else ms * MS


def test_runs_agree_with_sql_field_by_field(playhead: Run, orders: Path) -> None:
    listed = playhead("runs", orders, "--json", "--limit", "1000").lines
    recorded = {r["workflow_uuid"]: r for r in rows(orders, "SELECT * FROM workflow_status")}
    assert {run["id"] for run in listed} == set(recorded)
    created = [run["created_ns"] for run in listed]
    assert created == sorted(created, reverse=True)
    for run in listed:
        row = recorded[run["id"]]
        open_queue = row["status"] in ("ENQUEUED", "DELAYED")
        recovered = row["queue_name"] == "_dbos_internal_queue" and row["recovery_attempts"] > 1
        dispatched = None if recovered else row["started_at_epoch_ms"]
        started = None if open_queue else dispatched or row["created_at"]
        assert run["type"] == row["name"]
        assert (run["engine_status"], run["status"]) == (row["status"], NEUTRAL[row["status"]])
        assert run["created_ns"] == ns(row["created_at"])
        assert run["started_ns"] == ns(started)
        assert run["ended_ns"] == ns(row["completed_at"])
        assert run["parent_id"] == row["parent_workflow_id"]
        assert run["queue"] == row["queue_name"]
        assert run["version"] == row["application_version"]
        assert run["dispatches"] == row["recovery_attempts"]
        assert run["attempts"] is None
        assert run["engine"] == "dbos"
        assert (run["error"] is not None) == (row["status"] == "ERROR")
        if run["started_ns"] is not None and run["ended_ns"] is not None:
            assert run["duration_ns"] == run["ended_ns"] - run["started_ns"]


def test_a_filter_narrows_and_a_limit_cuts(playhead: Run, orders: Path) -> None:
    wanted = rows(
        orders, "SELECT count(*) FROM workflow_status WHERE status='ERROR' AND name='fulfil_order'"
    )[0][0]
    found = playhead(
        "runs", orders, "--json", "--filter", 'status == failed and type == "fulfil_order"'
    ).lines
    assert len(found) == wanted > 0
    assert len(playhead("runs", orders, "--json", "--limit", "3").lines) == 3


def test_a_text_in_a_pickled_error_is_found(playhead: Run, orders: Path) -> None:
    found = playhead("runs", orders, "--json", "--filter", 'error contains "insufficient funds"').lines
    assert found
    assert all("insufficient funds" in run["error"] for run in found)


def test_a_wrong_filter_points_at_the_column(playhead: Run, orders: Path) -> None:
    answer = playhead("runs", orders, "--filter", "status == failed and wrong > 3")
    assert answer.code == 2
    assert "column 22" in answer.err and "wrong" in answer.err
    assert answer.err.count("\n") == 1


def test_sorting_by_what_cannot_be_sorted_names_what_can(playhead: Run, orders: Path) -> None:
    answer = playhead("runs", orders, "--sort", "nonsense")
    assert answer.code == 2 and "created" in answer.err


def test_the_table_is_for_people(playhead: Run, orders: Path) -> None:
    answer = playhead("runs", orders, "--limit", "5")
    assert answer.out.splitlines()[0].split() == [
        "status",
        "workflow",
        "run",
        "now,",
        "or",
        "why",
        "created",
        "duration",
        "steps",
    ]
    assert len(answer.out.splitlines()) == 6


def test_failures_hold_every_failed_run_and_step(playhead: Run, orders: Path) -> None:
    found = playhead("failures", orders, "--json", "--limit", "1000").lines
    runs = rows(
        orders,
        "SELECT count(*) FROM workflow_status WHERE status IN ('ERROR','MAX_RECOVERY_ATTEMPTS_EXCEEDED')",
    )
    steps = rows(orders, "SELECT count(*) FROM operation_outputs WHERE error IS NOT NULL")
    assert len([f for f in found if f["step_id"] is None]) == runs[0][0]
    assert len([f for f in found if f["step_id"] is not None]) == steps[0][0]
    times = [f["time_ns"] for f in found if f["time_ns"] is not None]
    assert times == sorted(times, reverse=True)


def test_resources_list_the_recorded_queues(playhead: Run, orders: Path) -> None:
    found = playhead("resources", orders, "queues", "--json").lines
    recorded = {r["name"] for r in rows(orders, "SELECT name FROM queues")}
    assert recorded <= {row["id"] for row in found}
    assert playhead("resources", orders, "nonsense").code == 2
    assert "versions" in playhead("resources", orders).out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["runs", "/nowhere/at/all.sqlite"], 1, "no file"),
        (["runs", "nonsense://host/db"], 2, "nonsense://"),
        (["runs"], 2, "SOURCE"),
        (["show", "@unknown"], 1, "@unknown"),
        (["runs", "--limit", "0", "x"], 2, "limit"),
    ],
)
def test_errors_are_one_line_with_a_code(playhead: Run, args: list[str], code: int, words: str) -> None:
    answer = playhead(*args)
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err
    assert answer.err.count("\n") == 1 and answer.err.startswith("playhead: ")


def test_a_password_in_a_url_is_never_printed(playhead: Run) -> None:
    answer = playhead("runs", "dbos+postgresql://user:s3cr3t@w0rd@127.0.0.1:1/db")
    assert answer.code == 1
    assert "s3cr3t" not in answer.err + answer.out and "w0rd" not in answer.err + answer.out


def test_looking_changes_neither_the_file_nor_its_folder(playhead: Run, orders: Path) -> None:
    before = hashlib.sha256(orders.read_bytes()).hexdigest(), sorted(orders.parent.iterdir())
    for args in (["runs"], ["show", "order-00006"], ["failures"], ["resources"]):
        assert playhead(args[0], orders, *args[1:]).code == 0
    assert (hashlib.sha256(orders.read_bytes()).hexdigest(), sorted(orders.parent.iterdir())) == before


def test_the_command_line_imports_no_qt(orders: Path) -> None:
    code = (
        "import sys; from app.cli.main import main; main(sys.argv[1:]);"
        "print([m for m in sys.modules if m.startswith(('PySide6', 'pyqtgraph'))], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "runs", str(orders), "--limit", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"
