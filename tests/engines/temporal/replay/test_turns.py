"""Edits upon edits, with the real SDK: a recorded run fed back step by step is that run, to its end; and what else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from engine_bridge.engines.temporal.what_if import edited
from engine_bridge.replay.model import Edit, Outcome, ReplayInput
from tests.engines.dbos.replay.replays import All, Told
from tests.engines.temporal.replay import written
from tests.engines.temporal.replay.replays import APPS, changed, input_of, replay
from tests.engines.temporal.replay.turns import fed_back

FED_BACK = {"parent": 1, "scopes": 1, "updated": 2, "patched": 1, "marked": 1, "outward": 1, "conditions": 1}
OVER = "the code ends here; the end is not recorded"


def _edit(turn: int, kind: str, step: str = "", value: str = "", name: str = "") -> Edit:
    return Edit(kind=kind, turn=turn, step_id=step, value=value, name=name)


CHARGED = msgspec.structs.replace(_edit(0, "result", value="99"), position=33)
PACKED = (
    _edit(1, "result", "pack#2", '"b"'),
    _edit(1, "result", "pack", '"a"'),
    _edit(1, "result", "pack", '"c"'),
)
CHAINS: dict[str, tuple[Edit, ...]] = {
    "packed": (CHARGED, *PACKED),
    "refused": (CHARGED, _edit(1, "failure", "pack@6", "torn", "Torn"), _edit(2, "result", "pack", "1")),
    "unknown": (CHARGED, _edit(1, "result", "ship", "1")),
    "invoiced": (CHARGED, *PACKED, _edit(2, "result", "audit"), _edit(3, "timeout", "audit")),
    "onward": (CHARGED, _edit(1, "recorded")),
    "halfway": (CHARGED, _edit(1, "recorded", value="50"), _edit(2, "failure", "audit", "gone")),
    "nowhere": (CHARGED, *PACKED, _edit(2, "recorded", value="36"), _edit(3, "result", "audit")),
    "local": (
        msgspec.structs.replace(_edit(0, "result", value='"r"'), position=12),
        _edit(1, "update", name="move", value='"moon"'),
        _edit(2, "result", "price", "7"),
        _edit(2, "result", "audit"),
        _edit(3, "cancel"),
    ),
}  # fmt: skip


def _cut(events: Any) -> None:
    del events[3:]


@pytest.fixture(scope="module")
def orders() -> All:
    order = input_of("order")
    begun = changed(order, "begun", _cut)
    chains = {run: edited(order, edits) for run, edits in CHAINS.items()}
    chains |= {
        "fed": fed_back(order),
        "begun": edited(begun, [_edit(0, "signal", name="approve", value='"ann"')]),
    }
    inputs = [order, *(msgspec.structs.replace(item, run_id=run) for run, item in chains.items())]
    return replay(inputs, APPS / "order.py", options={"sandbox": False})


@pytest.fixture(scope="module")
def variety() -> All:
    recorded = [input_of(run) for run in FED_BACK]
    fed = [
        msgspec.structs.replace(fed_back(item, FED_BACK[item.run_id]), run_id=f"{item.run_id} fed")
        for item in recorded
    ]
    poked = edited(input_of("scopes"), [Edit(kind="signal", position=5, name="poke"), _edit(1, "recorded")])
    fed.append(msgspec.structs.replace(poked, run_id="scopes poked"))
    return replay([*recorded, *fed], APPS / "variety.py", options={"sandbox": False}, record="places")


def _did(told: Told, *, places: bool = True) -> list[tuple[Any, ...]]:
    """What the code did, and the events that it became: those of its last answer are not written."""
    did = [step for step in told.steps if step.kind not in ("wait", "workflow task")]
    end = max(step.n for step in told.steps if step.kind == "workflow task")
    return [(step.name, step.kind, step.position if places and step.n < end else 0) for step in did]


def _last(told: Told) -> list[str]:
    """What it would command last."""
    return [
        s.name for s in told.steps if s.n >= told.end.turns[-1] and s.kind not in ("wait", "workflow task")
    ]


@pytest.mark.parametrize("run", FED_BACK)
def test_a_recorded_run_fed_back_is_that_run(variety: All, run: str) -> None:
    recorded, fed = variety[run], variety[f"{run} fed"]
    assert recorded.end.outcome is Outcome.SAME and fed.end.outcome is Outcome.STOPPED
    assert fed.end.unfit is None and fed.end.now is not None and fed.end.now.what == OVER
    assert not fed.end.drift and not fed.end.divergence, "what was written is what the code gives"
    # A server tells of the request to cancel an operation by an event that no code sees.
    places = run != "outward"
    assert _did(fed, places=places) == _did(recorded, places=places)


def test_an_order_fed_back_is_that_order(orders: All) -> None:
    fed, recorded = orders["fed"], orders["order"]
    assert [s.name for s in fed.steps] == [s.name for s in recorded.steps]
    assert [s.position for s in fed.steps[:-1]] == [s.position for s in recorded.steps[:-1]]
    assert len(fed.end.turns) == 13 and not fed.end.drift and fed.end.next == ()


def test_results_of_what_the_code_would_command_lead_on(orders: All) -> None:
    told = orders["packed"]
    assert _last(told) == ["audit"] and told.end.unfit is None
    assert [told.steps[n].name for n in told.end.turns] == ["charge_card completed", "pack completed"]
    (ship,) = [s for s in orders["fed"].steps if s.name == "ship"]
    assert ship.recorded == "ship"


def test_what_can_be_made_of_it_is_offered_with_what_was_recorded(orders: All) -> None:
    offers = {(kind.kind, kind.step_id): kind for kind in orders["packed"].end.next}
    assert list(offers) == [
        ("result", "audit@8"), ("failure", "audit@8"), ("timeout", "audit@8"), ("recorded", ""),
        ("signal", ""), ("update", ""), ("cancel", ""),
    ]  # fmt: skip
    assert offers["result", "audit@8"].value == '"turn 0"' and offers["update", ""].names == ("move",)
    first = orders["begun"].end.next
    assert [k.title for k in first[:2]] == ["Activity reserve returns", "Activity reserve fails"]
    assert first[0].value == "", "nothing is recorded of it"


def test_a_failure_ends_the_run_and_what_comes_behind_does_not_fit(orders: All) -> None:
    told = orders["refused"]
    assert _last(told) == ["failure of the run"] and told.end.next == ()
    assert told.end.unfit is not None and told.end.unfit.turn == 2
    assert told.end.unfit.message == "The run is over by then."


def test_a_step_that_is_not_under_way_is_named_with_those_that_are(orders: All) -> None:
    unfit = orders["unknown"].end.unfit
    assert unfit is not None and (unfit.turn, unfit.hint) == (1, "Under way: pack.")
    assert _last(orders["unknown"]) == ["timer", "cancelled timer", "pack", "pack", "pack"]


def test_a_time_out_is_what_the_code_makes_of_it(orders: All) -> None:
    assert _last(orders["invoiced"]) == ["failure of the run"]


def test_all_goes_on_as_it_was_recorded(orders: All, variety: All) -> None:
    """An edited result, or another signal, and whatever else came then: one event after the other, to the end."""
    assert _did(variety["scopes poked"], places=False) == _did(variety["scopes"], places=False)
    did, then = (_did(orders[run], places=False) for run in ("onward", "order"))
    taken_back = [("timer", "timer", 0), ("cancelled timer", "command", 0)]
    assert did == then and all(one in then for one in taken_back)
    assert orders["onward"].end.unfit is None and len(orders["onward"].end.turns) == 2
    assert not orders["onward"].end.drift
    names = [step.name for step in orders["halfway"].steps if step.kind == "workflow task"]
    assert names[-2:] == ["pack completed", "audit failed"] and _last(orders["halfway"]) == [
        "failure of the run"
    ]
    unfit = orders["nowhere"].end.unfit
    assert unfit is not None and (unfit.turn, unfit.message) == (
        2, "Nothing that was recorded is what the code waits for.",
    )  # fmt: skip


def test_a_local_activity_ends_within_its_workflow_task(orders: All) -> None:
    told = orders["local"]
    assert told.end.unfit is None and _last(told) == ["cancelled timer", "cancellation of the run"]
    names = [step.name for step in told.steps]
    at = names.index("price completed")
    assert [name for name in names[at + 1 :] if not name.startswith(("wait", "sleeps"))][:3] == [
        "patch fraud-pause", "timer", "audit completed",
    ]  # fmt: skip
    told_first = [told.steps[n].name.rpartition(", ")[2] for n in told.end.turns]
    assert told_first[1:3] == ["update move", "price completed"]


def test_turns_of_an_edited_history_are_those_of_its_edits() -> None:
    order = input_of("order")

    def then(edits: Sequence[Edit]) -> ReplayInput:
        return edited(order, edits)

    assert then(CHAINS["packed"]).then == PACKED
    assert then(CHAINS["packed"]).cut == then([CHARGED]).cut == 35


@pytest.mark.long
def test_what_is_written_is_what_the_server_wrote() -> None:
    """All events of whole runs, with ids and attributes, but for what a server or another process makes up."""
    runs = (
        "order:order", "compensating:shapes", "races:shapes", "cancelled:shapes", "failing:shapes", "chain:shapes",
        "parent:variety", "scopes:variety", "updated:variety:2", "patched:variety", "marked:variety", "dynamic:variety",
    )  # fmt: skip
    command = [sys.executable, "-m", written.__name__, *runs]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["run"] for one in found] == [run.partition(":")[0] for run in runs], told.stderr[-2000:]
    for one in found:
        assert one["made"] == one["recorded"] and one["unlike"] == [], one
    assert sum(one["recorded"] for one in found) > 400
