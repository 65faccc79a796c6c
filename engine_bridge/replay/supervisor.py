"""Runs replays and stays in charge: whatever the user's code does, every run gets an end, and all of it was kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.replay.debugging import debugpy_folder
from engine_bridge.replay.limits import Clock, Limits
from engine_bridge.replay.model import End, Outcome, Project, Question, ReplayInput, RunnerSpec
from engine_bridge.replay.pipes import Gone
from engine_bridge.replay.process import RunnerProcess, Warm
from engine_bridge.replay.protocol import (
    AnyMessage,
    Begin,
    Bye,
    Ended,
    Hello,
    Item,
    Job,
    Lines,
    Log,
    Step,
)
from engine_bridge.replay.verdict import KEPT, crashed, not_begun, place_in, place_of, told, unfit

__all__ = ("Limits", "Replay", "Warm")

_TICK_S: Final = 0.1
_PRINTED: Final = 4000


class Replay:
    """One project, some runs. ``on_message`` hears everything, in a thread of the replay.

    Every input gets one Ended, made here where the runner could not; a Bye is the last message. A run that kills its
    process does not take the ones behind it along: they go on in another one, which says Hello and Loaded again.
    ``questions`` are answered at every event by Answered. With ``debug`` (a port, -1: any) the runner waits for a
    debugger before it imports the code, which Debug tells, and nothing but ``cancel`` ends it for being slow.
    """

    def __init__(
        self,
        spec: RunnerSpec,
        project: Project,
        inputs: Sequence[ReplayInput],
        on_message: Callable[[AnyMessage], None],
        *,
        record: str = "full",
        detail: tuple[int, int] | None = None,
        limits: Limits | None = None,
        warm: Warm | None = None,
        questions: Sequence[Question] = (),
        debug: int = 0,
    ) -> None:
        self._spec = spec
        self._project = project
        self._inputs = tuple(inputs)
        self._tell = on_message
        self._record = record
        self._detail = detail
        self._limits = (limits or Limits()).patient() if debug else limits or Limits()
        self._warm = None if debug else warm
        self._questions = tuple(questions)
        self._debug = debug
        self._thread = threading.Thread(target=self._run, name="playhead-replay", daemon=True)
        self._lock = threading.Lock()
        self._process: RunnerProcess | None = None
        self._cancelled = False
        self._left = [item.run_id for item in self._inputs]
        self._bye = Bye(0)

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is over after at most ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Ends it now; what was recorded so far stays. Any thread; never waits."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    kill = cancel

    def _run(self) -> None:
        began = time.monotonic()
        try:
            # Without inputs the project is only loaded.
            while not self._cancelled:
                why = Clock(self._limits, began).overdue()
                if why:  # what is left is not begun
                    self.finish(Outcome.HUNG, f"{why}.", KEPT)
                    break
                _Attempt(self, self._obtain(), began).follow()
                if not self._left:
                    break
        except PlayheadError as error:
            self.finish(Outcome.FAILED, error.message, error.hint, error.detail)
            self._bye = Bye(2, error.message, error.hint)
        finally:
            if self._cancelled:
                self.finish(Outcome.CANCELLED, "")
            # Anything is left only when Playhead itself has failed, which its own report tells.
            self.finish(Outcome.FAILED, "Playhead could not go on with the replay.", "See its error report.")
            self._tell(self._bye)

    def _obtain(self) -> RunnerProcess:
        project, limits = self._project, self._limits
        environment = project.options.get("environment")
        process = None
        if self._warm is not None and self._warm.fits(self._spec, project.python, environment):
            process = self._warm.take()
        if process is None:
            process = RunnerProcess(
                self._spec, project.python, environment,
                output_bytes=limits.output_bytes, message_bytes=limits.message_bytes, debug=self._debug,
            )  # fmt: skip
            process.start()
        with self._lock:
            self._process = process
            if self._cancelled:
                process.kill()
        return process

    def job(self, process: RunnerProcess) -> Job:
        """What is left to do, with the inputs as files in the runner's folder. Raises UsageError without space."""
        items = []
        for number, item in enumerate(self._inputs):
            if item.run_id in self._left:
                path = process.scratch / f"{number}.input"
                try:
                    path.write_bytes(item.data)
                except OSError as error:
                    hint = "Make room there, or name another folder by TMPDIR."
                    raise UsageError(f"{path} cannot be written: {error.strerror}.", hint) from None
                items.append(Item(item.run_id, str(path), item.steps, self._detail, item.then))
        project = self._project
        return Job(
            items=tuple(items),
            modules=project.modules,
            code=project.code,
            paths=project.paths,
            cwd=project.cwd,
            scratch=str(process.scratch),
            record=self._record,
            options={k: v for k, v in project.options.items() if k != "environment"},
            memory_mb=self._limits.memory_mb,
            questions=self._questions,
            debug=self._debug,
            debugger=debugpy_folder() if self._debug else "",
        )

    def tell(self, message: AnyMessage) -> bool:
        """Passes a message on; an end counts once for each run. Whether it was passed on."""
        if isinstance(message, Ended):
            if message.run_id not in self._left:
                return False
            self._left.remove(message.run_id)
        self._tell(message.with_files() if isinstance(message, Lines) else message)
        return True

    def end(self, run_id: str, outcome: Outcome, error: str, **more: Any) -> bool:
        """Makes up the end of one run; false when there is no such run, or it has ended."""
        return self.tell(Ended(run_id, End(outcome=outcome, run_id=run_id, error=error, **more)))

    def finish(self, outcome: Outcome, error: str, hint: str = "", stack: str = "") -> None:
        """Ends every run that has no end yet."""
        for run_id in list(self._left):
            self.end(run_id, outcome, error, hint=hint, stack=stack)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def part(self, bye: Bye) -> None:
        """Remembers how a process ended; the last one is told as the whole's."""
        peak = max(bye.peak_mb, self._bye.peak_mb)
        self._bye = Bye(bye.code, bye.error, bye.hint, bye.stack, peak)

    @property
    def parts(self) -> tuple[RunnerSpec, str, Limits]:
        """What a process is started by and bound to."""
        return self._spec, self._project.python, self._limits


