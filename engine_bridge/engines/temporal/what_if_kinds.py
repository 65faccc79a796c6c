"""What begins in a history and ends there: activities, timers, child workflows, Nexus operations; how each may end."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from engine_bridge.engines.temporal.what_if_script import Script, nanoseconds

ACTIVITY, TIMER, CHILD, NEXUS = "activity", "timer", "child workflow", "Nexus operation"


class Form(NamedTuple):
    """The events of one thing that begins and ends. ``refers``: the field by which the others name the first."""

    word: str
    begins: str
    started: str
    refers: str
    completed: str
    failed: str
    timed_out: str
    others: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, ...]:
        """Types of events that end it."""
        return tuple(name for name in (self.completed, self.failed, self.timed_out, *self.others) if name)


FORMS: Final = (
    Form(
        ACTIVITY, "ActivityTaskScheduled", "ActivityTaskStarted", "scheduled_event_id", "ActivityTaskCompleted",
        "ActivityTaskFailed", "ActivityTaskTimedOut", ("ActivityTaskCanceled",),
    ),
    Form(TIMER, "TimerStarted", "", "started_event_id", "TimerFired", "", "", ("TimerCanceled",)),
    Form(
        CHILD, "StartChildWorkflowExecutionInitiated", "ChildWorkflowExecutionStarted", "initiated_event_id",
        "ChildWorkflowExecutionCompleted", "ChildWorkflowExecutionFailed", "ChildWorkflowExecutionTimedOut",
        ("ChildWorkflowExecutionCanceled", "ChildWorkflowExecutionTerminated", "StartChildWorkflowExecutionFailed"),
    ),
    Form(
        NEXUS, "NexusOperationScheduled", "NexusOperationStarted", "scheduled_event_id", "NexusOperationCompleted",
        "NexusOperationFailed", "NexusOperationTimedOut", ("NexusOperationCanceled",),
    ),
)  # fmt: skip
_OF: Final = {name: form for form in FORMS for name in (form.begins, form.started, *form.ends) if name}


class Thing(NamedTuple):
    """One of them in a history: the places of its events, -1 for those that are not there."""

    form: Form
    begins: int
    started: int
    ended: int

    def named(self, script: Script) -> str:
        """What it is, in words: ``activity charge_card``."""
        about = script.about(script.events[self.begins])
        if self.form.word == ACTIVITY:
            return f"activity {about.activity_type.name}"
        if self.form.word == CHILD:
            return f"child workflow {about.workflow_type.name}"
        if self.form.word == NEXUS:
            return f"Nexus operation {about.service}.{about.operation}"
        return f"timer {about.timer_id}"


def thing_at(script: Script, place: int) -> Thing | None:
    """What the event at a place belongs to; None when it is none of them."""
    event = script.events[place]
    form = _OF.get(script.type_of(event))
    if form is None:
        return None
    first = (
        event.event_id if script.type_of(event) == form.begins else getattr(script.about(event), form.refers)
    )
    begins = script.index(first)
    return _thing(script, form, begins) if begins >= 0 else None


def pending(script: Script) -> list[Thing]:
    """All that began and did not end, in order."""
    ended = {
        getattr(script.about(event), form.refers)
        for event in script.events
        if (form := _OF.get(script.type_of(event))) is not None and script.type_of(event) in form.ends
    }
    found = []
    for place, event in enumerate(script.events):
        form = _OF.get(script.type_of(event))
        if form is not None and script.type_of(event) == form.begins and event.event_id not in ended:
            found.append(_thing(script, form, place))
    return found


def _thing(script: Script, form: Form, begins: int) -> Thing:
    first, started, ended = script.events[begins].event_id, -1, -1
    for place in range(begins + 1, len(script.events)):
        kind = script.type_of(script.events[place])
        if (kind == form.started or kind in form.ends) and _refers(script, place, form) == first:
            started, ended = (place, ended) if kind == form.started else (started, place)
    return Thing(form, begins, started, ended)


def _refers(script: Script, place: int, form: Form) -> int:
    return int(getattr(script.about(script.events[place]), form.refers))


def end(script: Script, thing: Thing, name: str, place: int) -> tuple[Any, int]:
    """Puts the end of a thing at a place, and its start before it where it has none: (its attributes, its place)."""
    form, events = thing.form, script.events
    first = events[thing.begins]
    started = events[thing.started] if thing.started >= 0 else None
    if started is None and form.started and name != form.timed_out:
        started = _started(script, thing, place)
        script.put(place, started)
        place += 1
    event = script.made(name, place)
    about = script.about(event)
    setattr(about, form.refers, first.event_id)
    if started is not None and "started_event_id" in about.DESCRIPTOR.fields_by_name and form.word != TIMER:
        about.started_event_id = started.event_id
    begun = script.about(first)
    if form.word == TIMER:
        about.timer_id = begun.timer_id
        due = nanoseconds(first) + begun.start_to_fire_timeout.ToNanoseconds()
        event.event_time.FromNanoseconds(max(due, nanoseconds(event)))
    elif form.word == CHILD:
        _copy_child(about, begun, script.about(started) if started is not None else None)
    elif form.word == NEXUS:
        about.request_id = begun.request_id
    script.put(place, event)
    return about, place


def _started(script: Script, thing: Thing, place: int) -> Any:
    """The event that begins an attempt of something that was only asked for."""
    event = script.made(thing.form.started, place)
    about = script.about(event)
    first = script.events[thing.begins]
    setattr(about, thing.form.refers, first.event_id)
    if thing.form.word == ACTIVITY:
        about.attempt, about.identity = 1, "playhead"
    elif thing.form.word == CHILD:
        _copy_child(about, script.about(first), None)
        about.workflow_execution.run_id = "00000000-0000-4000-8000-000000000000"
    elif thing.form.word == NEXUS:
        about.operation_token, about.request_id = "playhead", script.about(first).request_id
    return event


def _copy_child(about: Any, begun: Any, started: Any) -> None:
    about.namespace = begun.namespace
    about.workflow_type.CopyFrom(begun.workflow_type)
    about.workflow_execution.workflow_id = begun.workflow_id
    if started is not None:
        about.workflow_execution.CopyFrom(started.workflow_execution)
