"""Edited histories, replayed with the real SDK: what the code would do, and what is said of edits that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest

from engine_bridge.actions.model import Staged, Target
from engine_bridge.bridge import Capability, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.what_if import edited, offered
from engine_bridge.engines.temporal.what_if_actions import edit_of
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, Outcome
from tests.engines.dbos.replay.replays import All, Told
from tests.engines.temporal.replay.replays import APPS, DATA, input_of, opened, replay


class Case(NamedTuple):
    """An edit of a recorded run: what the code is told, what it then commands, and what it did instead of that then."""

    run: str
    edit: Edit
    told: str
    commands: list[str]
    was: list[str]
    waits: str


def _edit(kind: str, position: int | None = None, name: str = "", value: str = "") -> Edit:
    return Edit(kind=kind, position=position, name=name, value=value)


PACKS = ["pack"] * 3
AFTER_12 = ["completed update", "price", "patch fraud-pause", "search attributes", "timer"]
OVER = "the code ends here; the end is not recorded"
CASES = [
    Case("order", _edit("input", 1, value='"xy"'), "start", ["reserve"], ["reserve"], "reserve"),
    Case("order", _edit("input", 23, value='""'), "signal approve", [], [], "timer"),
    Case("order", _edit("without", 23), "price completed", ["patch fraud-pause", "timer"], [], "timer"),
    Case("order", _edit("input", 9, value='"moon"'), "update move", ["accepted update", "audit"],
         ["accepted update", "audit"], "reserve"),
    Case("order", _edit("result", 12, value='"other"'), "reserve completed, audit completed",
         ["price", "completed update"], AFTER_12, "price"),
    Case("order", _edit("result", 33, value="99"), "charge_card completed", ["timer", "cancelled timer", *PACKS],
         PACKS, "pack"),
    Case("order", _edit("failure", 31, "Broke", "no money"), "charge_card failed", ["failure of the run"], PACKS, OVER),
    Case("order", _edit("timeout", 33), "charge_card failed", ["failure of the run"], PACKS, OVER),
    Case("order", _edit("failure", 66, value="lost"), "invoice failed", ["failure of the run"], ["ship"], OVER),
    Case("order", _edit("signal", 12, "approve", '"bob"'), "signal approve, reserve completed", ["price"], AFTER_12,
         "price"),
    Case("order", _edit("cancel", 33), "charge_card completed, cancellation requested", ["cancellation of the run"],
         PACKS, OVER),
    Case("order", _edit("update", 33, "move", '"sea"'), "update move, charge_card completed",
         ["accepted update", "audit", "timer", "cancelled timer", *PACKS], PACKS, "pack"),
    Case("waiting-condition", _edit("signal", None, "call", '"x"'), "signal call", ["timer"], [],
         "a condition (line 118)"),
    Case("waiting-timer", _edit("fired", 5), "timer fired", ["completion of the run"], [], OVER),
    Case("terminated", _edit("fired", 5), "timer fired", ["completion of the run"], [], OVER),
    Case("waiting-activity", _edit("result", 5, value="7"), "double completed", ["completion of the run"], [], OVER),
    Case("waiting-child", _edit("failure", 5, value="sorry"), "child failed", ["failure of the run"], [], OVER),
    Case("waiting-child", _edit("timeout", 5), "child failed", ["failure of the run"], [], OVER),
    Case("waiting-limited", _edit("cancel"), "cancellation requested", ["cancelled timer", "cancellation of the run"],
         [], OVER),
]  # fmt: skip


@pytest.fixture(scope="module")
def replayed() -> list[tuple[Case, Told]]:
    """Every case, by one process for each application."""
    found: list[tuple[Case, Told]] = []
    for app, runs in (("order", ("order",)), ("shapes", None)):
        cases = [case for case in CASES if (case.run == "order") == (runs is not None)]
        inputs = [
            msgspec.structs.replace(edited(input_of(case.run), [case.edit]), run_id=str(n))
            for n, case in enumerate(cases)
        ]
        told: All = replay(inputs, APPS / f"{app}.py", options={"sandbox": False})
        found += [(case, told[str(n)]) for n, case in enumerate(cases)]
    return found


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{c.run}-{c.edit.kind}-{c.edit.position}" for c in CASES]
)
def test_the_commands_that_the_code_would_issue(replayed: list[tuple[Case, Told]], number: int) -> None:
    case, told = next((c, t) for c, t in replayed if c is CASES[number])
    assert told.end.outcome is Outcome.STOPPED and told.end.now is not None, told.end
    assert told.end.now.what == case.waits
    last = max(step.n for step in told.steps if step.kind == "workflow task")
    behind = [step for step in told.steps[last + 1 :] if step.kind != "wait"]
    assert told.steps[last].name == case.told
    assert [step.name for step in behind] == case.commands
    if case.edit.kind != "without":  # the empty task that is left brings nothing
        assert [step.recorded for step in behind] == [None] * len(behind)
    assert [step.name for step in edited(input_of(case.run), [case.edit]).was] == case.was


def test_several_edits_come_in_one_workflow_task() -> None:
    item = edited(
        input_of("waiting-gather"), [_edit("fired", 5), _edit("fired", 6), _edit("signal", None, "nobody")]
    )
    every = replay([item], APPS / "shapes.py")
    told = every[item.run_id]
    (_, task) = [step for step in told.steps if step.kind == "workflow task"]
    assert task.name == "signal nobody, timer fired"
    assert "no handler for signal nobody" in every.printed
    assert len(item.data) > len(input_of("waiting-gather").data)
    assert told.end.outcome is Outcome.STOPPED


@pytest.mark.parametrize(
    ("run", "edit", "says"),
    [
        ("order", _edit("signal", None, "approve"), "The run is over: nothing can be added at its end."),
        ("terminated", _edit("signal", None, "call"), "The run is over"),
        ("order", _edit("signal", 75, "approve"), "saw nothing any more behind event 75"),
        ("order", _edit("result", 99), "no event 99"),
        ("order", _edit("result", 3), "Event 3 (WorkflowTaskStarted) cannot be edited"),
        (
            "order",
            _edit("input", 5),
            "Event 5 (ActivityTaskScheduled) has no arguments that came from outside",
        ),
        ("order", _edit("fired", 22), "is the end of this timer already"),
        ("order", _edit("result", 22), "Timer 1 has no result"),
        ("order", _edit("result", 33, value="{"), "is not JSON"),
        ("order", _edit("signal", 5), "Give the name of the signal"),
        ("order", _edit("guess", 5), "cannot be edited by 'guess'"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(run: str, edit: Edit, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        edited(input_of(run), [edit])
    assert says in caught.value.message


def test_an_edit_behind_a_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="cuts the history at event 35"):
        edited(input_of("order"), [_edit("result", 33, value="1"), _edit("result", 50, value="1")])
    with pytest.raises(UsageError, match="The edit of event 33 would be cut off: that of event 12 cuts"):
        edited(input_of("order"), [_edit("result", 33, value="1"), _edit("result", 12, value="1")])


def test_every_edit_that_is_offered_can_be_made() -> None:
    for run in ("order", "waiting-child", "waiting-gather", "terminated", "failing", "cancelled"):
        item = input_of(run)
        for position in (None, *range(1, 200)):
            try:
                kinds = offered(item, position)
            except UsageError:
                break
            for kind in kinds:
                name = kind.names[0] if kind.names else "name" if "name" in kind.needs else ""
                value = kind.value or ("1" if "value" in kind.needs else "")
                made = edited(item, [Edit(kind=kind.kind, position=kind.position, name=name, value=value)])
                assert made.cut, kind


def test_offers_say_what_is_recorded() -> None:
    def kinds(position: int | None, run: str = "order") -> Sequence[tuple[str, str]]:
        return [(kind.kind, kind.value) for kind in offered(input_of(run), position)]

    assert ("result", "3") in kinds(33) and ("failure", "") in kinds(33)
    assert ("input", '"ann"') in kinds(23) and ("without", "") in kinds(23)
    assert kinds(None) == kinds(76) == []
    assert kinds(None, "terminated") == [("fired", "")]
    assert [kind for kind, _ in kinds(None, "waiting-child")] == [
        "signal", "update", "cancel", "result", "failure", "timeout",
    ]  # fmt: skip
    assert next(k for k in offered(input_of("order"), 3) if k.kind == "update").names == ("move",)


def test_the_bridge_edits_and_writes_nothing() -> None:
    path = DATA / "waiting-condition.json.gz"
    before = path.read_bytes()
    bridge, token = opened(path), CancelToken()
    try:
        assert Capability.WHAT_IF in bridge.open(token).capabilities
        ref = bridge.runs(None, Sort(), None, "forward", 1, token).items[0].ref
        staged = Staged(
            target=Target(kind="run", id=ref.run), action="signal", args={"name": "call", "args": '"x"'}
        )
        edit = bridge.edit_of(staged, token)
        assert edit == Edit(kind="signal", name="call", value='["x"]')
        made = bridge.what_if(ref, (edit,), token)
        assert made.steps == bridge.replay_input(ref, token).steps + 1
    finally:
        bridge.close()
    assert path.read_bytes() == before


def test_actions_that_have_a_dry_run() -> None:
    def made(action: str, **args: object) -> Edit | None:
        return edit_of(Staged(target=Target(kind="run", id="r"), action=action, args=args))

    assert made("update", name="move", args='["a", 2]') == Edit(kind="update", name="move", value='["a",2]')
    assert made("cancel") == Edit(kind="cancel")
    assert made("terminate") is None
    assert made("complete_activity", step="5", result="7") == Edit(
        kind="result", position=5, step_id="5", value="7"
    )
    assert made("fail_activity", step="5", message="no", type="T") == Edit(
        kind="failure", position=5, step_id="5", name="T", value="no"
    )
    with pytest.raises(UsageError, match="Choose the activity"):
        made("complete_activity", result="7")
