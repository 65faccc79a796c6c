"""Runner part, and ours: what begins in a history and ends there (activities, timers …), and how it may end."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from engine_bridge.engines.temporal.replay_parts.script import Script, nanoseconds

ACTIVITY, TIMER, CHILD, NEXUS = "activity", "timer", "child workflow", "Nexus operation"
SIGNALLING, CANCELLING, LOCALLY = (
    "signal to another workflow",
    "cancellation of another workflow",
    "local activity",
)


class Form(NamedTuple):
    """The events of one thing that begins and ends. ``refers``: the field by which the others name the first.

    ``by_kind`` are the events that end it, by the kind of edit that makes them; ``others`` what ends it besides.
    """

    word: str
    begins: str
    started: str
    refers: str
    by_kind: dict[str, str]
    others: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, ...]:
        """Types of events that end it."""
        return (*self.by_kind.values(), *self.others)


def _form(word: str, begins: str, started: str, refers: str, *others: str, **by_kind: str) -> Form:
    return Form(word, begins, started, refers, by_kind, others)


FORMS: Final = (
    _form(
        ACTIVITY, "ActivityTaskScheduled", "ActivityTaskStarted", "scheduled_event_id", result="ActivityTaskCompleted",
        failure="ActivityTaskFailed", timeout="ActivityTaskTimedOut", cancelled="ActivityTaskCanceled",
    ),
    _form(TIMER, "TimerStarted", "", "started_event_id", "TimerCanceled", fired="TimerFired"),
    _form(
        CHILD, "StartChildWorkflowExecutionInitiated", "ChildWorkflowExecutionStarted", "initiated_event_id",
        "ChildWorkflowExecutionTerminated", result="ChildWorkflowExecutionCompleted",
        failure="ChildWorkflowExecutionFailed", timeout="ChildWorkflowExecutionTimedOut",
        cancelled="ChildWorkflowExecutionCanceled", taken="StartChildWorkflowExecutionFailed",
    ),
    _form(
        NEXUS, "NexusOperationScheduled", "NexusOperationStarted", "scheduled_event_id",
        result="NexusOperationCompleted", failure="NexusOperationFailed", timeout="NexusOperationTimedOut",
        cancelled="NexusOperationCanceled",
    ),
    _form(
        SIGNALLING, "SignalExternalWorkflowExecutionInitiated", "", "initiated_event_id",
        delivered="ExternalWorkflowExecutionSignaled", lost="SignalExternalWorkflowExecutionFailed",
    ),
    _form(
        CANCELLING, "RequestCancelExternalWorkflowExecutionInitiated", "", "initiated_event_id",
        delivered="ExternalWorkflowExecutionCancelRequested", lost="RequestCancelExternalWorkflowExecutionFailed",
    ),
)  # fmt: skip
_CANCELS: Final = {
    ACTIVITY: "ActivityTaskCancelRequested", NEXUS: "NexusOperationCancelRequested",
    CHILD: "RequestCancelExternalWorkflowExecutionInitiated",
}  # fmt: skip
_NOT_FOUND = _EXISTS = 1  # …_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND, …_WORKFLOW_ALREADY_EXISTS
_FORM_OF: Final = {name: form for form in FORMS for name in (form.begins, form.started, *form.ends) if name}


class Thing(NamedTuple):
    """One of them in a history: the places of its events, -1 for those that are not there."""

    form: Form
    begins: int
    started: int
    ended: int

    def named(self, script: Script) -> str:
        """What it is, in words: ``activity charge_card``."""
        about = script.about(script.events[self.begins])
        if self.form.word == TIMER:
            return f"timer {about.timer_id}"
        if self.form.word in (SIGNALLING, CANCELLING):
            return f"{self.called(script)} to {about.workflow_execution.workflow_id}"
        return f"{self.form.word} {self.called(script)}"

    def called(self, script: Script) -> str:
        """The name that a later edit names it by, which does not change with the numbers of events."""
        about = script.about(script.events[self.begins])
        word = self.form.word
        if word == ACTIVITY:
            return str(about.activity_type.name)
        if word == CHILD:
            return str(about.workflow_type.name)
        if word == NEXUS:
            return f"{about.service}.{about.operation}"
        return f"signal {about.signal_name}" if word == SIGNALLING else word.partition(" ")[0]

    def known_by(self, script: Script) -> str:
        """The number or id that the code gave it, and gives it again; "" where it gives none."""
        about = script.about(script.events[self.begins])
        own = (getattr(about, name, "") for name in ("activity_id", "timer_id", "workflow_id"))
        return next(filter(None, own), "")


def thing_at(script: Script, place: int) -> Thing | None:
    """What the event at a place belongs to; None when it is none of them."""
    event = script.events[place]
    form = _FORM_OF.get(script.type_of(event))
    if form is None:
        return None
    begins = script.type_of(event) == form.begins
    return every_thing(script).get(event.event_id if begins else getattr(script.about(event), form.refers))


def every_thing(script: Script) -> dict[int, Thing]:
    """All of a history, by the number of the event that began each, in order."""
    found: dict[int, Thing] = {}
    for place, event in enumerate(script.events):
        kind = script.type_of(event)
        form = _FORM_OF.get(kind)
        if form is None:
            continue
        if kind == form.begins:
            found[event.event_id] = Thing(form, place, -1, -1)
            continue
        first = int(getattr(script.about(event), form.refers))
        thing = found.get(first)
        if thing is not None and thing.form is form:
            begins = kind == form.started
            found[first] = thing._replace(started=place) if begins else thing._replace(ended=place)
    return found


def pending_things(script: Script) -> list[Thing]:
    """All that began and did not end, in order."""
    return [thing for thing in every_thing(script).values() if thing.ended < 0]


def cancel_wanted(script: Script, thing: Thing) -> int:
    """The event by which the code asked to cancel it, 0 when it did not."""
    first = script.events[thing.begins]
    asked, about = _CANCELS.get(thing.form.word, ""), script.about(first)
    for event in reversed(script.events):
        if script.type_of(event) != asked:
            continue
        it = script.about(event)
        if thing.form.word == CHILD and it.workflow_execution.workflow_id != about.workflow_id:
            continue
        if thing.form.word == CHILD or it.scheduled_event_id == first.event_id:
            return int(event.event_id)
    return 0


def put_start(script: Script, thing: Thing, place: int) -> int:
    """Puts the start of a thing that was only asked for at a place; the place behind it."""
    script.put(place, _started(script, thing, place))
    return place + 1


def put_end(script: Script, thing: Thing, name: str, place: int) -> tuple[Any, int]:
    """Puts the end of a thing at a place, and its start before it where it has none: (its attributes, its place)."""
    form, events = thing.form, script.events
    first = events[thing.begins]
    started = events[thing.started] if thing.started >= 0 else None
    at_once = form.word == NEXUS or name in (form.by_kind.get("timeout"), form.by_kind.get("taken"))
    if started is None and form.started and not at_once:
        started = _started(script, thing, place)
        script.put(place, started)
        place += 1
    event = script.made(name, place)
    about = script.about(event)
    setattr(about, form.refers, first.event_id)
    if started is not None and "started_event_id" in about.DESCRIPTOR.fields_by_name and form.word != TIMER:
        about.started_event_id = started.event_id
    _copy(script, thing, event, started)
    script.put(place, event)
    return about, place


def _copy(script: Script, thing: Thing, event: Any, started: Any) -> None:
    """What the end of a thing says again of its beginning."""
    first = script.events[thing.begins]
    about, begun_, word = script.about(event), script.about(first), thing.form.word
    if word == TIMER:
        about.timer_id = begun_.timer_id
        due = nanoseconds(first) + begun_.start_to_fire_timeout.ToNanoseconds()
        event.event_time.FromNanoseconds(max(due, nanoseconds(event)))
    elif word == CHILD:
        _copy_child(about, begun_, script.about(started) if started is not None else None)
    elif word == NEXUS:
        about.request_id = begun_.request_id
    elif word in (SIGNALLING, CANCELLING):
        about.namespace, about.namespace_id = begun_.namespace, begun_.namespace_id
        about.workflow_execution.CopyFrom(begun_.workflow_execution)
        if "cause" in about.DESCRIPTOR.fields_by_name:
            about.cause = _NOT_FOUND
    elif "identity" in about.DESCRIPTOR.fields_by_name:
        about.identity = "playhead"
        if "latest_cancel_requested_event_id" in about.DESCRIPTOR.fields_by_name:
            about.latest_cancel_requested_event_id = cancel_wanted(script, thing)


def _started(script: Script, thing: Thing, place: int) -> Any:
    """The event that begins an attempt of something that was only asked for."""
    event = script.made(thing.form.started, place)
    about = script.about(event)
    first = script.events[thing.begins]
    setattr(about, thing.form.refers, first.event_id)
    if thing.form.word == ACTIVITY:
        about.attempt, about.identity, about.request_id = 1, "playhead", f"playhead-{place}"
    elif thing.form.word == CHILD:
        _copy_child(about, script.about(first), None)
        about.header.CopyFrom(script.about(first).header)
        about.workflow_execution.run_id = f"00000000-0000-4000-8000-{place:012x}"
    elif thing.form.word == NEXUS:
        about.request_id = script.about(first).request_id
        if "operation_token" in about.DESCRIPTOR.fields_by_name:
            about.operation_token = "playhead"
        about.operation_id = "playhead"
    return event


def _copy_child(about: Any, begun_: Any, started: Any) -> None:
    about.namespace, about.namespace_id = begun_.namespace, begun_.namespace_id
    about.workflow_type.CopyFrom(begun_.workflow_type)
    if "workflow_execution" not in about.DESCRIPTOR.fields_by_name:
        about.workflow_id, about.cause = begun_.workflow_id, _EXISTS
        return
    about.workflow_execution.workflow_id = begun_.workflow_id
    if started is not None:
        about.workflow_execution.CopyFrom(started.workflow_execution)
