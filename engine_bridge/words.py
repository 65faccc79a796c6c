"""The enumerations of the model: what a run, a step, an event can be. They import nothing, for the start-up path."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Engine-neutral status of a run."""

    QUEUED = "queued"
    DELAYED = "delayed"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    CONTINUED = "continued"
    UNKNOWN = "unknown"

    @property
    def closed(self) -> bool:
        """Whether a run in this status can still make progress by itself (it cannot when true)."""
        return self in _CLOSED

    @property
    def bad(self) -> bool:
        """Whether the status is a failure in the eyes of an operator."""
        return self in (Status.FAILED, Status.TIMED_OUT, Status.TERMINATED)


_CLOSED = frozenset(
    {Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TERMINATED, Status.TIMED_OUT, Status.CONTINUED}
)


class StepStatus(StrEnum):
    """Status of a step, at the end of the record or at the playhead."""

    PENDING = "pending"  # not started at the playhead
    SCHEDULED = "scheduled"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def closed(self) -> bool:
        return self in (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.CANCELLED)

    @property
    def bad(self) -> bool:
        return self in (StepStatus.FAILED, StepStatus.TIMED_OUT)


class StepKind(StrEnum):
    """What a step is. ``step`` is the user's own unit of work (an activity, a job, a DBOS step)."""

    STEP = "step"
    LOCAL = "local"  # a local activity, a side effect
    TIMER = "timer"
    CHILD = "child"
    SIGNAL_WAIT = "signal_wait"
    SIGNAL_SEND = "signal_send"
    RESULT_WAIT = "result_wait"  # waits for the result of a child or another run
    EVENT_SET = "event_set"
    STREAM = "stream"
    PATCH = "patch"
    STATUS = "status"  # an entity's stay in one status
    CONTROL = "control"  # the run acts on other runs, or reads about them
    SIGNAL = "signal"  # a signal received: a moment, whoever waited for it
    UPDATE = "update"  # a request that the run answers
    OTHER = "other"


class EventKind(StrEnum):
    """What an event says. Views derive glyph and wording from it; engines add their own name."""

    RUN_CREATED = "run created"
    RUN_QUEUED = "run queued"
    RUN_DELAYED = "run delayed"
    RUN_STARTED = "run started"
    RUN_COMPLETED = "run completed"
    RUN_FAILED = "run failed"
    RUN_CANCELLED = "run cancelled"
    RUN_TERMINATED = "run terminated"
    RUN_TIMED_OUT = "run timed out"
    RUN_CONTINUED = "run continued"
    STEP_SCHEDULED = "step scheduled"
    STEP_STARTED = "step started"
    STEP_COMPLETED = "step completed"
    STEP_FAILED = "step failed"
    STEP_TIMED_OUT = "step timed out"
    STEP_CANCELLED = "step cancelled"
    RETRY_SCHEDULED = "retry scheduled"
    TIMER_STARTED = "timer started"
    TIMER_FIRED = "timer fired"
    WAIT_STARTED = "wait started"
    WAIT_ENDED = "wait ended"
    SIGNAL_RECEIVED = "signal received"
    SIGNAL_SENT = "signal sent"
    CHILD_STARTED = "child started"
    CHILD_COMPLETED = "child completed"
    CHILD_FAILED = "child failed"
    EVENT_SET = "event set"
    STREAM_WRITTEN = "stream written"
    PATCHED = "patched"
    STATUS_CHANGED = "status changed"
    OPERATOR = "operator action"
    TASK = "worker task"  # the run's code is handed to a worker, or the worker answers
    OTHER = "other"


class Provenance(StrEnum):
    """Where a value comes from. ``rebuilt``: derived from other records; ``inferred``: a heuristic."""

    RECORDED = "recorded"
    REBUILT = "rebuilt"
    INFERRED = "inferred"


class Environment(StrEnum):
    DEV = "dev"
    TEST = "test"
    PRODUCTION = "production"
