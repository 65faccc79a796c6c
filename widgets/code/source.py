"""One source file as lines: read, decoded and coloured off the GUI thread. Pure; no Qt."""

from __future__ import annotations

import io
import stat
import time
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine_bridge.errors import PlayheadError
from widgets.code.highlight import Span, spans

LARGEST: Final = 16 << 20  # bytes of a source file that is shown
LONGEST: Final = 2_000  # characters of a line; the rest is cut
_REST: Final = 100  # lines between two pauses
_LONGEST_REST_S: Final = 0.02
_TELL: Final = 2_000  # lines between two words about how far the colours are


class CodeSource:
    """Lines of a file (a LineSource of widgets/payload/sources.py; no line is folded, so that numbers are the code's).

    ``changed_ns`` is when the file was last written, by the file system's clock; 0 for text without a file.
    """

    def __init__(self, text: str, file: str = "", changed_ns: int = 0) -> None:
        self.file = file
        self.text = text
        self.data = b""
        self.changed_ns = changed_ns
        # Only what ends a line for Python: splitlines() would also break at form feeds and exotic separators.
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4).split("\n")
        if len(self._lines) > 1 and not self._lines[-1]:
            self._lines.pop()
        self.count = len(self._lines)
        self.widest = min(LONGEST + 1, max(map(len, self._lines)))
        self.colours: dict[int, list[Span]] = {}

    def line(self, index: int) -> str:
        text = self._lines[index]
        return text if len(text) <= LONGEST else text[:LONGEST] + "…"

    def spans(self, index: int, text: str, until: int) -> list[Span]:
        return self.colours.get(index, [])

    def find(self, needle: str, line: int, direction: int) -> int:
        wanted = needle.lower()
        lines = range(line + 1, self.count) if direction > 0 else range(min(line, self.count) - 1, -1, -1)
        return next((i for i in lines if wanted in self._lines[i].lower()), -1)

    def colour(self, tell: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Finds the colours; ``tell`` is called now and then, and it ends when ``wanted`` says no. Any one thread."""
        # Whole entries are put in, so that a view may read them meanwhile.
        began = time.perf_counter()
        for number, (line, found) in enumerate(spans("\n".join(self._lines), self.file)):
            if number % _REST == _REST - 1:
                # As long a pause: a window that is painted and a replay that is read want the interpreter, too.
                time.sleep(min(_LONGEST_REST_S, time.perf_counter() - began))
                began = time.perf_counter()
            self.colours[line] = [(a, b, token) for a, b, token in found if a < LONGEST]
            if number % _TELL == _TELL - 1:
                if not wanted():
                    return
                tell()


def read(file: str) -> CodeSource:
    """Reads a source file. Raises PlayheadError with the reason when there is none that can be shown. Does I/O."""
    path = Path(file)
    if file.startswith("<") or not path.is_absolute():
        raise PlayheadError(
            f"{file} is no file: this code was made while it ran.", "Its stack and locals are here."
        )
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise PlayheadError(f"{file} is no regular file.")
        if about.st_size > LARGEST:
            raise PlayheadError(f"{file} is too large to be shown ({about.st_size >> 20} MiB).")
        data = path.read_bytes()
    except OSError as error:
        raise PlayheadError(
            f"{file} cannot be read: {error.strerror or error}.",
            "It may have been moved or deleted since the replay; stack and locals are still here.",
        ) from None
    return CodeSource(_decoded(data), file, about.st_mtime_ns)


def _decoded(data: bytes) -> str:
    """As Python reads it: by its byte order mark or coding line, else as UTF-8."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding, "replace")
    except (SyntaxError, LookupError):
        return data.decode("utf-8", "replace")
