"""Text as other systems write it, by its first bytes: UTF-8, UTF-16 and UTF-32, with their marks or without."""

from __future__ import annotations

import codecs
import re
from typing import Final

EVENT: Final = re.compile(r'\{\s*"(?:eventId|event_id|EventId|eventTime|eventType)"\s*:')
"""Where an event begins that writes its id, time or type first, as everybody does."""
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_BARE: Final = re.compile(rb"(?:[{\[]\x00|(\x00)[{\[])[^\x00]?")


def in_utf8(data: bytes) -> bytes:
    """JSON without marks, in UTF-8; anything else as it is. What is no character becomes �."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").encode()
    bare = _BARE.match(data)
    if bare is None:
        return data
    return data.decode("utf-16-be" if bare[1] else "utf-16-le", "replace").encode()
