"""Following a run: real rows of the sample come, change and go under an open tail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import read_history
from engine_bridge.engines.dbos.history_rows import run_ref
from engine_bridge.engines.dbos.tail import follow
from engine_bridge.errors import CancelledError
from engine_bridge.history import Batch, History, Restart
from engine_bridge.model import EventKind, Provenance, Status, StepStatus
from tests.engines.dbos.story_data import CANCEL, opened, steps, unpack, write
from tests.waiting import LIMIT_S

RUN = "order-00006"


class Follower:
    """A tail in a thread, and the history that it feeds."""

    def __init__(self, db: Database, run_id: str) -> None:
        self.history = History()
        self.restart: str | None = None
        for batch in read_history(db, run_ref(run_id), CANCEL):
            self.history.append(batch)
        self._token = CancelToken()
        self._items: Queue[Batch | Restart] = Queue()
        after = self.history.last_position
        self._thread = threading.Thread(target=self._run, args=(db, run_ref(run_id), after), name="follow")
        self._thread.start()

    def _run(self, *args: object) -> None:
        with suppress(CancelledError):
            for item in follow(*args, self._token):
                self._items.put(item)

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            item = self._items.get(timeout=LIMIT_S)
            if isinstance(item, Restart):
                self.restart = item.reason
            elif isinstance(item, Batch):
                self.history.append(item)

    def stop(self) -> None:
        self._token.cancel()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()


class Past:
    """The sample as it was before some of a run's rows were written; ``then`` writes the next of them."""

    def __init__(self, path: Path, whole: Path) -> None:
        self.path, self.whole = path, whole

    def sql(self, *statements: str) -> None:
        write(self.path, f"ATTACH '{self.whole}' AS whole", *statements)

    def back_to(self, step: int) -> None:
        self.sql(
            f"DELETE FROM operation_outputs WHERE workflow_uuid = '{RUN}' AND function_id > {step}",
            f"DELETE FROM workflow_output WHERE workflow_uuid = '{RUN}'",
            f"UPDATE workflow_status SET status = 'PENDING', completed_at = NULL WHERE workflow_uuid = '{RUN}'",
        )

    def then(self, *ids: int) -> None:
        listed = ", ".join(map(str, ids))
        self.sql(
            "INSERT INTO operation_outputs SELECT * FROM whole.operation_outputs"
            f" WHERE workflow_uuid = '{RUN}' AND function_id IN ({listed})"
        )

    def end(self) -> None:
        self.sql(
            f"INSERT INTO workflow_output SELECT * FROM whole.workflow_output WHERE workflow_uuid = '{RUN}'",
            "UPDATE workflow_status SET status = 'SUCCESS', completed_at = 1795144695000"
            f" WHERE workflow_uuid = '{RUN}'",
        )


@pytest.fixture
def past(tmp_path: Path) -> Past:
    (tmp_path / "whole").mkdir()
    paths = unpack("orders", tmp_path), unpack("orders", tmp_path / "whole")
    for path in paths:  # the approval of RUN times out in 2100, not in the sample's past
        write(
            path,
            "UPDATE operation_outputs SET output = '4102444800.5'"
            f" WHERE workflow_uuid = '{RUN}' AND function_id = 9",
        )
    return Past(*paths)


@pytest.fixture
def db(past: Past) -> Iterator[Database]:
    past.back_to(7)
    db = opened(past.path)
    yield db
    db.close()


@pytest.fixture
def follower(db: Database) -> Iterator[Follower]:
    follower = Follower(db, RUN)
    yield follower
    follower.stop()


