"""Turns of concurrent operations when threads come back late: what a busy machine does to a replay."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from engine_bridge.engines.dbos.replay_parts.orders import Orders
from engine_bridge.engines.dbos.replay_parts.recorded import Recorded
from engine_bridge.engines.dbos.replay_parts.turns import Turns, Wait
from engine_bridge.engines.dbos.replay_parts.walk import Walk


class Context:
    """The ids of steps, as dbos' context counts them under the hooks."""

    def __init__(self) -> None:
        self.playhead_id = 0

    @property
    def function_id(self) -> int:
        return self.playhead_id


def record(*children: str) -> Recorded:
    """A run that read the results of these children, one row each."""
    rows = [
        {"workflow_uuid": "run", "function_id": n, "function_name": "DBOS.getResult", "child_workflow_id": child}
        for n, child in enumerate(children, 1)
    ]  # fmt: skip
    status = [{"workflow_uuid": "run", "name": "fans_out", "status": "SUCCESS"}]
    return Recorded({"run": "run", "tables": {"workflow_status": status, "operation_outputs": rows}})


def rest(turns: Turns) -> None:
    """In a worker thread: until the loop has looked whose turn it is, and found nothing more to do."""
    begun, pause = threading.Event(), threading.Event()
    turns.loop.call_soon_threadsafe(turns._look)
    turns.loop.call_soon_threadsafe(begun.set)
    assert begun.wait(60)
    while turns._looking:
        pause.wait(0.001)


def test_an_operation_whose_thread_comes_back_late_hears_of_its_turn() -> None:
    stalls: list[str] = []
    recorded = record("a", "b")
    # Nothing of it is told, so there is no recorder.
    turns = Turns(Walk(recorded, None, Orders()), lambda: stalls.append("stalled"))  # type: ignore[arg-type]
    context: Any = Context()

    async def result(held: int) -> int:
        call = turns.call("DBOS.getResult", aside=False)

        def ask() -> int:
            if not call.taken:
                with pytest.raises(Wait):
                    turns.take_late(call, held, context)
                rest(turns)
                raise Wait
            turns.ask(call, call.taken)
            return call.taken

        return int(await turns.run(call, ask, (), {}))

    async def both() -> list[int]:
        turns.begin()
        try:
            return await asyncio.wait_for(asyncio.gather(result(2), result(1)), 60)
        finally:
            turns.end()

    assert asyncio.run(both()) == [2, 1]
    assert not stalls
