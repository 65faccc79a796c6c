"""Protobuf without a schema, and encodings that name what cannot be looked into."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.payloads import Limits, decode, summary
from engine_bridge.payloads.masking import mask_decoded
from engine_bridge.payloads.protobuf_view import view

ORDER = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x22\x02\xff\xfe\x12\x01b\x29\x00\x00\x00\x00\x00\x00\xf8\x3f"


def test_fields_are_shown_by_number() -> None:
    found = decode(ORDER, "binary/protobuf")
    assert found.format == "protobuf" and not found.error
    assert found.tree == {
        "field 1": 150,
        "field 2": ["testing", "b"],
        "field 3": {"field 1": 150},
        "field 4": b"\xff\xfe",
        "field 5": 1.5,
    }
    assert '"field 2": ["testing", "b"]' in summary(found, 200)


def test_what_is_no_message_is_shown_as_bytes() -> None:
    for broken in (ORDER[:-3], b"\xff\xff", b"\x00"):
        found = decode(broken, "binary/protobuf")
        assert (found.format, found.tree) == ("binary", None) and "no protobuf message" in (found.error or "")


def test_secrets_in_it_are_masked() -> None:
    assert (
        "AKIAIOSFODNN7EXAMPLE"
        not in mask_decoded(decode(b"\x0a\x14AKIAIOSFODNN7EXAMPLE", "binary/protobuf")).text
    )


def test_it_is_bounded() -> None:
    deep = b""
    for _ in range(200):
        size = len(deep)
        deep = b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + deep
    assert view(deep, Limits(max_depth=10)).truncated
    assert view(b"\x08\x01" * 50, Limits(max_nodes=10)).truncated


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    found = view(data)
    assert (found.tree is None) == bool(found.error)


def test_what_is_hidden_is_never_guessed_at() -> None:
    for encoding in ("binary/encrypted", "binary/zlib", "binary/snappy", "json/encrypted"):
        found = decode(b"\x80\x04K\x01.", encoding)
        assert (found.format, found.tree, found.error) == ("binary", None, None)
        assert found.text.startswith("00000000  80 04 4b 01 2e")
    assert decode(b"", "binary/null").tree is None and decode(b"", "binary/null").text == "null"
    assert decode(b"x", "binary/null").format == "binary"
    assert decode(b"hello", "binary/plain").text == "hello"
