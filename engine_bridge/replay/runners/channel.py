"""Runner part: the line to Playhead, out of reach of whatever user code prints."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


class Channel:
    """JSON lines to the parent on a private descriptor; what is printed goes to stderr from now on."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        self._lock = threading.Lock()

    def send(self, kind: str, **values: Any) -> None:
        """One message; the parent's end means ours."""
        line = json.dumps({"k": kind, **values}, ensure_ascii=False, separators=(",", ":"))
        view = memoryview(line.encode("utf-8", "replace") + b"\n")
        with self._lock:
            try:
                while view:
                    view = view[os.write(self._out, view) :]
            except OSError:
                os._exit(3)


def read_line() -> dict[str, Any] | None:
    """The parent's next line, None at its end."""
    line = sys.stdin.buffer.readline()
    if not line:
        return None
    value = json.loads(line)
    return value if isinstance(value, dict) else {}


class Stop(BaseException):
    """Ends a replay from inside user code. No Exception: the workflow's own handlers must not see it."""

    def __init__(self, kind: str, **values: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.values = values
