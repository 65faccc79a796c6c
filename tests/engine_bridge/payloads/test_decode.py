"""Stored bytes and recorded encodings, as the user sees them."""

from __future__ import annotations

import base64
import json
import pickle
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.payloads import FULL, Limits, Number, Opaque, decode, summary
from engine_bridge.payloads.json_view import view
from tests.conftest import ROOT

VALUE = {"positionalArgs": ["o1", 12.5], "namedArgs": {}}
PORTABLE = json.dumps(VALUE).encode()
PICKLED = base64.b64encode(pickle.dumps(VALUE))

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "encoding", ["portable_json", "js_superjson", "DBOS_JSON", "java_jackson", "jsonpickle", "custom", None]
)
def test_every_json_encoding(encoding: str | None) -> None:
    decoded = decode(PORTABLE, encoding)
    assert (decoded.format, decoded.tree, decoded.error, decoded.encoding) == ("json", VALUE, None, encoding)


@pytest.mark.parametrize("encoding", ["py_pickle", "custom", None])
@pytest.mark.parametrize("data", [PICKLED, PICKLED + b"\n", pickle.dumps(VALUE)])
def test_every_way_to_store_a_pickle(data: bytes, encoding: str | None) -> None:
    decoded = decode(data, encoding)
    assert (decoded.format, decoded.tree, decoded.error) == ("pickle", VALUE, None)


@pytest.mark.parametrize(
    ("data", "kind", "tree"),
    [
        (b"plain words", "text", "plain words"),
        ("Grüße".encode(), "text", "Grüße"),
        (b"", "text", ""),
        (b"5", "json", 5),
        (b"null", "json", None),
        (b'"quoted"', "json", "quoted"),
        (b"abcd", "text", "abcd"),
        (b"gAAAcd", "text", "gAAAcd"),
        (b"{not json}", "text", "{not json}"),
        (b"\x00\x01\xff", "binary", None),
    ],
)
def test_what_has_no_encoding_is_looked_at(data: bytes, kind: str, tree: Any) -> None:
    decoded = decode(data, None)
    assert (decoded.format, decoded.tree, decoded.error) == (kind, tree, None)


def test_data_that_is_not_what_was_recorded_is_shown_as_what_it_is() -> None:
    decoded = decode(PORTABLE, "py_pickle")
    assert (decoded.format, decoded.tree) == ("json", VALUE)
    assert decoded.error is not None and decoded.error.startswith("Not py_pickle: no base64")
    assert decode(PICKLED, "portable_json").tree == VALUE
    assert (decode(b"oops", "portable_json").text, decode(b"oops", "portable_json").format) == (
        "oops",
        "text",
    )


