"""Payloads as any source writes them, to (encoding, bytes): base64, decoded JSON, shorthand, bytes as objects.

Nothing is interpreted beyond that: compressed and encrypted ones keep their encoding's name.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.events_values import integer
from engine_bridge.format import size

JSON: Final = "json/plain"
NULL: Final = "binary/null"
HEAD: Final = 320
"""Payloads up to this size (in bytes) go along with their reference, for previews."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_OPAQUE: Final = ("encrypt", "zlib", "gzip", "snappy", "zstd", "compress", "deflate")
_READABLE: Final = frozenset({"", NULL, "binary/plain", "binary/protobuf"})


class Stored(msgspec.Struct, frozen=True):
    """One payload as stored. ``type``: the protobuf message type or search attribute type, where recorded.

    ``outside``: says that ``data`` only names what an SDK keeps in a storage of its own; "" when it is the payload.
    """

    encoding: str | None
    data: bytes
    type: str = ""
    outside: str = ""

    @property
    def opaque(self) -> str:
        """How it is hidden ("encrypted", "compressed", "encoded": by a codec that is not known); "" when it is not."""
        return _hidden(self.encoding)


@functools.lru_cache(maxsize=256)
def _hidden(encoding: str | None) -> str:
    name = (encoding or "").lower()
    if "encrypt" in name:
        return "encrypted"
    if any(word in name for word in _OPAQUE):
        return "compressed"
    return "" if name in _READABLE or "json" in name or name.startswith("text/") else "encoded"


class Several(Stored, frozen=True):
    """Arguments shown as one JSON list. ``hidden``: how the first of those is hidden that are."""

    hidden: str = ""

    @property
    def opaque(self) -> str:
        return self.hidden


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
    outside = ""
    if _MARK in metadata or kind == _REFERENCE or encoding == _LEGACY:
        outside = _outside(value.get("externalPayloads"))
    return Stored(encoding or None, _data(value.get("data"), encoding, readable), kind, outside)


def _outside(told: Any) -> str:
    """What the reference to a payload in a storage of its own says of that."""
    first = told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else {}
    stored = integer(first.get("sizeBytes"))
    return f"stored elsewhere, {size(stored)}" if stored else "stored elsewhere"


_REFERENCE: Final = "temporal.api.sdk.v1.ExternalStorageReference"
_LEGACY: Final = "json/external-storage-reference"
_MARK: Final = "__temporal_external_storage_reference"
"""What references to payloads in an SDK's external storage are known by (``temporalio.converter.ExternalStorage``)."""
_KEYS: Final = frozenset({"metadata", "data", "externalPayloads"})


def _word(value: Any) -> str:
    """A metadata value: base64 of a word, or the word. Encodings hold a slash where base64 of one does not."""
    return _word_of(value) if isinstance(value, str) else _printable(bytes_of(value))


@functools.lru_cache(maxsize=256)
def _word_of(text: str) -> str:
    return text if "/" in text or not text else _printable(bytes_of(text)) or text


def _printable(found: bytes | None) -> str:
    try:
        word = "" if found is None else found.decode()
    except UnicodeDecodeError:
        return ""
    return word if word.isprintable() else ""


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
    words = {key: _metadata(one) for key, one in (metadata or {}).items()}
    if found.encoding:
        words["encoding"] = found.encoding.encode()
    result: dict[str, Any] = {"metadata": {k: base64.b64encode(v).decode() for k, v in words.items()}}
    if found.data:
        result["data"] = base64.b64encode(found.data).decode()
    if inside.get("externalPayloads"):
        result["externalPayloads"] = inside["externalPayloads"]
    return result


def _metadata(value: Any) -> bytes:
    """A metadata value as its bytes: those of a word, or (a nonce, say) what base64 holds."""
    word = _word(value)
    if isinstance(value, str) and word == value and len(value) % 4 == 0:
        found = bytes_of(value)
        if found is not None and not found.isascii():
            return found
    return word.encode()


def of_standard(value: dict[str, Any]) -> Stored | None:
    """A payload of protobuf JSON as it stands, with nothing guessed; None where it is none."""
    metadata, data = value.get("metadata") or {}, value.get("data") or ""
    if not (isinstance(metadata, dict) and isinstance(data, str)):
        return None
    try:
        found = {str(name): base64.b64decode(one, validate=True) for name, one in metadata.items()}
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return None
    kind = found.get("messageType") or found.get("type") or b""
    encoding = found.get("encoding", b"").decode(errors="replace")
    return Stored(encoding or None, raw, kind.decode(errors="replace"))


def payloads(value: Any) -> list[Stored]:
    """A Payloads field: {"payloads": […]}, the shorthand list, or one bare payload."""
    return [payload(one) for one in listed(value)]


def listed(value: Any) -> list[Any]:
    """As ``payloads``, each as it is written."""
    if value is None or value == {}:
        return []
    if isinstance(value, dict) and isinstance(value.get("payloads"), list):
        several: list[Any] = value["payloads"]
        return several
    return value if isinstance(value, list) else [value]


def combined(found: Iterable[Stored]) -> Stored | None:
    """Several arguments as one payload: a JSON list where all are JSON or null, else a list of what they are."""
    several = list(found)
    if len(several) < 2:
        return several[0] if several else None
    parts = [_as_json(one) for one in several]
    return Several(
        JSON,
        b"[" + b", ".join(parts) + b"]",
        outside=next((one.outside for one in several if one.outside), ""),
        hidden=next((one.opaque for one in several if one.opaque), ""),
    )


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
