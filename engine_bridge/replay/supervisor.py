"""Runs replays and stays in charge: whatever the user's code does, every run gets an end, and all of it was kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from engine_bridge.errors import PlayheadError
from engine_bridge.replay.model import End, Outcome, Place, Project, ReplayInput, RunnerSpec
from engine_bridge.replay.process import Gone, RunnerProcess, Warm
from engine_bridge.replay.protocol import (
    VERSION,
    AnyMessage,
    Begin,
    Busy,
    Bye,
    Command,
    Ended,
    Hello,
    Item,
    Job,
    Loaded,
    Step,
)

_TICK_S: Final = 0.1
_SIGNALS: Final = {
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    15: "SIGTERM",
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a replay is ended from outside. Seconds; 0: never.

    ``silence_s`` without any message while user code runs means that it holds the interpreter; ``busy_s`` is how long
    it may run between two steps; ``start_s`` covers the import of the engine's library; ``total_s`` everything.
    """

    memory_mb: int = 4096
    start_s: float = 60.0
    silence_s: float = 5.0
    busy_s: float = 30.0
    total_s: float = 0.0


class Replay:
    """One process, one project, some runs. ``on_message`` hears everything, in a thread of the replay.

    Every input gets one Ended, made here where the runner could not; a Bye is the last message.
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
    ) -> None:
        self._spec = spec
        self._project = project
        self._inputs = tuple(inputs)
        self._tell = on_message
        self._record = record
        self._detail = detail
        self._limits = limits or Limits()
        self._warm = warm
        self._process: RunnerProcess | None = None
        self._thread = threading.Thread(target=self._run, name="playhead-replay", daemon=True)
        self._cancelled = False
        self._left = [item.run_id for item in self._inputs]
        self._steps = 0
        self._heard = 0.0
        self._phase = "start"
        self._busy: Busy | None = None

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is over after at most ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Ends it now; what was recorded so far stays. Any thread."""
        self._cancelled = True
        process = self._process
        if process is not None:
            process.send(Command("cancel"))
            process.kill()

    kill = cancel

    def _run(self) -> None:
        try:
            process = self._process = self._obtain()
        except PlayheadError as error:
            self._finish(Outcome.FAILED, error.message, error.hint or "")
            self._tell(Bye(2, str(error)))
            return
        try:
            process.send(self._job(process))
            self._follow(process)
        finally:
            process.close()

    def _obtain(self) -> RunnerProcess:
        process = self._warm.take() if self._warm is not None else None
        if process is None:
            environment = self._project.options.get("environment")
            process = RunnerProcess(self._spec, self._project.python, environment)
            process.start()
        return process

    def _job(self, process: RunnerProcess) -> Job:
        items = []
        for number, item in enumerate(self._inputs):
            path = process.scratch / f"{number}.input"
            path.write_bytes(item.data)
            items.append(Item(item.run_id, str(path), self._detail))
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
        )

    def _follow(self, process: RunnerProcess) -> None:
        began = self._heard = time.monotonic()
        while True:
            try:
                message = process.inbox.get(timeout=_TICK_S)
            except queue.Empty:
                why = self._overdue(began)
                if why:
                    process.kill()
                    self._finish(
                        Outcome.HUNG,
                        why,
                        "Everything recorded so far is kept. Look at the line it stands on.",
                    )
                continue
            if isinstance(message, Gone):
                self._ended(message)
                return
            self._take(message, process)
            why = self._overdue(began)
            if why and self._left:
                process.kill()
                self._finish(
                    Outcome.HUNG, why, "Everything recorded so far is kept. Look at the line it stands on."
                )

    def _hung(self, process: RunnerProcess, why: str) -> None:
        process.kill()
        self._finish(Outcome.HUNG, why, "Everything recorded so far is kept. Look at the line it stands on.")

    def _take(self, message: AnyMessage, process: RunnerProcess) -> None:
        self._heard = time.monotonic()
        if isinstance(message, Busy):
            self._busy = message
        elif isinstance(message, Hello):
            self._phase = "work"
            if message.version != VERSION:
                process.kill()
        elif isinstance(message, Step | Loaded | Begin):
            self._busy = None
            self._steps = message.step.n + 1 if isinstance(message, Step) else 0
        elif isinstance(message, Ended):
            if message.run_id not in self._left:
                return
            self._left.remove(message.run_id)
            self._busy = None
        elif isinstance(message, Bye):
            if message.error:
                self._finish(Outcome.FAILED, _last_line(message.error), "", message.error)
            return
        self._tell(message)

    def _overdue(self, began: float) -> str:
        """Why the replay must be ended now; "" while all is well."""
        now, limits = time.monotonic(), self._limits
        if limits.total_s and now - began > limits.total_s:
            return f"It took longer than {limits.total_s:g} seconds."
        silent = now - self._heard
        if self._phase == "start" and limits.start_s and silent > limits.start_s:
            return f"The runner did not come up in {limits.start_s:g} seconds."
        if self._phase == "work" and limits.silence_s and silent > limits.silence_s:
            where = self._where()
            return (
                f"The code holds the interpreter and has let nothing through for {silent:.0f} seconds{where}."
            )
        if self._busy is not None and limits.busy_s and self._busy.seconds > limits.busy_s:
            return f"The code has not come back for {self._busy.seconds:.0f} seconds{self._where()}."
        return ""

    def _where(self) -> str:
        frames = self._busy.stack if self._busy is not None else ()
        return f", at {Place(file=frames[0].file, line=frames[0].line)}" if frames else ""

    def _ended(self, gone: Gone) -> None:
        text, outcome = "", Outcome.CRASHED
        if self._cancelled:
            outcome = Outcome.CANCELLED
        elif gone.reason:
            text = f"The replay was ended: {gone.reason}."
        elif gone.code < 0:
            text = f"The process died of {_SIGNALS.get(-gone.code, f'signal {-gone.code}')}."
        else:
            text = f"The process ended with code {gone.code} before it was done."
        self._finish(outcome, text, "" if self._cancelled else "The last step recorded is where it was.")
        self._tell(Bye(gone.code, text if self._left else ""))

    def _finish(self, outcome: Outcome, error: str, hint: str = "", stack: str = "") -> None:
        """Ends every run that has no end yet: the one under way with the reason, those behind it as not begun."""
        for number, run_id in enumerate(self._left):
            steps = self._steps if number == 0 else 0
            why = (
                error if number == 0 or outcome is Outcome.FAILED else f"Not begun: {error}" if error else ""
            )
            end = End(outcome=outcome, run_id=run_id, steps=steps, error=why, hint=hint, stack=stack)
            self._tell(Ended(run_id, end))
        self._left = []


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else text
