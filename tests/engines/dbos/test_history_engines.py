"""Histories of runs that the installed DBOS has just executed, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.codes import STEP_STATUSES
from engine_bridge.engines.dbos import relations, runs
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import read_history
from engine_bridge.engines.dbos.history_rows import run_ref
from engine_bridge.engines.dbos.tail import follow
from engine_bridge.history import Batch, History
from engine_bridge.model import EventKind, Provenance, Run, StepKind, StepStatus
from engine_bridge.playback import state_at
from tests.engines.dbos.databases import bridge_url
from tests.engines.dbos.story_data import CANCEL, of_step, steps


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("orders_file")
        url = f"dbos+sqlite:///{path}"
    else:
        url = bridge_url(request.getfixturevalue("made_postgresql"))
    db = Database(url)
    db.open(CANCEL)
    yield db
    db.close()


def told(db: Database, run_id: str) -> History:
    history = History()
    for batch in read_history(db, run_ref(run_id), CANCEL):
        history.append(batch)
    return history


def header(history: History) -> Run:
    assert history.run is not None
    return history.run


def test_every_run_ends_in_its_recorded_state(db: Database) -> None:
    listed: tuple[Run, ...] = runs.Lister(db).page(None, Sort(), None, "forward", 500, CANCEL).items
    assert len(listed) > 30
    for run in listed:
        history = told(db, run.id)
        state = state_at(history, history.last_position)
        assert state.run_status is run.status is header(history).status, run.id
        for step, code in zip(history.all_steps(), state.step_status.tolist(), strict=True):
            if step.provenance is Provenance.RECORDED:
                assert STEP_STATUSES[code] is step.status, (run.id, step.id)
                assert step.start_ns is not None and (step.duration_ns or 0) >= 0
        own = [e.time_ns for e in history.all_events() if e.step_id and e.provenance is Provenance.RECORDED]
        times = [at for at in own if at is not None]
        assert times == sorted(times) or EventKind.SIGNAL_RECEIVED in {e.kind for e in history.all_events()}
        assert not any("clocks" in note for note in history.notes), run.id


def test_open_runs_say_what_they_wait_on(db: Database) -> None:
    def kind(run_id: str) -> tuple[str, str | None]:
        found = header(told(db, run_id)).blocked_on
        assert found is not None
        return found.kind, found.step_id

    assert kind("waiting-1") == ("signal", "4")
    assert kind("nap-1") == ("timer", "1")
    assert kind("stuck-1") == ("version", "2")
    assert kind("held-1")[0] in ("queue", "version")
    assert kind("later-1") == ("delay", None)
    waiting = header(told(db, "waiting-1")).blocked_on
    assert waiting is not None and waiting.what == "signal approval (likely)"


def test_a_sleep_that_lies_ahead_has_no_end(db: Database) -> None:
    nap = steps(told(db, "nap-1"))["1"]
    assert (nap.kind, nap.status, nap.end_ns) == (StepKind.TIMER, StepStatus.WAITING, None)
    assert nap.planned_end_ns is not None and nap.start_ns is not None
    assert 86_399 < (nap.planned_end_ns - nap.start_ns) / 1e9 < 86_401


def test_signals_that_came_and_that_did_not(db: Database) -> None:
    approved, expired = told(db, "approved-1"), told(db, "expired-1")
    assert steps(approved)["4"].name == "approval"
    assert EventKind.SIGNAL_RECEIVED in [e.kind for e in of_step(approved, "4")]
    assert steps(expired)["4"].status is StepStatus.TIMED_OUT
    assert steps(expired)["5"].status is StepStatus.COMPLETED


def test_a_cancelled_run_says_whether_its_deadline_had_passed(db: Database) -> None:
    assert told(db, "timeout-1").all_events()[-1].detail == "its deadline had passed"
    assert "before any deadline" in told(db, "cancelled-1").all_events()[-1].detail


def test_gathered_steps_overlap(db: Database) -> None:
    history = told(db, "order-002")
    child = next(s for s in history.all_steps() if s.name == "quotes")
    assert child.child is not None
    parallel = told(db, child.child.run)
    kinds = [e.kind for e in parallel.all_events() if e.step_id]
    assert kinds == [EventKind.STEP_STARTED] * 3 + [EventKind.STEP_COMPLETED] * 3


def test_a_fork_tells_where_it_came_from(db: Database) -> None:
    fork = relations.read(db, run_ref("order-002"), None, 50, CANCEL).items[-1]
    assert fork.role == "fork" and fork.run is not None
    history = told(db, fork.ref.run)
    events = history.all_events()
    assert (events[0].kind, events[0].detail) == (EventKind.RUN_CREATED, "forked from order-002")
    assert history.n_steps > 8
    started = next(e for e in events if e.kind is EventKind.RUN_STARTED)
    created = header(history).created_ns
    assert started.time_ns is not None and created is not None and started.time_ns >= created // 10**9 * 10**9


def test_retries_are_counted_only_where_the_error_lists_them(db: Database) -> None:
    failed = next(s for s in told(db, "order-001").all_steps() if s.name == "charge")
    assert (failed.attempts, len(failed.attempt_list), failed.max_attempts) == (3, 3, 3)
    good = next(s for s in told(db, "order-002").all_steps() if s.name == "charge")
    assert good.attempts is None and good.attempt_list == ()


def test_a_tail_from_the_start_is_the_history(db: Database) -> None:
    token = CancelToken()
    tail = follow(db, run_ref("order-002"), 0, token)
    history = History()
    while not len(history):
        item = next(tail)
        assert isinstance(item, Batch)
        history.append(item)
    token.cancel()
    assert history.all_events() == told(db, "order-002").all_events()
