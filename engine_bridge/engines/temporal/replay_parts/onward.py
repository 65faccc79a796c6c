"""Runner part: what was recorded behind a cut, given to the code again as far as it asks for the same things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine_bridge.engines.temporal.replay_parts.edits import REQUESTED
from engine_bridge.engines.temporal.replay_parts.recorded import COMMANDED, LOCAL, STARTED, Happened
from engine_bridge.engines.temporal.replay_parts.script import Script
from engine_bridge.engines.temporal.replay_parts.things import (
    ACTIVITY,
    TIMER,
    Thing,
    every_thing,
    pending_things,
    put_end,
    put_start,
)

_OUTSIDE = ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested")
_ACCEPTED_UPDATE = "WorkflowExecutionUpdateAccepted"
_OWN_FIELDS = ("workflow_execution", "request_id", "operation_token", "operation_id")


class Came(NamedTuple):
    """Something that came to the code: the event, and what it belongs to in the record."""

    event: Any
    thing: Thing | None = None


class Onward:
    """The record behind a cut in batches: what came with one workflow task. Each is taken once."""

    def __init__(self, before: Sequence[Any], rest: Sequence[Any]) -> None:
        self._script = Script([*before, *rest])
        self._batches: list[list[Came]] = []
        self._read(rest)

    def _read(self, rest: Sequence[Any]) -> None:
        every = every_thing(self._script)
        now: list[Came] = []
        for event in rest:
            kind, about = Script.type_of(event), Script.about(event)
            if kind == STARTED:
                self._batches.append(now)
                now = []
            elif kind == _ACCEPTED_UPDATE:  # it came with the task before
                (self._batches[-1] if self._batches else now).append(Came(event))
            elif kind == "MarkerRecorded" and about.marker_name == LOCAL:
                self._batches.append([Came(event)])
            elif kind in _OUTSIDE:
                now.append(Came(event))
            elif kind not in COMMANDED:
                thing = every.get(_first_of(about))
                if thing is not None and kind in (*thing.form.ends, thing.form.started):
                    now.append(Came(event, thing))
        self._batches.append(now)

    def take(self, script: Script, until: int | None) -> bool:
        """Adds the next batch to a script, as far as the code asks for it; whether there was any."""
        while self._batches:
            batch = self._batches[0]
            here = [one for one in batch if until is None or one.event.event_id <= until]
            self._batches[0] = [one for one in batch if one not in here]
            given = len(script.given)
            added = sum([self._add(script, one) for one in here])
            if self._batches[0]:  # the rest of it comes behind ``until``
                return self._added(script, given, added)
            self._batches.pop(0)
            if added:
                return self._added(script, given, added)
        return False

    @property
    def is_left(self) -> bool:
        """Whether there is anything that was recorded and not taken."""
        return any(self._batches)

    @staticmethod
    def _added(script: Script, given: int, added: int) -> bool:
        if added and len(script.given) == given:
            script.add_task()
        return added > 0

    def _add(self, script: Script, came: Came) -> bool:
        kind = Script.type_of(came.event)
        if kind == "MarkerRecorded":
            return _add_local(script, Happened(came.event, kind))
        if came.thing is None:
            _add_message(script, kind, Script.about(came.event))
            return True
        thing, place = self._again(script, came.thing), len(script.events)
        if thing is None:
            return False
        if kind != thing.form.started:
            new, _ = put_end(script, thing, kind, place)
            _copy_rest(Script.about(came.event), new)
            return True
        if thing.started >= 0 or thing.form.word == ACTIVITY:  # that of an activity comes with its end
            return False
        put_start(script, thing, place)
        return True

    def _again(self, script: Script, recorded: Thing | None) -> Thing | None:
        """What the code waits for in the place of a recorded thing: of the same input, number, or the only such one."""
        if recorded is None:
            return None
        name, own = recorded.called(self._script), recorded.known_by(self._script)
        given = _content_of(self._script, recorded)
        named = [t for t in pending_things(script) if t.form is recorded.form and t.called(script) == name]
        ranked = sorted(
            (_content_of(script, t) != given, t.known_by(script) != own, n) for n, t in enumerate(named)
        )
        for other_input, other_id, n in ranked[:1]:
            if not (other_input and other_id) or len(named) == 1:
                return named[n]
        return None


def _content_of(script: Script, thing: Thing) -> bytes:
    """What the code gave a thing, as bytes."""
    about = script.about(script.events[thing.begins])
    found = getattr(about, "start_to_fire_timeout" if thing.form.word == TIMER else "input", None)
    return found.SerializeToString() if found is not None else b""


def _add_message(script: Script, kind: str, about: Any) -> None:
    """A signal, an update, a request to cancel."""
    place = len(script.events)
    made = script.made("WorkflowExecutionUpdateAdmitted" if kind == _ACCEPTED_UPDATE else kind, place)
    if kind == _ACCEPTED_UPDATE:
        script.about(made).request.CopyFrom(about.accepted_request)
        script.about(made).origin = REQUESTED
    else:
        script.about(made).CopyFrom(about)
    script.put(place, made)


def _copy_rest(recorded: Any, about: Any) -> None:
    """What the end of a thing says besides what it belongs to."""
    for field, value in recorded.ListFields():
        if field.name.endswith("event_id") or field.name in _OWN_FIELDS:
            continue
        if field.message_type is None:
            setattr(about, field.name, value)
        else:
            getattr(about, field.name).CopyFrom(value)


def _first_of(about: Any) -> int:
    """The event that began what an event belongs to."""
    names = (name for name in ("initiated_event_id", "scheduled_event_id", "started_event_id"))
    return next((int(value) for name in names if (value := getattr(about, name, 0))), 0)


def _add_local(script: Script, event: Happened) -> bool:
    """The end of a local activity: the one of its number, or the only one of its name."""
    named = [one for one in script.local if one.name == event.name]
    same = [one for one in named if str(one.seq) == str(event.marked.get("seq"))] or named
    details = event.about.details
    if not same or event.marked.get("backoff"):
        return False
    if "result" in details and details["result"].payloads:
        script.answer_locally(same[0], "result", details["result"].payloads[0])
    elif event.about.HasField("failure"):
        script.answer_locally(same[0], "failure", event.about.failure)
    else:
        return False
    return True