class _Attempt:
    """One process' share of a replay."""

    def __init__(self, replay: Replay, process: RunnerProcess, began: float) -> None:
        self._replay = replay
        self._process = process
        self._spec, self._python, limits = replay.parts
        self._clock = Clock(limits, began)
        self._running = ""
        self._steps = 0
        self._up = False
        self._ended = 0
        self._bye: Bye | None = None
        self._printed = ""
        self._why = ("", "", "")  # error, hint and stack when it was ended by us
        self._peak = 0

    def follow(self) -> None:
        """Until the process is gone, with all that it left."""
        try:
            gone: Gone | None = None
            while gone is None:
                try:
                    message = self._process.inbox.get(timeout=_TICK_S)
                except queue.Empty:
                    gone = self._process.lost()
                else:
                    if isinstance(message, Gone):
                        gone = message
                    else:
                        self._take(message)
                if gone is None:
                    self._look()
            self._over(gone)
        finally:
            self._process.close()

    def _look(self) -> None:
        why = self._clock.overdue()
        if not why or self._why[0] or self._bye is not None:
            return
        stacks = told(self._process.stacks())
        busy = place_of(self._clock.busy)
        at = busy if busy.line else place_in(stacks)
        hint = f"{KEPT} Look at the line it stands on." if at.line else KEPT
        self._stop(f"{why}{f', at {at}' if at.line else ''}.", hint, stacks)

    def _stop(self, error: str, hint: str, stack: str = "") -> None:
        self._why = error, hint, stack
        self._peak = self._process.peak_mb()
        self._process.kill()

    def _take(self, message: AnyMessage) -> None:
        self._clock.hear(message)
        if isinstance(message, Hello):
            self._up = True
            error, hint = unfit(message, self._spec, self._python)
            if error:
                self._replay.finish(Outcome.FAILED, error, hint)
                self._stop(error, hint)
            else:
                self._replay.tell(message)
                self._process.send(self._replay.job(self._process))
            return
        if isinstance(message, Bye):
            self._bye = message
            return
        if isinstance(message, Begin):
            self._running, self._steps = message.run_id, 0
        elif isinstance(message, Step):
            if message.run_id == self._running and message.step.n < self._steps:
                return  # a process that died between two of its writes left it twice
            self._steps = message.step.n + 1
        elif isinstance(message, Log):
            self._printed = (self._printed + message.text)[-_PRINTED:]
        if self._replay.tell(message) and isinstance(message, Ended):
            self._running, self._ended = "", self._ended + 1

    def _over(self, gone: Gone) -> None:
        bye, replay = self._bye or Bye(gone.code), self._replay
        outcome, error, hint, stack = self._verdict(gone, bye)
        if replay.cancelled:
            replay.part(Bye(gone.code, peak_mb=self._peak))
        else:
            replay.part(Bye(gone.code, error, hint, stack, bye.peak_mb or self._peak))
        said = error if error or replay.cancelled else "The runner did not say how this run ended."
        more = {"steps": self._steps, "hint": hint, "stack": stack}
        if self._running and replay.end(self._running, outcome, said, **more):
            return
        if not self._ended or outcome is Outcome.FAILED:
            # Another process would fare no better.
            replay.finish(outcome, error or "The runner ended before this run.", hint, stack)

    def _verdict(self, gone: Gone, bye: Bye) -> tuple[Outcome, str, str, str]:
        """How runs without an end of their own ended: outcome, error, hint, stack."""
        if self._replay.cancelled:
            return Outcome.CANCELLED, "", "", ""
        if self._why[0]:
            return Outcome.HUNG, *self._why
        if not self._up:
            return (
                Outcome.FAILED,
                *not_begun(self._bye, gone.code, self._spec, self._python, self._printed),
                "",
            )
        if self._bye is not None:
            return Outcome.FAILED, bye.error, bye.hint, bye.stack
        stacks = told(self._process.stacks())
        return Outcome.CRASHED, *crashed(gone.code, gone.reason, stacks), stacks
