"""What if: edits of a recorded history, as the server would have written it. Pure: protobuf in, protobuf out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal import what_if_kinds
from engine_bridge.engines.temporal.events import TYPES
from engine_bridge.engines.temporal.plan_base import payload, payloads
from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, STARTED, Happened, Recorded, told_event
from engine_bridge.engines.temporal.what_if_kinds import ACTIVITY, NEXUS, TIMER, Thing, thing_at
from engine_bridge.engines.temporal.what_if_script import Script
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, ReplayInput, Was

_HELP: Final = "See docs/engines/temporal.md, What if."
_INPUTS: Final = ("WorkflowExecutionStarted", "WorkflowExecutionSignaled", "WorkflowExecutionUpdateAccepted")
_LEFT_OUT: Final = ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested")
_ENDINGS: Final = {
    "WorkflowExecutionCompleted": "completion", "WorkflowExecutionFailed": "failure",
    "WorkflowExecutionCanceled": "cancellation", "WorkflowExecutionContinuedAsNew": "continuation",
}  # fmt: skip
_NON_RETRYABLE: Final = 2  # RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
_TIMED_OUT: Final = 3  # RetryState.RETRY_STATE_TIMEOUT
_START_TO_CLOSE: Final = 1  # TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
_REQUESTED: Final = 1  # UpdateAdmittedEventOrigin: any will do, the code does not see it
_NULL: Final = b"binary/null"


def edited(given: ReplayInput, edits: Sequence[Edit]) -> ReplayInput:
    """The input of a replay with edits, one after the other, each cutting what cannot hold any more. Raises UsageError.

    Positions are those of the recorded history.
    """
    from temporalio.api.history.v1 import History

    header, _, data = given.data.partition(b"\n")
    recorded = History.FromString(data).events
    script = Script(History.FromString(data).events)
    for edit in edits:
        change = _CHANGES.get(edit.kind)
        if change is None:
            raise UsageError(
                f"A history cannot be edited by {edit.kind!r}.", f"Known: {', '.join(_CHANGES)}."
            )
        change(script, edit)
    events = script.whole()
    cut = script.cut or len(recorded)
    names = {number: name for number, name in enumerate(TYPES) if name}
    return msgspec.structs.replace(
        given,
        data=header + b"\n" + History(events=events).SerializeToString(),
        steps=sum(len(task.events) + 1 for task in Recorded(events, names).tasks.values()),
        cut=cut,
        was=tuple(was(Recorded(recorded, names), cut)),
    )


def was(recorded: Recorded, cut: int) -> list[Was]:
    """What the code commanded in the first answer behind a position."""
    task = next((t for t in recorded.tasks.values() if t.completed > cut), None)
    return [Was(position=e.id, name=_title(e), step_id=str(e.id)) for e in (task.events if task else ())]


def _title(event: Happened) -> str:
    if event.type in _ENDINGS:
        return f"{_ENDINGS[event.type]} of the run"
    return event.name if event.name and not event.is_patch else told_event(event)


# -- what is added ------------------------------------------------------------------------------------------


def _add(script: Script, edit: Edit, name: str, fill: Callable[[Any], None]) -> None:
    """Adds an event from outside behind a position, or at the end of an open run, and the task that brings it."""
    if edit.position is None:
        _open_only(script, "Name an event, and it is added behind that one.")
        script.unanswered()
        place = len(script.events)
    else:
        place = script.behind_answer(_place(script, edit.position) + 1)
        if place > script.closed_at >= 0:
            raise UsageError(
                f"The run's code saw nothing any more behind event {edit.position}.", "Name an earlier event."
            )
        scheduled = script.task_before(place)
        script.keep(place if scheduled < 0 else _begun(script, place))
    if name == "WorkflowExecutionUpdateAdmitted":
        # Core hands an update to the next workflow task that is scheduled behind it.
        scheduled = script.task_before(place)
        place = place if scheduled < 0 else scheduled
    event = script.made(name, place)
    fill(script.about(event))
    script.put(place, event)
    script.end_in_task(place)


def _begun(script: Script, place: int) -> int:
    """How many events there are up to where the workflow task that waits at a place begins."""
    kinds = [script.type_of(event) for event in script.events[place:]]
    return place + next((n + 1 for n, kind in enumerate(kinds) if kind == STARTED), len(kinds))


def _signal(script: Script, edit: Edit) -> None:
    name, values = _named(edit, "signal"), arguments(edit.value)

    def fill(about: Any) -> None:
        about.signal_name, about.identity = name, "playhead"
        about.input.CopyFrom(payloads(values))

    _add(script, edit, "WorkflowExecutionSignaled", fill)


def _update(script: Script, edit: Edit) -> None:
    name, values = _named(edit, "update"), arguments(edit.value)

    def fill(about: Any) -> None:
        _request(about, name, payloads(values), script)

    _add(script, edit, "WorkflowExecutionUpdateAdmitted", fill)


def _request(about: Any, name: str, given: Any, script: Script) -> None:
    about.request.meta.update_id, about.request.meta.identity = f"playhead-{len(script.events)}", "playhead"
    about.request.input.name = name
    about.request.input.args.CopyFrom(given)
    about.origin = _REQUESTED


def _cancel(script: Script, edit: Edit) -> None:
    def fill(about: Any) -> None:
        about.cause, about.identity = _plain(edit.value), "playhead"

    _add(script, edit, "WorkflowExecutionCancelRequested", fill)


# -- what is changed ----------------------------------------------------------------------------------------


def _input(script: Script, edit: Edit) -> None:
    """Other arguments of the run, of a signal or of an update."""
    place = _place(script, edit.position)
    event, given = script.events[place], payloads(arguments(edit.value))
    kind, about = script.type_of(event), script.about(event)
    if kind not in _INPUTS:
        raise _not_so(event, kind, "has no arguments that came from outside")
    if kind != "WorkflowExecutionUpdateAccepted":
        about.input.CopyFrom(given)
        script.end_in_task(place + 1)
        return
    # It stands behind the task that accepted it; the code is to judge it anew.
    request = about.accepted_request
    started = max(n for n in range(place) if script.type_of(script.events[n]) == STARTED)
    script.keep(started)
    add = Edit(kind="update", name=request.input.name)

    def fill(made: Any) -> None:
        made.request.CopyFrom(request)
        _request(made, request.input.name, given, script)

    _add(script, add, "WorkflowExecutionUpdateAdmitted", fill)


def _without(script: Script, edit: Edit) -> None:
    """A signal, or a request to cancel, that did not come."""
    place = _place(script, edit.position)
    event = script.events[place]
    if script.type_of(event) not in _LEFT_OUT:
        raise _not_so(event, script.type_of(event), "cannot be left out")
    del script.events[place]
    script.end_in_task(place)
    script.cut = script.cut or event.event_id


def _result(script: Script, edit: Edit) -> None:
    thing, words = _thing(script, edit)
    if thing.form.word == TIMER:
        raise UsageError(
            f"{words.capitalize()} has no result.", f"It can fire: fired:{_first(script, thing)}."
        )
    value = _json(edit.value, words)
    about, place = _ended(script, thing, thing.form.completed, words)
    if thing.form.word == NEXUS:
        about.result.CopyFrom(_payload(value))
    else:
        about.result.payloads.append(_payload(value))
    script.end_in_task(place + 1)


def _failure(script: Script, edit: Edit) -> None:
    thing, words = _thing(script, edit)
    if thing.form.word == TIMER:
        raise UsageError(f"{words.capitalize()} cannot fail.", f"It can fire: fired:{_first(script, thing)}.")
    about, place = _ended(script, thing, thing.form.failed, words)
    failed = about.failure
    if thing.form.word == NEXUS:
        begun = script.about(script.events[thing.begins])
        failed.message = "nexus operation completed unsuccessfully"
        info = failed.nexus_operation_execution_failure_info
        info.scheduled_event_id = script.events[thing.begins].event_id
        info.endpoint, info.service, info.operation = begun.endpoint, begun.service, begun.operation
        failed = failed.cause
    else:
        about.retry_state = _NON_RETRYABLE
    failed.message, failed.source = _plain(edit.value), "playhead"
    failed.application_failure_info.type = edit.name or "ApplicationError"
    failed.application_failure_info.non_retryable = True
    script.end_in_task(place + 1)


def _timeout(script: Script, edit: Edit) -> None:
    thing, words = _thing(script, edit)
    if not thing.form.timed_out:
        raise UsageError(
            f"{words.capitalize()} cannot time out.", f"It can fire: fired:{_first(script, thing)}."
        )
    about, place = _ended(script, thing, thing.form.timed_out, words)
    failed = getattr(about, "failure", None)
    if thing.form.word == ACTIVITY:
        about.failure.message = "activity StartToClose timeout"
        about.failure.timeout_failure_info.timeout_type = _START_TO_CLOSE
    elif failed is not None:
        failed.message = f"{thing.form.word} timed out"
        failed.timeout_failure_info.timeout_type = _START_TO_CLOSE
    if thing.form.word != NEXUS:
        about.retry_state = _TIMED_OUT
    script.end_in_task(place + 1)


def _fired(script: Script, edit: Edit) -> None:
    thing, words = _thing(script, edit)
    if thing.form.word != TIMER:
        raise UsageError(
            f"Event {edit.position or edit.step_id} belongs to {words}, which is no timer.", _HELP
        )
    if thing.ended >= 0:
        event = script.events[thing.ended]
        raise _not_so(event, script.type_of(event), "is the end of this timer already")
    _, place = _ended(script, thing, thing.form.completed, words)
    script.end_in_task(place + 1)


_CHANGES: Final[dict[str, Callable[[Script, Edit], None]]] = {
    "signal": _signal,
    "update": _update,
    "cancel": _cancel,
    "input": _input,
    "without": _without,
    "result": _result,
    "failure": _failure,
    "timeout": _timeout,
    "fired": _fired,
}


# -- places and values --------------------------------------------------------------------------------------


def _place(script: Script, position: int | None) -> int:
    """Where a recorded event is. Raises UsageError when it is not there, or not any more."""
    if position is None:
        raise UsageError("Which event is meant?", "Give its number, as the history has it.")
    place = script.index(position)
    if place >= 0:
        return place
    last = max(event.event_id for event in script.events)
    if script.cut and position > script.cut:
        raise UsageError(
            f"Event {position} does not hold any more: the edit before it cuts the history at event {script.cut}."
        )
    raise UsageError(f"This history has no event {position}.", f"It has events 1 to {last}.")


def _thing(script: Script, edit: Edit) -> tuple[Thing, str]:
    """What an edit gives an end to, and its name."""
    number = edit.position if edit.position is not None else edit.step_id
    if not str(number).isdigit():
        raise UsageError(f"Which step is meant by {number!r}?", "Give the number of one of its events.")
    place = _place(script, int(number))
    event = script.events[place]
    thing = thing_at(script, place)
    if thing is None:
        why = "cannot be edited: it belongs to no activity, timer, child workflow or Nexus operation"
        raise _not_so(event, script.type_of(event), why)
    return thing, thing.named(script)


def _ended(script: Script, thing: Thing, name: str, words: str) -> tuple[Any, int]:
    """Another end of a thing, in the place of the recorded one; of a pending one, at the end of what is recorded."""
    place = thing.ended
    if place >= 0:
        del script.events[place]
        return what_if_kinds.end(script, thing, name, place)
    closed = script.closed_at
    if closed >= 0 and script.type_of(script.events[closed]) in ENDS:
        raise UsageError(
            f"The run is over, and {words} had not ended by then.", "Edit an event that its code still saw."
        )
    if closed >= 0:
        script.keep(closed)
    script.unanswered()
    return what_if_kinds.end(script, thing, name, len(script.events))


def _open_only(script: Script, hint: str) -> None:
    if script.closed_at >= 0:
        raise UsageError("The run is over: nothing can be added at its end.", hint)


def _not_so(event: Any, kind: str, why: str) -> UsageError:
    return UsageError(f"Event {event.event_id} ({kind}) {why}.", _HELP)


def _first(script: Script, thing: Thing) -> int:
    return int(script.events[thing.begins].event_id)


def _named(edit: Edit, what: str) -> str:
    if not edit.name:
        raise UsageError(
            f"Give the name of the {what}.", f"As the workflow's code declares it: {what}:approve."
        )
    return edit.name


def arguments(value: str) -> list[Any]:
    """The arguments that a text stands for: a JSON array of all, any other value as the only one, "" for none."""
    if not value.strip():
        return []
    found = _json(value, "the arguments")
    return found if isinstance(found, list) else [found]


def _json(value: str, what: str) -> Any:
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"What is given for {what} is not JSON: {error}.", 'A text needs quotes: "yes".'
        ) from None


def _payload(value: Any) -> Any:
    from temporalio.api.common.v1 import Payload

    return Payload(metadata={"encoding": _NULL}) if value is None else payload(value)


def _plain(value: str) -> str:
    """A text, which may be written as JSON."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value
