"""One replay as the window keeps it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from engine_bridge.history import History
from engine_bridge.replay.model import Edit, Frame, Project, Question, ReplayInput, RunnerSpec
from engine_bridge.replay.protocol import Debug, Hello, Loaded, Log, Progress
from engine_bridge.replay.trace import Trace
from widgets.code.answers import Answers
from widgets.code.source import CodeSource

ANY_PORT: Final = -1


@dataclass(frozen=True, slots=True)
class Extra:
    """What a replay does besides: edits make it a hypothetical one; ``debug`` is a debugger's port (0: none)."""

    edits: tuple[Edit, ...] = ()
    questions: tuple[Question, ...] = ()
    debug: int = 0


PLAIN: Final = Extra()


@dataclass(eq=False)
class Recording:
    """One replay of one run, or of what it might have been; ``steps_then`` is the length of the history then.

    ``marks`` are the digests of its files as it began (app.replay_watch), ``sources`` their text as it was shown.
    """

    spec: RunnerSpec
    project: Project
    input: ReplayInput
    history: History
    extra: Extra = PLAIN
    trace: Trace = field(init=False)
    answers: Answers = field(init=False)
    steps_then: int = field(init=False)
    running: bool = True
    phase: str = "Starting the interpreter …"
    loaded: Loaded | None = None
    hello: Hello | None = None
    busy: tuple[Frame, ...] = ()
    logs: list[Log] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)
    began_ns: int = field(default_factory=time.time_ns)
    progress: Progress | None = None
    debug: Debug | None = None
    marks: dict[str, bytes] = field(default_factory=dict)
    sources: dict[str, CodeSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trace, self.answers = Trace(self.input.run_id), Answers(self.extra.questions)
        self.steps_then = len(self.history)

    @property
    def hypothetical(self) -> bool:
        """Whether it is not the record that was replayed."""
        return bool(self.extra.edits)
