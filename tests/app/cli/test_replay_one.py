"""``playhead replay`` of one run in detail: what if, and queries at every event."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.cli.replay_edits import edit_of_text, question_of_text, told
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, Question
from tests.app.cli.conftest import Run

TEMPORAL = Path(__file__).parents[2]
ORDER = TEMPORAL / "data" / "temporal" / "replay" / "order.json.gz"
CODE = TEMPORAL / "engines" / "temporal" / "replay" / "apps" / "order.py"


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ('signal:approve="ann"', Edit(kind="signal", name="approve", value='"ann"')),
        ("signal@12:approve", Edit(kind="signal", position=12, name="approve")),
        ("signal@12:7=[1]", Edit(kind="signal", position=12, name="7", value="[1]")),
        ('result:33={"a": "b=c"}', Edit(kind="result", position=33, step_id="33", value='{"a": "b=c"}')),
        ("failure:33:CardError=no money", Edit(kind="failure", position=33, step_id="33", name="CardError",
                                               value="no money")),
        ("cancel", Edit(kind="cancel")),
        ("fired:5", Edit(kind="fired", position=5, step_id="5")),
    ],
)  # fmt: skip
def test_edits_are_typed_and_told_alike(text: str, edit: Edit) -> None:
    assert edit_of_text(text) == edit
    assert edit_of_text(told(edit)) == edit


def test_questions_are_typed_with_their_arguments() -> None:
    assert question_of_text("status") == Question(name="status")
    assert question_of_text("total=7") == Question(name="total", args="[7]")
    assert question_of_text('total=[2024, "EUR"]') == Question(name="total", args='[2024, "EUR"]')
    for text in ("total={", "", "=1"):
        with pytest.raises(UsageError):
            question_of_text(text)
    for text in ("12", "Signal:x", ""):
        with pytest.raises(UsageError):
            edit_of_text(text)


def test_a_file_of_one_history_needs_no_run(playhead: Run) -> None:
    answer = playhead("replay", ORDER, "--code", CODE, "--python", sys.executable, "--yes")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == "The run goes on as recorded."


def test_what_if_shows_the_commands_beside_those_of_then(playhead: Run) -> None:
    answer = playhead(
        "replay", ORDER, "--code", CODE, "--python", sys.executable, "--yes", "--what-if", "result:33=99",
        "--then", "result:pack", "--then", "+result:pack", "--then", "result:pack", "--then", "failure:audit:Lost=gone",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    rows = [line for line in answer.out.splitlines() if line.startswith("  ") and "order.py:" in line]
    names = [line.split("  ")[1] for line in rows]
    assert names == ["timer", "cancelled timer", "pack", "pack", "pack", "audit", "failure of the run"]
    assert [line.split()[-2:] for line in rows[2:5]] == [["pack", "37"], ["pack", "38"], ["pack", "39"]]
    assert "Up to event 35 as recorded; then: charge_card completed." in answer.out
    assert answer.out.count("Then: pack completed.") == 2 and "Then: audit failed." in answer.out
    assert answer.out.count("The code commands nothing.") == 1


def test_json_has_commands_answers_and_what_was(playhead: Run, tmp_path: Path) -> None:
    code = tmp_path / "order.py"
    query = "    @workflow.query\n    def where(self) -> str:\n        return self.status\n\n    @workflow.update\n"
    code.write_text(CODE.read_text("utf-8").replace("    @workflow.update\n", query), "utf-8")
    answer = playhead(
        "replay", ORDER, "o-1", "--code", code, "--python", sys.executable, "--yes", "--json",
        "--what-if", "failure:33:CardError=no money", "--then", "result:pack=1", "--query", "where",
    )  # fmt: skip
    found = answer.document
    assert (answer.code, found["passed"], found["outcome"], found["cut"]) == (2, True, "stopped", 35)
    assert found["unfit"] == {
        "turn": 1, "message": "The run is over by then.", "hint": "Remove this edit, or change one before it.",
    }  # fmt: skip
    assert [turn["edits"] for turn in found["turns"]] == [["failure:33:CardError=no money"]]
    assert [(step["name"], step["recorded"]) for step in found["commands"]] == [
        ("charge_card failed", "charge_card failed"), ("failure of the run", None),
    ]  # fmt: skip
    assert [was["position"] for was in found["was"]] == [37, 38, 39]
    assert [(a["position"], a["value"]) for a in found["answers"]] == [(4, "new"), (17, "reserved")]
    assert found["commands"][1]["at"]["line"] and found["now"]["kind"] == "nothing"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("o-1", "--what-if", "signal:approve"), "The run is over: nothing can be added at its end."),
        (("o-1", "--what-if", "result:99=1"), "no event 99"),
        (("o-1", "--then", "result:pack"), "--then goes on from a --what-if."),
        (("o-1", "--query", "x", "--sample", "3"), "are for many runs"),
        (("o-1", "o-2", "--query", "x"), "Name the one RUN"),
    ],
)
def test_what_cannot_be_is_said(playhead: Run, given: tuple[str, ...], says: str) -> None:
    answer = playhead("replay", ORDER, *given, "--code", CODE, "--python", sys.executable, "--yes")
    assert answer.code == 2 and says in answer.err


def test_histories_that_cannot_be_edited_say_so(playhead: Run, orders: Path) -> None:
    answer = playhead("replay", orders, "order-00022", "--code", CODE, "--yes", "--what-if", "signal:x")
    assert answer.code != 0 and "cannot be edited" in answer.err
