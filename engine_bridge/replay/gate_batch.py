"""One process of the gate: a batch of runs, and what each of them showed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from engine_bridge.replay.gate_report import Drifted, Result, Runner, result_of
from engine_bridge.replay.model import Drift, End, Outcome, Place, Project, ReplayInput, RunnerSpec, TraceStep
from engine_bridge.replay.protocol import AnyMessage, Begin, Busy, Ended, Hello, Loaded, Log, Progress, Step
from engine_bridge.replay.supervisor import Limits, Replay, Warm

_NEXT = (Outcome.CRASHED, Outcome.HUNG, Outcome.FAILED)
_SAID = 4_000  # characters of what code prints while it is imported
_PROCESS = (Outcome.CRASHED, Outcome.HUNG)


class Case(msgspec.Struct, frozen=True):
    """One run with its place among the inputs of a gate."""

    number: int
    input: ReplayInput


class Batch:
    """Replays some runs in one process.

    After ``run``, ``left`` are those for another process: not begun, or under way when it died. ``unloadable`` is the
    error, hint and details of code that could not even be imported.
    """

    def __init__(
        self,
        spec: RunnerSpec,
        project: Project,
        cases: Sequence[Case],
        limits: Limits,
        on_result: Callable[[Result], None],
        on_progress: Callable[[Progress], None] = lambda progress: None,
        warm: Warm | None = None,
    ) -> None:
        self.left: list[Case] = []
        self.runner = Runner()
        self.unloadable = ("", "", "")
        self._spec = spec
        self._on_result = on_result
        self._on_progress = on_progress
        self._cases = {case.input.run_id: case for case in cases}
        inputs = [case.input for case in cases]
        self._replay = Replay(spec, project, inputs, self._heard, record="places", limits=limits, warm=warm)
        self._loaded = False
        self._ended = False
        self._begun = ""
        self._said = ""
        self._steps: dict[str, TraceStep] = {}
        self._at = Place()

    def run(self) -> None:
        """To the end. Blocks."""
        self._replay.start()
        self._replay.wait()

    def cancel(self) -> None:
        """Ends the process. Any thread."""
        self._replay.cancel()

    def _heard(self, message: AnyMessage) -> None:
        """In the thread of the replay."""
        if isinstance(message, Step):
            self._stepped(message.step)
        elif isinstance(message, Ended):
            self._on_end(message.end)
        elif isinstance(message, Progress):
            self._on_progress(message)
        elif isinstance(message, Begin):
            self._begun, self._at = message.run_id, Place()
            self._steps.clear()
        elif isinstance(message, Busy) and message.stack:
            frame = message.stack[0]
            self._at = Place(file=frame.file, line=frame.line, function=frame.function)
        elif isinstance(message, Hello):
            self.runner = Runner(
                engine=self._spec.engine, library=message.library, python=message.python,
                guards=message.guards, lacks=message.lacks,
            )  # fmt: skip
        elif isinstance(message, Loaded):
            self._loaded = True
        elif isinstance(message, Log) and not self._loaded:
            self._said = (self._said + message.text)[-_SAID:]

    def _stepped(self, step: TraceStep) -> None:
        self._steps[step.step_id] = step
        self._at = place_of(step) or self._at

    def _on_end(self, end: End) -> None:
        case = self._cases[end.run_id]
        if not self._loaded and end.outcome in _NEXT:
            if not self.unloadable[0]:
                self.unloadable = (end.error or "The runner ended.", end.hint, end.stack or self._said)
        elif self._ended and end.outcome in (_PROCESS if end.run_id == self._begun else _NEXT):
            # The runs before it may have brought the process down: only the first of a process answers for its end.
            self.left.append(case)
        else:
            self._ended = True
            drift = tuple(self._drifted(one) for one in end.drift)
            at = self._at if end.run_id == self._begun else Place()
            self._on_result(result_of(case.number, case.input, end, at, drift))

    def _drifted(self, drift: Drift) -> Drifted:
        """Where a drift showed: the line of its step, for the run's result the last one."""
        step = self._steps.get(drift.step_id)
        if step is None:
            return Drifted(drift=drift, at=self._at)
        return Drifted(drift=drift, at=place_of(step) or self._at, name=step.name)


def place_of(step: TraceStep) -> Place | None:
    """The line of the user's code that reached a step."""
    frame = next((frame for frame in step.stack if frame.kind == "user"), None)
    return Place(file=frame.file, line=frame.line, function=frame.function) if frame is not None else None
