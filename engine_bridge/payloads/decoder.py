"""Stored bytes and the encoding an engine recorded, to something readable. Engine-neutral; never executes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec

from engine_bridge.payloads import json_view, pickle_view, protobuf_view
from engine_bridge.payloads.limits import DEFAULT, Limits
from engine_bridge.payloads.render import pretty
from engine_bridge.payloads.tree import hidden

Format = Literal["json", "pickle", "text", "binary", "protobuf"]

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]*={0,2}\s*")
# What was encrypted or compressed is never guessed at: chance would make a pickle or a text of it.
_HIDDEN: Final = ("encrypt", "zlib", "gzip", "snappy", "zstd", "compress", "deflate")
_TYPE_KEYS: Final = re.compile(r'"py/(?:object|type|function|class|repr|reduce/?)"\s*:\s*"([^"\\]{1,200})"')


@dataclass(frozen=True, slots=True)
class Decoded:
    """One payload, decoded.

    ``tree``: plain values and inert Opaque nodes (None when nothing was understood, or null). ``text``: pretty text.
    ``globals``: names that decoding by the engine itself would import. ``truncated``: a limit cut something.
    ``error``: why it is not, or not whole, in the recorded encoding. ``size``: bytes as stored.
    """

    format: Format
    tree: Any
    text: str
    globals: tuple[str, ...] = ()
    truncated: bool = False
    error: str | None = None
    encoding: str | None = None
    size: int = 0

    def __repr__(self) -> str:
        return f"<Decoded {self.format}, {self.size} bytes>"  # the content may hold secrets


def decode(data: bytes, encoding: str | None = None, limits: Limits = DEFAULT) -> Decoded:
    """Decodes a payload by its recorded encoding, or by looking at it where that is None or unknown.

    Any thread; never raises and never executes. What cannot be decoded comes as text or binary with ``error``.
    """
    reader = _READERS.get(_kind(encoding))
    if reader is None:
        return _sniff(data, encoding, limits)
    found = reader(data, encoding, limits)
    if found.error is None or found.tree is not None:
        return found
    return replace(_sniff(data, encoding, limits), error=f"Not {encoding}: {found.error}")


def _kind(encoding: str | None) -> str:
    name = (encoding or "").lower()
    if ("json" in name and "encrypt" not in name) or "jackson" in name:
        return "json"
    if "pickle" in name:
        return "pickle"
    if any(word in name for word in _HIDDEN):
        return "binary"
    if name in ("binary/null", "binary/protobuf"):
        return name.removeprefix("binary/")
    return "text" if name in ("text", "utf-8", "utf8", "plain", "text/plain", "text/traceback") else ""


def _sniff(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    head = data[:64].lstrip()
    if head[:1] == b"\x80" or head[:2] in (b"gA", b"gQ"):  # base64 of a pickle's PROTO opcode
        found = _pickle(data, encoding, limits)
        if found.error is None or (head[:1] == b"\x80" and found.tree is not None):
            return found
    if head[:1] in (b"{", b"[", b'"') or _is_scalar_json(data):
        found = _json(data, encoding, limits)
        if found.error is None or (head[:1] in (b"{", b"[") and found.tree):
            return found
    return _text(data, encoding, limits)


def _is_scalar_json(data: bytes) -> bool:
    return len(data) < 400 and not json_view.view(data.decode("latin-1")).error


def _json(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    cut = len(data) > limits.max_bytes
    part = data[: limits.slice_bytes] if cut else data
    text = part.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    seen = json_view.view(text, limits)
    error = None if cut or not seen.error else seen.error
    shown = pretty(seen.tree, limits.max_text) if cut else _formatted(part, seen, limits)
    names = tuple(dict.fromkeys(_TYPE_KEYS.findall(text[: limits.slice_bytes]))) if '"py/' in text else ()
    return Decoded("json", seen.tree, shown, names, cut or seen.truncated, error, encoding, len(data))


def _formatted(data: bytes, seen: json_view.JsonView, limits: Limits) -> str:
    try:
        return msgspec.json.format(data, indent=2).decode("utf-8", "backslashreplace")
    except (msgspec.DecodeError, RecursionError):
        # NaN, or nesting too deep for the formatter; broken text is shown as it is.
        return _shown(data) if seen.error or seen.truncated else pretty(seen.tree, limits.max_text)


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _pickle(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    cut = len(data) > limits.max_pickle
    part = data[: limits.slice_bytes] if cut else data
    raw = unbase64(part, cut=cut)
    seen = pickle_view.view(part if raw is None else raw, limits)
    if raw is None and seen.error and not cut:
        # Neither base64 nor a protocol mark: what the opcodes seemed to say is chance.
        seen = pickle_view.PickleView(None, (), f"no base64, and {seen.error[:1].lower()}{seen.error[1:]}")
    error = None if cut or not seen.error else seen.error
    tree = hidden("needs the whole payload") if cut and seen.tree is None else seen.tree
    text = pretty(tree, limits.max_text)
    return Decoded("pickle", tree, text, seen.globals, cut or seen.truncated, error, encoding, len(data))


def unbase64(data: bytes, *, cut: bool = False) -> bytes | None:
    """The bytes of a base64 text, or ``data`` itself when it is a raw pickle; None when it is neither.

    ``cut``: the end is missing.
    """
    if data[:1] == b"\x80":
        return data
    text = data.strip()
    if not text or not _BASE64.fullmatch(text):
        return None
    try:
        return base64.b64decode(text[: len(text) - len(text) % 4] if cut else text)
    except (binascii.Error, ValueError):
        return None


def _text(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    cut = len(data) > limits.max_bytes
    part = data[: limits.slice_bytes] if cut else data
    try:
        text = part.decode("utf-8") if not cut else _whole_characters(part)
    except UnicodeDecodeError:
        return _binary(data, encoding, limits)
    if "\0" in text[:4096]:
        return _binary(data, encoding, limits)
    return Decoded("text", text, text, (), cut, None, encoding, len(data))


def _whole_characters(part: bytes) -> str:
    for drop in range(3):
        try:
            return part[: len(part) - drop].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return part[:-3].decode("utf-8")


def _binary(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    part = data[: min(limits.slice_bytes, 64 << 10)]
    return Decoded("binary", None, hex_dump(part), (), len(part) < len(data), None, encoding, len(data))


def _null(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    """The engine's own nothing; bytes that stand there all the same are shown."""
    if data:
        return _binary(data, encoding, limits)
    return Decoded("json", None, "null", (), False, None, encoding, 0)


def _protobuf(data: bytes, encoding: str | None, limits: Limits) -> Decoded:
    if len(data) > limits.max_bytes:
        return _binary(data, encoding, limits)
    seen = protobuf_view.view(data, limits)
    if seen.error:
        return Decoded("protobuf", None, "", (), False, seen.error, encoding, len(data))
    text = pretty(seen.tree, limits.max_text)
    return Decoded("protobuf", seen.tree, text, (), seen.truncated, None, encoding, len(data))


def hex_dump(data: bytes) -> str:
    """Offset, sixteen bytes in hex, and their ASCII, a line each."""
    return "\n".join(_hex_line(at, data[at : at + 16]) for at in range(0, len(data), 16))


def _hex_line(at: int, part: bytes) -> str:
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{at:08x}  {part.hex(' '):<47}  {shown}"


_READERS: Final[dict[str, Callable[[bytes, str | None, Limits], Decoded]]] = {
    "json": _json,
    "pickle": _pickle,
    "text": _text,
    "binary": _binary,
    "null": _null,
    "protobuf": _protobuf,
}
