"""Runner part, and ours: a history that is being edited: events (protobuf) are changed, added, cut, and numbered anew.

Every event keeps its recorded id until ``whole``; added ones have negative ids, so that others can refer to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine_bridge.engines.temporal.replay_parts.locally import Local, LocalEnd
from engine_bridge.engines.temporal.replay_parts.recorded import (
    BROKEN_TASKS,
    COMMANDED,
    ENDS,
    KILLED,
    SCHEDULED,
    STARTED,
    type_names,
)

_BEHIND_STARTED: Final = ("WorkflowTaskCompleted", *BROKEN_TASKS)


class UnfitError(Exception):
    """An edit that a history does not take; ``hint`` says what would do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Script:
    """Events of one run in order. ``cut`` is the last recorded position that is kept, 0 while nothing was cut.

    ``local`` are local activities that the code waits for behind them, ``given`` how some of those end.
    """

    def __init__(self, events: Sequence[Any], local: Sequence[Local] = ()) -> None:
        self.events = list(events)
        self.cut = 0
        self.local = list(local)
        self.given: list[LocalEnd] = []
        self.steps: dict[int, int] = {}
        """The number of the step that the code asked for a thing with, by the event that it became."""
        self._added = 0

    @staticmethod
    def type_of(event: Any) -> str:
        """The canonical name of an event's type."""
        return type_names().get(event.event_type) or f"EventType {event.event_type}"

    @staticmethod
    def about(event: Any) -> Any:
        """Its attributes."""
        return getattr(event, event.WhichOneof("attributes"))

    def index(self, event_id: int) -> int:
        """The place of a recorded event; -1 when it is not there (any more)."""
        return next((at for at, event in enumerate(self.events) if event.event_id == event_id), -1)

    @property
    def closed_at(self) -> int:
        """The place of the event that closed the run, -1 of an open one."""
        last = len(self.events) - 1
        return next((n for n in range(last, -1, -1) if self.type_of(self.events[n]) in (*ENDS, *KILLED)), -1)

    def made(self, name: str, before: int) -> Any:
        """A new event of a type, with the time of the one before a place; it is put nowhere yet."""
        from temporalio.api.history.v1 import HistoryEvent

        self._added += 1
        event = HistoryEvent(event_id=-self._added)
        number: Any = next(number for number, known in type_names().items() if known == name)
        event.event_type = number
        event.event_time.CopyFrom(self.events[before - 1].event_time)
        own = f"{name}EventAttributes".lower()
        field = next(f.name for f in event.DESCRIPTOR.fields if f.name.replace("_", "") == own)
        getattr(event, field).SetInParent()
        return event

    # -- places ---------------------------------------------------------------------------------------------

    def behind_answer(self, place: int) -> int:
        """The first place from one on that is not inside a workflow task under way, or the commands of its answer."""
        while place < len(self.events):
            kind = self.type_of(self.events[place])
            inside = self.type_of(self.events[place - 1]) == STARTED and kind in _BEHIND_STARTED
            if not inside and not (kind in COMMANDED and self._answered(place)):
                break
            place += 1
        return place

    def _answered(self, place: int) -> bool:
        """Whether the command at a place belongs to the answer right before it."""
        before = self.type_of(self.events[place - 1])
        return before in COMMANDED or before == "WorkflowTaskCompleted"

    def task_before(self, place: int) -> int:
        """The place of a workflow task that was scheduled and not begun before a place, -1 without one."""
        for at in range(place - 1, -1, -1):
            kind = self.type_of(self.events[at])
            if kind == SCHEDULED:
                return at
            if kind in (STARTED, *_BEHIND_STARTED):
                return -1
        return -1

    # -- changes --------------------------------------------------------------------------------------------

    def put(self, place: int, event: Any) -> None:
        """Adds an event before a place."""
        self.events.insert(place, event)

    def end_in_task(self, place: int) -> None:
        """Cuts behind the next workflow task that begins from a place on; where none does, one is added at the end.

        What comes before it came from outside: the code has not seen the change yet.
        """
        for at in range(place, len(self.events)):
            kind = self.type_of(self.events[at])
            if kind in (*ENDS, *KILLED):
                self.keep(at)
                break
            if kind == STARTED:
                self.keep(at + 1)
                return
        self.add_task()

    def keep(self, count: int) -> None:
        """Cuts all but the first events."""
        left, gone = self.events[:count], self.events[count:]
        if any(event.event_id > 0 for event in gone):
            self.cut = max(event.event_id for event in left)
        self.events = left

    def add_task(self) -> None:
        """The workflow task that the server would add: begun, and not answered yet."""
        place = len(self.events)
        scheduled = self.task_before(place)
        if scheduled < 0:
            event = self.made(SCHEDULED, place)
            about, began = self.about(event), self.about(self.events[0])
            about.attempt = 1
            about.task_queue.CopyFrom(began.task_queue)
            if began.HasField("workflow_task_timeout"):
                about.start_to_close_timeout.CopyFrom(began.workflow_task_timeout)
            self.put(place, event)
            scheduled, place = place, place + 1
        event = self.made(STARTED, place)
        about = self.about(event)
        about.scheduled_event_id, about.identity = self.events[scheduled].event_id, "playhead"
        about.request_id = f"playhead-{place}"
        about.history_size_bytes = sum(one.ByteSize() for one in self.events)
        self.put(place, event)

    def unanswered(self) -> None:
        """Takes a workflow task back that was begun and not answered at the end: what is added comes before it."""
        if self.type_of(self.events[-1]) == STARTED:
            self.events.pop()

    def answer_locally(self, local: Local, kind: str, what: Any) -> None:
        """How a local activity ends: no server hears of it before the workflow task is answered."""
        self.local.remove(local)
        self.given.append(LocalEnd(local.seq, kind, what))

    @staticmethod
    def blank_failure() -> Any:
        """A failure to be filled in."""
        from temporalio.api.failure.v1 import Failure

        return Failure()

    # -- the end --------------------------------------------------------------------------------------------

    def whole(self) -> list[Any]:
        """The events, numbered from 1 on, with what refers to others."""
        numbers = {event.event_id: n for n, event in enumerate(self.events, 1)}
        latest = 0
        for event in self.events:
            if event.event_id < 0 or latest:
                latest = max(latest, nanoseconds(event))
                event.event_time.FromNanoseconds(latest)
            event.event_id = numbers[event.event_id]
            _refer(self.about(event), numbers)
        return self.events


def _refer(about: Any, numbers: dict[int, int]) -> None:
    for field, value in about.ListFields():
        if field.name.endswith("event_id") and isinstance(value, int):
            setattr(about, field.name, numbers.get(value, value))


def nanoseconds(event: Any) -> int:
    """The time of an event, in nanoseconds."""
    return int(event.event_time.seconds * 1_000_000_000 + event.event_time.nanos)
