"""Turns of concurrent operations: the record's time and order count, not how fast threads are on a busy machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from engine_bridge.engines.dbos.replay_parts.orders import Before, Orders
from engine_bridge.engines.dbos.replay_parts.recorded import Recorded
from engine_bridge.engines.dbos.replay_parts.turns import Turns, Wait
from engine_bridge.engines.dbos.replay_parts.walk import Walk

BEGAN = 1_000_000


class Context:
    """The ids of steps, as dbos' context counts them under the hooks."""

    def __init__(self) -> None:
        self.playhead_id = 0

    @property
    def function_id(self) -> int:
        return self.playhead_id


class Told:
    """Keeps the steps that a walk tells."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def step(self, name: str, **values: Any) -> None:
        self.names.append(name)


def record(*steps: str, until: tuple[int, ...] = (), **status: Any) -> Recorded:
    """A run of these steps (``result of CHILD`` reads one): all began at once, and ended after these milliseconds."""
    rows: list[dict[str, Any]] = []
    for fid, step in enumerate(steps, 1):
        name, _, child = step.partition(" of ")
        row = {"workflow_uuid": "run", "function_id": fid, "child_workflow_id": child or None}
        row["function_name"] = "DBOS.getResult" if child else name
        ended = BEGAN + (until[fid - 1] if until else 0)
        rows.append(row | {"started_at_epoch_ms": BEGAN, "completed_at_epoch_ms": ended})
    head = {"workflow_uuid": "run", "name": "races", "status": "SUCCESS", **status}
    return Recorded({"run": "run", "tables": {"workflow_status": [head], "operation_outputs": rows}})


class Races:
    """Operations of one walk, as dbos and the hooks call them."""

    def __init__(self, recorded: Recorded, before: Before = frozenset()) -> None:
        self.walk = Walk(recorded, Told(), Orders(before))  # type: ignore[arg-type]  # all that a walk asks of it
        self.walk.concurrent = True
        self.stalls: list[str] = []
        self.turns = Turns(self.walk, lambda: self.stalls.append("stalled"))
        self.context = Context()

    def run(self, code: Callable[[Races], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            self.turns.begin()
            try:
                return await code(self)
            finally:
                self.turns.end()

        found = asyncio.run(whole())
        self.turns.settle(60)
        assert not self.stalls
        return found

    async def step(self) -> int:
        """Takes its id on the loop."""
        fid = self.turns.skip(self.context.function_id + 1)
        self.context.playhead_id = fid
        self.walk.take(fid, {"place": {}, "stack": []})
        self.turns.take(fid)
        call = self.turns.call("", aside=False)

        def ask() -> int:
            self.walk.tell(fid, "work")
            if not call.passed:
                self.turns.ask(call, fid)
            return fid

        return int(await self.turns.run(call, ask, (), {}))

    async def late(self, wanted: int | str, *, slow: bool = False) -> int:
        """Takes its id in a thread, which comes back late where ``slow``."""
        call = self.turns.call("DBOS.getResult", aside=False)

        def ask() -> int:
            if not call.taken:
                with suppress(Wait):
                    self.turns.take_late(call, wanted, self.context)
                if slow:
                    self.rest()
                raise Wait
            if not call.passed or call.fid != call.taken:
                self.turns.ask(call, call.taken)
            return call.taken

        return int(await self.turns.run(call, ask, (), {}))

    def rest(self) -> None:
        """In a worker thread: until the loop has looked whose turn it is, and found nothing more to do."""
        begun, pause = threading.Event(), threading.Event()
        self.turns.loop.call_soon_threadsafe(self.turns._look)
        self.turns.loop.call_soon_threadsafe(begun.set)
        assert begun.wait(60)
        while self.turns._looking:
            pause.wait(0.001)


def test_an_operation_whose_thread_comes_back_late_hears_of_its_turn() -> None:
    async def code(races: Races) -> list[int]:
        return await asyncio.gather(races.late(2, slow=True), races.late(1, slow=True))

    assert Races(record("result of a", "result of b")).run(code) == [2, 1]


def test_ids_taken_in_threads_are_taken_where_the_history_has_them() -> None:
    """A status that is read beside the result of a child: whoever's thread comes first."""

    async def code(races: Races) -> list[int]:
        return await asyncio.gather(races.late("DBOS.getStatus"), races.late(1))

    assert Races(record("result of a", "DBOS.getStatus")).run(code) == [2, 1]


def test_a_result_that_was_cancelled_as_it_was_written_keeps_its_id() -> None:
    async def code(races: Races) -> list[int]:
        first, second = [asyncio.ensure_future(races.late(fid)) for fid in (1, 2)]
        found = [await first]
        second.cancel()
        return [*found, await races.step()]

    races = Races(record("result of a", "result of b", "work"))
    assert races.run(code) == [1, 3]
    assert not races.walk.unvisited()


def test_one_that_is_cancelled_at_the_end_is_there_all_the_same() -> None:
    async def code(races: Races) -> int:
        first, second = [asyncio.ensure_future(races.late(fid)) for fid in (1, 2)]
        found = await first
        second.cancel()
        return found

    races = Races(record("result of a", "result of b"))
    assert races.run(code) == 1
    assert not races.walk.unvisited()


async def at_most_a_second(races: Races) -> list[Any]:
    try:
        async with asyncio.timeout(1):
            found: Any = await races.step()
    except TimeoutError:
        found = "late"
    return [found, await races.step()]


@pytest.mark.parametrize(("until", "found"), [((900, 950), 1), ((2000, 1100), "late")])
def test_a_time_out_goes_off_at_its_time_in_the_record(until: tuple[int, int], found: object) -> None:
    """The step was written in both: a thread that writes is not stopped by a time-out."""
    assert Races(record("work", "work", until=until)).run(at_most_a_second) == [found, 2]


def test_another_order_of_time_out_and_step_can_be_tried() -> None:
    orders = Orders(keeps=True)
    races = Races(record("work", "work", until=(1001, 1100)))
    races.walk.orders = orders
    assert races.run(at_most_a_second) == ["late", 2]
    timer, ((step, late), *_) = orders.decisions[0]
    assert (step, late) == (1, 1)
    again = Races(record("work", "work", until=(1001, 1100)), frozenset({(step, timer)}))
    assert again.run(at_most_a_second) == [1, 2]


def test_in_a_run_that_was_recovered_time_outs_wait_for_what_had_a_result() -> None:
    recovered = record("work", "work", until=(2000, 2100), recovery_attempts=2)
    assert Races(recovered).run(at_most_a_second) == [1, 2]
