"""``playhead replay`` of one run in detail: what if, queries at every event, a debugger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.cli.output import json_line, note
from app.cli.replay_edits import edits_of_texts, question_of_text
from app.cli.replay_one_print import one_json, print_one
from app.cli.session import call
from app.cli.working import work
from engine_bridge.bridge import Capability
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.replay.gate_report import Runner
from engine_bridge.replay.model import Answer, Edit, End, Outcome, Question, ReplayInput, TraceStep
from engine_bridge.replay.progress import left_words
from engine_bridge.replay.protocol import (
    Answered,
    AnyMessage,
    Busy,
    Bye,
    Debug,
    Ended,
    Hello,
    Log,
    Progress,
    Step,
)
from engine_bridge.replay.supervisor import Replay

if TYPE_CHECKING:
    from app.cli.replay import Asked, Running
    from app.gate_setup import Ready
    from app.opening import Opened

_GOOD = (Outcome.SAME, Outcome.STOPPED)


@dataclass(eq=False)
class OneReplay:
    """What one replay told. ``edits`` are those of what-if."""

    ready: Ready
    input: ReplayInput
    edits: tuple[Edit, ...] = ()
    runner: Runner = field(default_factory=Runner)
    steps: list[TraceStep] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    end: End = field(default_factory=lambda: End(outcome=Outcome.CANCELLED))
    bye: Bye = field(default_factory=lambda: Bye(0))

    @property
    def commands(self) -> list[TraceStep]:
        """What the code does where the edited history ends: from the last step on that the history holds."""
        if len(self.end.turns) > 1:
            return self.steps[self.end.turns[-1] :]
        held = [step.n for step in self.steps if step.recorded is not None and step.kind != "wait"]
        return [step for step in self.steps if step.n >= max(held, default=0)]

    @property
    def good(self) -> bool:
        return self.end.outcome in _GOOD and not self.bye.error


def wanted(running: Running) -> bool:
    """Whether the command line asks for one run in detail."""
    return bool(running.what_if or running.then or running.query or running.debug)


def parsed(running: Running) -> tuple[tuple[Edit, ...], tuple[Question, ...]]:
    """Edits and questions as they were typed. Raises UsageError."""
    return edits_of_texts(running.what_if, running.then), tuple(map(question_of_text, running.query))


def check(place: Opened, what: Asked) -> None:
    """Raises what is wrong with the command line before anything is read."""
    parsed(what.running)
    if len(what.runs) > 1 or what.filter_text:
        raise UsageError(
            "Name the one RUN that is meant: --what-if, --then, --query and --debug are for one."
        )
    if what.running.junit is not None or what.running.sample is not None:
        raise UsageError("--junit and --sample are for many runs, not with --what-if, --query or --debug.")
    if what.running.what_if and Capability.WHAT_IF not in place.info.capabilities:
        raise UnsupportedError("Histories of this source cannot be edited.")


def replay_one(place: Opened, what: Asked, ready: Ready) -> int:
    """Replays, prints, and answers 1 where the code could not do what was asked."""
    edits, questions = parsed(what.running)
    ref = ready.runs[0].ref
    asked = ("what_if", ref, edits) if edits else ("replay_input", ref)
    one = OneReplay(ready, call(place, *asked), edits)
    for notice in one.input.notices:
        note(notice)
    work(lambda token: _run(one, questions, what.running.debug, token), "Stopping.")
    if what.as_json:
        json_line(one_json(one))
    else:
        print_one(one, bool(questions))
    return 2 if one.end.unfit is not None else int(not one.good)


def _run(one: OneReplay, questions: tuple[Question, ...], debug: int, token: CancelToken) -> None:
    def hear(message: AnyMessage) -> None:
        _take(one, message, token)

    replay = Replay(one.ready.spec, one.ready.project, [one.input], hear, questions=questions, debug=debug)
    forget = token.add_hook(replay.cancel)
    try:
        replay.start()
        while not replay.wait(1.0):
            pass
    finally:
        forget()


def _take(one: OneReplay, message: AnyMessage, token: CancelToken) -> None:
    """In the thread of the replay."""
    if isinstance(message, Step):
        one.steps.append(message.step)
    elif isinstance(message, Answered):
        one.answers.append(message.answer)
    elif isinstance(message, Ended):
        one.end = message.end
    elif isinstance(message, Bye):
        one.bye = message
    elif isinstance(message, Hello):
        versions: dict[str, Any] = {"library": message.library, "python": message.python}
        one.runner = Runner(
            engine=one.ready.spec.engine, guards=message.guards, lacks=message.lacks, **versions
        )
    elif isinstance(message, Progress):
        token.progress_through(message.done, message.total, left_words(message.left_s) or "replaying")
    elif isinstance(message, Debug):
        note(debug_words(message))
    elif isinstance(message, Busy) and message.stack:
        at = message.stack[0]
        token.progress_through(0, None, f"the code stays at {at.file}:{at.line} for {message.seconds:.0f} s")
    elif isinstance(message, Log) and message.stream == "log":
        note(message.text.rstrip())


def debug_words(message: Debug) -> str:
    """What a user does to attach, and what the open socket means."""
    if message.attached:
        return "A debugger is attached. What it evaluates runs in the guarded process of the replay."
    attach = f'{{"type": "debugpy", "request": "attach", "connect": {{"host": "127.0.0.1", "port": {message.port}}}}}'
    return (
        f"Waiting for a debugger at 127.0.0.1:{message.port} ({message.debugpy}); in VS Code: {attach}. "
        "This socket alone is let through the guards. Ctrl+C ends it."
    )
