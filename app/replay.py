"""The window's replays: one at a time, recorded into a trace that grows in the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from app.replay_inbox import Inbox
from app.replay_recording import Recording
from engine_bridge.errors import PlayheadError
from engine_bridge.replay.model import Frame, RunnerSpec
from engine_bridge.replay.probe import greet
from engine_bridge.replay.process import Warm
from engine_bridge.replay.protocol import (
    Answered,
    AnyMessage,
    Begin,
    Busy,
    Bye,
    Debug,
    Ended,
    Hello,
    Lines,
    Loaded,
    Log,
    Progress,
    Step,
)
from engine_bridge.replay.supervisor import Replay
from engine_bridge.replay.trace import Trace

_KEPT: Final = 4  # recordings kept: going back to a run shows its code at once
_WARM: Final = 2


class ReplayDesk(QObject):
    """Starts and ends replays, and keeps what they recorded. GUI thread.

    ``grew`` (a Recording), ``restarted`` (it has another trace), ``changed`` (its phase), ``logged`` ((Recording,
    logs)), ``answered``, ``ended``; ``lined`` (Recording, n) comes when lines on the way to a step are in its trace,
    or could not be recorded. What arrives of a replay that another one replaced is dropped. ``in_thread`` runs work
    that the application waits for at its end.
    """

    grew = Signal(object)
    restarted = Signal(object)
    changed = Signal(object)
    logged = Signal(object)
    answered = Signal(object)
    ended = Signal(object)
    lined = Signal(object)

    def __init__(self, in_thread: Callable[..., None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._in_thread = in_thread
        self._inbox = Inbox(self)
        self._inbox.arrived.connect(self._on_batch)
        self._replay: Replay | None = None
        self._number = 0
        self._recording: Recording | None = None
        self._detail: Replay | None = None
        self._wanted = -1
        self._kept: dict[Any, Recording] = {}
        self._warms: dict[tuple[str, str], Warm] = {}
        self._closed = False

    # -- warm runners -------------------------------------------------------------------------------------

    def warm(self, spec: RunnerSpec, python: str) -> None:
        """Has a runner of an interpreter ready, which knows no user code."""
        if not self._closed and python:
            self._in_thread("playhead-replay-warm", self._warm_of(spec, python).prepare)

    def greet(self, spec: RunnerSpec, python: str, then: Callable[[Hello | PlayheadError], None]) -> None:
        """Asks an interpreter what its runner denies; ``then`` hears it, or why it cannot, in a thread."""

        def ask() -> None:
            try:
                then(greet(spec, python, lambda: not self._closed))
            except PlayheadError as error:
                then(error)

        self._in_thread("playhead-replay-greet", ask)

    def _warm_of(self, spec: RunnerSpec, python: str) -> Warm:
        key = (spec.runner, python)
        if key not in self._warms:
            while len(self._warms) >= _WARM:
                old = self._warms.pop(next(iter(self._warms)))
                self._in_thread("playhead-replay-cool", old.close)
            self._warms[key] = Warm(spec, python)
        return self._warms[key]

    # -- replays ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._recording is not None and self._recording.running

    def kept(self, key: Any) -> Recording | None:
        """The recording of a run, where there is one that was not superseded."""
        return self._kept.get(key)

    def forget(self, key: Any) -> None:
        self._kept.pop(key, None)

    def keep(self, key: Any, recording: Recording) -> None:
        """What is shown when the user comes back to a run."""
        self._kept[key] = recording

    def record(self, key: Any, made: Recording) -> None:
        """Replays a run; what ran before is abandoned. ``key`` is what the recording is kept by, if it is a record."""
        self._abandon()
        self._number += 1
        self._recording = made
        if not made.hypothetical:
            self._kept.pop(key, None)
            self._kept[key] = made
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        self._replay = self._start(made, None, self._number)

    def _start(self, made: Recording, detail: tuple[int, int] | None, number: int) -> Replay:
        kind = "record" if detail is None else "lines"
        replay = Replay(
            made.spec,
            made.project,
            [made.input],
            lambda message: self._inbox.put((number, kind, made, message)),
            detail=detail,
            warm=self._warm_for(made),
            questions=made.extra.questions if detail is None else (),
            debug=made.extra.debug if detail is None else 0,
        )
        replay.start()
        return replay

    def _warm_for(self, made: Recording) -> Warm | None:
        # A warm runner has the plain environment: a project with variables of its own starts a new one.
        if made.project.options.get("environment"):
            return None
        return self._warm_of(made.spec, made.project.python)

    def record_lines(self, made: Recording, n: int) -> None:
        """Replays once more for every line on the way to step ``n``."""
        if made.running or self._detail is not None:
            return
        made.asked.add(n)
        self._wanted = n
        self._number += 1
        self._detail = self._start(made, (n, n), self._number)

    def cancel(self) -> None:
        """Ends what runs now; what was recorded stays."""
        for replay in (self._replay, self._detail):
            if replay is not None:
                replay.cancel()
        self._replay = self._detail = None

    def leave(self) -> None:
        """Another run is looked at: nothing that is under way is wanted any more."""
        self._abandon()
        self._recording = None

    def _abandon(self) -> None:
        # What it still tells is dropped: half of a recording, that never ends, is not to be shown again.
        recording = self._recording
        if recording is not None and recording.running:
            self._number += 1
            recording.running = False
            self._kept = {key: kept for key, kept in self._kept.items() if kept is not recording}
        self.cancel()

    def close(self) -> None:
        """Ends every process; the application is closing."""
        self._closed = True
        left = [replay for replay in (self._replay, self._detail) if replay is not None]
        self.cancel()
        self._inbox.stop()
        warms, self._warms = list(self._warms.values()), {}

        def end() -> None:
            for warm in warms:
                warm.close()
            for replay in left:
                replay.wait(10.0)

        if left or warms:
            self._in_thread("playhead-replay-end", end)

    # -- what arrives -------------------------------------------------------------------------------------

    def _on_batch(self, batch: list[tuple[int, str, Recording, AnyMessage]]) -> None:
        steps, logs, anew = 0, [], False
        for number, kind, made, message in batch:
            if number != self._number and not (kind == "record" and made is self._recording):
                continue
            if kind == "lines":
                self._on_lines(made, message)
            elif isinstance(message, Begin):
                if made.trace.steps:
                    made.trace, steps, anew = Trace(made.trace.run_id), 0, True
            elif isinstance(message, Step):
                made.trace.add(message.step, made.history)
                made.busy, made.phase, steps = (), "Replaying …", steps + 1
            elif isinstance(message, Log):
                logs.append(message)
            else:
                self._on_other(made, message, bool(steps))
        recording = self._recording
        if recording is not None and logs:
            recording.logs += logs
            self.logged.emit((recording, logs))
        if recording is not None and anew:
            self.restarted.emit(recording)
        if recording is not None and steps:
            self.grew.emit(recording)

    def _on_other(self, made: Recording, message: AnyMessage, grown: bool) -> None:
        if isinstance(message, Hello):
            made.hello, made.phase = message, "Importing your code …"
        elif isinstance(message, Loaded):
            made.loaded, made.phase = message, "Replaying …"
        elif isinstance(message, Busy):
            made.busy = message.stack
            if message.stack:  # without one it is the engine that is at work
                made.phase = f"The code has not come back for {message.seconds:.0f} s{_at(message.stack)} …"
        elif isinstance(message, Progress):
            made.progress, made.busy, made.phase = message, (), "Replaying …"
        elif isinstance(message, Debug):
            made.debug = message
            made.phase = "Importing your code …" if message.attached else "Waiting for a debugger …"
        elif isinstance(message, Answered):
            made.answers.add(message.answer)
            self.answered.emit(made)
            return
        elif isinstance(message, Ended):
            made.trace.end = message.end
            if grown:
                self.grew.emit(made)
        elif isinstance(message, Bye):
            self._on_bye(made)
            return
        else:
            return
        self.changed.emit(made)

    def _on_bye(self, made: Recording) -> None:
        made.running, self._replay = False, None
        self.ended.emit(made)
        if not self._closed and self._warm_for(made) is not None:
            self.warm(made.spec, made.project.python)

    def _on_lines(self, made: Recording, message: AnyMessage) -> None:
        if isinstance(message, Lines):
            made.trace.lines[message.n] = message.hits
        elif isinstance(message, Bye):
            self._detail = None
            self.lined.emit((made, self._wanted))
            self.warm(made.spec, made.project.python)


def _at(stack: tuple[Frame, ...]) -> str:
    frame = next((frame for frame in stack if frame.kind == "user"), None)
    return f", at {frame.file.rpartition('/')[2]}:{frame.line}" if frame is not None else ""
