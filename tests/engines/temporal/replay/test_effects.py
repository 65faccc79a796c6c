"""Workflow code that acts, exits, crashes or does not come back: stopped, told, and the next run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.supervisor import Limits
from tests.engines.dbos.replay.replays import All, text_at
from tests.engines.temporal.replay import replays
from tests.engines.temporal.replay.replays import APPS, edited_order, input_of, posing, replay
from tests.waiting import LIMIT_S

EFFECTS = {
    "connects": ("uses the network", 'socket.create_connection(("127.0.0.1", 9))'),
    "writes": ("writes a file", 'Path(CANARY).write_text("written")'),
    "runs": ("starts another program", 'subprocess.run(["/bin/touch", CANARY], check=True)'),
}


def _replayed(*runs: str, **more: object) -> All:
    return replay([posing(input_of("failing"), run, run) for run in runs], APPS / "effects.py", **more)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> All:
    canary = str(tmp_path_factory.mktemp("canary") / "canary")
    told = _replayed(
        *EFFECTS, "exits", "opens", "connects-again", options={"environment": {"CANARY": canary}}
    )
    assert not Path(canary).exists()
    return told


@pytest.mark.parametrize("run", EFFECTS)
def test_a_side_effect_is_stopped_at_its_line(told: All, run: str) -> None:
    words, line = EFFECTS[run]
    end = told[run].end
    assert end.outcome is Outcome.BLOCKED, end
    assert words in end.blocked[0].what
    assert text_at(end.blocked[0].at) == line


def test_code_that_exits_is_told(told: All) -> None:
    end = told["exits"].end
    assert end.outcome is Outcome.FAILED
    assert "sys.exit('enough')" in end.error


def test_what_the_sandbox_forbids_is_an_error_at_its_line(told: All) -> None:
    end = told["opens"].end
    assert end.outcome is Outcome.DIVERGED
    assert end.divergence is not None and end.divergence.kind == "error"
    assert "RestrictedWorkflowAccessError" in end.divergence.actual
    assert text_at(end.divergence.at).startswith('open(CANARY, "w")')


def test_the_guards_hold_while_core_runs(told: All) -> None:
    assert told["connects-again"].end.error == "The code has no workflow connects-again."


def test_code_that_does_not_come_back_is_ended_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "LIMITS", Limits(silence_s=LIMIT_S, busy_s=4))
    end = _replayed("spins")["spins"].end
    assert end.outcome is Outcome.HUNG
    assert "effects.py" in end.error


def test_a_crash_keeps_what_was_recorded_and_the_next_run_goes_on() -> None:
    told = _replayed("crashes", "exits")
    assert told["crashes"].end.outcome is Outcome.CRASHED
    assert [step.name for step in told["crashes"].steps] == ["start"]
    assert told["exits"].end.outcome is Outcome.FAILED


def test_a_crash_leaves_the_steps_that_were_not_sent_yet(tmp_path: Path) -> None:
    app = edited_order(tmp_path, ('self.status = "charged"', "import os; os._exit(7)"))
    told = replay([input_of("order")], app, options={"sandbox": False})["order"]
    assert told.end.outcome is Outcome.CRASHED and "code 7" in told.end.error
    assert told.steps[-1].name == "charge_card completed"
    assert [step.n for step in told.steps] == list(range(18))
