"""What the steps of a trace say of files and lines, kept while the trace grows. Pure; no Qt."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from engine_bridge.replay.trace import Trace


class TraceIndex:
    """Follows one trace: ``take`` reads what is new, O(new steps)."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._taken = 0
        self._at: dict[str, dict[int, list[int]]] = {}
        self.drifts: dict[str, dict[int, str]] = {}
        self.names: dict[str, str] = {}
        self._lines: dict[str, tuple[int, frozenset[int]]] = {}
        self._hits: dict[str, tuple[object, dict[int, int]]] = {}

    def take(self) -> None:
        """Reads the steps that came since the last time."""
        steps = self._trace.steps
        for index in range(self._taken, len(steps)):
            step = steps[index]
            if step.step_id:
                self.names.setdefault(step.step_id, step.name)
            for frame in step.stack:
                if frame.kind == "user":
                    self._at.setdefault(frame.file, {}).setdefault(frame.line, []).append(index)
            if step.drift and (frame_ := self._trace.frame(index)) is not None:
                what = ", ".join(drift.what for drift in step.drift)
                self.drifts.setdefault(frame_.file, {})[frame_.line] = f"drift: another {what}"
        self._taken = len(steps)

    @property
    def files(self) -> list[str]:
        """The user's files, in the order they were met."""
        return list(self._at)

    def lines(self, file: str) -> frozenset[int]:
        """Lines on which a step stands."""
        known = self._lines.get(file)
        if known is None or known[0] != self._taken:
            known = self._lines[file] = (self._taken, frozenset(self._at.get(file, ())))
        return known[1]

    def hits(self, file: str) -> dict[int, int]:
        """How often each line ran where the runner counted, else how many steps stand on it."""
        end = self._trace.end
        state = (self._taken, end is None)
        known = self._hits.get(file)
        if known is None or known[0] != state:
            counted = end.coverage.get(file) if end is not None else None
            found = {line: len(steps) for line, steps in self._at.get(file, {}).items()}
            if counted is not None:
                found = {int(line): times for line, times in counted.items()}
            known = self._hits[file] = (state, found)
        return known[1]

    def next_at(self, file: str, line: int, after: int, direction: int = 1) -> int:
        """The next step (or the one before) that stands on a line, around the end; -1 when none does."""
        steps = self._at.get(file, {}).get(line, [])
        if not steps:
            return -1
        if direction > 0:
            return steps[bisect_right(steps, after) % len(steps)]
        return steps[bisect_left(steps, after) - 1]
