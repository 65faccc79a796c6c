"""Turns stored bytes into what the viewer shows. Pure; no Qt; runs in a worker thread for big payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine_bridge.payloads import decode, masking
from widgets.payload.sources import HexSource, LineSource, TextSource

LINE_MASK = 1_000_000  # characters; longer texts are masked line by line, as they are seen


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
    plain_text: str = ""


def prepare(data: bytes, encoding: str | None, *, reveal: bool) -> Shown:
    """Decodes and, unless ``reveal``, masks what looks like a secret."""
    decoded = decode(data, encoding)
    text = decoded.text or ""
    has_tree = decoded.tree is not None or (decoded.format in ("json", "pickle") and not decoded.error)
    tree = decoded.tree
    if not reveal:
        tree = masking.mask(tree)
        text = masking.mask_text(text) if len(text) <= LINE_MASK else text
    line_mask = None if reveal or len(text) <= LINE_MASK else masking.mask_text
    syntax = "json" if decoded.format in ("json", "pickle") else "text"
    return Shown(
        format=decoded.format,
        tree=tree,
        has_tree=has_tree,
        text=TextSource(text.encode("utf-8", "surrogatepass"), syntax, line_mask),
        raw=raw_source(data, reveal=reveal),
        globals=tuple(decoded.globals),
        truncated=bool(decoded.truncated),
        error=str(decoded.error or ""),
        masked=not reveal and (tree != decoded.tree or text != (decoded.text or "")),
        plain_text=text,
    )


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
