"""Turns stored bytes into what the viewer shows. Pure; no Qt; runs in a worker thread for big payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from engine_bridge import format as fmt
from engine_bridge.bridge import Decoding
from engine_bridge.model import PayloadRef
from engine_bridge.payloads import Decoded, decode, masking
from engine_bridge.payloads.render import pretty
from engine_bridge.queries import TRACE
from widgets.payload.sources import HexSource, LineSource, TextSource

LINE_MASK = 64_000  # characters; longer texts are masked line by line, as they are seen
_HIDDEN = TextSource(b"The stored bytes hold values that are masked.\nReveal shows them.")


@dataclass(slots=True)
class Shown:
    """One payload, masked or revealed, ready to be shown. ``tree`` counts only when ``has_tree``."""

    format: str
    tree: Any
    has_tree: bool
    text: LineSource
    raw: LineSource
    globals: tuple[str, ...] = ()
    truncated: bool = False
    error: str = ""
    masked: bool = False


def prepare(data: bytes, encoding: str | None, *, reveal: bool) -> Shown:
    """Decodes and, unless ``reveal``, masks what looks like a secret."""
    decoded = decode(data, encoding)
    has_tree = decoded.tree is not None or (
        decoded.format in ("json", "pickle", "protobuf") and not decoded.error
    )
    tree = decoded.tree if reveal else masking.mask(decoded.tree)
    source = _text_source(decoded, tree, reveal=reveal)
    masked = not reveal and (tree != decoded.tree or source.data != _encoded(decoded.text))
    return Shown(
        format=decoded.format,
        tree=tree,
        has_tree=has_tree and decoded.format != "text",
        text=source,
        raw=_HIDDEN if masked else raw_source(data, reveal=reveal),
        globals=decoded.globals,
        truncated=decoded.truncated,
        error=decoded.error or "",
        masked=masked,
    )


def badge(format_: str, ref: PayloadRef | None, size: int, decoding: Decoding | None) -> str:
    """What a payload is: its format, what it was decoded from and by what, its message type, its stored size."""
    stored = ref.encoding if ref is not None and ref.encoding else ""
    kind = ref.type if ref is not None else ""
    parts = [format_, "" if stored == format_ else stored]
    if decoding is not None and decoding.data is not None:
        inner = decoding.encoding or ""
        kind = decoding.type or kind
        how = f"decoded by {decoding.by}" if decoding.by else "decompressed"
        parts = [format_, "" if inner == format_ else inner, f"{how} from {stored}"]
    parts += [kind, fmt.size(ref.size if ref is not None and ref.size else size)]
    return " · ".join(part for part in parts if part)


def hidden_words(ref: PayloadRef | None, decoding: Decoding | None) -> str:
    """Why an encoded payload is shown as it is stored, "" for one that is not."""
    if ref is None or not ref.encoded or (decoding is not None and not decoding.error):
        return ""
    if decoding is None:
        return f"{ref.encoded}: decoding …"
    return decoding.error if decoding.needs_codec else f"{decoding.error} {decoding.hint}".strip()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _text_source(decoded: Decoded, tree: Any, *, reveal: bool) -> TextSource:
    syntax = "json" if decoded.format in ("json", "pickle", "protobuf") else "text"
    if decoded.format == "text" and decoded.encoding == TRACE:
        syntax = "traceback"
    if reveal:
        return TextSource(_encoded(decoded.text), syntax)
    # A secret's name may stand lines above its value: only the tree knows that they belong together.
    if tree != decoded.tree and not decoded.truncated:
        return TextSource(_encoded(pretty(tree)), syntax)
    if len(decoded.text) <= LINE_MASK:
        return TextSource(_encoded(masking.mask_text(decoded.text)), syntax)
    return TextSource(_encoded(decoded.text), syntax, masking.mask_text)


def quick(data: bytes, *, reveal: bool) -> Shown | None:
    """The text of what is plainly JSON, without its tree: a hundred times faster. None for anything else."""
    if data[:1] not in (b"{", b"["):
        return None
    try:
        text = msgspec.json.format(data, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return None
    source = TextSource(text, "json", None if reveal else masking.mask_text)
    return Shown(format="json", tree=None, has_tree=False, text=source, raw=raw_source(data, reveal=reveal))


def raw_source(data: bytes, *, reveal: bool) -> LineSource:
    """The stored bytes: as text where they are text, else in hexadecimal."""
    head = data[:4096]
    try:
        head.decode("utf-8")
        text = not any(byte < 9 or 13 < byte < 32 for byte in head)
    except UnicodeDecodeError as error:
        text = error.start > len(head) - 4 and len(data) > len(head)
    if not text:
        return HexSource(data)
    return TextSource(data, "json" if head[:1] in b"{[" else "text", None if reveal else masking.mask_text)
