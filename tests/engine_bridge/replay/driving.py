"""Runs replays of the tests' engine to their end and keeps what was said."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from engine_bridge.replay.model import End, Project, ReplayInput, RunnerSpec, TraceStep
from engine_bridge.replay.protocol import AnyMessage, Begin, Bye, Ended, Hello, Lines, Log, Step
from engine_bridge.replay.supervisor import Limits, Replay, Warm
from tests.engine_bridge.replay.plain import SPEC, project, recorded
from tests.waiting import LIMIT_S

M = TypeVar("M")
QUICK = Limits(silence_s=60, busy_s=60, start_s=60, load_s=60, memory_mb=1024)
IMPATIENT = Limits(silence_s=2.5, busy_s=1.1, start_s=60, load_s=60, memory_mb=1024)


class Heard:
    """All messages of one replay, in order."""

    def __init__(self) -> None:
        self.messages: list[AnyMessage] = []
        self.arrived = threading.Condition()

    def __call__(self, message: AnyMessage) -> None:
        with self.arrived:
            self.messages.append(message)
            self.arrived.notify_all()

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

    def until(self, found: Callable[[AnyMessage], bool], timeout: float = LIMIT_S) -> None:
        """Waits for a message."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: any(map(found, self.messages)), timeout), self.tail

    @property
    def tail(self) -> list[str]:
        """The last messages, for a failed test."""
        return [str(message)[:200] for message in self.messages[-5:]]

    @property
    def ends(self) -> dict[str, End]:
        return {message.run_id: message.end for message in self.all(Ended)}

    @property
    def end(self) -> End:
        (message,) = self.all(Ended)
        return message.end

    @property
    def bye(self) -> Bye:
        (bye,) = self.all(Bye)
        assert self.messages[-1] is bye, "the last message is the Bye"
        return bye

    @property
    def steps(self) -> list[TraceStep]:
        return [message.step for message in self.all(Step)]

    @property
    def printed(self) -> str:
        return "".join(log.text for log in self.all(Log))


def written(folder: Path, code: str, name: str = "flows.py") -> Path:
    """A module of the user's."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(code), "utf-8")
    return file


def run(
    place: Project | Path,
    inputs: Sequence[ReplayInput] | None = None,
    *,
    spec: RunnerSpec = SPEC,
    limits: Limits = QUICK,
    timeout: float = LIMIT_S,
    **more: Any,
) -> Heard:
    """One replay to its end; its threads, process and folder are gone then."""
    heard = Heard()
    place = place if isinstance(place, Project) else project(place)
    inputs = [recorded("r1", [("a", 1), ("b", 2)])] if inputs is None else inputs
    replay = Replay(spec, place, inputs, heard, limits=limits, **more)
    replay.start()
    assert replay.wait(timeout), heard.tail
    assert {message.run_id for message in heard.all(Ended)} == {item.run_id for item in inputs}
    return heard


__all__ = (
    "IMPATIENT",
    "QUICK",
    "SPEC",
    "Begin",
    "Heard",
    "Hello",
    "Limits",
    "Lines",
    "Replay",
    "Warm",
    "project",
    "recorded",
    "run",
    "written",
)
