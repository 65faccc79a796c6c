"""Lines of big texts and bytes, made one by one as they are seen. Pure; no Qt; any one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from widgets.payload.highlight import Span, json_spans

LONGEST_LINE: Final = 512  # bytes; longer lines are folded so that none is slow to draw
_CONTINUATION: Final = (0x80, 0xC0)  # a UTF-8 byte b continues a character when b & 0xC0 == 0x80


class LineSource(Protocol):
    """What a text view shows."""

    data: bytes
    count: int
    widest: int  # columns of the widest line, an upper bound

    def line(self, index: int) -> str:
        """A line without its end."""

    def spans(self, index: int, text: str, until: int) -> list[Span]:
        """Coloured parts of a line that begin at or before a column, rising."""

    def find(self, needle: str, line: int, direction: int) -> int:
        """The next line (from ``line`` on, exclusive) that holds a needle in any case; -1 for none."""


class TextSource:
    """UTF-8 text. ``syntax`` is "json", "traceback" or "text"; bytes that are no UTF-8 show as �."""

    def __init__(self, data: bytes, syntax: str = "text", mask: Callable[[str], str] | None = None) -> None:
        self.data = data
        self.syntax = syntax
        self.mask = mask
        self.highlighted: dict[int, list[Span]] | None = None
        self._lower: bytes | None = None
        self._starts = _line_starts(data)
        self.count = len(self._starts) - 1
        self.widest = int(np.diff(self._starts).max()) if self.count else 0

    def line(self, index: int) -> str:
        start, end = int(self._starts[index]), int(self._starts[index + 1])
        text = self.data[start:end].decode("utf-8", "replace").rstrip("\r\n").expandtabs(4)
        return self.mask(text) if self.mask is not None else text

    def spans(self, index: int, text: str, until: int) -> list[Span]:
        if self.highlighted is not None:
            return self.highlighted.get(index, [])
        return json_spans(text, until) if self.syntax == "json" else []

    def find(self, needle: str, line: int, direction: int) -> int:
        # bytes.lower knows ASCII only: other scripts are found in their own case.
        if self._lower is None:
            self._lower = self.data.lower()
        wanted = needle.encode("utf-8", "replace").lower()
        if direction > 0:
            at = self._lower.find(wanted, int(self._starts[min(line + 1, self.count)]))
        else:
            at = self._lower.rfind(wanted, 0, int(self._starts[max(line, 0)]))
        return -1 if at < 0 else int(np.searchsorted(self._starts, at, side="right")) - 1


def _line_starts(data: bytes) -> NDArray[np.int64]:
    """Offsets of all lines and the end of the last; long lines are folded at character boundaries."""
    view = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(view == 10) + 1
    starts = np.concatenate([[0], ends[ends < len(data)], [len(data)]]).astype(np.int64)
    lengths = np.diff(starts)
    if not len(lengths) or lengths.max() <= LONGEST_LINE:
        return starts if len(data) else np.zeros(2, np.int64)
    folds = [_folds(view, int(starts[i]), int(starts[i + 1])) for i in np.flatnonzero(lengths > LONGEST_LINE)]
    return np.unique(np.concatenate([starts, *folds]))


def _folds(data: NDArray[np.uint8], start: int, end: int) -> NDArray[np.int64]:
    cuts = np.arange(start + LONGEST_LINE, end, LONGEST_LINE, dtype=np.int64)
    for _ in range(3):
        cuts -= data[cuts] & _CONTINUATION[1] == _CONTINUATION[0]
    return cuts


class HexSource:
    """Bytes as offset, sixteen hexadecimal pairs, and their ASCII."""

    widest = 78

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = (len(data) + 15) // 16

    def line(self, index: int) -> str:
        part = self.data[index * 16 : index * 16 + 16]
        pairs = f"{part[:8].hex(' ')}  {part[8:].hex(' ')}"
        shown = "".join(chr(b) if 32 <= b < 127 else "·" for b in part)
        return f"{index * 16:08x}  {pairs:<49} {shown}"

    def spans(self, index: int, text: str, until: int) -> list[Span]:
        return [(0, 8, "muted"), (60, len(text), "completed")]

    def find(self, needle: str, line: int, direction: int) -> int:
        wanted = needle.encode("utf-8", "replace")
        edge = (line + 1 if direction > 0 else max(line, 0)) * 16
        at = self.data.find(wanted, edge) if direction > 0 else self.data.rfind(wanted, 0, edge)
        return -1 if at < 0 else at // 16
