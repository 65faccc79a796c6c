"""What must be typed before a plan is executed."""

from __future__ import annotations

import pytest

from engine_bridge.actions.confirm import fits, needed
from engine_bridge.actions.model import Danger, Plan, PlanItem, Staged, Target


def plan(count: int, environment: str = "dev", danger: Danger = Danger.CHANGES, refused: int = 0) -> Plan:
    items = tuple(
        PlanItem(
            staged=Staged(target=Target(kind="run", id=f"r-{i}"), action="retry"),
            title="",
            danger=danger,
            refused="a no-op" if i < refused else "",
        )
        for i in range(count)
    )
    return Plan(id="p", source="s", environment=environment, items=items)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (plan(1), ""),
        (plan(5), ""),
        (plan(6), "6"),
        (plan(8, refused=3), ""),
        (plan(8, refused=2), "6"),
        (plan(1, "test"), ""),
        (plan(1, "production"), "r-0"),
        (plan(2, "production"), "2"),
        (plan(2, "production", refused=1), "r-1"),
        (plan(1, danger=Danger.DESTROYS), "r-0"),
        (plan(3, danger=Danger.DESTROYS), "3"),
        (plan(2, "production", refused=2), ""),
        (plan(0, "production"), ""),
    ],
)
def test_the_text_fits_what_is_at_stake(found: Plan, text: str) -> None:
    assert needed(found) == text


def test_the_environment_and_limit_may_be_given() -> None:
    assert needed(plan(1), "production") == "r-0"
    assert needed(plan(4), "dev", 3) == "4"


def test_several_actions_on_one_target_count_once() -> None:
    one = plan(1, "production").items[0]
    assert needed(Plan(id="p", source="s", environment="production", items=(one, one))) == "r-0"


def test_blanks_around_the_typed_text_do_not_matter() -> None:
    assert fits(" 12 ", "12") and not fits("1 2", "12") and not fits("", "12")