def test_binary_is_a_hex_dump() -> None:
    assert (
        decode(b"\x00AB\xff", None).text == "00000000  00 41 42 ff                                      .AB."
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(json_data, st.booleans(), st.none() | st.just(2))
def test_json_is_read_like_the_standard_library_does(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    seen = view(text)
    assert (seen.tree, seen.error, seen.truncated) == (value, "", False)


def test_json_keeps_digits_repeated_keys_and_what_the_standard_forbids() -> None:
    decoded = decode(b'{"a":1.00,"big":123456789012345678901234567890,"e":1e400,"a":2}', "portable_json")
    assert isinstance(decoded.tree, Opaque) and decoded.tree.type == "dict"
    keys, values = zip(*decoded.tree.items, strict=True)
    assert keys == ("a", "big", "e", "a") and values[1] == 123456789012345678901234567890
    assert isinstance(values[0], Number) and str(values[0]) == "1.00" and values[0] == 1
    assert str(values[2]) == "1e400"
    assert (
        '"a": 1.00' in decoded.text
        and '"a": 2' in decoded.text
        and "123456789012345678901234567890" in decoded.text
    )
    forbidden = decode(b'[NaN, -Infinity, "\\ud800", "\xff"]', "portable_json")
    assert forbidden.error is None and forbidden.tree[2:] == ["\ud800", "\udcff"]
    assert "NaN" in forbidden.text and "-Infinity" in forbidden.text
    long = decode(b"9" * 5_000, "portable_json")
    assert isinstance(long.tree, Opaque) and long.error is None


@pytest.mark.parametrize(
    ("text", "tree", "error"),
    [
        ('{"a": [1, 2, {"b": "cut', {"a": [1, 2, {"b": "cut"}]}, "A text is not closed"),
        ('{"a": 1, "b"', {"a": 1}, "The text ends too early: expected a colon at character 12."),
        ('{"a" 5}', {}, "Expected a colon at character 5."),
        ("[1,]", [1], "Expected a value at character 3."),
        ("[1 2]", [1], "Expected a comma or the end at character 3."),
        ("[1}", [1], "Expected a comma or the end at character 2."),
        ('{"a": 1} x', {"a": 1}, "Expected the end at character 8."),
        ("[1] 2", [1], "More text follows the value at character 4."),
        ("", None, "The text ends too early: expected a value at character 0."),
        ("hello", None, "Expected a value at character 0."),
    ],
)
def test_broken_json_shows_its_good_prefix_and_where_it_broke(text: str, tree: Any, error: str) -> None:
    seen = view(text)
    assert seen.tree == tree and seen.error.startswith(error)


def test_deep_nesting_is_cut_not_crashed() -> None:
    for data in (b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" * 200_000):
        decoded = decode(data, "portable_json")
        assert decoded.truncated and decoded.text and summary(decoded, 60).endswith("…")


def test_a_big_payload_shows_a_slice_first() -> None:
    big = json.dumps([{"i": i, "pad": "x" * 80} for i in range(600_000)]).encode()
    assert len(big) > 50 << 20
    for data, encoding in (
        (big, "portable_json"),
        (base64.b64encode(big), None),
        (b"word " * (11 << 20), None),
    ):
        began = time.process_time()
        decoded = decode(data, encoding)
        assert time.process_time() - began < 1
        assert decoded.truncated and decoded.error is None and decoded.size == len(data)
        assert len(decoded.text) < 2 << 20
    assert decode(big, "portable_json").tree[1] == {"i": 1, "pad": "x" * 80}


def test_limits_can_be_lifted() -> None:
    data = json.dumps(list(range(30_000))).encode()
    assert len(decode(data).tree) < 30_000 and decode(data).truncated
    whole = decode(data, None, FULL)
    assert whole.tree == list(range(30_000)) and not whole.truncated
    assert decode(b"word " * 1000, None, Limits(max_bytes=100, slice_bytes=50)).text == "word " * 10


def test_a_slice_never_splits_a_character() -> None:
    for size in range(40, 50):
        decoded = decode("é🎉".encode() * 50, "text", Limits(max_bytes=100, slice_bytes=size))
        assert decoded.format == "text" and "�" not in decoded.text


def test_summaries_are_one_safe_line() -> None:
    assert summary(decode(PORTABLE, None)) == '{"positionalArgs": ["o1", 12.5], "namedArgs": {}}'
    assert summary(decode(b"two\nlines\x1b[31m", None)) == "two⏎lines\\x1b[31m"
    assert summary(decode(PORTABLE, None), 12) == '{"positiona…'
    assert summary(decode("\u202eevil".encode(), None)) == "\\u202eevil"
    assert summary(decode(b"{oops", "json/plain")) == "{oops", "what is no JSON is told as it stands"


def test_types_that_jsonpickle_would_import_are_named() -> None:
    data = b'{"py/object": "shop.Order", "x": {"py/type": "builtins.int"}}'
    assert decode(data, "jsonpickle").globals == ("shop.Order", "builtins.int")


def test_decoded_values_hide_in_repr() -> None:
    decoded = decode(b'{"password": "hunter2"}', None)
    assert "hunter2" not in repr(decoded) and "hunter2" not in repr(Opaque("x", ("hunter2",)))


def _fuzz(rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    seeds = [
        PORTABLE,
        PICKLED,
        pickle.dumps([VALUE, ValueError("x"), b"y"], 4),
        b"[1.00, null]",
        "ünï".encode(),
    ]
    for _ in range(rounds):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 4))
            data = data or bytearray(b"x")
        for encoding in ("py_pickle", "portable_json", None):
            decoded = decode(bytes(data), encoding)
            assert decoded.format in ("json", "pickle", "text", "binary")
            assert isinstance(decoded.text, str) and len(summary(decoded, 50)) <= 50


def test_fuzzed_payloads_always_show_something() -> None:
    _fuzz(1_500, 7)


@pytest.mark.long
def test_fuzzed_payloads_always_show_something_at_length() -> None:
    _fuzz(200_000, 8)


def test_payloads_of_a_real_database() -> None:
    data = json.loads((ROOT / "tests/data/payloads.json").read_text())
    for row in data:
        decoded = decode(row["data"].encode(), row["encoding"])
        assert decoded.error is None and decoded.format == row["format"]
        assert summary(decoded, 200) == row["summary"]
