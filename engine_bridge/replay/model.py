"""What a replay records, as values: steps with stacks and locals, divergences, drift, what a run is doing now.

A *picture* is a bounded, inert view of a Python value, made in the runner without running user code: a JSON atom as
it is, else ``{"t": type name}`` with ``r`` (text), ``n`` (true length), ``i`` (items), ``m`` (pairs of a mapping) or
``o`` (pairs of attributes). Any thread; nothing here imports what a runner imports.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

Picture = Any


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Frame(_Value, frozen=True):
    """One frame of a stack. ``kind`` is user, engine, library or std; only user frames have locals (name, picture)."""

    file: str
    line: int
    function: str
    kind: str = "user"
    locals: tuple[tuple[str, Picture], ...] = ()


class Task(_Value, frozen=True):
    """One thread or asyncio task of the workflow; ``frames`` innermost first. ``step_id`` is what it waits for."""

    name: str
    frames: tuple[Frame, ...] = ()
    state: str = "waiting"  # running | waiting | done
    step_id: str = ""


class Drift(_Value, frozen=True):
    """What differs while the engine passes in silence: ``what`` is result, input, timeout, order, name …"""

    what: str
    recorded: Picture = None
    replayed: Picture = None
    step_id: str = ""
    note: str = ""


class TraceStep(_Value, frozen=True):
    """One boundary that the code reached: a step's call, a wait, a patch, the end.

    ``step_id`` and ``position`` are the history's (position None: that of the step's first event). ``name`` is what
    the code asked for, ``recorded`` what the history holds there (None: nothing; at the end of an edited history these
    are the commands that the code would issue). ``stack`` innermost first; empty when no user frame was found. ``via``
    says how the line was found (stack, task, origin).
    """

    n: int
    name: str
    kind: str = "step"
    step_id: str = ""
    position: int | None = None
    recorded: str | None = None
    stack: tuple[Frame, ...] = ()
    tasks: tuple[Task, ...] = ()
    drift: tuple[Drift, ...] = ()
    via: str = "stack"


class LineHit(_Value, frozen=True):
    """One executed line of an opened step, in order; ``changed`` are the locals that differ from the line before."""

    file: str
    line: int
    function: str
    changed: tuple[tuple[str, Picture], ...] = ()


class Place(_Value, frozen=True):
    """A line of the user's code. ``line`` 0: unknown."""

    file: str = ""
    line: int = 0
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Divergence(_Value, frozen=True):
    """Where code and history part. ``expected`` is the history's, ``actual`` the code's, both in words.

    ``kind``: other step | extra step | missing step | early end | late end | other outcome | error.
    """

    kind: str
    expected: str
    actual: str
    step_id: str = ""
    position: int | None = None
    at: Place = Place()
    message: str = ""


class Now(_Value, frozen=True):
    """What a run that is not over is doing: the line that waits, and for what.

    ``kind``: waiting | sleeping | child | step | queued | nothing.
    """

    kind: str
    what: str
    step_id: str = ""
    at: Place = Place()
    until_ns: int | None = None


class Blocked(_Value, frozen=True):
    """A side effect in workflow code that was stopped: ``what`` in words (opens a socket to …)."""

    what: str
    at: Place = Place()


class Outcome(StrEnum):
    """How one replay ended. All but ``same`` and ``stopped`` deserve a look."""

    SAME = "same"  # ran to the recorded end
    STOPPED = "stopped"  # reached what is not recorded yet: the run waits, sleeps or is at work there
    DIVERGED = "diverged"
    BLOCKED = "blocked"  # user code tried a side effect
    FAILED = "failed"  # the runner or the user's module could not run it
    HUNG = "hung"
    CRASHED = "crashed"
    CANCELLED = "cancelled"


