"""What Playhead and a runner say to each other: one JSON object a line, UTF-8, both ways.

To the runner: a :class:`Job` first, then :class:`Command` values. From the runner: messages tagged by ``k``. A runner
never sees a credential. Lines longer than ``LONGEST`` end the replay.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.replay.model import Answer, Blocked, Edit, End, Frame, LineHit, Question, TraceStep

VERSION: Final = 1
LONGEST: Final = 16 << 20


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run to replay: its input as a file that the runner reads, ``detail`` the steps to record line by line.

    ``steps`` is about how many it has, 0 when nobody knows. ``then`` are edits of later turns of an edited history.
    """

    run_id: str
    input: str
    steps: int = 0
    detail: tuple[int, int] | None = None
    then: tuple[Edit, ...] = ()


class Job(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The first line to a runner. ``scratch`` is a private folder that it may write, and nothing else.

    ``record`` is "full" (stacks and locals), "places" (lines only, for the gate) or "bare" (nothing, for measuring).
    ``questions`` are asked at every event, in a replay of their own behind the one that is told. ``debug`` is the port
    on loopback that a debugger may attach at (0: none, -1: any that is free), ``debugger`` a folder with debugpy for
    environments that have none.
    """

    version: int = VERSION
    items: tuple[Item, ...] = ()
    modules: tuple[str, ...] = ()
    code: str = ""
    paths: tuple[str, ...] = ()
    cwd: str = ""
    scratch: str = ""
    record: str = "full"
    options: dict[str, Any] = {}
    memory_mb: int = 0
    busy_after_s: float = 1.0
    questions: tuple[Question, ...] = ()
    debug: int = 0
    debugger: str = ""


class Command(msgspec.Struct, frozen=True):
    """A later line to a runner: ``cancel`` or ``exit``."""

    cmd: str


class Message(msgspec.Struct, frozen=True, tag_field="k"):
    pass


class Hello(Message, frozen=True, tag="hello", omit_defaults=True):
    """The runner is up, before it has a job. ``library`` is the engine's version in the user's environment."""

    version: int
    python: str
    library: str
    pid: int
    guards: tuple[str, ...] = ()  # what it denies: "network", "writes", "processes"
    lacks: tuple[str, ...] = ()  # what it cannot deny on this platform, in words


class Loaded(Message, frozen=True, tag="loaded", omit_defaults=True):
    """The user's modules are imported; ``workflows`` by name with file and line.

    ``handlers`` are the names that each of them takes from outside, by "query" or the kind of an Edit (signal, update).
    """

    workflows: dict[str, tuple[str, int]]
    took_ms: float = 0.0
    handlers: dict[str, dict[str, tuple[str, ...]]] = {}


class Begin(Message, frozen=True, tag="begin", omit_defaults=True):
    """A run begins; told again when it begins anew: what was told of it before counts no more."""

    run_id: str
    steps: int = 0


class Step(Message, frozen=True, tag="step"):
    run_id: str
    step: TraceStep


class Lines(Message, frozen=True, tag="lines", omit_defaults=True):
    """Executed lines of one opened step; ``cut`` when there were more than the runner keeps."""

    run_id: str
    n: int
    hits: tuple[LineHit, ...]
    cut: bool = False

    def with_files(self) -> Lines:
        """The same with the file of every line: the runner names it where it is another than before."""
        file, hits = "", []
        for hit in self.hits:
            file = hit.file or file
            hits.append(hit if hit.file else msgspec.structs.replace(hit, file=file))
        return msgspec.structs.replace(self, hits=tuple(hits))


class Answered(Message, frozen=True, tag="answer"):
    """What a question is answered from a position on; told only where the answer changed."""

    run_id: str
    answer: Answer


class Progress(Message, frozen=True, tag="progress", omit_defaults=True):
    """How far a long replay is, a few times a second: ``done`` of ``total`` (the engine's own unit, for a bar).

    ``left_s`` is about how long it will still take; None while that cannot be told.
    """

    run_id: str
    done: int
    total: int
    left_s: float | None = None


class Debug(Message, frozen=True, tag="debug", omit_defaults=True):
    """The runner waits for a debugger on 127.0.0.1:``port`` (DAP); ``attached`` when one came and the code goes on.

    ``debugpy`` is its version and where it came from, in words.
    """

    port: int
    attached: bool = False
    debugpy: str = ""


class Busy(Message, frozen=True, tag="busy"):
    """User code has not come back for ``seconds``; ``stack`` says where it is."""

    seconds: float
    stack: tuple[Frame, ...]


class Side(Message, frozen=True, tag="blocked"):
    run_id: str
    blocked: Blocked


class Log(Message, frozen=True, tag="log", omit_defaults=True):
    """A line that the user's code or the runner printed or logged; ``stream`` out, err or log."""

    text: str
    stream: str = "log"
    level: str = ""


class Ended(Message, frozen=True, tag="end"):
    run_id: str
    end: End


class Bye(Message, frozen=True, tag="bye", omit_defaults=True):
    """The process is over: ``code`` as it exited, ``error`` what went wrong with all of it, ``peak_mb`` its memory."""

    code: int
    error: str = ""
    hint: str = ""
    stack: str = ""
    peak_mb: int = 0


AnyMessage = (
    Hello | Loaded | Begin | Step | Lines | Answered | Progress | Debug | Busy | Side | Log | Ended | Bye
)
decoder: Final = msgspec.json.Decoder(AnyMessage)
encoder: Final = msgspec.json.Encoder()
