"""What of a history can be edited: at one event, behind it, or at the end of an open run; with what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine_bridge.actions.model import Staged
from engine_bridge.engines.temporal.plan_message import message_of
from engine_bridge.engines.temporal.replay_parts.recorded import KILLED
from engine_bridge.engines.temporal.what_if_kinds import ACTIVITY, NEXUS, TIMER, Thing, pending, thing_at
from engine_bridge.engines.temporal.what_if_script import Script
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, EditKind, ReplayInput

_ARGUMENTS: Final = "A JSON array of all arguments; anything else is the only argument; empty for none."
_JSON_RESULT: Final = "JSON, which the code gets as json/plain."
_NAME = ("name", "value")
_MOST: Final = 40
"""Pending steps that are offered at the end of a run."""


def offered(given: ReplayInput, position: int | None) -> tuple[EditKind, ...]:
    """What can be edited at a position (None: at the end of an open run). Raises UsageError for no such event."""
    from temporalio.api.history.v1 import History

    script = Script(History.FromString(given.data.partition(b"\n")[2]).events)
    if position is not None:
        return tuple(_at(script, position))
    closed = script.closed_at
    added = [] if closed >= 0 else list(_added(script, None))
    open_ended = closed < 0 or script.type_of(script.events[closed]) in KILLED
    things = pending(script)[:_MOST] if open_ended else []
    return (*added, *(kind for thing in things for kind in _ends(script, thing)))


def _at(script: Script, position: int) -> Iterator[EditKind]:
    place = script.index(position)
    if place < 0:
        raise UsageError(
            f"This history has no event {position}.", f"It has events 1 to {len(script.events)}."
        )
    event = script.events[place]
    kind, about = script.type_of(event), script.about(event)
    if kind == "WorkflowExecutionStarted":
        yield _input(event, "Start it with other arguments", about.input)
    elif kind == "WorkflowExecutionSignaled":
        yield _input(event, f"Send other arguments by signal {about.signal_name}", about.input)
    elif kind == "WorkflowExecutionUpdateAccepted":
        request = about.accepted_request.input
        yield _input(event, f"Send other arguments by update {request.name}", request.args)
    if kind in ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested"):
        what = f"signal {about.signal_name}" if kind.endswith("Signaled") else "request to cancel"
        yield EditKind(kind="without", title=f"Without this {what}", needs=(), position=event.event_id)
    thing = thing_at(script, place)
    if thing is not None:
        yield from _ends(script, thing)
    if not script.behind_answer(place + 1) > script.closed_at >= 0:
        yield from _added(script, event.event_id)


def _input(event: Any, title: str, payloads: Any) -> EditKind:
    return EditKind(
        kind="input", title=title, doc=_ARGUMENTS, value=_texts(payloads.payloads), position=event.event_id
    )


def _added(script: Script, position: int | None) -> Iterator[EditKind]:
    """What may come from outside at any time."""
    where = "" if position is None else f" behind event {position}"
    names: dict[str, dict[str, None]] = {"signal": {}, "update": {}}
    for event in script.events:
        kind, about = script.type_of(event), event.WhichOneof("attributes")
        if kind == "WorkflowExecutionSignaled":
            names["signal"][getattr(event, about).signal_name] = None
        elif kind == "WorkflowExecutionUpdateAccepted":
            names["update"][getattr(event, about).accepted_request.input.name] = None
    yield EditKind(
        kind="signal", title=f"A signal arrives{where}", doc=_ARGUMENTS, needs=_NAME, names=tuple(names["signal"]),
        position=position,
    )  # fmt: skip
    yield EditKind(
        kind="update", title=f"An update arrives{where}", doc=f"{_ARGUMENTS} Its validator judges it, too.",
        needs=_NAME, names=tuple(names["update"]), position=position,
    )  # fmt: skip
    yield EditKind(
        kind="cancel",
        title=f"Cancellation is requested{where}",
        doc="The reason, as plain text.",
        text=True,
        position=position,
    )


def _ends(script: Script, thing: Thing) -> Iterator[EditKind]:
    """Other ends of an activity, a timer, a child or an operation, which the code still saw."""
    first = script.events[thing.begins].event_id
    words = thing.named(script)
    begins = words[0].upper() + words[1:]
    if thing.ended < 0 and _over(script):
        return
    if thing.form.word == TIMER:
        if thing.ended < 0:
            yield EditKind(
                kind="fired", title=f"{begins} fires", needs=(), position=first, step_id=str(first)
            )
        return
    recorded, failure, kind = "", "", ""
    if thing.ended >= 0:
        recorded, failure, kind = _recorded(script, thing)
    yield EditKind(
        kind="result",
        title=f"{begins} returns",
        doc=_JSON_RESULT,
        value=recorded,
        position=first,
        step_id=str(first),
    )
    names = dict.fromkeys(name for name in (kind, "ApplicationError") if name)
    yield EditKind(
        kind="failure", title=f"{begins} fails", doc="name: the type of the error; value: its message, as plain text.",
        needs=_NAME, names=tuple(names), value=failure, text=True, position=first, step_id=str(first),
    )  # fmt: skip
    yield EditKind(kind="timeout", title=f"{begins} times out", needs=(), position=first, step_id=str(first))


def _over(script: Script) -> bool:
    closed = script.closed_at
    return closed >= 0 and script.type_of(script.events[closed]) not in KILLED


def _recorded(script: Script, thing: Thing) -> tuple[str, str, str]:
    """The recorded result (JSON text), or the message and type of the failure."""
    event = script.events[thing.ended]
    about, kind = script.about(event), script.type_of(event)
    if kind == thing.form.completed:
        return _texts([about.result] if thing.form.word == NEXUS else about.result.payloads, one=True), "", ""
    failure = getattr(about, "failure", None)
    if failure is None:
        return "", "", ""
    failure = failure.cause if failure.HasField("cause") and thing.form.word != ACTIVITY else failure
    return "", failure.message, failure.application_failure_info.type


def _texts(payloads: Any, *, one: bool = False) -> str:
    """Payloads as the JSON text that stands for them; "" when one of them is no JSON."""
    found: list[Any] = []
    for payload in payloads:
        encoding = payload.metadata.get("encoding", b"")
        try:
            found.append(None if encoding == b"binary/null" else json.loads(payload.data))
        except ValueError:
            return ""
        if encoding not in (b"json/plain", b"json/protobuf", b"binary/null"):
            return ""
    if not found:
        return ""
    only = found[0] if len(found) == 1 and (one or not isinstance(found[0], list)) else found
    return msgspec.json.encode(only).decode()


def edit_of(staged: Staged) -> Edit | None:
    """The event that a staged action would add; None where the code would see none. Raises UsageError."""
    args = staged.args
    if staged.action in ("signal", "update"):
        name, values = message_of(args)
        return Edit(kind=staged.action, name=name, value=msgspec.json.encode(values).decode())
    if staged.action == "cancel":
        return Edit(kind="cancel")
    if staged.action in ("complete_activity", "fail_activity"):
        return _activity_edit(staged)
    return None


def _activity_edit(staged: Staged) -> Edit:
    step = str(staged.args.get("step") or staged.target.step_id or "")
    if not step.isdigit():
        raise UsageError("Choose the activity.", "Its step is the id of the event that scheduled it.")
    if staged.action == "complete_activity":
        value = staged.args.get("result")
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return Edit(kind="result", position=int(step), step_id=step, value=text)
    name, message = (str(staged.args.get(key) or "") for key in ("type", "message"))
    return Edit(kind="failure", position=int(step), step_id=step, name=name, value=message)


REHEARSED: Final = frozenset({"signal", "update", "cancel", "complete_activity", "fail_activity"})
"""Actions of a run that ``edit_of`` knows."""
