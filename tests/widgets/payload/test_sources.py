"""Line sources: what a view shows of big texts and bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.payload.highlight import json_spans, traceback_spans
from widgets.payload.sources import LONGEST_LINE, HexSource, TextSource


@given(st.text(st.characters(exclude_characters="\r\t", exclude_categories=("Cs",)), max_size=3_000))
def test_lines_hold_the_whole_text(text: str) -> None:
    source = TextSource((text * 3).encode())
    lines = [source.line(i) for i in range(source.count)]
    assert "".join(lines) == (text * 3).replace("\n", "")
    assert all(len(line.encode()) <= LONGEST_LINE + 4 for line in lines)


def test_lines_are_those_of_the_text_and_long_ones_fold() -> None:
    source = TextSource(b"a\n\n" + b"x" * (LONGEST_LINE + 5) + b"\nend\n")
    assert source.count == 5
    assert [source.line(0), source.line(1), source.line(3), source.line(4)] == ["a", "", "xxxxx", "end"]


def test_bytes_that_are_no_text_show_as_replacements() -> None:
    assert TextSource(b"ok \xff\xfe").line(0) == "ok \ufffd\ufffd"


def test_find_goes_both_ways_and_ignores_case() -> None:
    source = TextSource(b"one\ntwo Refund\nthree\nrefund four")
    assert source.find("REFUND", -1, 1) == 1
    assert source.find("refund", 1, 1) == 3
    assert source.find("refund", 3, -1) == 1
    assert source.find("nothing", -1, 1) == -1


def test_a_mask_acts_on_every_line_shown() -> None:
    source = TextSource(b"password=hunter2", mask=lambda text: text.replace("hunter2", "***"))
    assert source.line(0) == "password=***"


def test_hex_shows_offset_bytes_and_ascii() -> None:
    source = HexSource(bytes(range(256)) + b"Hello")
    assert source.count == 17
    assert source.line(16) == f"{'00000100  48 65 6c 6c 6f':<60}Hello"
    assert source.find("Hello", -1, 1) == 16


def test_json_parts_have_their_colours() -> None:
    line = '  "name": "a \\" b", "n": -1.5e3, "ok": true'
    parts = {line[a:b]: token for a, b, token in json_spans(line, 200)}
    assert parts['"name"'] == "signal"
    assert parts['"a \\" b"'] == "completed"
    assert parts["-1.5e3"] == "retrying"
    assert parts["true"] == "running"


def test_a_traceback_is_coloured_by_line() -> None:
    text = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    raise ValueError("no")\nValueError: no'
    spans = traceback_spans(text)
    assert any(token == "failed" for _, _, token in spans[3])
    assert max(spans) == 3
