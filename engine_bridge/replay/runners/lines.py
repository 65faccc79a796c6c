"""Runner part: executed lines of the user's code, counted for coverage and, for one opened step, with their locals."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any

KEPT = 20_000
_TOOL = 4


class LineTracer:
    """Counts lines by ``sys.monitoring`` (Python 3.12) or ``sys.settrace``; ``open`` records each with what changed."""

    def __init__(self, files: Any, paint: Any) -> None:
        self._files = files
        self._paint = paint
        self.coverage: dict[str, dict[int, int]] = {}
        self.hits: list[dict[str, Any]] | None = None
        self.cut = False
        self._before: dict[int, dict[str, Any]] = {}
        self._monitoring = getattr(sys, "monitoring", None)

    def start(self) -> None:
        """From now on in every thread that starts later (and, with monitoring, in all)."""
        if self._monitoring is not None:
            monitoring = self._monitoring
            monitoring.use_tool_id(_TOOL, "playhead")
            monitoring.register_callback(_TOOL, monitoring.events.LINE, self._on_line)
            monitoring.set_events(_TOOL, monitoring.events.LINE)
        else:
            threading.settrace(self._on_call)

    def reset(self) -> None:
        """Forgets what was counted: another run begins."""
        self.coverage = {}
        self.open(False)

    def open(self, wanted: bool) -> None:
        """Begins or ends the record of single lines."""
        self.hits = [] if wanted else None
        self.cut = False
        self._before = {}

    def _on_line(self, code: types.CodeType, line: int) -> Any:
        if self._files.kind(code.co_filename) != "user":
            return self._monitoring.DISABLE if self._monitoring is not None else None
        self._hit(code, line, sys._getframe(1))
        return None

    def _on_call(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        return self._on_trace if self._files.kind(frame.f_code.co_filename) == "user" else None

    def _on_trace(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._hit(frame.f_code, frame.f_lineno, frame)
        return self._on_trace

    def _hit(self, code: types.CodeType, line: int, frame: types.FrameType) -> None:
        counts = self.coverage.setdefault(code.co_filename, {})
        counts[line] = counts.get(line, 0) + 1
        if self.hits is None:
            return
        if len(self.hits) >= KEPT:
            self.cut = True
            return
        now = {
            name: self._paint(value) for name, value in list(frame.f_locals.items())[:64] if name[:2] != "__"
        }
        before = self._before.get(id(frame), {})
        self._before[id(frame)] = now
        changed = [
            [name, value] for name, value in now.items() if name not in before or before[name] != value
        ]
        name = getattr(code, "co_qualname", code.co_name)
        self.hits.append({"file": code.co_filename, "line": line, "function": name, "changed": changed})
