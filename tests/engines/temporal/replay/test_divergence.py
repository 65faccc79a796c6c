"""Edited code against a recorded run: which event, which line, what kind, in words."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Outcome
from tests.engines.dbos.replay.replays import All, text_at
from tests.engines.temporal.replay.replays import APPS, Edits, input_of


class Edit(NamedTuple):
    """An edit of the workflow, and the divergence that it must be told as."""

    run: str
    change: tuple[str, str]
    kind: str
    event: int
    expected: str
    actual: str
    line: str
    said: str = ""


IN = "\n        "
AUDIT = 'await workflow.execute_activity(audit, "x", start_to_close_timeout=SHORT)'
RESERVE = "await workflow.execute_activity(reserve, order, start_to_close_timeout=SHORT)"
PRICE = "amount = await workflow.execute_local_activity(price, order, start_to_close_timeout=SHORT)"
NAP = "await asyncio.sleep(0.05)"
PATCH = f'if workflow.patched("fraud-pause"):{IN}    {NAP}'
CHARGE_LINE = "charged = await workflow.execute_activity("
CHARGE = f"{CHARGE_LINE}{IN}    charge_card, args=[order, amount], start_to_close_timeout=SHORT{IN})"
WAIT = "await workflow.wait_condition(lambda: self.approved, timeout=timedelta(hours=1))"
PACK = "workflow.execute_activity(pack, Parcel(order, part), start_to_close_timeout=SHORT)"
TURN = 'await workflow.execute_activity(audit, f"turn {turn}", start_to_close_timeout=SHORT)'
BILL = 'bill = await workflow.execute_child_workflow(Invoice.run, order, id=f"{order}-invoice")'
SHIP = "shipped = await workflow.execute_activity(ship, list(parcels), start_to_close_timeout=SHORT)"
RETURN = 'return f"{shipped}; {bill}; {charged}"'
CHILD = "shipped = await workflow.execute_child_workflow(Invoice.run, order)"
LOCAL_PRICE = "await workflow.execute_local_activity(price, order, start_to_close_timeout=SHORT)"
LOCAL_SHIP = SHIP.replace("execute_activity", "execute_local_activity")
FOREVER = "await workflow.wait_condition(lambda: False)"
EDITS = [
    Edit("extra-first", (RESERVE, AUDIT + IN + RESERVE), "extra step", 5, "activity reserve", "activity audit", AUDIT,
         "Activity audit is probably new"),
    Edit("extra", (CHARGE, AUDIT + IN + CHARGE), "extra step", 31, "activity charge_card", "activity audit", AUDIT,
         "does not match activity type of activity command 'audit'"),
    Edit("removed-first", (RESERVE, "pass"), "missing step", 5, "activity reserve", "local activity price", PRICE),
    Edit("removed", (CHARGE, "charged = 3"), "missing step", 31, "activity charge_card", "activity pack", PACK,
         "Activity charge_card is probably left out"),
    Edit("renamed", ("  charge_card, args", "  audit, args"), "other step", 31, "activity charge_card",
         "activity audit", CHARGE_LINE, "probably replaced, renamed or removed"),
    Edit("reordered", (f"{BILL}{IN}{SHIP}", f"{SHIP}{IN}{BILL}"), "other step", 61, "child workflow invoice",
         "activity ship", SHIP, "the order probably changed"),
    Edit("to-timer", (CHARGE, "charged = await asyncio.sleep(1)"), "other step", 31, "activity charge_card", "timer",
         "charged = await asyncio.sleep(1)"),
    Edit("to-child", (SHIP, CHILD), "other step", 70, "activity ship", "child workflow invoice", CHILD),
    Edit("to-local", (SHIP, LOCAL_SHIP), "other step", 70, "activity ship", "local activity ship", LOCAL_SHIP),
    Edit("child-to-activity", (BILL, f"bill = {AUDIT}"), "other step", 61, "child workflow invoice", "activity audit",
         f"bill = {AUDIT}"),
    Edit("child-renamed", ("Invoice.run, order, id=", '"bill", order, id='), "other step", 61,
         "child workflow invoice", "child workflow bill", BILL.replace("Invoice.run", '"bill"')),
    Edit("child-id", ("{order}-invoice", "{order}-inv"), "other step", 61, "child workflow invoice",
         "another child workflow invoice", BILL.replace("-invoice", "-inv"), "Child workflow id of scheduled event"),
    Edit("timer-to-activity", (NAP, AUDIT), "other step", 22, "timer", "activity audit", AUDIT),
    Edit("removed-timer", (NAP, "pass"), "missing step", 22, "timer", "activity charge_card", CHARGE_LINE),
    Edit("added-timer", (BILL, f"await asyncio.sleep(3){IN}{BILL}"), "extra step", 61, "child workflow invoice",
         "timer", "await asyncio.sleep(3)"),
    Edit("removed-patch", (PATCH, "pass"), "missing step", 20, "patch fraud-pause", "no patch fraud-pause",
         CHARGE_LINE, "the run went through this patch"),
    Edit("renamed-patch", ('"fraud-pause"', '"pause"'), "missing step", 20, "patch fraud-pause",
         "no patch fraud-pause", CHARGE_LINE),
    Edit("early-return", (BILL, 'return "early"'), "early end", 61, "child workflow invoice", "completes the run",
         'return "early"', "The history goes on"),
    Edit("raises-application-error", (SHIP, 'raise ApplicationError("no")'), "early end", 70, "activity ship",
         "fails the run", 'raise ApplicationError("no")'),
    Edit("continues-as-new", (SHIP, "workflow.continue_as_new(order)"), "early end", 70, "activity ship",
         "continues as new", "workflow.continue_as_new(order)"),
    Edit("late-end", (RETURN, AUDIT + IN + RETURN), "late end", 76, "the end of the run (Completed)", "activity audit",
         AUDIT),
    Edit("other-outcome", (RETURN, 'raise ApplicationError("late")'), "other outcome", 76,
         "the end of the run (Completed)", "fails the run", 'raise ApplicationError("late")'),
    Edit("waits-for-ever", (SHIP, f"{FOREVER}{IN}shipped = ''"), "missing step", 70, "activity ship", "waits", FOREVER),
    Edit("raises", (SHIP, "shipped = parcels + 1"), "error", 70, "activity ship",
         'TypeError: can only concatenate list (not "int") to list', "shipped = parcels + 1"),
    Edit("loop-shorter", ("range(2)", "range(1)"), "missing step", 55, "activity audit", "child workflow invoice",
         BILL),
    Edit("loop-longer", ("range(2)", "range(3)"), "extra step", 61, "child workflow invoice", "activity audit", TURN),
    Edit("gathers-more", ("range(3)", "range(4)"), "extra step", 36, "nothing more in this workflow task",
         "activity pack", PACK, "the history goes on with activity audit"),
    Edit("gathers-fewer", ("range(3)", "range(2)"), "missing step", 39, "activity pack", "waits",
         "parcels = await asyncio.gather("),
    Edit("other-branch", ("if workflow.patched", "if not workflow.patched"), "missing step", 22, "timer",
         "activity charge_card", CHARGE_LINE),
    Edit("removed-signal", ("    @workflow.signal\n", ""), "extra step", 37, "activity pack", "timer", WAIT),
    Edit("removed-update", ("    @workflow.update\n", ""), "missing step", 9, "accepted update",
         "no handler that accepts it", RESERVE),
    Edit("local-removed", (PRICE, "amount = 3"), "missing step", 19, "local activity price", "no local activity price",
         NAP),
    Edit("local-to-activity", ("local_activity(price", "activity(price"), "other step", 19, "local activity price",
         "activity price", PRICE.replace("local_", "")),
    Edit("added-local", (CHARGE, LOCAL_PRICE + IN + CHARGE), "extra step", 31, "activity charge_card",
         "local activity price", LOCAL_PRICE),
]  # fmt: skip
SOUND = {
    "same": ('self.status = "shipped"', 'self.status = "out"'),
    "patched": (RETURN, f'if workflow.patched("new"):{IN}    {AUDIT}{IN}{RETURN}'),
    "deprecated": ('if workflow.patched("fraud-pause"):' + IN + "    ", f'workflow.deprecate_patch("fraud-pause"){IN}'),
    "no-command": (CHARGE, f"asyncio.get_running_loop().call_soon(lambda: None){IN}{CHARGE}"),
    "taken-back": (CHARGE, f"asyncio.create_task(asyncio.sleep(9)).cancel(){IN}{CHARGE}"),
}  # fmt: skip


def told_of(folder: pytest.TempPathFactory, **more: object) -> All:
    """All edits, replayed in one process."""
    edits = Edits(APPS / "order.py", "Order")
    for edit in EDITS:
        edits.add(edit.run, input_of("order"), edit.change)
    for run, change in SOUND.items():
        edits.add(run, input_of("order"), change)
    return edits.replay(folder.mktemp("edited"), **more)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> All:
    return told_of(tmp_path_factory, options={"sandbox": False})


@pytest.fixture(scope="module")
def told_in_the_sandbox(tmp_path_factory: pytest.TempPathFactory) -> All:
    """As the gate replays: places alone are recorded."""
    return told_of(tmp_path_factory, record="places")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.run)
def test_an_edit_is_located_to_event_and_line(told: All, edit: Edit) -> None:
    _check(told, edit)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.run)
def test_an_edit_is_located_in_the_sandbox_by_places_alone(told_in_the_sandbox: All, edit: Edit) -> None:
    _check(told_in_the_sandbox, edit)


def _check(told: All, edit: Edit) -> None:
    end = told[edit.run].end
    assert end.outcome is Outcome.DIVERGED, end
    found = end.divergence
    assert found is not None
    assert (found.kind, found.position, found.expected, found.actual) == (
        edit.kind, edit.event, edit.expected, edit.actual,
    )  # fmt: skip
    assert text_at(found.at) == edit.line
    assert edit.said in found.message and found.message.endswith((".", "!"))


@pytest.mark.parametrize("run", SOUND)
def test_a_sound_edit_is_none(told: All, told_in_the_sandbox: All, run: str) -> None:
    for one in (told[run], told_in_the_sandbox[run]):
        assert one.end.outcome is Outcome.SAME, one.end
        assert not one.end.drift
