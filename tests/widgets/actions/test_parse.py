"""Parameters as typed: durations, JSON with the place of its error, numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.format import duration
from widgets.actions.parse import InvalidError, duration_ns, integer, json_text, json_value, number

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("90", 90_000_000_000),
        ("90s", 90_000_000_000),
        ("2 m 58 s", 178_000_000_000),
        ("1.5 h", 5_400_000_000_000),
        ("340 ms", 340_000_000),
        ("1d", 86_400_000_000_000),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-3 s", "1 h and more"])
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidError, match="Write a duration such as"):
        duration_ns(text)


@given(st.integers(0, 59))
def test_shown_durations_are_read_back(seconds: int) -> None:
    assert duration_ns(duration(seconds * 1_000_000_000)) == seconds * 1_000_000_000


@given(JSON)
def test_edited_json_is_what_was_prefilled(value: Any) -> None:
    shown = json_text(value) if not isinstance(value, str) else json_text(json.dumps(value))
    read = json_value(shown)
    assert (json.loads(read) if isinstance(read, str) else read) == value


def test_a_json_text_keeps_its_quotes() -> None:
    assert json_value('"123"') == '"123"'
    assert json_value("123") == 123


def test_the_place_of_a_json_error() -> None:
    with pytest.raises(InvalidError, match="column 9") as caught:
        json_value('{"key": nope}')
    assert caught.value.at == 8
    with pytest.raises(InvalidError, match="line 2, column 3"):
        json_value("[1,\n  ]")
    with pytest.raises(InvalidError, match="NaN"):
        json_value("NaN")
    with pytest.raises(InvalidError, match="deeply"):
        json_value("[" * 100_000)


def test_numbers() -> None:
    assert integer(" 12 ") == 12
    assert number("1.5") == 1.5
    for bad in ("x", "inf", "nan"):
        with pytest.raises(InvalidError):
            number(bad)
    with pytest.raises(InvalidError):
        integer("1.5")
