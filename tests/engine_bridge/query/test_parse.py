"""Filters as users write them: what they become, and what they are told when they do not parse."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.errors import QueryError
from engine_bridge.query import parse
from engine_bridge.query.ast import Ago, And, Compare, Day, Duration, Instant, Node, Not, Or, Text
from engine_bridge.query.text import to_text

from .strategies import FIELDS, nodes

S = 1_000_000_000
A, B, C = Compare("type", "==", "a"), Compare("type", "==", "b"), Compare("id", "==", "c")
A_TIME = "a time such as 2h ago, today, 2026-11-20 or 2026-11-20T14:05:00Z"


def parsed(text: str) -> Node | None:
    return parse(text, FIELDS, UTC)


def test_the_example_of_the_manual() -> None:
    node = parsed(
        'status == failed and duration > 5s and type ~ "order*" and started > 2h ago '
        'and attributes.tenant == "acme" and error contains "Timeout"'
    )
    assert node == And(
        (
            Compare("status", "==", "failed"),
            Compare("duration", ">", Duration(5 * S)),
            Compare("type", "~", "order*"),
            Compare("started", ">", Ago(7_200 * S)),
            Compare("attributes", "==", "acme", "tenant"),
            Compare("error", "contains", "Timeout"),
        )
    )


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("status = FAILED", Compare("status", "==", "failed")),
        ("queue exists", Compare("queue", "exists", None)),
        ("exists(queue)", Compare("queue", "exists", None)),
        ("not exists(queue)", Not(Compare("queue", "exists", None))),
        ("queue not exists", Not(Compare("queue", "exists", None))),
        ("queue is null", Not(Compare("queue", "exists", None))),
        ("queue == null", Not(Compare("queue", "exists", None))),
        ("queue IS NOT NULL", Compare("queue", "exists", None)),
        ("queue != null", Compare("queue", "exists", None)),
        ('queue == "null"', Compare("queue", "==", "null")),
        ("queue not in (a, 'b c')", Not(Compare("queue", "in", ("a", "b c")))),
        ("queue not contains x", Not(Compare("queue", "contains", "x"))),
        ("queue !~ a*", Compare("queue", "!~", "a*")),
        ('"Card declined"', Text("Card declined")),
        (r'"say \"x\" \\ \n é"', Text('say "x" \\ \n é')),
        ("debounced == true", Compare("debounced", "==", True)),
        ("attempts >= 1_000", Compare("attempts", ">=", 1000)),
        ("attributes.n == 5", Compare("attributes", "==", 5, "n")),
        ('attributes.n == "5"', Compare("attributes", "==", "5", "n")),
        ("attributes.n == 1.5e3", Compare("attributes", "==", 1500.0, "n")),
        ("attributes.ok == false", Compare("attributes", "==", False, "ok")),
        ('attributes."a.b".c == x', Compare("attributes", "==", "x", '"a.b".c')),
        ("duration > 1m30s", Compare("duration", ">", Duration(90 * S))),
        ("duration > 1.5h", Compare("duration", ">", Duration(5_400 * S))),
        ("duration > 250ms", Compare("duration", ">", Duration(250_000_000))),
        ("age < 1w", Compare("age", "<", Duration(604_800 * S))),
        ("started > now", Compare("started", ">", Ago(0))),
        ("started == today", Compare("started", "==", Day("today", "+00:00"))),
        ("started > 1970-01-02", Compare("started", ">", Day("1970-01-02", "+00:00"))),
        ("started > 1970-01-01T00:00:01", Compare("started", ">", Instant(S))),
        ("started > 1970-01-01 00:01", Compare("started", ">", Instant(60 * S))),
        ("started > 1970-01-01T01:00:00.000000001+01:00", Compare("started", ">", Instant(1))),
        ("started > 1969-12-31T23:59:59.5Z", Compare("started", ">", Instant(-500_000_000))),
        ("type == a or type == b and id == c", Or((A, And((B, C))))),
        ("(type == a || type == b) && id == c", And((Or((A, B)), C))),
    ],
)  # fmt: skip
def test_what_a_text_means(text: str, node: Node) -> None:
    assert parsed(text) == node


def test_a_blank_text_is_no_filter() -> None:
    assert parsed(" \n ") is None


def test_times_without_a_zone_are_read_in_the_zone_given() -> None:
    berlin = parse("started > 2026-07-01T12:00", FIELDS, ZoneInfo("Europe/Berlin"))
    assert berlin == Compare("started", ">", Instant(1_782_900_000 * S))
    assert parse("started == today", FIELDS, ZoneInfo("Europe/Berlin")) == Compare(
        "started", "==", Day("today", "Europe/Berlin")
    )


@pytest.mark.parametrize(
    ("text", "column", "length", "message"),
    [
        ("status failed", 7, 6, "Expected an operator such as == or contains after 'status'."),
        ("status", 6, 1, "Expected an operator such as == or contains after 'status'."),
        ("status == ", 9, 1, "Expected a value after '=='."),
        ("status == and", 10, 3, "There is no status 'and'."),
        ("status == failed and", 20, 1, "Expected a field such as status, or a quoted text after 'and'."),
        ("and status == failed", 0, 3, "Expected a field such as status, or a quoted text."),
        ("(status == failed", 17, 1, "A parenthesis is not closed: expected ')'."),
        ("status == failed)", 16, 1, "This parenthesis closes nothing."),
        ('type == "x', 8, 2, "This quote is not closed."),
        ("type == fulfil order", 15, 5, "Expected 'and', 'or' or the end after 'fulfil'."),
        ("type in x", 8, 1, "Expected '(' after 'in'."),
        ("type not == x", 9, 2, "Expected 'in', 'contains' or 'exists' after 'not'."),
        ("type is x", 8, 1, "Expected 'null' or 'not null' after 'is'."),
        ("stat == failed", 0, 4, "There is no field 'stat'."),
        ("queue.x == y", 0, 7, "There is no field 'queue.x'."),
        ("status == succes", 10, 6, "There is no status 'succes'."),
        ("status > failed", 7, 1, "status is a status and does not take >."),
        ("duration > 5", 11, 1, "duration takes a duration such as 250ms, 5s, 1m30s, 2h or 3d, not '5'."),
        ("started > 2027-02-30", 10, 10, f"started takes {A_TIME}, not '2027-02-30'."),
        ("attempts == 1.5", 12, 3, "attempts takes a whole number such as 3, not '1.5'."),
        ("debounced == maybe", 13, 5, "debounced takes true or false, not 'maybe'."),
        ("queue > null", 8, 4, "null takes == or !=, not >."),
        ("type == x ; drop", 10, 1, "Expected 'and', 'or' or the end after 'x'."),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_column(text: str, column: int, length: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parsed(text)
    assert (caught.value.column, caught.value.length, caught.value.message) == (column, length, message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("stat == failed", "Did you mean status?"),
        ("status == success", "Did you mean completed?"),
        ("status == canceled", "Did you mean cancelled?"),
        ("xyzzy == 1", "Fields: age, attempts, attributes"),
        ("type == fulfil order", "Put a value with spaces in quotes."),
        ("status > failed", "It takes ==, !="),
    ],
)
def test_a_fault_says_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(QueryError, match=hint.replace("?", r"\?")):
        parsed(text)


@pytest.mark.parametrize(
    "text", ["(" * 9_000, "not " * 4_000 + "type == x", "type == x or (" * 900, "x" * 30_000]
)
def test_hostile_texts_are_refused_in_time(text: str) -> None:
    with pytest.raises(QueryError):
        parsed(text)


def test_deep_parentheses_cost_no_stack() -> None:
    assert parsed("(" * 3_000 + "type == x" + ")" * 3_000) == Compare("type", "==", "x")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(nodes)
def test_a_filter_written_out_parses_back_to_itself(node: Node) -> None:
    assert _zoned(parse(to_text(node), FIELDS)) == _zoned(node)


def _zoned(node: Node | None) -> Node | None:
    """A day's zone is not written: it is the reader's."""
    match node:
        case Not(inner):
            return Not(_zoned(inner) or inner)
        case And(inner) | Or(inner):
            return type(node)(tuple(_zoned(one) or one for one in inner))
        case Compare(field, op, value, path):
            values = value if isinstance(value, tuple) else (value,)
            bare = tuple(Day(one.day) if isinstance(one, Day) else one for one in values)
            return Compare(field, op, bare if isinstance(value, tuple) else bare[0], path)
    return node


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("status ==!~<>\"'()and or not in,5s.attributes\\\n%é"), max_size=40))
def test_any_text_parses_or_says_where_it_does_not(text: str) -> None:
    try:
        parsed(text)
    except QueryError as fault:
        assert 0 <= fault.column <= len(text) and fault.length >= 1 and fault.message


def test_importing_the_package_leaves_the_grammar_library_alone() -> None:
    code = (
        "import sys, engine_bridge.query, engine_bridge.query.highlight, engine_bridge.query.text;"
        "print({'lark', 'sqlalchemy', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
