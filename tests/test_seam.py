"""The session and its two hosts, over the fake engine."""

from __future__ import annotations

import functools

import psutil
import pytest

from engine_bridge.bridge import Sort
from engine_bridge.errors import CancelledError, ConnectError, NotFoundError
from engine_bridge.history import History
from engine_bridge.model import Status, StepStatus
from engine_bridge.playback import neighbour, state_at
from engine_bridge.session import Session
from tests.fakes import FakeBridge, ref


@pytest.fixture(params=["thread", "process"])
def session(request: pytest.FixtureRequest):
    session = Session(functools.partial(FakeBridge, 40, 0.2), host=request.param)
    yield session
    session.close()


def test_calls_and_errors_cross_the_host(session: Session) -> None:
    assert session.open().result(20).engine == "fake"
    page = session.call("runs", None, Sort(), None, "forward", 10).result(20)
    assert [run.id for run in page.items[:2]] == ["run-0039", "run-0038"]
    with pytest.raises(NotFoundError, match="No run nope"):
        session.call("run", ref("nope")).result(20)


def test_a_cancelled_call_fails_as_cancelled(session: Session) -> None:
    session.open().result(20)
    call = session.call("runs", None, Sort(), None, "forward", 10)
    call.cancel()
    with pytest.raises(CancelledError):
        call.result(20)


def test_a_history_streams_into_columns(session: Session) -> None:
    history = History()
    session.stream("history", ref("run-0001"), on_item=history.append).result(20)
    assert history.n_steps == 4
    assert history.step(3).status is StepStatus.FAILED
    assert state_at(history, None).run_status is Status.FAILED
    assert state_at(history, 2).step_status.tolist()[:2] == [2, 0]
    assert neighbour(history, 1, +1, failures_only=True) == 9


def test_a_child_that_dies_fails_its_own_calls_and_the_next_one_works() -> None:
    session = Session(functools.partial(FakeBridge, 40, 5.0), host="process")
    try:
        session.open().result(20)
        slow = session.call("runs", None, Sort(), None, "forward", 10)
        child = next(p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline()))
        child.kill()
        with pytest.raises(ConnectError, match="ended unexpectedly"):
            slow.result(20)
        assert session.open().result(20).engine == "fake"
    finally:
        session.close()