class End(_Value, frozen=True):
    """The end of one replay. ``coverage`` maps a file to hits per line; ``error`` is for FAILED, with ``hint``.

    ``notes`` say what the record cannot decide, or this replay not do: no alarm. Of an edited history, ``next`` is what
    can be made of what the code would do (edits of a later turn), ``turns`` are the first steps of the turns that were
    taken, and ``unfit`` says why the next one could not be.
    """

    outcome: Outcome
    run_id: str = ""
    steps: int = 0
    now: Now | None = None
    divergence: Divergence | None = None
    drift: tuple[Drift, ...] = ()
    notes: tuple[str, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    coverage: dict[str, dict[str, int]] = {}
    took_ms: float = 0.0
    cpu_ms: float = 0.0
    error: str = ""
    hint: str = ""
    stack: str = ""
    next: tuple[EditKind, ...] = ()
    turns: tuple[int, ...] = ()
    unfit: Unfit | None = None


class Question(_Value, frozen=True):
    """A query that is answered at every event: its name and a JSON list of its arguments."""

    name: str
    args: str = "[]"


class Answer(_Value, frozen=True):
    """What a query answers from a position of the history on, up to its next Answer; ``n`` is the last step before.

    ``error``: what it raised instead, in words. Long texts are kept whole up to 16,000 characters.
    """

    n: int
    position: int
    name: str
    args: str = "[]"
    value: Picture = None
    error: str = ""


class EditKind(_Value, frozen=True):
    """Something of a recorded history that can be changed, or added to it, before it is replayed.

    ``needs`` are the fields of Edit that the user gives: "name" (``names`` are known ones) and "value", whose first
    value is ``value`` (what is recorded): JSON text, or plain text where ``text``. ``position`` and ``step_id`` go into
    the Edit as they are. Of an ``End.next``, ``step`` is the step of the trace that it is about, -1 for none.
    """

    kind: str
    title: str
    doc: str = ""
    needs: tuple[str, ...] = ("value",)
    names: tuple[str, ...] = ()
    value: str = ""
    text: bool = False
    position: int | None = None
    step_id: str = ""
    step: int = -1


class Edit(_Value, frozen=True):
    """One change of a history. ``position`` is the event that is changed, or behind which something is added.

    ``position`` None: at the end of an open run. ``value`` is JSON text, or plain text where the kind takes text.
    ``turn`` 0 edits what is recorded, each turn behind it what the code made of those before: a step is then named by
    the ``step_id`` of an ``End.next``. Edits of one turn come at once.
    """

    kind: str
    position: int | None = None
    step_id: str = ""
    name: str = ""
    value: str = ""
    turn: int = 0


class Unfit(_Value, frozen=True):
    """An edit of a later turn that does not fit what the code did; those before it were made."""

    turn: int
    message: str
    hint: str = ""


class Was(_Value, frozen=True):
    """One step that a history has where an edited one ends: what the code did then, in words as TraceStep.name."""

    position: int
    name: str
    step_id: str = ""


class RunnerSpec(_Value, frozen=True):
    """What an engine brings: ``runner`` names its source file (a resource of its package), appended to the core.

    ``library`` and ``supported`` say which library of the user's environment it drives ("dbos", ">=3,<4"). ``options``
    are the names of a project's options that it knows, the likeliest first; ``entry`` is the option that takes what
    starts the user's workers, and what such a file imports.
    """

    engine: str
    title: str
    runner: str  # "package.module:file.py", found with importlib.resources
    library: str
    supported: str = ""
    options: tuple[str, ...] = ()
    entry: tuple[str, str] = ("", "")


class ReplayInput(_Value, frozen=True):
    """All that a runner needs of one run; ``data`` is the engine's own, opaque to everybody else.

    ``globals`` are the names that its payloads would import when they are unpickled (shown before consent).
    ``steps`` is about how many the replay will tell. Of an edited history, ``cut`` is the last position that is kept of
    the recorded one, ``was`` what the code did there then, and ``then`` the edits of later turns, which the runner
    makes itself: only the code can say what they are made of.
    """

    run_id: str
    type: str
    data: bytes
    version: str = ""
    globals: tuple[str, ...] = ()
    steps: int = 0
    notices: tuple[str, ...] = ()
    cut: int | None = None
    was: tuple[Was, ...] = ()
    then: tuple[Edit, ...] = ()
    name: str = ""  # what people call the run, where that is not its id


class Project(_Value, frozen=True):
    """The user's code: ``code`` a file or folder as given, ``python`` the interpreter, ``modules`` to import."""

    code: str
    python: str
    modules: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()  # put at the front of sys.path
    cwd: str = ""
    options: dict[str, Any] = {}  # the engine's own
