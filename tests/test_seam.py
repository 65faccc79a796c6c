"""The session and its two hosts, over the fake engine."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_bridge.bridge import Sort, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, ConnectError, NotFoundError, PlayheadError, UsageError
from engine_bridge.history import History
from engine_bridge.host import ProcessHost
from engine_bridge.model import Run, RunRef, Status, StepStatus
from engine_bridge.playback import neighbour, state_at
from engine_bridge.session import Call, Session
from tests.fakes import FakeBridge, ref
from tests.waiting import LIMIT_S, hosts, until


@pytest.fixture(params=["thread", "process"])
def session(request: pytest.FixtureRequest):
    session = Session(functools.partial(FakeBridge, 40, 0.2), host=request.param)
    yield session
    session.close()


def test_calls_and_errors_cross_the_host(session: Session) -> None:
    assert session.open().result(LIMIT_S).engine == "fake"
    page = session.call("runs", None, Sort(), None, "forward", 10).result(LIMIT_S)
    assert [run.id for run in page.items[:2]] == ["run-0039", "run-0038"]
    with pytest.raises(NotFoundError, match="No run nope"):
        session.call("run", ref("nope")).result(LIMIT_S)


def test_a_cancelled_call_fails_as_cancelled(session: Session) -> None:
    session.open().result(LIMIT_S)
    call = session.call("runs", None, Sort(), None, "forward", 10)
    call.cancel()
    with pytest.raises(CancelledError):
        call.result(LIMIT_S)


def test_a_history_streams_into_columns(session: Session) -> None:
    history = History()
    session.stream("history", ref("run-0001"), on_item=history.append).result(LIMIT_S)
    assert history.n_steps == 4
    assert history.step(3).status is StepStatus.FAILED
    assert state_at(history, None).run_status is Status.FAILED
    assert state_at(history, 2).step_status.tolist()[:2] == [2, 0]
    assert neighbour(history, 1, +1, failures_only=True) == 9


def test_a_child_that_dies_fails_its_own_calls_and_the_next_one_works() -> None:
    session = Session(functools.partial(FakeBridge, 40, 5.0), host="process")
    try:
        session.open().result(LIMIT_S)
        slow = session.call("runs", None, Sort(), None, "forward", 10)
        hosts()[-1].kill()
        with pytest.raises(ConnectError, match="ended unexpectedly"):
            slow.result(LIMIT_S)
        assert session.open().result(LIMIT_S).engine == "fake"
    finally:
        session.close()


def test_a_host_that_does_not_reopen_asks_no_child_that_nobody_opened() -> None:
    host = ProcessHost(functools.partial(FakeBridge, 5))
    try:
        opening, late = (Call("open", CancelToken()) for _ in range(2))
        host.start(opening, (), None)
        assert opening.result(LIMIT_S).engine == "fake"
        hosts()[-1].kill()
        until(lambda: not host.alive)
        host.start(late, (), None)
        with pytest.raises(ConnectError, match="ended unexpectedly"):
            late.result(LIMIT_S)
    finally:
        host.close()


class OpenedOnly(FakeBridge):
    """Answers only when it was opened, and a marked file lets it open no more."""

    def __init__(self, marked: str) -> None:
        super().__init__(40)
        self._marked = Path(marked)
        self._opened = False

    def open(self, cancel: CancelToken) -> SourceInfo:
        cancel.wait(0.3)
        if self._marked.exists():
            raise ConnectError("The server is gone.")
        self._opened = True
        return super().open(cancel)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        if not self._opened:
            raise ConnectError("It was never opened.")
        return super().run(ref, cancel)


class Foreign(FakeBridge):
    """Answers with what cannot cross a process boundary, or cannot be read on the other side."""

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        return [Unreadable()] if text == "unreadable" else [lambda: None]  # type: ignore[list-item]


class Unreadable:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return int, ("no number",)


def _no_bridge() -> FakeBridge:
    raise UsageError("The URL has no valid port.", "Name one.")


def test_a_bridge_that_cannot_be_made_in_its_child_says_why() -> None:
    session = Session(_no_bridge, host="process")
    try:
        with pytest.raises(UsageError, match="no valid port"):
            session.open().result(LIMIT_S)
    finally:
        session.close()


@pytest.mark.parametrize("text", ["unreadable", "unsendable"])
def test_an_answer_that_cannot_cross_fails_its_call(text: str) -> None:
    session = Session(functools.partial(Foreign, 5), host="process")
    try:
        with pytest.raises(PlayheadError):
            session.call("find", text, 5).result(LIMIT_S)
        assert session.open().result(LIMIT_S).engine == "fake"
    finally:
        session.close()


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[tuple[Session, Path]]:
    """An open session whose child has just died, and the file that keeps the next from opening."""
    session = Session(functools.partial(OpenedOnly, str(tmp_path / "gone")), host="process")
    assert session.open().result(LIMIT_S).engine == "fake"
    child = hosts()[-1]
    under_way = session.stream("tail", ref("run-0000"), 0, on_item=lambda item: None)
    child.kill()
    with pytest.raises(ConnectError, match="ended unexpectedly"):
        under_way.result(LIMIT_S)
    yield session, tmp_path / "gone"
    session.close()


def test_the_bridge_of_a_new_child_is_opened_before_its_first_call(crashing: tuple[Session, Path]) -> None:
    session, _ = crashing
    calls = [session.call("run", ref(f"run-000{number}")) for number in range(3)]
    assert [call.result(LIMIT_S).id for call in calls] == ["run-0000", "run-0001", "run-0002"]
    assert session.call("run", ref("run-0003")).result(LIMIT_S).id == "run-0003"


def test_calls_fail_as_the_opening_of_a_new_child_fails(crashing: tuple[Session, Path]) -> None:
    session, gone = crashing
    gone.touch()
    calls = [session.call("run", ref(f"run-000{number}")) for number in range(2)]
    for call in calls:
        with pytest.raises(ConnectError, match="server is gone"):
            call.result(LIMIT_S)


def test_a_call_that_waits_for_a_new_child_can_be_cancelled(crashing: tuple[Session, Path]) -> None:
    session, _ = crashing
    call = session.call("run", ref("run-0000"))
    call.cancel()
    with pytest.raises(CancelledError):
        call.result(LIMIT_S)
    assert session.call("run", ref("run-0001")).result(LIMIT_S).id == "run-0001"
