"""The trace of one replay: what the code did at every boundary, joined to the history by position.

A Trace grows as a runner reports and belongs to one thread (the GUI's, in the window).
"""

from __future__ import annotations

from bisect import bisect_right

from engine_bridge.history import History
from engine_bridge.replay.model import End, Frame, LineHit, TraceStep


class Trace:
    """Steps in the order of the code; ``at`` finds the one in force at a position of the history.

    Concurrent steps are recorded in another order than they were called in. The code had called a step at the latest
    when any later one was recorded, so a step's position is the least of its own and those behind it.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.steps: list[TraceStep] = []
        self.lines: dict[int, tuple[LineHit, ...]] = {}
        self.end: End | None = None
        # Steps from index _starts[i] on, up to the next of them, are at position _at[i]; both only rise.
        self._starts: list[int] = []
        self._at: list[int] = []
        self._own: list[int | None] = []  # positions as the steps and the history say
        self.unplaced: list[int] = []  # steps that the history did not hold when they came
        self._of_step: dict[str, int] = {}
        self._reached: dict[str, dict[int, int]] = {}

    def add(self, step: TraceStep, history: History | None) -> None:
        """Takes the next step; its position is its own, else that of its step's first event, else the one before."""
        index = len(self.steps)
        self.steps.append(step)
        self._locate(index, history)
        self._place(index)
        if step.step_id:
            self._of_step.setdefault(step.step_id, index)
        for frame in step.stack:
            if frame.kind == "user":
                lines = self._reached.setdefault(frame.file, {})
                lines[frame.line] = lines.get(frame.line, 0) + 1

    def relocate(self, history: History | None) -> None:
        """Finds all positions anew: the history was read, or read again, after the steps came."""
        self._own, self.unplaced = [], []
        for index in range(len(self.steps)):
            self._locate(index, history)
        self._place_all()

    def settle(self, history: History | None) -> bool:
        """Finds the positions of steps that came before the history held them; whether there were any."""
        waiting, self.unplaced = self.unplaced, []
        for index in waiting:
            self._own[index] = self._position(self.steps[index], history)
            if self._own[index] is None:
                self.unplaced.append(index)
        if len(self.unplaced) == len(waiting):
            return False
        self._place_all()
        return True

    def _locate(self, index: int, history: History | None) -> None:
        self._own.append(self._position(self.steps[index], history))
        if self._own[index] is None and self.steps[index].step_id:
            self.unplaced.append(index)

    def _place_all(self) -> None:
        self._starts, self._at = [], []
        for index in range(len(self.steps)):
            self._place(index)

    def _place(self, index: int) -> None:
        position = self._own[index]
        if position is None:
            position = self._at[-1] if self._at else 0
        start = index
        while self._at and self._at[-1] >= position:
            start = self._starts.pop()
            self._at.pop()
        self._starts.append(start)
        self._at.append(position)

    @staticmethod
    def _position(step: TraceStep, history: History | None) -> int | None:
        if step.position is not None:
            return step.position
        row = history.step_row(step.step_id) if history is not None and step.step_id else -1
        return int(history.steps["first"][row]) if history is not None and row >= 0 else None

    def at(self, position: int | None) -> int:
        """The index of the last step reached at a position (None: the newest); -1 before the first."""
        if position is None:
            return len(self.steps) - 1
        found = bisect_right(self._at, position)
        return (self._starts[found] if found < len(self._starts) else len(self.steps)) - 1

    def position(self, index: int) -> int:
        """The position of a step of the trace in the history. Raises IndexError."""
        if not 0 <= index < len(self.steps):
            raise IndexError(index)
        return self._at[bisect_right(self._starts, index) - 1]

    def of_step(self, step_id: str) -> int:
        """The index of the first step of the trace that stands for a step of the history; -1."""
        return self._of_step.get(step_id, -1)

    def frame(self, index: int) -> Frame | None:
        """The innermost user frame of a step, None when none was found."""
        frames = self.steps[index].stack if 0 <= index < len(self.steps) else ()
        return next((frame for frame in frames if frame.kind == "user"), None)

    def files(self) -> list[str]:
        """The user's files that were on a stack, in the order they were met."""
        return list(self._reached)

    def hits(self, file: str) -> dict[int, int]:
        """How often each line of a file was reached: executed lines where the runner counted them, else stacks."""
        if self.end is not None and file in self.end.coverage:
            return {int(line): count for line, count in self.end.coverage[file].items()}
        return dict(self._reached.get(file, {}))
