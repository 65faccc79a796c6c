"""Runner part, and ours: edits of a history, as the server would have written it: each changes a Script, or is unfit.

An edit is what ``replay.model.Edit`` says, as any object with its fields. Where ``step_id`` and ``position`` name no
event, a step is named as ``Thing.called`` says: the first of that name which has not ended, ``name#2`` the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine_bridge.engines.temporal.replay_parts.locally import Local
from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, STARTED
from engine_bridge.engines.temporal.replay_parts.script import Script, UnfitError
from engine_bridge.engines.temporal.replay_parts.things import (
    ACTIVITY,
    CANCELLING,
    CHILD,
    NEXUS,
    SIGNALLING,
    TIMER,
    Thing,
    cancel_wanted,
    pending_things,
    put_end,
    put_start,
    thing_at,
)
from engine_bridge.engines.temporal.replay_parts.values import (
    json_payload,
    json_payloads,
    json_value,
    plain_text,
)

REQUESTED: Final = 1  # UpdateAdmittedEventOrigin: any will do, the code does not see it
HELP: Final = "See docs/engines/temporal.md, What if."
_TAKE_INPUT: Final = (
    "WorkflowExecutionStarted",
    "WorkflowExecutionSignaled",
    "WorkflowExecutionUpdateAccepted",
)
_LEFT_OUT: Final = ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested")
_NON_RETRYABLE: Final = 2  # RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
_TIMED_OUT: Final = 3  # RetryState.RETRY_STATE_TIMEOUT
_START_TO_CLOSE: Final = 1  # TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
_INSTEAD: Final = {
    TIMER: "It can fire: fired:{}.",
    SIGNALLING: "It can be delivered or lost: delivered:{}.",
    CANCELLING: "It can be delivered or lost: delivered:{}.",
}
_CANNOT: Final = {
    "result": "has no result",
    "failure": "cannot fail",
    "timeout": "cannot time out",
    "fired": "is no timer",
    "delivered": "is nothing that is sent",
    "lost": "is nothing that is sent",
    "taken": "has no id that others use",
    "cancelled": "cannot be cancelled",
}


def change(script: Script, edit: Any) -> None:
    """Makes one edit of a script. Raises UnfitError."""
    made = CHANGES.get(edit.kind)
    if made is None:
        raise UnfitError(f"A history cannot be edited by {edit.kind!r}.", f"Known: {', '.join(CHANGES)}.")
    made(script, edit)


# -- what is added ------------------------------------------------------------------------------------------


def _add(script: Script, edit: Any, name: str, fill: Callable[[Any], None]) -> None:
    """Adds an event from outside behind a position, or at the end of an open run, and the task that brings it."""
    if edit.position is None:
        _open_only(script, "Name an event, and it is added behind that one.")
        script.unanswered()
        place = len(script.events)
    else:
        place = script.behind_answer(place_at(script, edit.position) + 1)
        if place > script.closed_at >= 0:
            raise UnfitError(
                f"The run's code saw nothing any more behind event {edit.position}.", "Name an earlier event."
            )
        scheduled = script.task_before(place)
        script.keep(place if scheduled < 0 else _begun_by(script, place))
    if name == "WorkflowExecutionUpdateAdmitted":
        # Core hands an update to the next workflow task that is scheduled behind it.
        scheduled = script.task_before(place)
        place = place if scheduled < 0 else scheduled
    event = script.made(name, place)
    fill(script.about(event))
    script.put(place, event)
    script.end_in_task(place)


def _begun_by(script: Script, place: int) -> int:
    """How many events there are up to where the workflow task that waits at a place begins."""
    kinds = [script.type_of(event) for event in script.events[place:]]
    return place + next((n + 1 for n, kind in enumerate(kinds) if kind == STARTED), len(kinds))


def _signal(script: Script, edit: Any) -> None:
    name, given = _name_of_message(edit, "signal"), json_payloads(edit.value)

    def fill(about: Any) -> None:
        about.signal_name, about.identity = name, "playhead"
        about.request_id = f"playhead-{len(script.events)}"
        if given.payloads:
            about.input.CopyFrom(given)

    _add(script, edit, "WorkflowExecutionSignaled", fill)


def _update(script: Script, edit: Any) -> None:
    name, given = _name_of_message(edit, "update"), json_payloads(edit.value)
    _add(script, edit, "WorkflowExecutionUpdateAdmitted", lambda about: _request(about, name, given, script))


def _request(about: Any, name: str, given: Any, script: Script) -> None:
    about.request.meta.update_id, about.request.meta.identity = f"playhead-{len(script.events)}", "playhead"
    about.request.input.name = name
    if given.payloads:
        about.request.input.args.CopyFrom(given)
    else:
        about.request.input.ClearField("args")
    about.origin = REQUESTED


def _cancel(script: Script, edit: Any) -> None:
    def fill(about: Any) -> None:
        about.cause, about.identity = plain_text(edit.value), "playhead"

    _add(script, edit, "WorkflowExecutionCancelRequested", fill)


# -- what is changed ----------------------------------------------------------------------------------------


def _input(script: Script, edit: Any) -> None:
    """Other arguments of the run, of a signal or of an update."""
    place = place_at(script, edit.position)
    event, given = script.events[place], json_payloads(edit.value)
    kind, about = script.type_of(event), script.about(event)
    if kind not in _TAKE_INPUT:
        raise _not_so(event, kind, "has no arguments that came from outside")
    if kind != "WorkflowExecutionUpdateAccepted":
        about.input.CopyFrom(given)
        script.end_in_task(place + 1)
        return
    # It stands behind the task that accepted it; the code is to judge it anew.
    request = about.accepted_request
    started = max(n for n in range(place) if script.type_of(script.events[n]) == STARTED)
    script.keep(started)
    at = len(script.events)
    scheduled = script.task_before(at)
    at = at if scheduled < 0 else scheduled
    admitted = script.made("WorkflowExecutionUpdateAdmitted", at)
    script.about(admitted).request.CopyFrom(request)
    _request(script.about(admitted), request.input.name, given, script)
    script.put(at, admitted)
    script.end_in_task(at)


def _without(script: Script, edit: Any) -> None:
    """A signal, or a request to cancel, that did not come."""
    place = place_at(script, edit.position)
    event = script.events[place]
    if script.type_of(event) not in _LEFT_OUT:
        raise _not_so(event, script.type_of(event), "cannot be left out")
    del script.events[place]
    script.end_in_task(place)
    script.cut = script.cut or event.event_id


def _returns(script: Script, edit: Any) -> None:
    thing, words = _wanted(script, edit)
    value = json_payload(json_value(edit.value, words))
    if isinstance(thing, Local):
        script.answer_locally(thing, "result", value)
        return
    about, place = _ended(script, thing, edit.kind, words)
    if thing.form.word == NEXUS:
        about.result.CopyFrom(value)
    else:
        about.result.payloads.append(value)
    script.end_in_task(place + 1)


def _fails(script: Script, edit: Any) -> None:
    thing, words = _wanted(script, edit)
    if isinstance(thing, Local):
        script.answer_locally(thing, "failure", _fill_failure(script.blank_failure(), edit))
        return
    about, place = _ended(script, thing, edit.kind, words)
    if thing.form.word == NEXUS:
        _fill_failure(_operation_failed(script, thing, about), edit)
    else:
        about.retry_state = _NON_RETRYABLE
        _fill_failure(about.failure, edit)
    script.end_in_task(place + 1)


def _fill_failure(failure: Any, edit: Any) -> Any:
    _, name = step_and_name(edit)
    failure.message, failure.source = plain_text(edit.value), "playhead"
    failure.application_failure_info.type = name or "ApplicationError"
    failure.application_failure_info.non_retryable = True
    return failure


def _operation_failed(script: Script, thing: Thing, about: Any) -> Any:
    """The failure of a Nexus operation; what caused it is to be filled in."""
    begins = script.events[thing.begins]
    begun = script.about(begins)
    about.failure.message = "nexus operation completed unsuccessfully"
    info = about.failure.nexus_operation_execution_failure_info
    info.scheduled_event_id = begins.event_id
    info.endpoint, info.service, info.operation = begun.endpoint, begun.service, begun.operation
    return about.failure.cause


def _timeout(script: Script, edit: Any) -> None:
    thing, words = _wanted(script, edit)
    if isinstance(thing, Local):
        script.answer_locally(
            thing, "failure", _late(script.blank_failure(), "activity StartToClose timeout")
        )
        return
    about, place = _ended(script, thing, edit.kind, words)
    if thing.form.word == ACTIVITY:
        _late(about.failure, "activity StartToClose timeout")
    elif thing.form.word == NEXUS:
        _late(about.failure, f"{thing.form.word} timed out")
    if thing.form.word != NEXUS:
        about.retry_state = _TIMED_OUT
    script.end_in_task(place + 1)


def _late(failure: Any, words: str) -> Any:
    failure.message = words
    failure.timeout_failure_info.timeout_type = _START_TO_CLOSE
    return failure


def _cancelled(script: Script, edit: Any) -> None:
    """The code asked to cancel it, and it was."""
    thing, words = _wanted(script, edit)
    if isinstance(thing, Local):
        failure = script.blank_failure()
        failure.message = "Local Activity cancelled"
        failure.canceled_failure_info.SetInParent()
        script.answer_locally(thing, "cancelled", failure)
        return
    if not cancel_wanted(script, thing):
        raise UnfitError(f"The code did not ask to cancel {words}.", HELP)
    about, place = _ended(script, thing, edit.kind, words)
    if thing.form.word == NEXUS:
        cause = _operation_failed(script, thing, about)
        cause.message = "operation canceled"
        cause.canceled_failure_info.SetInParent()
    script.end_in_task(place + 1)


def _begins(script: Script, edit: Any) -> None:
    """A child workflow or an operation is under way, and nothing more."""
    thing, words = _wanted(script, edit)
    if isinstance(thing, Local) or thing.form.word not in (CHILD, NEXUS) or thing.ended >= 0:
        raise UnfitError(f"{_capital_first(words)} is nothing that has still to start.", HELP)
    if thing.started >= 0:
        raise UnfitError(f"{_capital_first(words)} has started.", "It can end: give it a result.")
    _reopen(script, words)
    script.end_in_task(put_start(script, thing, len(script.events)))


def _ends(script: Script, edit: Any) -> None:
    """What fires, or is delivered, or is not, with nothing more to say."""
    thing, words = _wanted(script, edit)
    if (
        not isinstance(thing, Local)
        and thing.form.word == TIMER
        and edit.kind == "fired"
        and thing.ended >= 0
    ):
        event = script.events[thing.ended]
        raise _not_so(event, script.type_of(event), "is the end of this timer already")
    if isinstance(thing, Local):
        raise UnfitError(f"{_capital_first(words)} {_CANNOT[edit.kind]}.", HELP)
    _, place = _ended(script, thing, edit.kind, words)
    script.end_in_task(place + 1)


CHANGES: Final[dict[str, Callable[[Script, Any], None]]] = {
    "signal": _signal,
    "update": _update,
    "cancel": _cancel,
    "input": _input,
    "without": _without,
    "result": _returns,
    "failure": _fails,
    "timeout": _timeout,
    "fired": _ends,
    "started": _begins,
    "cancelled": _cancelled,
    "taken": _ends,
    "delivered": _ends,
    "lost": _ends,
}

ENDING: Final = frozenset(CHANGES) - {"signal", "update", "cancel", "input", "without"}
"""Kinds of edits that are of a step."""


# -- places -------------------------------------------------------------------------------------------------


def place_at(script: Script, position: int | None) -> int:
    """Where a recorded event is. Raises UnfitError when it is not there, or not any more."""
    if position is None:
        raise UnfitError("Which event is meant?", "Give its number, as the history has it.")
    place = script.index(position)
    if place >= 0:
        return place
    last = max(event.event_id for event in script.events)
    if script.cut and position > script.cut:
        raise UnfitError(
            f"Event {position} does not hold any more: the edit before it cuts the history at event {script.cut}.",
            "What comes behind a cut is edited in a later turn.",
        )
    raise UnfitError(f"This history has no event {position}.", f"It has events 1 to {last}.")


def step_and_name(edit: Any) -> tuple[str, str]:
    """The step that is meant and the name that is given: ``pack:CardError`` where they came as one."""
    if edit.step_id or edit.position is not None:
        return str(edit.step_id), str(edit.name)
    step, _, name = str(edit.name).partition(":")
    return step, name


def _wanted(script: Script, edit: Any) -> tuple[Thing | Local, str]:
    """What an edit gives an end to, and its name."""
    step, _ = step_and_name(edit)
    seq = getattr(edit, "seq", None)
    for local in script.local if seq is not None else ():
        if local.seq == seq:
            return local, local.named(script)
    number = edit.position if edit.position is not None else step
    if not str(number).isdigit():
        found = named_step(script, str(number))
        return found, found.named(script)
    place = place_at(script, int(number))
    event = script.events[place]
    thing = thing_at(script, place)
    if thing is None:
        why = "cannot be edited: it belongs to no activity, timer, child workflow or Nexus operation"
        raise _not_so(event, script.type_of(event), why)
    return thing, thing.named(script)


def open_steps(script: Script) -> list[Thing | Local]:
    """All that began and did not end, of the history and in the worker."""
    return [*pending_things(script), *script.local]


def named_step(script: Script, name: str) -> Thing | Local:
    """One of them by name: ``pack`` the first, ``pack#2`` the second, ``pack@6`` the one that the code numbers so,
    or the only one of its name. Without a name the first of all. Raises UnfitError.
    """
    every = open_steps(script)
    called = ((f"{one.called(script)}@{one.known_by(script)}", one) for one in every)
    own = next((one for word, one in called if word == name), None)
    alone = [one for one in every if one.called(script) == name.rpartition("@")[0]]
    if own is not None or len(alone) == 1:
        return own or alone[0]
    word, _, ordinal = name.rpartition("#") if name.rpartition("#")[2].isdigit() else (name, "", "1")
    same = [one for one in every if not word or one.called(script) == word]
    if same[int(ordinal) - 1 : int(ordinal)]:
        return same[int(ordinal) - 1]
    known = ", ".join(dict.fromkeys(one.called(script) for one in every)) or "nothing"
    raise UnfitError(f"Nothing is under way that is called {name!r}.", f"Under way: {known}.")


def _ended(script: Script, thing: Thing, kind: str, words: str) -> tuple[Any, int]:
    """Another end of a thing, in the place of the recorded one; of a pending one, at the end of what is recorded."""
    name = thing.form.by_kind.get(kind)
    if name is None:
        number = script.events[thing.begins].event_id
        why = _CANNOT[kind]
        if kind == "fired":
            raise UnfitError(f"Event {number} belongs to {words}, which is no timer.", HELP)
        hint = _INSTEAD.get(thing.form.word, HELP).format(number)
        raise UnfitError(f"{_capital_first(words)} {why}.", hint)
    place = thing.ended
    if place >= 0:
        del script.events[place]
        return put_end(script, thing, name, place)
    _reopen(script, words)
    return put_end(script, thing, name, len(script.events))


def _reopen(script: Script, words: str) -> None:
    """Takes back what nobody's code saw at the end: a run that was killed, a workflow task under way."""
    closed = script.closed_at
    if closed >= 0 and script.type_of(script.events[closed]) in ENDS:
        raise UnfitError(
            f"The run is over, and {words} had not ended by then.", "Edit an event that its code still saw."
        )
    if closed >= 0:
        script.keep(closed)
    script.unanswered()


def _open_only(script: Script, hint: str) -> None:
    if script.closed_at >= 0:
        raise UnfitError("The run is over: nothing can be added at its end.", hint)


def _not_so(event: Any, kind: str, why: str) -> UnfitError:
    return UnfitError(f"Event {event.event_id} ({kind}) {why}.", HELP)


def _name_of_message(edit: Any, what: str) -> str:
    if not edit.name:
        raise UnfitError(
            f"Give the name of the {what}.", f"As the workflow's code declares it: {what}:approve."
        )
    return str(edit.name)


def _capital_first(words: str) -> str:
    return words[:1].upper() + words[1:]
