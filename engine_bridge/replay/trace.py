"""The trace of one replay: what the code did at every boundary, joined to the history by position.

A Trace grows as a runner reports and belongs to one thread (the GUI's, in the window).
"""

from __future__ import annotations

from bisect import bisect_right

from engine_bridge.history import History
from engine_bridge.replay.model import End, Frame, LineHit, TraceStep


class Trace:
    """Steps in the order of the code; ``at`` finds the one in force at a position of the history."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.steps: list[TraceStep] = []
        self.lines: dict[int, tuple[LineHit, ...]] = {}
        self.end: End | None = None
        self._positions: list[int] = []

    def add(self, step: TraceStep, history: History | None) -> None:
        """Takes the next step; its position is its own, else that of its step's first event, else the one before."""
        self.steps.append(step)
        before = self._positions[-1] if self._positions else 0
        # Concurrent steps are called in another order than they were recorded: the playhead only moves on.
        self._positions.append(max(before, self._position(step, history)))

    def join(self, history: History) -> None:
        """Places every step anew: the history has been read on, or again, since the steps were added."""
        steps, self.steps, self._positions = self.steps, [], []
        for step in steps:
            self.add(step, history)

    @staticmethod
    def _position(step: TraceStep, history: History | None) -> int:
        if step.position is not None:
            return step.position
        row = history.step_row(step.step_id) if history is not None and step.step_id else -1
        return int(history.steps["first"][row]) if history is not None and row >= 0 else 0

    def at(self, position: int | None) -> int:
        """The index of the last step reached at a position (None: the newest); -1 before the first."""
        if position is None:
            return len(self.steps) - 1
        return bisect_right(self._positions, position) - 1

    def position(self, index: int) -> int:
        """The position of a step of the trace in the history."""
        return self._positions[index]

    def of_step(self, step_id: str) -> int:
        """The index of the first step of the trace that stands for a step of the history; -1."""
        return next((i for i, step in enumerate(self.steps) if step.step_id == step_id), -1)

    def frame(self, index: int) -> Frame | None:
        """The innermost user frame of a step, None when none was found."""
        frames = self.steps[index].stack if 0 <= index < len(self.steps) else ()
        return next((frame for frame in frames if frame.kind == "user"), None)

    def files(self) -> list[str]:
        """The user's files that were on a stack, in the order they were met."""
        return list(dict.fromkeys(f.file for step in self.steps for f in step.stack if f.kind == "user"))

    def hits(self, file: str) -> dict[int, int]:
        """How often each line of a file was reached: executed lines where the runner counted them, else stacks."""
        if self.end is not None and file in self.end.coverage:
            return {int(line): count for line, count in self.end.coverage[file].items()}
        found: dict[int, int] = {}
        for step in self.steps:
            for frame in step.stack:
                if frame.file == file:
                    found[frame.line] = found.get(frame.line, 0) + 1
        return found
