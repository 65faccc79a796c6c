"""The normal form of a Temporal history: typed event heads for grouping, and whole events when one is looked at.

Names and numbers of event types follow ``temporal.api.enums.v1.EventType``. Nothing here imports protobuf.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME, NONE

TYPES: Final[tuple[str, ...]] = (
    "Unspecified",
    "WorkflowExecutionStarted",
    "WorkflowExecutionCompleted",
    "WorkflowExecutionFailed",
    "WorkflowExecutionTimedOut",
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskCompleted",
    "WorkflowTaskTimedOut",
    "WorkflowTaskFailed",
    "ActivityTaskScheduled",
    "ActivityTaskStarted",
    "ActivityTaskCompleted",
    "ActivityTaskFailed",
    "ActivityTaskTimedOut",
    "ActivityTaskCancelRequested",
    "ActivityTaskCanceled",
    "TimerStarted",
    "TimerFired",
    "TimerCanceled",
    "WorkflowExecutionCancelRequested",
    "WorkflowExecutionCanceled",
    "RequestCancelExternalWorkflowExecutionInitiated",
    "RequestCancelExternalWorkflowExecutionFailed",
    "ExternalWorkflowExecutionCancelRequested",
    "MarkerRecorded",
    "WorkflowExecutionSignaled",
    "WorkflowExecutionTerminated",
    "WorkflowExecutionContinuedAsNew",
    "StartChildWorkflowExecutionInitiated",
    "StartChildWorkflowExecutionFailed",
    "ChildWorkflowExecutionStarted",
    "ChildWorkflowExecutionCompleted",
    "ChildWorkflowExecutionFailed",
    "ChildWorkflowExecutionCanceled",
    "ChildWorkflowExecutionTimedOut",
    "ChildWorkflowExecutionTerminated",
    "SignalExternalWorkflowExecutionInitiated",
    "SignalExternalWorkflowExecutionFailed",
    "ExternalWorkflowExecutionSignaled",
    "UpsertWorkflowSearchAttributes",
    "WorkflowExecutionUpdateAccepted",
    "WorkflowExecutionUpdateRejected",
    "WorkflowExecutionUpdateCompleted",
    "WorkflowPropertiesModifiedExternally",
    "ActivityPropertiesModifiedExternally",
    "WorkflowPropertiesModified",
    "WorkflowExecutionUpdateAdmitted",
    "NexusOperationScheduled",
    "NexusOperationStarted",
    "NexusOperationCompleted",
    "NexusOperationFailed",
    "NexusOperationCanceled",
    "NexusOperationTimedOut",
    "NexusOperationCancelRequested",
    "WorkflowExecutionOptionsUpdated",
    "NexusOperationCancelRequestCompleted",
    "NexusOperationCancelRequestFailed",
    "WorkflowExecutionPaused",
    "WorkflowExecutionUnpaused",
    "WorkflowExecutionTimeSkippingTransitioned",
)
"""Canonical names; the place of a name is its number in the API."""

NUMBERS: Final[dict[str, int]] = {name: number for number, name in enumerate(TYPES)}
UNKNOWN: Final = 255
"""The type code of an event of a type that this version does not know (its name is kept)."""

_WORDS: Final = re.compile(r"_?([A-Za-z0-9]+)")


class RawEvent(msgspec.Struct, array_like=True, gc=False):
    """One history event in normal form.

    ``type`` is a name of ``TYPES``, or what the source called a type that is not known (see ``known``).
    ``attributes`` is the event's ``…EventAttributes`` as protobuf JSON: camelCase keys, durations "10s", times
    RFC 3339, enums by name, payloads ``{"metadata": {name: base64}, "data": base64}``, still encoded. ``more`` holds
    the event's other fields likewise (taskId, version, userMetadata, links, principal, eventGroupMarkers,
    workerMayIgnore). ``time_ns`` is the server's clock.
    """

    id: int
    type: str
    time_ns: int | None = None
    attributes: dict[str, Any] = {}
    more: dict[str, Any] = {}

    @property
    def known(self) -> bool:
        return self.type in NUMBERS


@dataclass(slots=True)
class Heads:
    """What grouping needs of each of some events: arrays of equal length, in the order of the history.

    ``type``: number in TYPES, or UNKNOWN; ``time``: NO_TIME when not recorded; ``link``: id of the event that began
    its step (0: none); ``attempt``: 0 when not recorded; ``planned``: ns from its time to a planned end (a timer),
    0: none; ``status``, ``kind`` and ``event``: codes of StepStatus, StepKind and EventKind where the type alone does
    not tell, else NONE. By row where there is something: ``name`` of the step that it begins, or of an unknown type;
    ``cause`` (the handler that issued it: "update <update id>" or "event <event id>"), ``answers`` (the cause that its
    step is to others), ``worker`` (start and end on the worker's clock).
    ``record``: each event as ``events_read.event_of`` takes it: JSON or protobuf bytes, or a RawEvent.
    """

    id: NDArray[np.int64]
    type: NDArray[np.uint8]
    time: NDArray[np.int64]
    link: NDArray[np.int64]
    attempt: NDArray[np.int32]
    planned: NDArray[np.int64]
    status: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    event: NDArray[np.uint8]
    name: dict[int, str] = field(default_factory=dict)
    cause: dict[int, str] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    worker: dict[int, tuple[int, int]] = field(default_factory=dict)
    record: Sequence[Any] = ()

    def __len__(self) -> int:
        return len(self.id)

    @staticmethod
    def one() -> Heads:
        """A row that says nothing yet, in lists: for a single event arrays are dear."""
        lists: Any = [[0], [NONE], [NO_TIME], [0], [0], [0], [NONE], [NONE], [NONE]]
        return Heads(*lists)

    @staticmethod
    def empty(rows: int = 0) -> Heads:
        """Rows that say nothing yet."""
        id_, link, planned = (np.zeros(rows, np.int64) for _ in range(3))
        type_, status, kind, event = (np.full(rows, NONE, np.uint8) for _ in range(4))
        time, attempt = np.full(rows, NO_TIME, np.int64), np.zeros(rows, np.int32)
        return Heads(id_, type_, time, link, attempt, planned, status, kind, event)

    def pick(self, rows: NDArray[np.int64]) -> Heads:
        """Some rows, in the order given."""
        place = {old: new for new, old in enumerate(rows.tolist())}
        found = Heads(*(getattr(self, name)[rows] for name in _ARRAYS))
        for name in _SPARSE:
            setattr(found, name, {place[i]: v for i, v in getattr(self, name).items() if i in place})
        found.record = [self.record[i] for i in place]
        return found


_ARRAYS: Final = ("id", "type", "time", "link", "attempt", "planned", "status", "kind", "event")
_SPARSE: Final = ("name", "cause", "answers", "worker")


@functools.lru_cache(maxsize=512)
def canonical(name: str) -> str:
    """``EVENT_TYPE_TIMER_STARTED``, ``TIMER_STARTED``, ``timerStarted`` and ``TimerStarted`` as ``TimerStarted``."""
    if name in NUMBERS:
        return name
    bare = name.removeprefix("EVENT_TYPE_")
    if "_" in bare or bare.isupper():
        bare = "".join(word.capitalize() for word in _WORDS.findall(bare))
    return bare[:1].upper() + bare[1:]


def type_name(value: str | int) -> str:
    """The canonical name of a type as any source writes it; numbers that are not known become ``EventType 99``."""
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return canonical(value)
    number = int(value)
    return TYPES[number] if 0 < number < len(TYPES) else f"EventType {number}"


@functools.lru_cache(maxsize=512)
def attributes_key(type_: str) -> str:
    """The JSON key of a type's attributes: ``timerStartedEventAttributes``."""
    return f"{type_[:1].lower()}{type_[1:]}EventAttributes"
