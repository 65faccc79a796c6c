"""Queries asked at every event of a replay: what they answer, and that nothing they do disturbs what was told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.model import Answer, Outcome, Project, Question
from engine_bridge.replay.protocol import Answered, AnyMessage, Bye, Ended, Side
from engine_bridge.replay.supervisor import Limits, Replay
from tests.engines.temporal.replay.replays import APPS, input_of
from tests.waiting import LIMIT_S

QUERIES = """
    @workflow.query
    def where(self) -> str:
        return self.status

    @workflow.query
    def echo(self, number: int, text: str) -> list[object]:
        return [number, text, self.approved]

    @workflow.query
    def refuses(self) -> str:
        raise ValueError("no answer to this")

    @workflow.query
    def changes(self) -> str:
        self.approved, self.status = True, "changed"
        return self.status

    @workflow.query
    def leaves(self) -> str:
        raise SystemExit(3)

    @workflow.query
    def spins(self) -> str:
        while True:
            pass

    @workflow.query
    def writes(self) -> str:
        with open("/etc/playhead", "w") as file:
            return file.name

    @workflow.update
    async def move"""


class Asked:
    """One replay of the order with questions."""

    def __init__(
        self, folder: Path, *questions: Question, sandbox: bool = False, busy_s: float = LIMIT_S
    ) -> None:
        text = (APPS / "order.py").read_text("utf-8")
        app = folder / "asked.py"
        app.write_text(text.replace("\n    @workflow.update\n    async def move", QUERIES), "utf-8")
        project = Project(
            code=str(app), python=sys.executable, modules=(str(app),), paths=(str(folder),),
            options={"sandbox": sandbox},
        )  # fmt: skip
        self.messages: list[AnyMessage] = []
        limits = Limits(silence_s=LIMIT_S, busy_s=busy_s)
        replay = Replay(
            SPEC, project, [input_of("order")], self.messages.append, questions=questions, limits=limits
        )
        replay.start()
        assert replay.wait(LIMIT_S)
        (ended,) = (message for message in self.messages if isinstance(message, Ended))
        self.end = ended.end
        assert self.end.outcome is Outcome.SAME and not self.end.blocked and not self.end.drift

    def answers(self, name: str) -> list[Answer]:
        found = [m.answer for m in self.messages if isinstance(m, Answered)]
        return [answer for answer in found if answer.name == name]

    @property
    def bye(self) -> Bye:
        (bye,) = (message for message in self.messages if isinstance(message, Bye))
        return bye


@pytest.mark.parametrize(
    "sandbox", [True, pytest.param(False, marks=pytest.mark.long)], ids=["sandboxed", "unsandboxed"]
)
def test_an_answer_is_told_where_it_changed(tmp_path: Path, sandbox: bool) -> None:
    questions = Question(name="where"), Question(name="echo", args='[1, "x"]'), Question(name="refuses")
    more = (Question(name=name) for name in ("nobody", "writes", "__stack_trace"))
    asked = Asked(tmp_path, *questions, *more, sandbox=sandbox)
    assert [(a.position, a.value) for a in asked.answers("where")] == [
        (4, "new"), (17, "reserved"), (36, "charged"), (75, "shipped"),
    ]  # fmt: skip
    assert [a.value["i"] for a in asked.answers("echo")] == [[1, "x", False], [1, "x", True]]
    assert [(a.n, a.error) for a in asked.answers("refuses")] == [(1, "ValueError: no answer to this")]
    (nobody,) = asked.answers("nobody")
    assert "expected but not found, known queries" in nobody.error
    stacks = asked.answers("__stack_trace")
    assert len(stacks) > 5 and not any("query:" in answer.value for answer in stacks)
    assert "activity: reserve" in stacks[0].value
    assert asked.answers("writes")[0].error
    assert not any(isinstance(message, Side) for message in asked.messages)


def test_a_query_cannot_disturb_what_was_told(tmp_path: Path) -> None:
    asked = Asked(tmp_path, *(Question(name=name) for name in ("changes", "where", "leaves")))
    assert [answer.value for answer in asked.answers("where")] == ["changed"]
    assert "sys.exit(3)" in asked.answers("leaves")[0].error
    assert asked.bye.code == 0


def test_a_query_that_never_answers_is_ended_behind_the_verdict(tmp_path: Path) -> None:
    asked = Asked(tmp_path, Question(name="spins"), busy_s=3)
    assert not asked.answers("spins")
    assert "has not come back" in asked.bye.error and "asked.py" in asked.bye.error
