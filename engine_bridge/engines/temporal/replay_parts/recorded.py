"""Runner part: a recorded history by workflow tasks: what each was answered with, as events of commands."""

from __future__ import annotations

import functools
import json
from typing import Any

STARTED, SCHEDULED = "WorkflowTaskStarted", "WorkflowTaskScheduled"
BROKEN_TASKS = ("WorkflowTaskFailed", "WorkflowTaskTimedOut")
ENDS = {
    "WorkflowExecutionCompleted": "completes the run",
    "WorkflowExecutionFailed": "fails the run",
    "WorkflowExecutionCanceled": "ends the run as cancelled",
    "WorkflowExecutionContinuedAsNew": "continues as new",
}
KILLED = ("WorkflowExecutionTerminated", "WorkflowExecutionTimedOut")
COMMANDED = frozenset(
    {
        *ENDS, "ActivityTaskScheduled", "ActivityTaskCancelRequested", "TimerStarted", "TimerCanceled",
        "MarkerRecorded", "StartChildWorkflowExecutionInitiated", "SignalExternalWorkflowExecutionInitiated",
        "RequestCancelExternalWorkflowExecutionInitiated", "UpsertWorkflowSearchAttributes",
        "WorkflowPropertiesModified", "NexusOperationScheduled", "NexusOperationCancelRequested",
        "WorkflowExecutionUpdateAccepted", "WorkflowExecutionUpdateCompleted", "WorkflowExecutionUpdateRejected",
    }
)  # fmt: skip
MOVED = 3e-4
NOTHING: dict[str, Any] = {}
PATCH, LOCAL = "core_patch", "core_local_activity"
SIGNALLED = "SignalExternalWorkflowExecutionInitiated"  # core passes another name in silence


@functools.cache
def type_names() -> dict[int, str]:
    """The canonical names of all types of events that the SDK knows, by number."""
    from temporalio.api.enums.v1 import EventType

    return {number: _canonical(name) for name, number in EventType.items()}


def _canonical(name: str) -> str:
    return "".join(word.capitalize() for word in name.removeprefix("EVENT_TYPE_").split("_"))


class Happened:
    """One event: its canonical type, its attributes (protobuf), and a name of what it is about.

    Lean: a history may have 50,000 of them, and most are never looked at again.
    """

    __slots__ = ("_about", "_event", "_key", "_marked", "id", "type")

    def __init__(self, event: Any, type_: str) -> None:
        self._event = event
        self._about: Any = None
        self._key: tuple[str, str] | None = None
        self._marked: dict[str, Any] | None = None
        self.id: int = event.event_id
        self.type = type_

    @property
    def key(self) -> tuple[str, str]:
        """What a command must have in common with it: its type and its name."""
        if self._key is None:
            self._key = self.type, _name(self)
        return self._key

    @property
    def name(self) -> str:
        """What it is about, by name."""
        return str(self.about.signal_name) if self.type == SIGNALLED else self.key[1]

    @property
    def marked(self) -> dict[str, Any]:
        """What core wrote into a marker; {} of any other event."""
        if self._marked is None:
            self._marked = _marked(self.about) if self.type == "MarkerRecorded" else NOTHING
        return self._marked

    @property
    def about(self) -> Any:
        """Its attributes."""
        if self._about is None:
            which = self._event.WhichOneof("attributes")
            self._about = getattr(self._event, which) if which else None
        return self._about

    @property
    def time_ns(self) -> int:
        time = self._event.event_time
        return int(time.seconds * 1_000_000_000 + time.nanos)

    @property
    def is_patch(self) -> bool:
        return self.type == "MarkerRecorded" and self.about.marker_name == PATCH

    @property
    def is_local(self) -> bool:
        return self.type == "MarkerRecorded" and self.about.marker_name == LOCAL


def _marked(about: Any) -> dict[str, Any]:
    """What core wrote into a marker."""
    for value in about.details.values():
        for payload in value.payloads:
            try:
                found = json.loads(payload.data)
            except ValueError:
                continue
            if type(found) is dict:
                return found
    return {}


