"""The database of a server that runs: tails follow it, and neither waits for the other for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.errors import CancelledError
from engine_bridge.history import History
from engine_bridge.model import Provenance, RunRef, Status, StepStatus
from tests.engines.temporal.dev import databases
from tests.engines.temporal.dev.databases import NEVER
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.shop import Shop
from tests.waiting import LIMIT_S, until


@pytest.fixture
def live(temporal_shop: Shop) -> Iterator[DevBridge]:
    made = databases.bridge(temporal_shop.server.file, NAMESPACE)
    made.open(NEVER)
    yield made
    made.close()


def test_a_tail_follows_the_server_to_the_end_of_a_run(temporal_shop: Shop, live: DevBridge) -> None:
    id_ = f"tailed-{time.time_ns()}"
    ref = RunRef("workflow", id_, temporal_shop.worker.ask("start", "fulfil_order", id_, id_, True))
    told = databases.history(live, ref)
    token = CancelToken()
    tail = live.tail(ref, told.last_position, token)
    try:
        follow(told, tail, lambda: "charge_card" in {s.name for s in told.all_steps()})
        temporal_shop.worker.ask("update", id_, "change_address", "there")
        follow(told, tail, lambda: "change_address" in {s.name for s in told.all_steps()})
        temporal_shop.worker.ask("signal", id_, "approve_order", "ann")
        follow(told, tail, lambda: told.all_events()[-1].name == "WorkflowExecutionCompleted")
    finally:
        token.cancel()
        tail.close()  # type: ignore[attr-defined]  # a generator
    whole = databases.history(live, ref)
    assert told.run is not None and told.run.status is Status.COMPLETED
    assert told.all_events() == whole.all_events()
    assert list(told.all_steps()) == list(whole.all_steps())


def follow(history: History, tail: Iterator[object], done: object) -> None:
    """Takes batches of a tail until something is told."""
    deadline = time.monotonic() + LIMIT_S
    assert callable(done)
    while not done() and time.monotonic() < deadline:
        history.append(next(tail))  # type: ignore[arg-type]  # no Restart: histories only grow
    assert done()


def test_a_tail_without_news_ends_when_it_is_cancelled(live: DevBridge) -> None:
    ref = databases.runs(live)["invoice-waits"].ref
    token = CancelToken()
    tail = live.tail(ref, databases.history(live, ref).last_position, token)
    next(tail)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, tail)
        assert not waiting.done()
        token.cancel()
        with pytest.raises(CancelledError):
            waiting.result(LIMIT_S)


def test_the_server_goes_on_while_its_file_is_read(temporal_shop: Shop, live: DevBridge) -> None:
    token = CancelToken()

    def read() -> int:
        rounds = 0
        while not token.cancelled:
            for run in live.runs(None, Sort(), None, "forward", 50, NEVER).items:
                databases.history(live, run.ref)
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for number in range(3):
            temporal_shop.worker.ask("start", "fraud_check", f"grown-{number}", "x", wait=True)
        token.cancel()
        assert reading.result(LIMIT_S) >= 1
    assert sorted(path.suffix for path in temporal_shop.server.file.parent.glob("temporal.db*")) in (
        [".db"], [".db", ".db-journal"],
    )  # fmt: skip


def test_pending_work_is_a_recorded_fact(live: DevBridge) -> None:
    ref = databases.runs(live)["export-stuck"].ref

    def attempts() -> int:
        return next(
            s.attempts or 0 for s in databases.history(live, ref).all_steps() if s.name == "export_ledger"
        )

    until(lambda: attempts() > 2)
    run = live.run(ref, NEVER)
    assert run.blocked_on is not None and run.blocked_on.provenance is Provenance.RECORDED
    assert "activity export_ledger, attempt" in run.blocked_on.what and "of 9" in run.blocked_on.what
    steps = {step.name: step for step in databases.history(live, run.ref).all_steps()}
    step = steps["export_ledger"]
    assert step.status is StepStatus.RETRYING and step.max_attempts == 9 and (step.attempts or 0) > 1
    assert step.failure is not None and step.failure.type == "LedgerLocked"


def test_an_activity_at_a_worker_is_told_so_in_lists_too(temporal_shop: Shop, live: DevBridge) -> None:
    """Its start is no event before its end: only the run's state has it."""
    id_ = f"bank-{time.time_ns()}"
    ref = RunRef("workflow", id_, temporal_shop.worker.ask("start", "bank_transfer", id_, "b1"))

    def what() -> str:
        block = live.run(ref, NEVER).blocked_on
        return "" if block is None else block.what

    until(lambda: "at worker" in what())
    told = what()
    assert told == "activity await_bank, at worker shop-worker"
    mark = live.changes(None, (), NEVER).mark
    changed = live.changes(mark, (ref,), NEVER).changed
    assert [run.now for run in changed if run.ref == ref] == [f"waiting for {told}"]
    temporal_shop.worker.ask("terminate", id_)
