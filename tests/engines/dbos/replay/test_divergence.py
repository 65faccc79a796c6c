"""Edited code against recorded runs: which step, which line, what kind, in words."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Outcome, ReplayInput
from tests.engines.dbos.replay.conftest import ORDER, SHAPES
from tests.engines.dbos.replay.replays import All, Edits, edited, inputs_of, replay, text_at


class Edit(NamedTuple):
    """An edit of a workflow, and the divergence that it must be told as."""

    run: str
    history: str
    change: tuple[str, str]
    kind: str
    step: str
    expected: str
    actual: str
    line: str
    said: str = ""


RESERVE = "    reserved = reserve(number)\n"
EDITS = [
    Edit("extra-step", "order", (RESERVE, f'    audit("new")\n{RESERVE}'), "extra step", "3", "reserve", "audit",
         'audit("new")', "audit is probably new"),
    Edit("extra-event", "order", (RESERVE, f'    DBOS.set_event("at", "reserving")\n{RESERVE}'), "extra step", "3",
         "reserve", "DBOS.setEvent", 'DBOS.set_event("at", "reserving")'),
    Edit("missing-step", "order", (RESERVE, "    reserved = ''\n"), "missing step", "3", "reserve", "print_label",
         "label = print_label(number)", "at step 4: reserve is left out"),
    Edit("missing-event", "order", ('    DBOS.set_event("stage", "begun")\n', ""), "missing step", "1",
         "DBOS.setEvent", "priced", "price = priced(number)"),
    Edit("renamed-step", "order", (RESERVE, "    reserved = audit('renamed')\n"), "other step", "3", "reserve", "audit",
         "reserved = audit('renamed')", "replaced, renamed or removed"),
    Edit("reordered", "order", (f"    price = priced(number)\n{RESERVE}", f"{RESERVE}    price = priced(number)\n"),
         "other step", "2", "priced", "reserve", "reserved = reserve(number)", "the order probably changed"),
    Edit("step-to-child", "order", (RESERVE, "    reserved = invoice(number)\n"), "other step", "3", "reserve",
         "invoice", "reserved = invoice(number)"),
    Edit("step-to-sleep", "order", (RESERVE, "    reserved = str(DBOS.sleep(1))\n"), "other step", "3", "reserve",
         "DBOS.sleep", "reserved = str(DBOS.sleep(1))"),
    Edit("child-to-step", "order", ("bills = invoice(number)", "bills = reserve(number)"), "other step", "9", "invoice",
         "reserve", "bills = reserve(number)"),
    Edit("removed-patch", "order", ('    if DBOS.patch("fraud"):\n        fraud_check(number)\n', ""), "missing step",
         "12",         "DBOS.patch-fraud", "notify", 'told = DBOS.enqueue_workflow("mail", notify, "first")',
         "went through the patch fraud"),
    Edit("early-return", "order", ("    with SetEnqueue", "    if label:\n        return label\n    with SetEnqueue"),
         "early end", "14", "notify", "SUCCESS", "return label", "the history goes on with notify"),
    Edit("exception", "order", ("    bills = invoice", "    label = label + 1\n    bills = invoice"), "error", "9",
         "invoice", 'ERROR: TypeError: can only concatenate str (not "int") to str', "label = label + 1"),
    Edit("other-branch", "order", ("if express:", "if not express:"), "other step", "4", "print_label", "log.note",
         'note("slow")', "another branch"),
    Edit("changed-child", "order", ("bills = invoice(number)", "bills = bill(number)"), "other step", "9", "invoice",
         "bill", "bills = bill(number)"),
    Edit("loop-shorter", "order", ("range(3)", "range(2)"), "missing step", "7", "pack", "DBOS.sleep",
         "DBOS.sleep(0.01)", "A loop probably ends sooner"),
    Edit("loop-longer", "order", ("range(3)", "range(4)"), "extra step", "8", "DBOS.sleep", "pack", "pack(turn)",
         "A loop probably goes on longer"),
    Edit("late-end", "order", ('    return {"charged"', '    audit("end")\n    return {"charged"'), "late end", "19",
         "the end of the run (SUCCESS)", "audit", 'audit("end")'),
    Edit("extra-last-event", "order", ('    DBOS.set_event("stage", "done")',
         '    DBOS.set_event("stage", "nearly")\n    DBOS.set_event("stage", "done")'), "late end", "19",
         "the end of the run (SUCCESS)", "DBOS.setEvent", 'DBOS.set_event("stage", "done")'),
    Edit("error-kept", "declined", ("        raise\n", '        return "declined"\n'), "other outcome", "", "ERROR",
         "SUCCESS", 'return "declined"'),
    Edit("compensation-added", "declined", ("        release(", "        audit('x')\n        release("),
         "extra step", "18", "release", "audit", "audit('x')"),
    Edit("waiting-extra", "approval", ("    answer =", "    audit('asked')\n    answer ="), "extra step", "2",
         "DBOS.recv or DBOS.getEvent", "audit", "audit('asked')", "waits for a message"),
    Edit("waiting-patched", "approval", ("    answer =", '    DBOS.patch("new")\n    answer ='), "extra step", "2",
         "DBOS.recv or DBOS.getEvent", "DBOS.patch-new", 'DBOS.patch("new")', "DBOS.patch-new is probably new"),
    Edit("waiting-replaced", "approval", ('DBOS.recv("approval", timeout_seconds=3600)', "priced(7)"), "other step",
         "2", "DBOS.recv or DBOS.getEvent", "priced", "answer = priced(7)", "waits for a message"),
    Edit("extra-steps", "order", (RESERVE, f'    if price:\n        audit(str(price))\n        audit("2")\n{RESERVE}'),
         "extra step", "3", "reserve", "audit", "audit(str(price))", "reserve is still called"),
    Edit("missing-steps", "order", (f"    price = priced(number)\n{RESERVE}", "    price, reserved = 50, ''\n"),
         "missing step", "2", "priced", "print_label", "label = print_label(number)", "at step 4"),
    Edit("extra-known-step", "order", (RESERVE, f"    priced(number)\n{RESERVE}"), "extra step", "3", "reserve",
         "priced", "priced(number)", "priced is probably new"),
    Edit("extra-in-try", "order", ("    try:\n        charged =", "    try:\n        audit('x')\n        charged ="),
         "extra step", "17", "charge", "audit", "audit('x')", "charge is still called"),
    Edit("extra-with-handler", "order", ("        charged = charge(price)\n    except Declined:\n",
         "        fraud_check(price)\n        charged = charge(price)\n    except Declined:\n        charge(1)\n"),
         "extra step", "17", "charge", "fraud_check", "fraud_check(price)", "charge is still called"),
    Edit("extra-in-helper", "helped", ("    helper_of_order(number)", "    extended_helper(number)"), "extra step", "2",
         "print_label", "audit", 'audit("in a helper")', "print_label is still called"),
    Edit("extra-before-named", "helped", ('    note("done")', '    audit("x")\n    note("done")'), "extra step", "3",
         "log.note", "audit", 'audit("x")', "log.note is still called"),
    Edit("missing-in-helper", "helped", ("    helper_of_order(number)", "    shortened_helper(number)"), "missing step",
         "1", "reserve", "print_label", "print_label(number)", "at step 2"),
]  # fmt: skip
SOUND = {
    "patched": ("old", ("    return charge", '    if DBOS.patch("new"):\n        audit("x")\n    return charge')),
    "patched-at-end": ("old", ("    return charge(number)", "    given = charge(number)\n"
                               '    if DBOS.patch("new"):\n        audit("x")\n    return given')),
    "deprecated": ("order", ('    if DBOS.patch("fraud"):\n        fraud',
                             '    DBOS.deprecate_patch("fraud")\n    fraud')),
    "deprecated-new": ("old", ("    return charge", '    DBOS.deprecate_patch("new")\n    return charge')),
    "other-names": ("order", ("label = print_label(number)", "label = (lambda n: print_label(n))(number)")),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(order_inputs: list[ReplayInput], tmp_path_factory: pytest.TempPathFactory) -> All:
    """All edits, replayed in one process."""
    edits = Edits(ORDER, order_inputs)
    for edit in EDITS:
        edits.add(edit.run, edit.history, edit.change)
    for run, (history, change) in SOUND.items():
        edits.add(run, history, change)
    for item in order_inputs:
        edits.add(f"same-{item.run_id}", item.run_id)
    return edits.replay(tmp_path_factory.mktemp("edited"))


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.run)
def test_an_edit_is_located_to_step_and_line(told: All, edit: Edit) -> None:
    end = told[edit.run].end
    assert end.outcome is Outcome.DIVERGED, end
    found = end.divergence
    assert found is not None
    assert (found.kind, found.step_id, found.expected, found.actual) == (
        edit.kind, edit.step, edit.expected, edit.actual,
    )  # fmt: skip
    assert text_at(found.at) == edit.line
    assert edit.said in found.message and found.message.endswith(".")


@pytest.mark.parametrize("run", SOUND)
def test_a_sound_edit_is_none(told: All, run: str) -> None:
    assert told[run].end.outcome is Outcome.SAME, told[run].end
    assert not told[run].end.drift


def test_code_that_was_not_edited_has_no_divergence_and_no_drift(
    told: All, order_inputs: list[ReplayInput]
) -> None:
    ends = [told[f"same-{item.run_id}"].end for item in order_inputs]
    assert {end.outcome for end in ends} == {Outcome.SAME, Outcome.STOPPED}
    assert not [end.drift for end in ends if end.drift]


def test_a_patch_where_the_run_stands_is_taken(shapes_file: Path, tmp_path: Path) -> None:
    edits = Edits(SHAPES, inputs_of(shapes_file, ["stuck", "stuck_async"]))
    edits.add(
        "new-way",
        "stuck",
        ("    hang()", '    if DBOS.patch("new"):\n        called_otherwise(1)\n    hang()'),
    )
    patch = '    if await DBOS.patch_async("new"):\n        await later(1)\n    await later("x", 3600)'
    edits.add("new-way-async", "stuck_async", ('    await later("x", 3600)', patch))
    edits.add("old-way", "stuck", ("    hang()", '    DBOS.deprecate_patch("new")\n    hang()'))
    told = edits.replay(tmp_path)
    for run, step in (("new-way", "named-step"), ("new-way-async", "later"), ("old-way", "hang")):
        now = told[run].end.now
        assert now is not None and now.what == step, told[run].end
    assert told["new-way"].asked == ["add", "DBOS.patch-new", "named-step"]
    assert told["new-way-async"].asked == ["later", "DBOS.patch-new", "later"]


def test_a_step_that_became_a_workflow_of_the_same_name(
    order_inputs: list[ReplayInput], tmp_path: Path
) -> None:
    orders = [item for item in order_inputs if item.run_id in ("order", "old")]
    app = edited(ORDER, tmp_path, ("@DBOS.step()\ndef reserve", "@DBOS.workflow()\ndef reserve"),
                 ("@DBOS.workflow()\ndef invoice", "@DBOS.step()\ndef invoice"))  # fmt: skip
    told = replay(orders, app)
    found = told["order"].end.divergence
    assert found is not None and told["old"].end.outcome is Outcome.SAME
    assert (found.expected, found.actual) == ("reserve (a step)", "reserve (a child workflow)")
    assert (found.step_id, text_at(found.at)) == ("3", "reserved = reserve(number)")


def test_the_gates_records_locate_as_well(order_inputs: list[ReplayInput], tmp_path: Path) -> None:
    edits = Edits(ORDER, order_inputs)
    chosen = [
        edit for edit in EDITS if edit.run in ("extra-step", "early-return", "exception", "loop-shorter")
    ]
    for edit in chosen:
        edits.add(edit.run, edit.history, edit.change)
    told = edits.replay(tmp_path, record="places")
    for edit in chosen:
        found = told[edit.run].end.divergence
        assert found is not None and text_at(found.at) == edit.line
