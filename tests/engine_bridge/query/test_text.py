"""Filters made from cells: quoting, and, or, not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.query import parse
from engine_bridge.query.ast import And, Compare, Duration, Instant, Node, Not, Or, Text
from engine_bridge.query.text import and_, compare, join_path, not_, or_, quote, split_path

from .strategies import FIELDS


def parsed(text: str) -> Node | None:
    return parse(text, FIELDS)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("\"'\\\n\0"), max_size=20)
)
def test_any_text_survives_quoting(text: str) -> None:
    assert parsed(quote(text)) == Text(text)
    assert parsed(compare("type", text)) == Compare("type", "==", text)
    assert split_path(join_path("a", text).partition(".")[2]) == (text,)


def test_times_and_durations_keep_every_nanosecond() -> None:
    assert (
        compare("created", Instant(1_800_000_000_123_456_789)) == "created == 2027-01-15T08:00:00.123456789Z"
    )
    assert compare("duration", Duration(5_400_000_000_001)) == "duration == 1h30m1ns"
    assert parsed("duration == 1h30m1ns") == Compare("duration", "==", Duration(5_400_000_000_001))


def test_a_missing_value_filters_for_its_absence() -> None:
    assert compare("queue", None) == "not exists(queue)"
    assert compare("queue", None, "!=") == "exists(queue)"


@pytest.mark.parametrize("condition", ['type == "x"', 'type == "a or b"', '"a or (b"', "not exists(queue)"])
def test_conditions_join_without_changing_what_is_there(condition: str) -> None:
    assert and_("", condition) == condition == or_(" ", condition)
    assert parsed(and_("status == failed or queue == q", condition)) == And(
        (parsed("status == failed or queue == q"), parsed(condition))
    )
    assert parsed(or_("status == failed and queue == q", condition)) == Or(
        (parsed("status == failed and queue == q"), parsed(condition))
    )
    assert and_(condition, condition) == condition


def test_not_gives_the_opposite() -> None:
    assert not_('type == "x"') == 'type != "x"'
    assert not_("attributes.tenant == 5") == "attributes.tenant != 5"
    assert parsed(not_('error contains "a == b"')) == Not(Compare("error", "contains", "a == b"))
    assert parsed(not_('type == "x" or type == "y"')) == Not(parsed('type == "x" or type == "y"'))
