"""Actions on runs of a live worker, on SQLite and PostgreSQL: what an operator wants from them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.actions.model import Target, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import act_outcome
from tests.engines.dbos.act_tools import Operator, Place, sqlite_engine
from tests.engines.dbos.databases import bridge_url, make_database
from tests.waiting import LIMIT_S, until

APP = Path(__file__).with_name("act_app.py")


class Live:
    """A database with two workers; the first one has the run that hangs, and can be killed."""

    def __init__(self, place: Place, url: str, folder: Path) -> None:
        self.place, self.url, self.folder = place, url, folder
        self.workers = [self.spawn("a"), self.spawn("b")]
        for saga in ("saga-1", "saga-2", "saga-3"):
            self.ends(saga, "ERROR")

    def spawn(self, executor: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.engines.dbos.act_app", self.url, executor, str(self.folder)]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "READY\n"
        return worker

    def kill_first(self) -> None:
        """Nobody recovers its runs: workers look after runs of their own name only."""
        self._kill(self.workers[0])

    def kill(self) -> None:
        for worker in self.workers:
            self._kill(worker)

    def _kill(self, worker: subprocess.Popen[str]) -> None:
        if worker.poll() is None:
            worker.kill()
            worker.communicate()

    def steps(self, name: str) -> list[str]:
        file = self.folder / "steps"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[0] for line in lines if line.endswith(f" {name}")]

    def ends(self, run_id: str, status: str = "SUCCESS") -> None:
        until(lambda: self.place.status(run_id) == status)


def _sqlite(folder: Path) -> tuple[Place, str]:
    path = folder / "live.sqlite"
    return Place(f"dbos+sqlite:///{path}", sqlite_engine(path), ""), f"sqlite:///{path}"


def _postgresql(server: Any) -> tuple[Place, str]:
    uri = make_database(server, "acted_live")
    engine = sa.create_engine(uri.replace("postgresql://", "postgresql+psycopg://", 1))
    return Place(bridge_url(uri), engine, "dbos."), uri


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    with tempfile.TemporaryDirectory(prefix="playhead-act-") as name:
        folder = Path(name)
        place, url = (
            _sqlite(folder) if request.param == "sqlite" else _postgresql(request.getfixturevalue("server"))
        )
        found = Live(place, url, folder)
        yield found
        found.kill()
        place.engine.dispose()


@pytest.fixture
def at_work(live: Live, operators: Callable[[str], Operator]) -> Operator:
    return operators(live.place.url)


def test_a_signal_completes_a_waiting_run_and_the_next_is_prefilled_from_it(
    live: Live, at_work: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_outcome, "TAKE_S", LIMIT_S)
    until(lambda: live.place.count("operation_outputs", "approve-1"))
    receipt = at_work.act("approve-1", "signal", topic="approval", message='{"by": "ada"}')
    assert receipt.outcome.verdict is Verdict.APPLIED and not receipt.outcome.pending
    assert "the run took it by step 1" in receipt.outcome.evidence
    live.ends("approve-1")
    until(lambda: live.place.count("operation_outputs", "approve-2"))
    topic, message = at_work.specs("approve-2")["signal"].params
    assert (topic.default, message.default) == ("approval", '{"by":"ada"}')
    assert "approve-1" in message.source
    monkeypatch.setattr(act_outcome, "TAKE_S", 1.0)
    receipt = at_work.act("approve-2", "signal", topic="wrong", message="1")
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert receipt.outcome.pending == "nothing has taken the signal yet"
    at_work.act("approve-2", "signal", topic=topic.default, message=message.default)
    live.ends("approve-2")


def test_fork_resumes_from_the_chosen_step(live: Live, at_work: Operator) -> None:
    item = at_work.plan("saga-1", "fork")
    assert item.staged.args == {"start_step": "2"}  # the first failed one
    assert any("undo" in warning for warning in item.warnings)
    (live.folder / "broken").unlink(missing_ok=True)
    receipt = at_work.execute(item)
    assert receipt.outcome.new_ref is not None
    live.ends(receipt.outcome.new_ref.run)
    assert live.steps("saga-1") == ["one", "flaky", "undo", "flaky"]
    assert live.place.status("saga-1") == "ERROR"


def test_rewind_runs_the_same_run_again(live: Live, at_work: Operator) -> None:
    (live.folder / "broken").unlink(missing_ok=True)
    at_work.act("saga-2", "rewind", start_step="1")
    live.ends("saga-2")
    assert live.steps("saga-2") == ["one", "flaky", "undo", "one", "flaky"]


def test_one_like_this_has_the_same_input(live: Live, at_work: Operator) -> None:
    (live.folder / "broken").unlink(missing_ok=True)
    copied = at_work.act("saga-3", "enqueue_like", queue="limited").outcome.new_ref
    edited = at_work.act("later-1", "enqueue_like", input='{"positionalArgs": [{"a": 1}]}').outcome.new_ref
    assert copied is not None and edited is not None
    live.ends(copied.run)
    live.ends(edited.run)


def test_a_delay_is_cut_short(live: Live, at_work: Operator) -> None:
    at_work.act("later-1", "set_delay", delay=0)
    live.ends("later-1")


def test_a_paused_queue_holds_its_runs(live: Live, at_work: Operator) -> None:
    queue = Target(kind="queues", id="limited")
    paused = at_work.act(queue, "pause_queue")

    def held() -> str:
        """A run that nobody took for a while; "" until the workers have read the queue anew, as each poll does."""
        queued = at_work.act("later-1", "enqueue_like").outcome.new_ref
        assert queued is not None
        time.sleep(1.5)
        return queued.run if live.place.status(queued.run) == "ENQUEUED" else ""

    run_id = until(held)
    assert paused.inverse is not None
    at_work.act(queue, paused.inverse.action, **paused.inverse.args)
    live.ends(run_id)


def test_a_paused_schedule_does_not_fire(live: Live, at_work: Operator) -> None:
    schedule = Target(kind="schedules", id="tick")
    until(lambda: live.steps("tick"))
    at_work.act(schedule, "pause_schedule")

    def ticks(seconds: float) -> int:
        before = len(live.steps("tick"))
        time.sleep(seconds)
        return len(live.steps("tick")) - before

    # One that was under way when it was paused may come still.
    until(lambda: not ticks(2.5))
    before = len(live.steps("tick"))
    at_work.act(schedule, "resume_schedule")
    until(lambda: len(live.steps("tick")) > before)


def test_resume_recovers_a_stuck_run(live: Live, at_work: Operator) -> None:
    until(lambda: live.steps("stuck-1") == ["one", "hang"])
    live.kill_first()
    (live.folder / "hanging").unlink()
    assert live.place.status("stuck-1") == "PENDING"
    item = at_work.plan("stuck-1", "resume")
    assert any("runs twice" in warning for warning in item.warnings)
    assert at_work.execute(item).outcome.verdict is Verdict.APPLIED
    live.ends("stuck-1")
    assert live.steps("stuck-1") == ["one", "hang", "hang"]


def test_a_stale_plan_is_not_executed(live: Live, at_work: Operator) -> None:
    item = at_work.plan("saga-3", "rewind", start_step="1")
    at_work.act("saga-3", "rewind", start_step="1")
    receipt = at_work.execute(item)
    assert receipt.outcome.stale and receipt.outcome.verdict is Verdict.NOT_APPLIED
    assert any(line.startswith("status was ERROR, is ") for line in receipt.outcome.evidence)
    until(lambda: live.place.status("saga-3") in ("SUCCESS", "ERROR"))


def test_a_lock_is_waited_for_and_can_be_left(live: Live, at_work: Operator) -> None:
    item = at_work.plan("saga-3", "fork", start_step="1")
    heard: list[str] = []
    cancel = CancelToken(lambda _done, _total, text: heard.append(text))
    connection = live.place.engine.connect()
    if live.place.schema:
        connection.execute(
            sa.text("SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid = 'saga-3' FOR UPDATE")
        )
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    timer = threading.Timer(1.0, cancel.cancel)
    timer.start()
    request = "11111111-1111-1111-1111-111111111111"
    left = at_work.execute(item, request, cancel).outcome
    assert left.verdict is Verdict.NOT_APPLIED and "before anything was sent" in left.evidence[0]
    assert at_work.settle(item, request).verdict is Verdict.NOT_APPLIED
    timer.join()
    connection.rollback()
    connection.close()
    assert set(heard) == {"waiting for the lock"}
    done = at_work.execute(item, request)
    again = at_work.execute(item, request)
    assert done.outcome.new_ref == again.outcome.new_ref
    assert "done before" in again.outcome.evidence[0]
