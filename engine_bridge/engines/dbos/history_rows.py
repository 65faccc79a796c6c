"""The rows of one run, as plain structs: what the pure part of this package works on.

Times are as DBOS stores them: epoch milliseconds; ``None`` where the schema or the row has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine_bridge.model import PayloadRef, RunRef

PENDING: Final = "PENDING"
ENQUEUED: Final = "ENQUEUED"
DELAYED: Final = "DELAYED"
SUCCESS: Final = "SUCCESS"
ERROR: Final = "ERROR"
CANCELLED: Final = "CANCELLED"
EXHAUSTED: Final = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
OPEN: Final = frozenset({PENDING, ENQUEUED, DELAYED})

# Beyond this a time does not fit nanoseconds in 64 bits (the year 2262).
LIMIT_MS: Final = (1 << 63) // 1_000_000

# DBOS hands recovered, resumed and scheduled runs to workers through this queue (dbos._utils).
INTERNAL_QUEUE: Final = "_dbos_internal_queue"


@dataclass(slots=True, frozen=True)
class RawRun:
    """A row of workflow_status. ``dispatched_ms`` is the *last* dequeue; NULL for direct starts."""

    id: str
    status: str
    name: str = ""
    created_ms: int | None = None
    updated_ms: int | None = None
    dispatched_ms: int | None = None
    completed_ms: int | None = None
    deadline_ms: int | None = None
    delay_until_ms: int | None = None
    dispatches: int | None = None
    queue: str | None = None
    partition: str | None = None
    priority: int | None = None
    version: str | None = None
    application: str | None = None
    parent: str | None = None
    forked_from: str | None = None
    schedule: str | None = None

    @property
    def open(self) -> bool:
        return self.status in OPEN


@dataclass(slots=True, frozen=True)
class RawStep:
    """A row of operation_outputs.

    ``small`` is the stored output of a built-in when it is short (a sleep's wake time, the None of a wait
    that timed out); ``written`` rises in the order in which rows were inserted, None when that is unknown.
    """

    id: int
    name: str
    started_ms: int | None = None
    completed_ms: int | None = None
    child: str | None = None
    small: str | None = None
    error: str | None = None
    encoding: str | None = None
    output: PayloadRef | None = None
    error_ref: PayloadRef | None = None
    written: int | None = None

    @property
    def failed(self) -> bool:
        return self.error is not None or self.error_ref is not None


@dataclass(slots=True, frozen=True)
class RawMessage:
    """A row of notifications. ``consumed_by`` is the function id of the recv that ate it."""

    id: str
    topic: str | None
    created_ms: int | None
    payload: PayloadRef | None = None
    consumed: bool | None = None
    consumed_by: int | None = None


@dataclass(slots=True, frozen=True)
class RawEvent:
    """A row of workflow_events_history, or of workflow_events (``step`` None) where there is no history."""

    key: str
    step: int | None
    payload: PayloadRef | None = None


@dataclass(slots=True, frozen=True)
class RawStream:
    """A row of streams. ``step`` None where the schema does not record the writer."""

    key: str
    offset: int
    step: int | None
    closed: bool = False
    payload: PayloadRef | None = None


@dataclass(slots=True, frozen=True)
class RawChild:
    """What is known of a run that this one started or waits for. ``last_ms`` is the end of its last step, read
    only where its own end is known to the second."""

    id: str
    name: str
    status: str
    created_ms: int | None = None
    dispatched_ms: int | None = None
    completed_ms: int | None = None
    queue: str | None = None
    error: str | None = None
    encoding: str | None = None
    last_ms: int | None = None


@dataclass(slots=True)
class Story:
    """Every row of one run, steps in the order of their ids, and the engine's clock at the time of reading."""

    run: RawRun
    now_ms: int
    steps: list[RawStep] = field(default_factory=list)
    messages: list[RawMessage] = field(default_factory=list)
    events: list[RawEvent] = field(default_factory=list)
    streams: list[RawStream] = field(default_factory=list)
    children: dict[str, RawChild] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ns(ms: int | None) -> int | None:
    """Milliseconds as nanoseconds."""
    return None if ms is None else ms * 1_000_000


def run_ref(run_id: str) -> RunRef:
    """A DBOS workflow id names exactly one run."""
    return RunRef("workflow", run_id, run_id)


def whole_seconds(*times: int | None) -> bool:
    """Whether recorded times have whole seconds only, as SQLite before 3.42 stores them."""
    known = [t for t in times if t is not None]
    return bool(known) and all(t % 1000 == 0 for t in known)
