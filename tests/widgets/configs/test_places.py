"""JSON pointers by place."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from widgets.configs.places import Places, escape

TEXT = """{
  "workflow_type": "invoice",
  "steps": [
    {"key": "pay", "a/b": 1},
    {"key": "send",
     "when": {"kind": ["bank", "card"]}}
  ]
}"""


def test_the_innermost_value_of_a_place() -> None:
    places = Places(TEXT)
    assert places.at(2, 5) == "/workflow_type"
    assert places.at(4, 14) == "/steps/0/key"
    assert places.at(4, 22) == "/steps/0/a~1b"
    assert places.at(6, 25) == "/steps/1/when/kind/0"


def test_the_indentation_of_a_line_belongs_to_its_first_value() -> None:
    places = Places(TEXT)
    assert places.at(4, 1) == "/steps/0"
    assert places.at(2, 1) == "/workflow_type"
    assert places.at(99, 1) == ""


def test_lines_of_pointers() -> None:
    places = Places(TEXT)
    assert places.line_of("/steps/1/when") == 6
    assert places.line_of("/steps/1") == 5
    assert places.line_of("/nowhere") == 0
    assert places.holds_others("/steps") and not places.holds_others("/steps/0/key")


def test_broken_text_keeps_the_places_before_the_fault() -> None:
    places = Places('{"a": 1,\n "b": [1, {"c": "unclosed\n "d": }')
    assert places.line_of("/a") == 1
    assert places.at(2, 8) == "/b/0"


def _pointers(value: Any, pointer: str = "") -> list[tuple[str, Any]]:
    found = [(pointer, value)]
    if isinstance(value, dict):
        for key, child in value.items():
            found += _pointers(child, f"{pointer}/{escape(key)}")
    elif isinstance(value, list):
        for number, child in enumerate(value):
            found += _pointers(child, f"{pointer}/{number}")
    return found


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(_json, st.sampled_from([None, 0, 2]), st.booleans())
def test_every_value_of_any_json_has_its_place(value: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    places = Places(text)
    by_pointer = {spot.pointer: text[spot.start : spot.end] for spot in places.spots}
    assert len(places.spots) == len(_pointers(value))
    for pointer, child in _pointers(value):
        part = by_pointer[pointer]
        # The text of a member begins with its name.
        assert json.loads(part if "/" not in pointer else _value(part, child)) == child


def _value(part: str, child: Any) -> str:
    try:
        if json.loads(part) == child:
            return part
    except ValueError:
        pass
    _, end = json.JSONDecoder().raw_decode(part)
    return part[end:].lstrip(": \n")
