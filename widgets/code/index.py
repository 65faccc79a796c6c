"""What the steps of a trace say of files and lines, kept while the trace grows. Pure; no Qt."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator, Mapping

from engine_bridge.replay.trace import Trace


class _Counts(Mapping[int, int]):
    """How many steps stand on each line: counted when asked, since a file may have many lines."""

    def __init__(self, at: dict[int, list[int]]) -> None:
        self._at = at

    def __getitem__(self, line: int) -> int:
        return len(self._at[line])

    def __iter__(self) -> Iterator[int]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


class TraceIndex:
    """Follows one trace: ``take`` reads what is new, O(new steps)."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._taken = 0
        self._at: dict[str, dict[int, list[int]]] = {}
        self.drifts: dict[str, dict[int, str]] = {}
        self.names: dict[str, str] = {}
        self._hits: dict[str, dict[int, int]] = {}

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

    @property
    def state(self) -> object:
        """Another value whenever counts may be others."""
        return self._taken, self._trace.end is None

    def lines(self, file: str) -> Container[int]:
        """Lines on which a step stands; it grows with the trace."""
        return self._at.get(file, ())

    def hits(self, file: str) -> Mapping[int, int]:
        """How often each line ran where the runner counted, else how many steps stand on it; it follows the trace."""
        end = self._trace.end
        counted = end.coverage.get(file) if end is not None else None
        if counted is None:
            return _Counts(self._at.get(file, {}))
        if file not in self._hits:
            self._hits[file] = {int(line): times for line, times in counted.items()}
        return self._hits[file]

    def next_at(self, file: str, line: int, after: int, direction: int = 1) -> int:
        """The next step (or the one before) that stands on a line, around the end; -1 when none does."""
        steps = self._at.get(file, {}).get(line, [])
        if not steps:
            return -1
        if direction > 0:
            return steps[bisect_right(steps, after) % len(steps)]
        return steps[bisect_left(steps, after) - 1]
