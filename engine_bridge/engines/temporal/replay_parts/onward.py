"""Runner part: what was recorded behind a cut, given to the code again as far as it asks for the same things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine_bridge.engines.temporal.replay_parts.edits import named_step
from engine_bridge.engines.temporal.replay_parts.locally import Local
from engine_bridge.engines.temporal.replay_parts.recorded import LOCAL, STARTED, Happened
from engine_bridge.engines.temporal.replay_parts.script import Script, UnfitError
from engine_bridge.engines.temporal.replay_parts.things import ACTIVITY, every_thing, put_end, put_start

_OUTSIDE = ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested")
_ACCEPTED_UPDATE = "WorkflowExecutionUpdateAccepted"
_OWN_FIELDS = ("workflow_execution", "request_id", "operation_token", "operation_id")


class Came(NamedTuple):
    """Something that came to the code: the event, and the name of the step that it belongs to (``pack@6``)."""

    event: Any
    step: str = ""


class Onward:
    """The record behind a cut in batches: what came with one workflow task. Each is taken once."""

    def __init__(self, before: Sequence[Any], rest: Sequence[Any]) -> None:
        self._script = Script([*before, *rest])
        names = {}
        for first, thing in every_thing(self._script).items():
            own = thing.known_by(self._script)
            names[first] = f"{thing.called(self._script)}@{own}" if own else thing.called(self._script)
        self._forms = every_thing(self._script)
        self._batches: list[list[Came]] = []
        self._read(rest, names)

    def _read(self, rest: Sequence[Any], names: dict[int, str]) -> None:
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
            else:
                first = _first_of(about)
                thing = self._forms.get(first)
                if thing is not None and kind in (*thing.form.ends, thing.form.started):
                    now.append(Came(event, names[first]))
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
        kind, about = Script.type_of(came.event), Script.about(came.event)
        if kind == "MarkerRecorded":
            return _add_local(script, Happened(came.event, kind))
        end = len(script.events)
        if kind in _OUTSIDE or kind == _ACCEPTED_UPDATE:
            made = script.made(kind if kind in _OUTSIDE else "WorkflowExecutionUpdateAdmitted", end)
            if kind in _OUTSIDE:
                script.about(made).CopyFrom(about)
            else:
                script.about(made).request.CopyFrom(about.accepted_request)
                script.about(made).origin = 1
            script.put(end, made)
            return True
        try:
            thing = named_step(script, came.step)
        except UnfitError:
            return False
        if isinstance(thing, Local) or kind not in (*thing.form.ends, thing.form.started):
            return False
        if kind == thing.form.started:
            begins = (
                thing.started < 0 and thing.form.word != ACTIVITY
            )  # that of an activity comes with its end
            if begins:
                put_start(script, thing, end)
            return begins
        new, _ = put_end(script, thing, kind, end)
        for field, value in about.ListFields():
            if not field.name.endswith("event_id") and field.name not in _OWN_FIELDS:
                _set(new, field, value)
        return True


def _set(about: Any, field: Any, value: Any) -> None:
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
