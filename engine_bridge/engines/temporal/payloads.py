"""Payloads as any source writes them, to (encoding, bytes): base64, decoded JSON, shorthand, bytes as objects.

Nothing is interpreted beyond that: compressed and encrypted ones keep their encoding's name.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

JSON: Final = "json/plain"
NULL: Final = "binary/null"
HEAD: Final = 320
"""Payloads up to this size (in bytes) go along with their reference, for previews."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_OPAQUE: Final = ("encrypt", "zlib", "gzip", "snappy", "zstd", "compress", "deflate")


class Stored(msgspec.Struct, frozen=True):
    """One payload as stored. ``type``: the protobuf message type or search attribute type, where recorded."""

    encoding: str | None
    data: bytes
    type: str = ""

    @property
    def opaque(self) -> str:
        """How it is hidden ("encrypted", "compressed"); "" when it can be read as it is."""
        name = (self.encoding or "").lower()
        if "encrypt" in name:
            return "encrypted"
        return "compressed" if any(word in name for word in _OPAQUE) else ""


def bytes_of(value: Any) -> bytes | None:
    """A bytes field: base64 (standard or URL-safe, padded or not), a list of numbers, {"0": 1, "1": 2} or a Buffer."""
    if isinstance(value, str):
        return _unbase64(value)
    if isinstance(value, dict):
        value = value.get("data") if value.get("type") == "Buffer" else _in_order(value)
    if isinstance(value, list) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(value)
    return None


def _in_order(value: dict[str, Any]) -> list[Any] | None:
    return list(value.values()) if list(value) == [str(i) for i in range(len(value))] else None


def _unbase64(text: str) -> bytes | None:
    if not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text.rstrip("=").replace("-", "+").replace("_", "/") + "==", validate=False)
    except (binascii.Error, ValueError):
        return None


def payload(value: Any) -> Stored:
    """One payload: {metadata, data} in base64 or readable, or its bare JSON value."""
    if not isinstance(value, dict) or "metadata" not in value or not value.keys() <= _KEYS:
        return Stored(NULL, b"") if value is None else Stored(JSON, msgspec.json.encode(value))
    metadata = value["metadata"] if isinstance(value["metadata"], dict) else {}
    encoding = _word(metadata.get("encoding"))
    kind = _word(metadata.get("messageType")) or _word(metadata.get("type"))
    readable = isinstance(metadata.get("encoding"), str) and "/" in metadata["encoding"]
    return Stored(encoding or None, _data(value.get("data"), encoding, readable), kind)


_KEYS: Final = frozenset({"metadata", "data", "externalPayloads"})


def _word(value: Any) -> str:
    """A metadata value: base64 of a word, or the word. Encodings hold a slash where base64 of one does not."""
    if isinstance(value, str) and ("/" in value or not value):
        return value
    found = bytes_of(value)
    try:
        word = "" if found is None else found.decode()
    except UnicodeDecodeError:
        word = ""
    plain = value if isinstance(value, str) else ""
    return word if word and word.isprintable() else plain


def _data(value: Any, encoding: str, readable: bool) -> bytes:
    if value is None:
        return b""
    if readable and "json" in encoding:
        return msgspec.json.encode(value)
    found = bytes_of(value)
    if found is None:
        return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return found


def standard(value: Any) -> dict[str, Any]:
    """One payload of any form as protobuf JSON: {"metadata": {name: base64}, "data": base64}."""
    found = payload(value)
    inside = value if isinstance(value, dict) and "metadata" in value and value.keys() <= _KEYS else {}
    metadata = inside.get("metadata") if isinstance(inside.get("metadata"), dict) else {}
    words = {key: _word(one) for key, one in (metadata or {}).items()}
    if found.encoding:
        words["encoding"] = found.encoding
    result: dict[str, Any] = {
        "metadata": {k: base64.b64encode(v.encode()).decode() for k, v in words.items()}
    }
    if found.data:
        result["data"] = base64.b64encode(found.data).decode()
    return result


def payloads(value: Any) -> list[Stored]:
    """A Payloads field: {"payloads": […]}, the shorthand list, or one bare payload."""
    if value is None or value == {}:
        return []
    if isinstance(value, dict) and isinstance(value.get("payloads"), list):
        return [payload(one) for one in value["payloads"]]
    if isinstance(value, list):
        return [payload(one) for one in value]
    return [payload(value)]


def combined(found: Iterable[Stored]) -> Stored | None:
    """Several arguments as one payload: a JSON list where all are JSON or null, else a list of what they are."""
    several = list(found)
    if len(several) < 2:
        return several[0] if several else None
    parts = [_as_json(one) for one in several]
    return Stored(JSON, b"[" + b", ".join(parts) + b"]")


def _as_json(one: Stored) -> bytes:
    if one.encoding == NULL:
        return b"null"
    if "json" in (one.encoding or "") and one.data:
        return one.data
    return msgspec.json.encode(
        {
            "encoding": one.encoding,
            "data": base64.b64encode(one.data).decode(),
            **({"type": one.type} if one.type else {}),
        }
    )


def json_value(one: Stored | None) -> Any:
    """The value of a small JSON payload, None when it is none."""
    if one is None or "json" not in (one.encoding or ""):
        return None
    try:
        return msgspec.json.decode(one.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
