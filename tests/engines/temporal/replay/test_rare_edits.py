"""Edits of all that the SDK offers besides activities: where they part from the record, or what core passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from engine_bridge.replay.model import Outcome
from tests.engines.dbos.replay.replays import All, text_at
from tests.engines.temporal.replay.replays import APPS, Edits, input_of, replay_edits

VARIETY = APPS / "variety.py"
IN = "\n        "


class Edit(NamedTuple):
    """An edit of a recorded workflow of variety.py (class ``of``), and what is told: a divergence, or drift."""

    run: str
    of: str
    change: tuple[str, str]
    kind: str
    event: int
    expected: object
    actual: object
    line: str = ""


ADD = "return await workflow.execute_activity(add, args=[number], start_to_close_timeout=SHORT, **more)"
CALL = f"{IN}await call(1)\n"
CHILD = "child workflow grown-child"
STAMP, CLERK = "Nexus operation Desk.stamp", "Nexus operation Desk.clerk"
UNSET = "workflow.upsert_search_attributes([TENANT.value_unset()])"
MEMO = 'workflow.upsert_memo({"note": "kept", "more": [1, 2]})'
FOR_CHILD = 'workflow.execute_child_workflow(GrownChild.run, str(n), id=f"{me}-4-{n}") for n in range(3)'
FIRST = 'await desk.execute_operation(Desk.stamp, "a"), '
KINDS = "workflow.ActivityCancellationType"
EXTERNAL = 'await workflow.get_external_workflow_handle(f"{me}-REQUEST_CANCEL").cancel()'
TOLD = "told = [await desk.execute_operation(Desk"
EDITS = [
    Edit("children-turned", "Parent", ("n in range(3)", "n in (2, 1, 0)"), "other step", 73, CHILD, f"another {CHILD}",
         FOR_CHILD.replace("range(3)", "(2, 1, 0)")),
    Edit("child-not-signalled", "Parent", ("await waits.signal(GrownChild.leave)", "pass"), "missing step", 10,
         "signal leave to another workflow", "waits", "told.append(await waits)"),
    Edit("child-not-cancelled", "Parent", ("doomed.cancel()", "pass"), "missing step", 48,
         "cancellation of another workflow", "waits", "await doomed"),
    Edit("other-not-cancelled", "Parent", (EXTERNAL, "pass"), "missing step", 68, "cancellation of another workflow",
         CHILD, FOR_CHILD),
    Edit("signal-renamed", "Parent", ('other.signal("leave")', 'other.signal("go")'), "signal", 57, "leave", "go"),
    Edit("continued-otherwise", "Again", ("[left - 1, ", "[left - 2, "), "input", 12, 1, 0),
    Edit("continued-longer", "Again", ("timedelta(hours=1)", "timedelta(hours=2)"), "timeout", 12, 3600.0, 7200.0),
    Edit("not-continued", "Again", ("if left:", "if left < 0:"), "early end", 11, "search attributes",
         "completes the run", "return said"),
    Edit("attributes-added", "Marked", (CALL, f"{IN}{UNSET}{CALL}"), "extra step", 6, "activity add",
         "search attributes", UNSET),
    Edit("memo-added", "Marked", (CALL, f"{IN}{MEMO}{CALL}"), "extra step", 6, "activity add", "memo", MEMO),
    Edit("memo-removed", "Marked", (MEMO, "pass"), "missing step", 13, "memo", "search attributes",
         'workflow.upsert_search_attributes([TENANT.value_set("zeta")])'),
    Edit("attributes-removed", "Marked", (UNSET, "pass"), "missing step", 12, "search attributes", "memo", MEMO),
    Edit("marks-swapped", "Marked", (f"{UNSET}{IN}{MEMO}", f"{MEMO}{IN}{UNSET}"), "other step", 12,
         "search attributes", "memo", MEMO),
    Edit("timer-behind-patch", "Marked", (f"await asyncio.sleep(0.05){IN}", ""), "missing step", 17, "timer", "memo",
         'workflow.upsert_memo({"note": None})'),
    Edit("not-cancelled", "Scopes", (" handle.cancel()", " pass"), "missing step", 11, "cancellation of an activity",
         "waits", "await handle"),
    Edit("kinds-turned", "Scopes", (KINDS, f"[*{KINDS}][::-1]"), "other step", 11, "cancellation of an activity",
         "another cancellation of an activity", "await asyncio.sleep(0.3)"),
    Edit("scope-without-limit", "Scopes", ("asyncio.timeout(0.1)", "asyncio.timeout(None)"), "missing step", 50,
         "timer", "waits", "await workflow.wait_condition(lambda: False)"),
    Edit("group-without-timer", "Scopes", ("group.create_task(asyncio.sleep(3600))", "pass"), "missing step", 55,
         "timer", "activity add", ADD),
    Edit("longer-wait", "Scopes", ("timeout=SHORT), 0.2)", "timeout=SHORT), 20)"), "timer", 35, 0.2, 20.0),
    Edit("one-at-a-time", "Conditions", ("Semaphore(2)", "Semaphore(1)"), "missing step", 39, "activity add", "waits",
         "told += await asyncio.gather(*map(limited, range(5)))"),
    Edit("first-turned", "Conditions", ("n in (7, 8)", "n in (8, 7)"), "order", 77, 7, 8),
    Edit("one-more-id", "Chances", ("workflow.logger", f"workflow.uuid4(){IN}workflow.logger"), "input", 5, 61, 67),
    Edit("validator-awaits-less", "Updated", (f"await workflow.sleep(0.05){IN}raise", "raise"), "missing step", 27,
         "timer", "waits", "await workflow.wait_condition(lambda: len(self.sums) > limit)"),
    Edit("patch-in-handler", "Patched", ('if workflow.patched("poke")', "if True"), "missing step", 12, "patch poke",
         "no patch poke", ADD),
    Edit("operations-swapped", "Outward", (FIRST, ""), "missing step", 5, STAMP, CLERK,
         f'{TOLD}.clerk, "b")]'),
    Edit("operation-to-activity", "Outward", (FIRST, "await call(1), "), "other step", 5, STAMP, "activity add", ADD),
    Edit("operation-input", "Outward", ('Desk.stamp, "a"', 'Desk.stamp, "z"'), "input", 5, "a", "z"),
    Edit("operation-limit", "Outward", ('"b")', '"b", schedule_to_close_timeout=SHORT)'), "timeout", 10, 0.0, 10.0),
    Edit("task-fails", "Stumbles", ('KeyError("gone")', 'ValueError("gone")'), "error", 20,
         "the end of the run (Failed)", "ValueError: gone", 'raise ValueError("gone")'),
    Edit("other-failure", "Stumbles", ('KeyError("gone")', 'ApplicationError("gone")'), "failure", 20,
         "KeyError: 'gone'", "gone"),
]  # fmt: skip
SHORT = (
    "children-turned", "signal-renamed", "continued-longer", "attributes-removed", "marks-swapped",
    "timer-behind-patch", "kinds-turned", "scope-without-limit", "operation-input", "operation-limit",
    "other-failure", "child-not-signalled", "memo-added", "patch-in-handler",
)  # fmt: skip


def _told(folder: Path, wanted: Sequence[Edit]) -> All:
    """Edits, replayed in one process."""
    found = []
    for name in dict.fromkeys(edit.of for edit in wanted):
        edits = Edits(VARIETY, name)
        for edit in (one for one in wanted if one.of == name):
            edits.add(edit.run, input_of(name.lower()), edit.change)
        found.append(edits)
    return replay_edits(found, folder, options={"sandbox": False})


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> All:
    return _told(tmp_path_factory.mktemp("rare"), [edit for edit in EDITS if edit.run in SHORT])


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit.run in SHORT], ids=lambda edit: edit.run)
def test_an_edit_is_located(told: All, edit: Edit) -> None:
    _check(told, edit)


@pytest.mark.long
def test_every_edit_is_located(tmp_path: Path) -> None:
    told = _told(tmp_path, EDITS)
    for edit in EDITS:
        _check(told, edit)


def _check(told: All, edit: Edit) -> None:
    end = told[edit.run].end
    found = end.divergence
    if not edit.line:
        assert end.outcome is Outcome.SAME, end
        drift = end.drift[0]
        recorded, replayed = (
            v["i"][0] if isinstance(v, dict) else v for v in (drift.recorded, drift.replayed)
        )
        assert (drift.what, drift.step_id, recorded, replayed) == (
            edit.kind, str(edit.event), edit.expected, edit.actual,
        )  # fmt: skip
        return
    assert end.outcome is Outcome.DIVERGED and found is not None, end
    assert (found.kind, found.position, found.expected, found.actual) == (
        edit.kind, edit.event, edit.expected, edit.actual,
    )  # fmt: skip
    assert text_at(found.at) == edit.line
