"""The words of Playhead as values: runs, events, steps, attempts, failures, payloads.

Every struct is frozen and flat enough to cross a process boundary as msgpack. Times are integer
nanoseconds since the Unix epoch, UTC, and end in ``_ns``; ``None`` means "not recorded", never
zero. Any thread may use them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.words import Environment as Environment
from engine_bridge.words import EventKind as EventKind
from engine_bridge.words import Provenance as Provenance
from engine_bridge.words import Status as Status
from engine_bridge.words import StepKind as StepKind
from engine_bridge.words import StepStatus as StepStatus

_TAIL: Final = 6  # characters


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the model's values."""


class RunRef(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Names a run. ``group`` is what many runs may share (a Temporal workflow id, an entity id)."""

    kind: str
    group: str
    run: str

    def __str__(self) -> str:
        return self.run or self.group

    @property
    def name(self) -> str:
        """What people call it: the id that its runs share; of an entity, whose group is its type, its own id."""
        return self.run if self.kind == "entity" or not self.group else self.group

    @property
    def tail(self) -> str:
        """What tells it from other runs of its name, "" when its id is its name: ids that begin with a time differ at
        their end."""
        run, blank, place = self.run.partition(" ")
        if not run or self.run == self.name:
            return ""
        return (f"…{run[-_TAIL:]}" if len(run) > _TAIL + 2 else run) + blank + place

    @property
    def place(self) -> str:
        """ " in history.json" of a run that stands in several places; "" else."""
        _, blank, place = self.run.partition(" ")
        return blank + place if self.tail else ""

    @property
    def label(self) -> str:
        """Its name, with what tells it from others of that name: for people, never to look it up by."""
        return f"{self.name} {self.tail}".rstrip()


class Evidence(_Value, frozen=True):
    """Why something inferred or rebuilt is believed: the rule, and the facts it looked at."""

    rule: str
    facts: tuple[str, ...] = ()


class PayloadRef(_Value, frozen=True):
    """Names a payload without carrying it. ``key`` means something to its bridge alone.

    ``size`` is in bytes as stored, None when not yet known; ``encoding`` as recorded by the engine; ``head`` holds
    the whole stored payload when it is so short that it came along, for one-line previews (of an ``encoded`` one: what
    it decodes to, once that is known). ``encoded`` is how it is
    hidden ("encrypted", "compressed", "encoded"; "" when it is readable as stored): ``Bridge.decode_payloads`` may
    undo that. ``type`` is the message type that the engine recorded with it.
    """

    key: str
    label: str
    encoding: str | None = None
    size: int | None = None
    head: bytes | None = None
    encoded: str = ""
    type: str = ""


class Failure(_Value, frozen=True):
    """One failure in a chain, outermost first in ``causes``. ``message`` is decoded, never executed.

    ``raw`` names its payload; where that is ``encoded``, message and stack are in it.
    """

    type: str
    message: str = ""
    stack: str | None = None
    code: str | None = None
    attempt: int | None = None
    time_ns: int | None = None
    causes: tuple[Failure, ...] = ()
    raw: PayloadRef | None = None
    wraps: str = ""  # the step or run whose failure this one only passes on: its cause says what went wrong


class Attempt(_Value, frozen=True):
    """One try of a step; ``number`` counts from 1 with the first included."""

    number: int
    status: StepStatus
    start_ns: int | None = None
    end_ns: int | None = None
    failure: Failure | None = None
    provenance: Provenance = Provenance.RECORDED


class Blocked(_Value, frozen=True):
    """What an open run waits on, and how we know.

    ``what`` is a short phrase ("signal approve_order"); ``since_ns`` when the wait began, ``until_ns``
    its time-out or planned end; ``ref`` the run it waits for, ``step_id`` the waiting step; ``failure`` what ``what``
    says of the last one.
    """

    kind: str  # signal, timer, child, queue, step, retry, delay, version, paused, nothing
    what: str
    since_ns: int | None = None
    until_ns: int | None = None
    ref: RunRef | None = None
    step_id: str | None = None
    provenance: Provenance = Provenance.INFERRED
    evidence: tuple[Evidence, ...] = ()
    hint: str = ""
    failure: Failure | None = None


class Run(_Value, frozen=True):
    """One row of a run list, and the header of a run page.

    ``created_ns``: submitted; ``started_ns``: first began to work (None while queued or delayed);
    ``ended_ns``: closed. ``attempts`` is the engine's count of tries of the whole run, None when it keeps
    none; ``dispatches`` counts hand-outs to a worker, which is something else. ``now`` is the table's
    "now, or why" text. ``provenance`` lists the fields that are not simply recorded; ``attributes`` are
    searchable pairs; ``extra`` holds what only this engine has, for the detail pane, in order.
    """

    ref: RunRef
    id: str
    type: str
    status: Status
    engine_status: str
    engine: str
    created_ns: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    updated_ns: int | None = None
    deadline_ns: int | None = None
    delay_until_ns: int | None = None
    parent: RunRef | None = None
    forked_from: RunRef | None = None
    queue: str | None = None
    partition: str | None = None
    priority: int | None = None
    worker: str | None = None
    version: str | None = None
    schedule: str | None = None
    attempts: int | None = None
    dispatches: int | None = None
    steps_done: int | None = None
    now: str = ""
    error: str | None = None
    failure: Failure | None = None
    blocked_on: Blocked | None = None
    input: PayloadRef | None = None
    output: PayloadRef | None = None
    error_payload: PayloadRef | None = None
    attributes: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    provenance: dict[str, Provenance] = {}
    evidence: tuple[Evidence, ...] = ()
    bad: str | None = None  # this row could not be read whole, and why

    @property
    def status_words(self) -> str:
        """What people call its status: an entity's own one, else the neutral one."""
        return self.engine_status if self.ref.kind == "entity" else self.status.value.replace("_", " ")

    @property
    def duration_ns(self) -> int | None:
        """End minus start when both are known; negative under clock skew, never clamped."""
        if self.started_ns is None or self.ended_ns is None:
            return None
        return self.ended_ns - self.started_ns


class Event(_Value, frozen=True):
    """One recorded fact at ``position`` in the run's order, made only when somebody looks at it."""

    position: int
    kind: EventKind
    name: str  # the engine's own name of it
    time_ns: int | None = None
    step_id: str | None = None
    step_name: str | None = None
    status: StepStatus | None = None
    attempt: int | None = None
    detail: str = ""
    payloads: tuple[PayloadRef, ...] = ()
    failure: Failure | None = None
    ref: RunRef | None = None
    provenance: Provenance = Provenance.RECORDED
    fields: dict[str, Provenance] = {}
    evidence: tuple[Evidence, ...] = ()
    attributes: dict[str, Any] = {}


class Step(_Value, frozen=True):
    """A span grouped from events. ``attempts`` None: unknown, which is not one.

    ``planned_end_ns`` is when a timer or time-out is due; it is not an end. ``child`` is the run that it
    started or waits for. ``fields`` lists the fields that are not simply recorded.
    """

    id: str
    name: str
    kind: StepKind
    status: StepStatus
    engine_name: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    planned_end_ns: int | None = None
    attempts: int | None = None
    attempt_list: tuple[Attempt, ...] = ()
    max_attempts: int | None = None
    failure: Failure | None = None
    child: RunRef | None = None
    parent_step: str | None = None
    input: PayloadRef | None = None
    output: PayloadRef | None = None
    error: PayloadRef | None = None
    detail: str = ""
    provenance: Provenance = Provenance.RECORDED
    fields: dict[str, Provenance] = {}
    evidence: tuple[Evidence, ...] = ()
    attributes: dict[str, Any] = {}

    @property
    def duration_ns(self) -> int | None:
        if self.start_ns is None or self.end_ns is None:
            return None
        return self.end_ns - self.start_ns
