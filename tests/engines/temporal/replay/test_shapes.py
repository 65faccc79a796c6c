"""Runs of every shape, replayed with the code that made them: no false alarm, and what each waits for."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.trace import Trace
from tests.engines.dbos.replay.replays import All, text_at
from tests.engines.temporal.replay.replays import APPS, DATA, input_of, opened, replay

SHAPES = APPS / "shapes.py"
CLOSED = ("failing", "compensating", "chain", "races", "unsandboxed", "cancelled")


class Wait(NamedTuple):
    """A run that is not over: what it does now, at which line."""

    run: str
    kind: str
    what: str
    line: str
    step: str = ""
    until: bool = False


LAMBDA = "await workflow.wait_condition(lambda: len(self.calls) > 9"
WAITS = [
    Wait("waiting-condition", "waiting", "a condition (line {})", f"{LAMBDA})"),
    Wait("waiting-limited", "waiting", "a condition (line {})", f"{LAMBDA}, timeout=7200)", until=True),
    Wait("waiting-timer", "sleeping", "timer", "await asyncio.sleep(7200)", "5", until=True),
    Wait("waiting-activity", "step", "double",
         'await workflow.execute_activity(double, 1, task_queue="nobody", start_to_close_timeout=SHORT)', "5"),
    Wait("waiting-child", "child", "waiting-child-1",
         'await workflow.execute_child_workflow(Child.run, id="waiting-child-1")', "5"),
    Wait("waiting-gather", "waiting", "a condition (line {}), timer",
         'await asyncio.gather(self.nap("a"), self.nap("b"), workflow.wait_condition(lambda: False))',
         until=True),
    Wait("waiting-broken", "waiting", "a workflow task that fails: KeyError: 'price'", 'raise KeyError("price")'),
    Wait("terminated", "sleeping", "timer", "await asyncio.sleep(7200)", "5", until=True),
]  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["sandboxed", "unsandboxed"])
def shapes(request: pytest.FixtureRequest) -> All:
    """Every run of shapes.py."""
    inputs = [input_of(run) for run in (*CLOSED, *(wait.run for wait in WAITS))]
    return replay(inputs, SHAPES, options={"sandbox": request.param})


@pytest.fixture(scope="module")
def order() -> All:
    return replay([input_of("order")], APPS / "order.py", detail=(0, 99))


@pytest.mark.parametrize("run", CLOSED)
def test_unmodified_code_is_the_same(shapes: All, run: str) -> None:
    assert shapes[run].end.outcome is Outcome.SAME, shapes[run].end
    assert not shapes[run].end.drift and not shapes[run].end.blocked


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.run)
def test_a_run_that_waits_tells_its_line(shapes: All, wait: Wait) -> None:
    end = shapes[wait.run].end
    assert end.outcome is Outcome.STOPPED
    assert end.now is not None
    assert text_at(end.now.at) == wait.line
    assert (end.now.kind, end.now.what, end.now.step_id) == (
        wait.kind, wait.what.format(end.now.at.line), wait.step,
    )  # fmt: skip
    assert (end.now.until_ns is not None) == wait.until


def test_steps_are_at_the_events_that_they_became(order: All) -> None:
    told = order["order"]
    assert told.end.outcome is Outcome.SAME
    found = {step.name: step.position for step in told.steps if step.kind != "wait"}
    assert found["reserve"] == 5 and found["charge_card"] == 31 and found["invoice"] == 61
    assert found["patch fraud-pause"] == 20 and found["price"] == 19 and found["completion of the run"] == 76
    trace = Trace("order")
    for step in told.steps:
        trace.add(step, None)
    # Event 35 starts the workflow task that answers event 33: the code stands where it waited for it.
    at = trace.frame(trace.at(35))
    assert at is not None and at.function == "Order.run"
    assert told.steps[trace.at(35)].name == "charge_card completed"
    positions = [trace.position(index) for index in range(len(trace.steps))]
    assert positions == sorted(positions)


def test_locals_and_self_are_seen(order: All) -> None:
    step = next(step for step in order["order"].steps if step.name == "charge_card")
    seen = dict(step.stack[0].locals)
    assert seen["amount"] == 3 and seen["order"] == "o-1"
    assert ["status", "reserved"] in seen["self"]["o"]


def test_gathered_commands_have_the_line_that_made_them(order: All) -> None:
    packs = [step for step in order["order"].steps if step.name == "pack"]
    assert [step.step_id for step in packs] == ["37", "38", "39"]
    assert {step.via for step in packs} == {"origin"}
    assert "execute_activity(pack" in (APPS / "order.py").read_text().splitlines()[packs[0].stack[0].line - 1]


def test_all_tasks_are_seen_where_the_run_waits(order: All) -> None:
    step = next(step for step in order["order"].steps if step.name == "waits for pack")
    assert [task.step_id for task in step.tasks] == ["37", "37", "38", "39"]
    assert step.tasks[0].name == "main"
    step = next(step for step in order["order"].steps if step.tasks)
    assert [task.name for task in step.tasks] == ["main", "update: move"]


def test_lines_of_an_opened_step_lead_to_its_command(order: All) -> None:
    told = order["order"]
    commands = [step for step in told.steps if step.kind in ("activity", "timer") and step.via == "stack"]
    for step in commands:
        assert told.lines[step.n][-1].line == step.stack[0].line
    turn = [step for step in commands if step.name == "audit"][-1]
    assert ("turn", 1) in [change for hit in told.lines[turn.n] for change in hit.changed]
    assert sum(told.end.coverage[str(APPS / "order.py")].values()) > 20


def test_a_workflow_that_is_not_there_is_told(tmp_path: object) -> None:
    told = replay([input_of("failing")], APPS / "order.py")["failing"]
    assert told.end.outcome is Outcome.FAILED
    assert told.end.error == "The code has no workflow failing."
    assert told.end.hint == "It has: invoice, order."


def test_a_folder_of_histories_can_be_replayed() -> None:
    bridge = opened(DATA)
    try:
        assert "replay" in {capability.value for capability in bridge.open(_token()).capabilities}
    finally:
        bridge.close()


def _token() -> object:
    from engine_bridge.cancel import CancelToken

    return CancelToken()
