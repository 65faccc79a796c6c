"""Completion and colouring while a filter is being typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.bridge import Field, FieldType
from engine_bridge.query.complete import complete
from engine_bridge.query.highlight import tokens

from .strategies import FIELDS


def offered(text: str, fields: list[Field] = FIELDS) -> list[str]:
    """``|`` marks the cursor; without one it stands at the end."""
    cursor = text.index("|") if "|" in text else len(text)
    return [item.text for item in complete(text.replace("|", "", 1), cursor, fields)]


def applied(text: str, choice: str) -> str:
    cursor = text.index("|")
    bare = text.replace("|", "", 1)
    item = next(item for item in complete(bare, cursor, FIELDS) if item.text == choice)
    return bare[: item.start] + item.text + bare[item.end :]


def test_fields_first_then_operators_then_values_then_keywords() -> None:
    assert offered("")[:3] == ["id", "status", "type"]
    assert offered("status ")[:3] == ["==", "!=", "~"]
    assert offered("status == ")[:2] == ["queued", "delayed"]
    assert offered("status == failed ") == ["and", "or"]
    assert offered("(status == failed ") == ["and", "or", ")"]
    assert "status" in offered("status == failed and ") and "not" in offered("status == failed and ")


def test_operators_and_values_follow_the_type_of_the_field() -> None:
    assert "contains" not in offered("duration ") and "<" not in offered("status ")
    assert offered("debounced == ") == ["true", "false"]
    assert offered("duration > 5") == ["5s", "5m", "5h", "5d", "5ms"]
    assert offered("started > 2")[:2] == ["2s ago", "2m ago"]
    assert offered("started > 2h ") == ["ago", "and", "or"]
    assert "ago" not in offered("duration > 2h ")


def test_the_token_under_the_cursor_is_replaced_whole() -> None:
    assert applied("st|at == failed", "status") == "status == failed"
    assert applied("status == fa|iled and x", "failed") == "status == failed and x"
    assert applied('status == "fa|', "failed") == "status == failed"
    assert applied("status == failed a|", "and") == "status == failed and"
    assert applied("type == x and not qu|", "queue") == "type == x and not queue"
    assert applied("status in (failed, can|", "cancelled") == "status in (failed, cancelled"


def test_values_that_are_no_plain_word_are_quoted() -> None:
    fields = [Field(name="queue", type=FieldType.TEXT, values=("plain", "with space", 'q"'))]
    assert offered("queue == ", fields) == ["plain", '"with space"', '"q\\""']
    assert offered('queue == "with', fields) == ['"with space"']


def test_known_attributes_are_offered_with_their_paths() -> None:
    fields = [Field(name="attributes", type=FieldType.JSON, values=("tenant", "memo.note"))]
    assert offered("attr", fields) == ["attributes.tenant", "attributes.memo.note", "attributes."]
    assert "tenant" not in offered("attributes.tenant == ", fields)


def test_at_most_twenty_and_nothing_for_what_cannot_be_mended() -> None:
    many = [Field(name=f"f{i}", type=FieldType.TEXT) for i in range(50)]
    assert len(offered("", many)) == 20
    assert offered("a b c ") == [] and offered(") ") == []


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.text(st.sampled_from("status ==!~<>\"'()and or not in,5s.attributes\\\n%é"), max_size=30),
    st.integers(0, 30),
)
def test_half_written_text_never_fails(text: str, cursor: int) -> None:
    for item in complete(text, cursor, FIELDS):
        assert 0 <= item.start <= item.end <= len(text) and item.text
    at = 0
    for start, end, kind in tokens(text):
        assert at <= start < end <= len(text) and kind
        assert not text[at:start].strip()
        at = end
    assert not text[at:].strip()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('status == failed and "x"', "field operator word keyword string"),
        ("started > 2h ago", "field operator time keyword"),
        ('attributes."a.b" == 5', "field operator number"),
        ("not type in (a, 5s)", "keyword field keyword paren word paren time paren"),
        ("not exists(queue)", "keyword keyword paren field paren"),
        ('type == "open', "field operator error"),
    ],
)
def test_colours(text: str, kinds: str) -> None:
    assert [kind for _, _, kind in tokens(text)] == kinds.split()