def _name(event: Happened) -> str:
    type_ = event.type
    if type_ not in NAMED_EVENTS:
        return ""
    about = event.about
    if type_ == "ActivityTaskScheduled":
        return str(about.activity_type.name)
    if type_ == "StartChildWorkflowExecutionInitiated":
        return str(about.workflow_type.name)
    if type_ == "NexusOperationScheduled":
        return f"{about.service}.{about.operation}"
    if type_ == "MarkerRecorded":
        return str(event.marked.get("id") or event.marked.get("activity_type") or about.marker_name)
    return ""


NAMED_EVENTS = frozenset(
    {
        "ActivityTaskScheduled", "StartChildWorkflowExecutionInitiated", "NexusOperationScheduled", "MarkerRecorded",
    }
)  # fmt: skip


class Task:
    """A workflow task that was started: ``events`` are what its answer became; ``completed`` 0 without an answer."""

    def __init__(self, started: int, scheduled: int) -> None:
        self.started = started
        self.scheduled = scheduled
        self.completed = 0
        self.events: list[Happened] = []


class Recorded:
    """A history as a replay needs it. ``events`` are those of protobuf; ``names`` gives the type of an event."""

    def __init__(self, events: Any, names: dict[int, str]) -> None:
        self.raw = events
        self.events = [Happened(event, names.get(event.event_type, "")) for event in events]
        self.start = self.events[0].about
        self.type = str(self.start.workflow_type.name)
        self.tasks: dict[int, Task] = {}
        self._read()
        self.end = next((e for e in reversed(self.events) if e.type in ENDS or e.type in KILLED), None)

    def _read(self) -> None:
        task = None
        for event in self.events:
            if event.type == STARTED:
                task = self.tasks[event.id] = Task(event.id, event.about.scheduled_event_id)
            elif event.type == "WorkflowTaskCompleted":
                task = self.tasks.get(event.about.started_event_id)
                if task is not None:
                    task.completed = event.id
            elif event.type in COMMANDED and task is not None and task.completed:
                task.events.append(event)
            else:
                task = None

    def share(self, event_id: int) -> float:
        """The share of the work that is done when core has got to an event: it moves all that is left for each task."""
        return _work(event_id, len(self.raw)) / _work(len(self.raw), len(self.raw))

    @property
    def closed(self) -> bool:
        """Whether the run's own code ended it."""
        return self.end is not None and self.end.type in ENDS

    def event(self, event_id: int) -> Happened | None:
        """The event of a number."""
        return next((event for event in self.events if event.id == event_id), None)

    def behind(self, event_id: int) -> list[Happened]:
        """Events of commands from one on."""
        return [event for event in self.events if event.id >= event_id and event.type in COMMANDED]


def _work(done: int, total: int) -> float:
    """The time of the first events of a history, but for a factor: each takes the more, the more are left behind it."""
    return done + MOVED * (total * done - done * done / 2)


def told_event(event: Happened) -> str:
    """An event of a command in words."""
    if event.type in ENDS:
        return f"the end of the run ({event.type.removeprefix('WorkflowExecution')})"
    if event.is_patch:
        return f"patch {event.name}"
    if event.is_local:
        return f"local activity {event.name}"
    return told(event.type, event.name)


_TOLD_AS = {
    "ActivityTaskScheduled": "activity {}",
    "ActivityTaskCancelRequested": "cancellation of an activity",
    "TimerStarted": "timer",
    "TimerCanceled": "cancelled timer",
    "MarkerRecorded": "marker {}",
    "StartChildWorkflowExecutionInitiated": "child workflow {}",
    "SignalExternalWorkflowExecutionInitiated": "signal {} to another workflow",
    "RequestCancelExternalWorkflowExecutionInitiated": "cancellation of another workflow",
    "UpsertWorkflowSearchAttributes": "search attributes",
    "WorkflowPropertiesModified": "memo",
    "NexusOperationScheduled": "Nexus operation {}",
    "NexusOperationCancelRequested": "cancellation of a Nexus operation",
    "WorkflowExecutionUpdateAccepted": "accepted update",
    "WorkflowExecutionUpdateCompleted": "completed update",
    "WorkflowExecutionUpdateRejected": "rejected update",
}


def told(type_: str, name: str) -> str:
    """A command by the type of its event, in words."""
    return ENDS.get(type_) or _TOLD_AS.get(type_, type_).format(name).strip()
