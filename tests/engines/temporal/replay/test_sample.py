"""The sample of the resources, as a user meets it: its history drives its code, and its edited code is stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.history import History
from engine_bridge.replay.model import Outcome, ReplayInput
from engine_bridge.replay.trace import Trace
from tests.engines.dbos.replay.replays import text_at
from tests.engines.temporal.replay.replays import opened, replay

SAMPLES = Path(__file__).parents[4] / "resources" / "samples"


@pytest.fixture(scope="module")
def sample() -> tuple[ReplayInput, History]:
    bridge = opened(SAMPLES / "loan")
    try:
        ref = bridge.runs(None, Sort(), None, "forward", 9, CancelToken()).items[0].ref
        history = History(bridge.decode_event, bridge.decode_step)
        for batch in bridge.history(ref, CancelToken()):
            history.append(batch)
        return msgspec.structs.replace(bridge.replay_input(ref, CancelToken()), run_id="loan"), history
    finally:
        bridge.close()


def test_the_playhead_drives_the_code(sample: tuple[ReplayInput, History]) -> None:
    item, history = sample
    told = replay([item], SAMPLES / "loan" / "workflow.py")["loan"]
    assert told.end.outcome is Outcome.SAME
    assert len(told.steps) == item.steps == 44
    trace = Trace("loan")
    for step in told.steps:
        trace.add(step, history)
    source = (SAMPLES / "loan" / "workflow.py").read_text().splitlines()
    seen = []
    for position in range(3, 122):
        frame = trace.frame(trace.at(position))
        assert frame is not None, position
        seen.append(source[frame.line - 1].strip())
    assert {"await asyncio.sleep(3)", "await workflow.execute_activity_method("} <= set(seen)
    assert seen[-1].startswith("return f")
    paid = [dict(s.stack[0].locals)["total_paid"] for s in told.steps if s.name == "timer"]
    assert paid == list(range(500, 5001, 500))
    for step in told.steps:
        if step.step_id and step.kind in ("activity", "timer"):
            assert history.step_row(step.step_id) >= 0


def test_what_the_older_code_wrote_is_drift(sample: tuple[ReplayInput, History]) -> None:
    told = replay([sample[0]], SAMPLES / "loan" / "workflow.py")["loan"]
    assert [(d.what, d.step_id) for d in told.end.drift] == [("result", "121")]
    gated = replay([sample[0]], SAMPLES / "loan" / "workflow.py", record="places")["loan"]
    assert [(d.what, d.step_id) for d in gated.end.drift] == [("result", "121")]
    assert gated.steps[-1].step_id == "121" and text_at(gated.steps[-1].stack[0]).startswith("return f")


def test_the_edited_code_is_stopped(sample: tuple[ReplayInput, History]) -> None:
    told = replay([sample[0]], SAMPLES / "loan_next" / "workflow.py", record="places")["loan"]
    found = told.end.divergence
    assert told.end.outcome is Outcome.DIVERGED and found is not None
    assert (found.position, found.expected, found.actual) == (
        5, "activity send_thank_you_to_customer", "activity charge_customer",
    )  # fmt: skip
    assert "the order probably changed" in found.message
    assert text_at(found.at) == "await workflow.execute_activity_method("


def test_its_worker_can_be_captured(sample: tuple[ReplayInput, History]) -> None:
    script = SAMPLES / "loan" / "worker.py"
    told = replay([sample[0]], script, modules=(), options={"worker_script": str(script)})["loan"]
    assert told.end.outcome is Outcome.SAME
