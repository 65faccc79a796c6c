"""Following a run: new events at once, through the death of worker, server and child; histories as raw blobs."""

from __future__ import annotations

import functools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, ConnectError
from engine_bridge.history import Batch, History, Restart
from engine_bridge.model import Run, RunRef, Status, StepKind
from engine_bridge.session import Session
from tests.engines.temporal.local import NAMESPACE, LocalServer, LocalWorker
from tests.engines.temporal.server.conftest import NEVER, history, newest
from tests.engines.temporal.shop import Shop
from tests.waiting import LIMIT_S, hosts, until

ENGINE = load_engine("temporal")


class Follower:
    """A history that grows by a session's tail, as the window's does."""

    def __init__(self, session: Session, ref: RunRef) -> None:
        self.session, self.ref = session, ref
        self.history = History(ENGINE.decode_event or _none, ENGINE.decode_step or _none)
        self.restarts: list[str] = []
        self._moved = threading.Condition()
        session.stream("history", ref, on_item=self.take).result(LIMIT_S)
        self.follow()

    def follow(self) -> None:
        last = self.history.last_position
        self.call = self.session.stream("tail", self.ref, last, on_item=self.take)

    def take(self, item: Batch | Restart) -> None:
        with self._moved:
            self.restarts.append(item.reason) if isinstance(item, Restart) else self.history.append(item)
            self._moved.notify_all()

    def wait_for(self, what: Callable[[History], bool]) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: what(self.history), LIMIT_S)

    def names(self) -> list[str]:
        return [event.name for event in self.history.all_events()]


def _none(_: bytes) -> Any:
    raise AssertionError


def children() -> set[int]:
    """The child processes that host something."""
    return {process.pid for process in hosts()}


@contextmanager
def opened(url: str) -> Iterator[Session]:
    session = Session(functools.partial(ENGINE.bridge, url, None), host="process")
    try:
        session.open().result(LIMIT_S)
        yield session
    finally:
        session.close()


def find(session: Session, workflow_id: str) -> Run:
    """A run, as soon as the visibility store tells of it."""
    run: Run = until(lambda: session.call("find", workflow_id, 1).result(LIMIT_S))[0]
    return run


def whole(session: Session, ref: RunRef) -> History:
    found = History(ENGINE.decode_event or _none, ENGINE.decode_step or _none)
    session.stream("history", ref, on_item=found.append).result(LIMIT_S)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[LocalServer, list[LocalWorker]]]:
    """A server of one's own with a worker: both may be ended by the test."""
    server = LocalServer(tmp_path)
    server.start()
    workers = [LocalWorker(server)]
    yield server, workers
    for worker in workers:
        worker.close()
    server.stop()


def what_leaves_no_event_is_told_before_an_idle_poll_ends(session: Session, server: LocalServer) -> None:
    """An idle poll takes 20 s."""

    def now(history: History) -> str:
        return (history.run.now if history.run is not None else None) or ""

    tail = Follower(session, find(session, "export").ref)
    tail.wait_for(lambda h: "attempt 3 of 9" in now(h))
    where = ("--address", server.address, "--namespace", NAMESPACE, "--workflow-id", "export")
    subprocess.run([server.program, "activity", "pause", *where, "--activity-id", "1"], check=True)
    begun = time.monotonic()
    tail.wait_for(lambda h: "paused" in now(h))
    assert time.monotonic() - begun < 15
    tail.call.cancel()


def test_a_tail_goes_on_through_signal_worker_death_server_restart_and_child_death(
    place: tuple[LocalServer, list[LocalWorker]],
) -> None:
    server, workers = place
    before = children()
    workers[0].ask("start", "fulfil_order", "order-1", "order-1", True)
    workers[0].ask("start", "nightly_export", "export", "ledger")
    with opened(server.url) as session:
        what_leaves_no_event_is_told_before_an_idle_poll_ends(session, server)
        tail = Follower(session, find(session, "order-1").ref)
        tail.wait_for(lambda h: any(step.kind is StepKind.TIMER for step in h.all_steps()))
        workers.pop().close(kill=True)
        server.stop()
        with pytest.raises(ConnectError):
            tail.call.result(LIMIT_S)
        server.start()
        workers.append(LocalWorker(server))
        tail.follow()
        assert workers[0].ask("update", "order-1", "change_address", "there") == "here"
        tail.wait_for(lambda h: "WorkflowExecutionUpdateCompleted" in tail.names())
        (child,) = children() - before
        psutil.Process(child).kill()
        with pytest.raises(ConnectError, match="ended unexpectedly"):
            tail.call.result(LIMIT_S)
        tail.follow()
        workers[0].ask("signal", "order-1", "approve_order", "ann")
        # The server says so of a run before it gives the last events of it.
        tail.wait_for(lambda h: tail.names()[-1] == "WorkflowExecutionCompleted")
        tail.wait_for(lambda h: h.run is not None and h.run.status is Status.COMPLETED)
        assert not tail.restarts
        again = whole(session, tail.ref)
        assert tail.history.all_events() == again.all_events()
        assert tail.history.all_steps() == again.all_steps() and tail.history.names == again.names
        tail.call.cancel()
        with pytest.raises(CancelledError):
            tail.call.result(LIMIT_S)


def test_pending_attempts_move_though_they_leave_no_event(bridge: Any, shop: Shop) -> None:
    shop.worker.ask("start", "slow_refund", "refund-1", "refund-1")
    run = newest(bridge, "refund-1")
    token, seen = CancelToken(), set()

    def look() -> None:
        history_ = history(bridge, run)
        seen.update(step.attempts for step in history_.all_steps() if step.name == "export_ledger")

    while len(seen - {None}) < 2 and not token.wait(0.05):
        look()
    assert shop.worker.ask("wait", "refund-1") == "'given up'"


def test_a_history_that_does_not_continue_is_restarted(bridge: Any) -> None:
    run = newest(bridge, "order-0001")
    items = list(bridge.tail(run.ref, 10_000, NEVER))
    assert len(items) == 1 and isinstance(items[0], Restart)


def test_raw_blobs_are_read_like_events(tmp_path: Path) -> None:
    server = LocalServer(tmp_path, "--dynamic-config-value", "frontend.sendRawWorkflowHistory=true")
    server.start()
    worker = LocalWorker(server)
    try:
        # The client's own reader of results cannot take raw blobs.
        worker.ask("start", "fulfil_order", "order-1", "order-1")
        worker.ask("listed", "order-1")
        with opened(server.url) as session:
            found = whole(session, find(session, "order-1").ref)
            assert found.run is not None and found.run.status is Status.COMPLETED
            assert [step.name for step in found.all_steps()][:3] == [
                "no-fax",
                "validate_order",
                "reserve_stock",
            ]
    finally:
        worker.close()
        server.stop()


def test_no_process_is_left_and_no_secret_stands_in_an_argument(shop: Shop) -> None:
    before = children()
    session = Session(functools.partial(ENGINE.bridge, shop.server.url, "eyJsecret"), host="process")
    session.open().result(LIMIT_S)
    (child,) = children() - before
    seen = psutil.Process(child)
    assert "eyJsecret" not in " ".join([*seen.cmdline(), *seen.environ().values()])
    session.close()
    assert children() <= before
