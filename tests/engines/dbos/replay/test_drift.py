"""What dbos passes in silence: other values, other arguments, other waits. Found, named, at its step."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Drift, Outcome, ReplayInput
from tests.engines.dbos.replay.conftest import ORDER, SHAPES
from tests.engines.dbos.replay.replays import All, Edits, inputs_of


class Edit(NamedTuple):
    """An edit of a workflow, and the drift that it must be told as."""

    run: str
    history: str
    change: tuple[str, str]
    what: str
    step: str
    recorded: object
    replayed: object


WITH_PRIORITY = """    with SetEnqueueOptions(priority=3):
        told = DBOS.enqueue_workflow("mail", notify, "first")
"""
EDITS = [
    Edit("result", "order", ('"charged": charged', '"charged": len(charged)'), "result", "", "c50", 3),
    Edit("error", "declined", ("        raise\n", '        raise Declined("sorry") from None\n'), "error", "",
         "500 is too much", "sorry"),
    Edit("error-type", "declined", ("        raise\n", '        raise ValueError("500 is too much") from None\n'),
         "error", "", "Declined", "ValueError"),
    Edit("event-value", "order", ('"begun"', '"started"'), "event stage", "1", "begun", "started"),
    Edit("event-key", "order", ('("stage", "begun")', '("state", "begun")'), "event key", "1", "stage", "state"),
    Edit("stream-value", "order", ('"log", label)', '"log", len(label))'), "stream log", "11", "label 5", 7),
    Edit("stream-key", "order", ('("log", label)', '("logs", label)'), "stream key", "11", "log", "logs"),
    Edit("child-input", "order", ("invoice(number)", "invoice(number + 1)"), "input", "9", 5, 6),
    Edit("enqueued-input", "order", ('notify, "first"', 'notify, "1st"'), "input", "14", "first", "1st"),
    Edit("child-by-name", "order", ('notify, "second"', 'notify, text="second"'), "input", "15", "args", "text"),
    Edit("queue", "order", ('("mail", notify', '("letters", notify'), "queue", "14", "mail", "letters"),
    Edit("no-queue", "order", (WITH_PRIORITY, '    told = DBOS.start_workflow(notify, "first")\n'), "queue", "14",
         "mail", None),
    Edit("priority", "order", ("priority=3", "priority=4"), "priority", "14", 3, 4),
    Edit("sleep-longer", "order", ("DBOS.sleep(0.01)", "DBOS.sleep(5)"), "sleep", "8", 0.01, 5),
    Edit("topic", "approved", ('recv("approval"', 'recv("consent"'), "topic", "2", "approval", "consent"),
    Edit("no-topic", "approved", ('recv("approval", ', "recv("), "topic", "2", "approval", None),
    Edit("timeout", "approved", ("timeout_seconds=30", "timeout_seconds=90"), "timeout", "3", 30, 90),
    Edit("timeout-shorter", "approved", ("timeout_seconds=30", "timeout_seconds=3"), "timeout", "3", 30, 3),
]  # fmt: skip


@pytest.fixture(scope="module")
def told(order_inputs: list[ReplayInput], tmp_path_factory: pytest.TempPathFactory) -> All:
    """All edits, replayed in one process."""
    edits = Edits(ORDER, order_inputs)
    for edit in EDITS:
        edits.add(edit.run, edit.history, edit.change)
    swapped = ('notify, "first")\n    DBOS.start_workflow(notify, "second")',
               'notify, "second")\n    DBOS.start_workflow(notify, "first")')  # fmt: skip
    edits.add("swapped", "order", swapped)
    return edits.replay(tmp_path_factory.mktemp("drifted"))


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.run)
def test_drift_is_found_at_its_step(told: All, edit: Edit) -> None:
    end = told[edit.run].end
    assert end.outcome is Outcome.SAME, end
    found = [drift for drift in end.drift if drift.what == edit.what]
    assert len(found) == 1, end.drift
    assert found[0].step_id == edit.step
    for held, picture in ((edit.recorded, found[0].recorded), (edit.replayed, found[0].replayed)):
        if isinstance(held, float | int) and edit.what in ("sleep", "timeout"):
            assert abs(picture - held) < 0.5
        else:
            assert held == picture or repr(held) in repr(picture)


def test_a_step_brings_its_drift_with_it(told: All) -> None:
    (drift,) = [d for step in told["event-value"].steps for d in step.drift]
    assert drift == Drift(what="event stage", recorded="begun", replayed="started", step_id="1")
    assert [step.step_id for step in told["event-value"].steps if step.drift] == ["1"]


def test_swapped_children_are_told_as_another_order(told: All) -> None:
    drifts = {drift.step_id: drift for drift in told["swapped"].end.drift}
    assert {step: drift.what for step, drift in drifts.items()} == {"14": "order", "15": "order"}
    assert drifts["14"].note == "step 15 of the history got this input: the order changed"


def test_equality_of_plain_objects_sets_and_nan_is_that_of_a_reader(
    shapes_file: Path, tmp_path: Path
) -> None:
    edits = Edits(SHAPES, inputs_of(shapes_file, ["steps", "portable-ok"]))
    edits.add("same", "steps")
    edits.add("inside", "steps", ("[Plain(1), {2, 3}]", "[Plain(2), {2, 3}]"))
    edits.add("set", "steps", ("{2, 3}]", "{2, 4}]"))
    edits.add("enum", "steps", ("Colour.RED", "None"))
    edits.add("portable", "portable-ok")
    edits.add("portable-type", "portable-ok", ('"parts": (1, 2)', '"parts": [1, 2]'))
    edits.add("portable-value", "portable-ok", ('"parts": (1, 2)', '"parts": [1, 3]'))
    told = edits.replay(tmp_path)
    drifted = {run for run in told.runs if told[run].drift == ["result"]}
    assert drifted == {"inside", "set", "enum", "portable-value"}
    assert {run for run in told.runs if not told[run].drift} == {"same", "portable", "portable-type"}
