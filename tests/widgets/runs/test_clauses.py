"""What chips and brush write into the filter, and read from it."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Field, FieldType
from engine_bridge.model import Status
from engine_bridge.query import parse
from widgets.runs.clauses import statuses, time_range, with_statuses, with_time_range, without_status

FIELDS = [
    Field(name="status", type=FieldType.STATUS, values=tuple(Status)),
    Field(name="type", type=FieldType.TEXT),
    Field(name="created", type=FieldType.TIME),
]
S = 1_000_000_000


def chips(text: str, *wanted: str) -> str:
    return with_statuses(text, parse(text, FIELDS), wanted)


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("", ("failed",), "status == failed"),
        ("status == failed", (), ""),
        ("status == failed", ("running",), "status == running"),
        ("status == failed", ("running", "failed"), "status in (failed, running)"),
        ('type == "a" and status == failed', (), 'type == "a"'),
        ('type == "a"', ("failed",), 'type == "a" and status == failed'),
        ('type == "a" or type == "b"', ("failed",), '(type == "a" or type == "b") and status == failed'),
    ],
)
def test_chips_rewrite_only_their_own_clause(before: str, wanted: tuple[str, ...], after: str) -> None:
    assert chips(before, *wanted) == after
    assert statuses(parse(after, FIELDS)) == frozenset(wanted)


def test_a_status_under_or_is_not_a_chip() -> None:
    node = parse('status == failed or type == "a"', FIELDS)
    assert statuses(node) == frozenset()
    assert without_status(node) == node


def test_the_brush_replaces_its_own_range() -> None:
    first = with_time_range('type == "a"', parse('type == "a"', FIELDS), (10 * S, 20 * S))
    assert time_range(parse(first, FIELDS)) == (10 * S, 20 * S)
    second = with_time_range(first, parse(first, FIELDS), (12 * S, 13 * S))
    assert time_range(parse(second, FIELDS)) == (12 * S, 13 * S)
    assert second.count("created") == 2
    assert with_time_range(second, parse(second, FIELDS), None) == 'type == "a"'


def test_a_relative_time_is_the_users_own() -> None:
    text = "created > 2h ago"
    assert with_time_range(text, parse(text, FIELDS), None) == text