def test_a_run_is_followed_to_its_end(past: Past, follower: Follower, db: Database) -> None:
    history = follower.history
    assert steps(history)["8"].name == "step 8"
    past.then(9)
    follower.until(lambda: "9" in steps(history))
    assert (steps(history)["8"].name, steps(history)["8"].status) == ("approval", StepStatus.WAITING)
    assert steps(history)["8"].provenance is Provenance.INFERRED
    past.then(8)
    follower.until(lambda: steps(history)["8"].status is StepStatus.COMPLETED)
    assert steps(history)["8"].provenance is Provenance.RECORDED
    for id_ in range(10, 22):
        past.then(id_)
        follower.until(lambda id_=id_: steps(history).get(str(id_)) is not None)
    past.end()
    follower.until(lambda: history.run is not None and history.run.status is Status.COMPLETED)
    assert history.run is not None and history.run.blocked_on is None
    fresh = History()
    for batch in read_history(db, run_ref(RUN), CANCEL):
        fresh.append(batch)
    kinds = [sorted(e.kind for e in h.all_events()) for h in (history, fresh)]
    assert kinds[0] == kinds[1]
    code = history.all_steps().pop()
    assert (code.name, code.status, code.provenance) == (
        "workflow code", StepStatus.COMPLETED, Provenance.INFERRED,
    )  # fmt: skip
    assert history.all_steps()[:-1] == fresh.all_steps()
    assert history.all_events()[-1].kind is EventKind.RUN_COMPLETED
    assert history.engine_now_ns is not None


def test_a_rewind_starts_over(past: Past, follower: Follower) -> None:
    past.sql(f"DELETE FROM operation_outputs WHERE workflow_uuid = '{RUN}' AND function_id > 3")
    follower.until(lambda: follower.restart is not None)
    assert "deleted" in (follower.restart or "")


def test_a_deleted_run_starts_over(past: Past, follower: Follower) -> None:
    past.sql(f"DELETE FROM workflow_status WHERE workflow_uuid = '{RUN}'")
    follower.until(lambda: follower.restart is not None)
    assert follower.restart == "The run was deleted."


def test_a_cancelled_run_that_is_resumed_starts_over(past: Past, follower: Follower) -> None:
    past.sql(
        "UPDATE workflow_status SET status = 'CANCELLED', completed_at = 1795144699000"
        f" WHERE workflow_uuid = '{RUN}'"
    )
    follower.until(lambda: follower.history.run is not None and follower.history.run.status.closed)
    past.sql(
        f"UPDATE workflow_status SET status = 'ENQUEUED', completed_at = NULL WHERE workflow_uuid = '{RUN}'"
    )
    follower.until(lambda: follower.restart is not None)


def test_a_tail_ends_at_once_when_cancelled(db: Database) -> None:
    follower = Follower(db, RUN)
    follower.stop()
    assert follower.restart is None


def test_a_tail_that_continues_no_known_history_says_so(db: Database) -> None:
    assert [type(item) for item in follow(db, run_ref(RUN), 12_345, CancelToken())] == [Restart]


def test_a_tail_from_the_start_tells_everything(db: Database) -> None:
    tail = follow(db, run_ref(RUN), 0, CancelToken())
    first = next(tail)
    tail.close()
    assert isinstance(first, Batch) and first.run is not None
    assert len(first.events["position"]) > 10


def test_a_tail_may_be_taken_up_again_where_it_stopped(past: Past, db: Database) -> None:
    first = Follower(db, RUN)
    past.then(9)
    first.until(lambda: "9" in steps(first.history))
    first.stop()
    token = CancelToken()
    tail = follow(db, run_ref(RUN), first.history.last_position, token)
    past.then(8)
    while steps(first.history)["8"].status is not StepStatus.COMPLETED:
        item = next(tail)
        assert isinstance(item, Batch)
        first.history.append(item)
    token.cancel()
    assert list(tail) == []


@pytest.mark.parametrize("version", ["2.0.0", "2.10.0", "2.31.0", "3.0.0"])
def test_old_schemas_are_followed(version: str, tmp_path: Path) -> None:
    path = unpack(f"old_{version}", tmp_path)
    write(path, "INSERT INTO notifications (destination_uuid, topic, message) VALUES ('w1', 't', 'x')")
    db = opened(path)
    history = History()
    token = CancelToken()
    tail = follow(db, run_ref("w1"), 0, token)
    history.append(_batch(next(tail)))
    assert EventKind.SIGNAL_RECEIVED in {e.kind for e in history.all_events()}
    # Receiving a message deleted it in those schemas.
    write(
        path,
        "DELETE FROM notifications",
        "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name) VALUES ('w1', 3, 'more')",
    )
    while "3" not in steps(history):
        history.append(_batch(next(tail)))
    token.cancel()
    db.close()


def _batch(item: Batch | Restart) -> Batch:
    assert isinstance(item, Batch), item
    return item
