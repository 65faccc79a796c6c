"""Breakpoints in Temporal's workflow code, with the sandbox and without it."""

from __future__ import annotations

import queue
import sys

import pytest

from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.model import Outcome, Project
from engine_bridge.replay.protocol import AnyMessage, Debug, Ended
from engine_bridge.replay.supervisor import Replay
from tests.engine_bridge.replay.dap import WAIT_S, Dap
from tests.engines.temporal.replay.replays import APPS, input_of

ORDER = APPS / "order.py"


def _line(text: str) -> int:
    return next(n for n, line in enumerate(ORDER.read_text("utf-8").splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    "sandbox", [True, pytest.param(False, marks=pytest.mark.long)], ids=["sandboxed", "unsandboxed"]
)
def test_breakpoints_in_a_workflow(sandbox: bool) -> None:
    told: queue.SimpleQueue[AnyMessage] = queue.SimpleQueue()
    project = Project(
        code=str(ORDER),
        python=sys.executable,
        modules=(str(ORDER),),
        paths=(str(APPS),),
        options={"sandbox": sandbox},
    )
    replay = Replay(SPEC, project, [input_of("order")], told.put, debug=-1)
    replay.start()
    try:
        while not isinstance(waits := told.get(timeout=WAIT_S), Debug):
            assert not isinstance(waits, Ended), waits
        dap, turn = Dap(waits.port), _line('f"turn {turn}"')
        try:
            dap.attach(ORDER, _line("self.approved = bool(by)"), turn)
            seen = []
            for _ in range(3):
                thread, frames = dap.stopped()
                seen.append((frames[0]["line"], dap.locals(frames[0]).get("turn")))
                assert dap.request("evaluate", expression="self.status", frameId=frames[0]["id"])["result"]
                if len(seen) == 2:
                    dap.request("next", threadId=thread)
                    thread, frames = dap.stopped()
                    assert frames[0]["line"] == turn - 1
                dap.request("continue", threadId=thread)
            assert dap.stopped() == (0, [])
        finally:
            dap.close()
        assert seen == [(_line("self.approved = bool(by)"), None), (turn, "0"), (turn, "1")]
        assert replay.wait(WAIT_S)
    finally:
        replay.cancel()
    end = None
    while not isinstance(end, Ended):
        end = told.get(timeout=WAIT_S)
    assert end.end.outcome is Outcome.SAME, end
