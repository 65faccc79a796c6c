"""Histories of known runs in real databases of the sample application (orders_app.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.codes import STEP_STATUSES
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import read_history
from engine_bridge.engines.dbos.history_rows import run_ref
from engine_bridge.errors import CancelledError, NotFoundError
from engine_bridge.history import History
from engine_bridge.model import EventKind, Provenance, Status, StepKind, StepStatus
from engine_bridge.playback import state_at
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.story_data import CANCEL, ms, of_step, opened, read_at, steps, unpack, words, write


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = opened(unpack("orders", tmp_path))
    yield db
    db.close()


def query(db: Database, statement: str) -> list[tuple[Any, ...]]:
    """What a plain SQL client finds."""
    connection = sqlite3.connect(str(db.path))
    found: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
    connection.close()
    return found


def test_every_row_of_every_run_is_a_step_with_its_recorded_values(db: Database) -> None:
    rows = query(
        db,
        "SELECT workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms,"
        " child_workflow_id, output IS NOT NULL, error IS NOT NULL FROM operation_outputs",
    )
    found = {run_id: steps(read_at(db, run_id)) for run_id in {row[0] for row in rows}}
    assert len(rows) == 743
    for run_id, id_, name, started, completed, child, output, failed in rows:
        step = found[run_id][str(id_)]
        assert (step.engine_name, ms(step.start_ns)) == (name, started)
        assert step.provenance is Provenance.RECORDED
        assert (step.child.run if step.child else None) == child
        assert step.status.bad or not failed
        assert (step.output is not None or not output) and (step.error is not None) == bool(failed)
        if step.kind not in (StepKind.CHILD, StepKind.TIMER):
            assert ms(step.end_ns) == completed
        assert step.attempts is None or failed


def test_the_state_at_the_end_is_the_recorded_state_for_every_run(db: Database) -> None:
    ids = [row[0] for row in query(db, "SELECT workflow_uuid FROM workflow_status")]
    for run_id in ids:
        history = read_at(db, run_id)
        state = state_at(history, history.last_position)
        assert history.run is not None and state.run_status is history.run.status, run_id
        for step, code in zip(history.all_steps(), state.step_status.tolist(), strict=True):
            if step.provenance is Provenance.RECORDED or step.kind is StepKind.SIGNAL_WAIT:
                assert STEP_STATUSES[code] is step.status, (run_id, step.id)


def test_a_completed_order_tells_child_signal_timer_and_stream(db: Database) -> None:
    history = read_at(db, "order-00006")
    found = steps(history)
    assert history.run is not None and history.run.blocked_on is None
    assert history.n_steps == 21
    assert [found[i].name for i in ("1", "2", "3", "8", "9", "17", "18")] == [
        "stage", "log", "validate_order", "approval", "time-out", "sleep", "notify_customer",
    ]  # fmt: skip
    wait, timeout = found["8"], found["9"]
    assert (wait.kind, wait.status, wait.fields["name"]) == (
        StepKind.SIGNAL_WAIT, StepStatus.COMPLETED, Provenance.REBUILT,
    )  # fmt: skip
    assert ms(wait.planned_end_ns) == 1795148282672 and ms(wait.end_ns) == 1795144693753
    assert (timeout.parent_step, timeout.status) == ("8", StepStatus.CANCELLED)
    child, result = found["15"], found["16"]
    assert child.child == run_ref("order-00006-15") and child.fields["end_ns"] is Provenance.REBUILT
    assert child.start_ns is not None and child.end_ns is not None and child.end_ns > child.start_ns
    assert child.attributes == {"launched_at_epoch_ms": 1795144694264}
    assert (result.kind, result.parent_step, result.name) == (
        StepKind.RESULT_WAIT, "15", "result of ship_order",
    )  # fmt: skip
    sleep = found["17"]
    assert ms(sleep.planned_end_ns) == ms(sleep.end_ns) == 1795144695640
    assert sleep.fields["end_ns"] is Provenance.REBUILT
    assert words(of_step(history, "8")) == [
        "wait started approval", "signal received approval", "wait ended approval",
    ]  # fmt: skip
    kinds = [event.kind for event in history.all_events()]
    assert kinds[:2] == [EventKind.RUN_CREATED, EventKind.RUN_STARTED]
    assert kinds[-1] is EventKind.RUN_COMPLETED
    assert kinds.count(EventKind.EVENT_SET) == 6 and kinds.count(EventKind.STREAM_WRITTEN) == 3
    assert any("whole seconds" in note for note in history.notes)


def test_gathered_steps_overlap_and_keep_their_ids(db: Database) -> None:
    history = read_at(db, "order-00006-12")
    assert words(history.all_events())[2:8] == ["step started quote"] * 3 + ["step completed quote"] * 3
    assert [e.step_id for e in history.all_events()[2:8]] == ["1", "2", "3", "3", "1", "2"]


def test_an_approval_that_timed_out(db: Database) -> None:
    history = read_at(db, "order-00005")
    wait = steps(history)["8"]
    assert (wait.status, wait.fields["status"]) == (StepStatus.TIMED_OUT, Provenance.INFERRED)
    assert wait.evidence[0].rule.startswith("returned None")
    assert of_step(history, "8")[-1].kind is EventKind.STEP_TIMED_OUT
    assert history.run is not None and history.run.status is Status.FAILED
    assert history.all_events()[-1].detail == "TimeoutError: approval timed out"


def test_exhausted_retries_list_their_attempts(db: Database) -> None:
    history = read_at(db, "order-00002")
    step = steps(history)["8"]
    assert (step.name, step.status, step.attempts, step.max_attempts) == (
        "charge_card", StepStatus.FAILED, 4, 4,
    )  # fmt: skip
    assert [a.number for a in step.attempt_list] == [1, 2, 3, 4]
    assert {a.failure.type for a in step.attempt_list if a.failure} == {"__main__.PaymentDeclined"}
    assert all(a.start_ns is None and a.provenance is Provenance.REBUILT for a in step.attempt_list)
    assert len(history.attempts["step"]) == 4
    closing = history.all_events()[-1]
    assert closing.kind is EventKind.RUN_FAILED and closing.attributes == {"failed_step": "8"}
    others = [s for s in steps(history).values() if s.id != "8"]
    assert all(s.attempts is None and not s.attempt_list for s in others)


def test_a_failing_child_fails_its_step_and_the_run(db: Database) -> None:
    history = read_at(db, "order-00012")
    child, result = steps(history)["12"], steps(history)["13"]
    assert child.status is result.status is StepStatus.FAILED
    assert child.failure is not None and result.failure is not None
    assert child.failure.message == result.failure.message
    assert [e.kind for e in of_step(history, "12")][-1] is EventKind.CHILD_FAILED
    closing = next(e for e in history.all_events() if e.kind is EventKind.RUN_FAILED)
    assert closing.attributes == {"failed_step": "12"}
    # A child that nobody waits for ended after the run had.
    assert history.all_events()[-1].step_id == "18"


def test_a_portable_error_is_decoded(db: Database) -> None:
    history = read_at(db, "portable-2")
    assert history.run is not None and history.run.failure is not None
    assert (history.run.failure.type, history.run.failure.message) == ("ValueError", "negative invoice")
    assert read_at(db, "portable-1").all_events()[-1].kind is EventKind.RUN_COMPLETED


def test_a_cancelled_run_says_whether_its_deadline_had_passed(db: Database) -> None:
    closing = read_at(db, "timeout-1").all_events()[-1]
    assert (closing.kind, closing.detail) == (EventKind.RUN_CANCELLED, "its deadline had passed")
    assert "deadline 1795144687938 ms" in closing.evidence[0].facts
    cut = steps(read_at(db, "timeout-1"))["4"]
    assert (cut.status, cut.fields["status"]) == (StepStatus.CANCELLED, Provenance.INFERRED)


def test_a_recovered_run_began_before_its_latest_dispatch(db: Database) -> None:
    history = read_at(db, "report-2026-01")
    started = [e for e in history.all_events() if e.kind is EventKind.RUN_STARTED]
    assert [ms(e.time_ns) for e in started] == [1795144687216, 1795144716000]
    assert [e.provenance for e in started] == [Provenance.REBUILT, Provenance.RECORDED]
    assert started[1].detail == "dispatched again, 3 times so far"
    assert history.run is not None and ms(history.run.started_ns) == 1795144687216
    assert history.run.provenance["started_ns"] is Provenance.REBUILT
    assert history.run.dispatches == 3 and history.run.attempts is None


def test_a_patch_is_named(db: Database) -> None:
    patch = steps(read_at(db, "order-00100"))["4"]
    assert (patch.kind, patch.name) == (StepKind.PATCH, "fraud-check")


@pytest.mark.parametrize("version", ["2.0.0", "2.10.0", "2.31.0", "3.0.0"])
def test_old_schemas_invent_nothing(version: str, tmp_path: Path) -> None:
    db = opened(unpack(f"old_{version}", tmp_path))
    history = read_at(db, "w1")
    first, second = history.all_steps()
    assert (first.name, first.kind, second.name) == ("k", StepKind.EVENT_SET, "s")
    timed = version != "2.0.0"
    assert ((first.start_ns, first.end_ns) == (None, None)) is not timed
    expected = ["run created", "run started", "event set k"]
    expected += ["step started s"] if timed else []
    assert words(history.all_events()) == [*expected, "step completed s", "run completed"]
    assert history.run is not None and history.run.status is Status.COMPLETED
    db.close()


def test_an_unknown_run_is_not_found(db: Database) -> None:
    with pytest.raises(NotFoundError):
        list(read_history(db, run_ref("nope"), CANCEL))


def test_values_of_impossible_types_are_missing_not_fatal(db: Database, tmp_path: Path) -> None:
    path = db.path
    assert path is not None
    write(
        path,
        "UPDATE operation_outputs SET started_at_epoch_ms = 'soon', function_name = x'ff41', error = x'80'"
        " WHERE workflow_uuid = 'portable-1'",
        "INSERT INTO operation_outputs (workflow_uuid, function_id) VALUES ('portable-1', 'x')",
    )
    history = read_at(db, "portable-1")
    step = history.step(0)
    assert (step.start_ns, step.status) == (None, StepStatus.FAILED)
    assert any("not a number" in note for note in history.notes)


def test_a_long_history_is_read_in_parts_and_can_be_cancelled(db: Database) -> None:
    path = db.path
    assert path is not None
    count = 20_000
    write(
        path,
        "DELETE FROM operation_outputs WHERE workflow_uuid = 'portable-1'",
        "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, serialization,"
        " started_at_epoch_ms, completed_at_epoch_ms) VALUES ('portable-1', ?, 'work', '1', 'portable_json', ?, ?)",
        rows=[(i, 1795144686000 + i, 1795144686001 + i) for i in range(1, count + 1)],
    )
    told: list[tuple[int, int | None, str]] = []
    history = History()
    token = CancelToken(lambda *values: told.append(values))
    for batch in read_history(db, run_ref("portable-1"), token):
        history.append(batch)
    assert (history.n_steps, len(history)) == (count, 2 * count + 3)
    assert {text for _, _, text in told} == {"Reading steps", "Building the history"}
    token = CancelToken(lambda *_: token.cancel())
    with pytest.raises(CancelledError):
        list(read_history(db, run_ref("portable-1"), token))
