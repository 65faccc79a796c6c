"""Paths in addresses and on screens: a file's name may be any bytes, which text cannot always hold. Any thread."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from urllib.parse import quote, unquote_to_bytes

from engine_bridge.held_files import opened


def quoted(path: str, safe: str = "/:") -> str:
    """A path for a URL, percent-encoded by its bytes."""
    return quote(os.fsencode(path), safe=safe)


def unquoted(text: str) -> str:
    """The path that :func:`quoted` wrote."""
    return os.fsdecode(unquote_to_bytes(text))


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; b"" of what is none, since a pipe waits for its writer. Raises OSError."""
    if not S_ISREG(path.stat().st_mode):
        return b""
    with opened(path) as file:
        return file.read(size)
