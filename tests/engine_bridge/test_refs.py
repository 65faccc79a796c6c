"""What people call runs: by the id that they share, with what tells one of them from the others."""

from __future__ import annotations

import pytest

from engine_bridge.actions.confirm import needed
from engine_bridge.actions.model import Plan, PlanItem, Staged, Target
from engine_bridge.model import RunRef
from engine_bridge.words import Environment

LONG = "01a1f8bb-7e6c-70f0-aecb-2e5e05833123"


@pytest.mark.parametrize(
    ("ref", "name", "label"),
    [
        (RunRef("workflow", "order-9", "order-9"), "order-9", "order-9"),
        (RunRef("workflow", "order-9", LONG), "order-9", "order-9 …833123"),
        (RunRef("workflow", "order-9", f"{LONG} in b.json"), "order-9", "order-9 …833123 in b.json"),
        (RunRef("workflow", "order-9", ""), "order-9", "order-9"),
        (RunRef("workflow", "order-9", "r2"), "order-9", "order-9 r2"),
        (RunRef("workflow", "", "lone"), "lone", "lone"),
        (RunRef("entity", "registration", "42"), "42", "42"),
    ],
)
def test_a_run_is_called_by_what_its_runs_share(ref: RunRef, name: str, label: str) -> None:
    assert (ref.name, ref.label) == (name, label)


def test_what_is_typed_to_confirm_is_what_is_read_on_the_page() -> None:
    target = Target(kind="run", id=LONG, ref=RunRef("workflow", "order-9", LONG))
    item = PlanItem(staged=Staged(target=target, action="terminate"), title="Terminate order-9")
    plan = Plan(id="p", source="s", environment=Environment.PRODUCTION, items=(item,))
    assert needed(plan) == "order-9"
