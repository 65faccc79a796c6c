"""Runner part, and ours: what of a history can be edited, as the fields of ``replay.model.EditKind``.

At one event, behind it, or at the end of an open run; with what is recorded, as the first value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.engines.temporal.replay_parts.edits import open_steps, place_at
from engine_bridge.engines.temporal.replay_parts.locally import Local
from engine_bridge.engines.temporal.replay_parts.recorded import KILLED
from engine_bridge.engines.temporal.replay_parts.script import Script
from engine_bridge.engines.temporal.replay_parts.things import (
    ACTIVITY,
    CHILD,
    LOCALLY,
    NEXUS,
    TIMER,
    Thing,
    cancel_wanted,
    pending_things,
    thing_at,
)
from engine_bridge.engines.temporal.replay_parts.values import json_texts

_HOW_ARGUMENTS: Final = "A JSON array of all arguments; anything else is the only argument; empty for none."
_JSON_RESULT: Final = "JSON, which the code gets as json/plain."
_BY_NAME = ("name", "value")
_AS_RECORDED: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "recorded", "title": "All goes on as recorded", "needs": ()},
    {
        "kind": "recorded", "title": "It goes on as recorded, up to an event", "text": True,
        "doc": "The number of the last event that is to count, as the record has it.",
    },
)  # fmt: skip
_MOST_OFFERED: Final = 40
"""Pending steps that are offered at the end of a run."""
Offer = dict[str, Any]


def offers_at(script: Script, position: int | None) -> list[Offer]:
    """What can be edited at a position (None: at the end of an open run). Raises UnfitError for no such event."""
    if position is not None:
        return list(_at(script, position))
    closed = script.closed_at
    added = [] if closed >= 0 else list(_added(script, None))
    open_ended = closed < 0 or script.type_of(script.events[closed]) in KILLED
    pending = pending_things(script)[:_MOST_OFFERED] if open_ended else []
    return [*added, *(offer for thing in pending for offer in _ends_of(script, thing))]


def offers_next(script: Script, known: dict[str, str], goes_on: bool) -> list[Offer]:
    """What can happen to what the code would do, by name.

    ``known`` are recorded results, by word and name; ``goes_on``: there is more that was recorded then.
    """
    if script.closed_at >= 0:
        return []
    steps = open_steps(script)
    names = [one.called(script) for one in steps]
    found: list[Offer] = []
    for place, one in enumerate(steps[:_MOST_OFFERED]):
        called = names[place]
        number = names[: place + 1].count(called) if names.count(called) > 1 else 0
        step, own = f"{called}#{number}" if number else called, one.known_by(script)
        if own:
            step = f"{called}@{own}"
        n = one.n if isinstance(one, Local) else script.steps.get(script.events[one.begins].event_id, -1)
        for offer in _ends_of(script, one, step, known):
            title = _numbered(offer["title"], one.named(script), f" {own or number}" if number else "")
            found.append({**offer, "title": title, "step": n})
    return [*found, *(_AS_RECORDED if goes_on else ()), *_added(script, None)]


def _numbered(title: str, words: str, number: str) -> str:
    """A title with the number of a thing behind its name, where that has none of its own."""
    same = not number or words.endswith(number)
    return title if same else title[: len(words)] + number + title[len(words) :]


def _at(script: Script, position: int) -> Iterator[Offer]:
    place = place_at(script, position)
    event = script.events[place]
    kind, about = script.type_of(event), script.about(event)
    if kind == "WorkflowExecutionStarted":
        yield _other_input(event, "Start it with other arguments", about.input)
    elif kind == "WorkflowExecutionSignaled":
        yield _other_input(event, f"Send other arguments by signal {about.signal_name}", about.input)
    elif kind == "WorkflowExecutionUpdateAccepted":
        request = about.accepted_request.input
        yield _other_input(event, f"Send other arguments by update {request.name}", request.args)
    if kind in ("WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested"):
        what = f"signal {about.signal_name}" if kind.endswith("Signaled") else "request to cancel"
        yield {"kind": "without", "title": f"Without this {what}", "needs": (), "position": event.event_id}
    thing = thing_at(script, place)
    if thing is not None:
        yield from _ends_of(script, thing)
    if not script.behind_answer(place + 1) > script.closed_at >= 0:
        yield from _added(script, event.event_id)


def _other_input(event: Any, title: str, payloads: Any) -> Offer:
    value = json_texts(payloads.payloads)
    return {
        "kind": "input",
        "title": title,
        "doc": _HOW_ARGUMENTS,
        "value": value,
        "position": event.event_id,
    }


def _added(script: Script, position: int | None) -> Iterator[Offer]:
    """What may come from outside at any time."""
    where = "" if position is None else f" behind event {position}"
    names: dict[str, dict[str, None]] = {"signal": {}, "update": {}}
    for event in script.events:
        kind = script.type_of(event)
        if kind == "WorkflowExecutionSignaled":
            names["signal"][script.about(event).signal_name] = None
        elif kind == "WorkflowExecutionUpdateAccepted":
            names["update"][script.about(event).accepted_request.input.name] = None
    base: Offer = {"doc": _HOW_ARGUMENTS, "needs": _BY_NAME, "position": position}
    yield {**base, "kind": "signal", "title": f"A signal arrives{where}", "names": tuple(names["signal"])}
    yield {
        **base, "kind": "update", "title": f"An update arrives{where}", "names": tuple(names["update"]),
        "doc": f"{_HOW_ARGUMENTS} Its validator judges it, too.",
    }  # fmt: skip
    yield {
        "kind": "cancel", "title": f"Cancellation is requested{where}", "doc": "The reason, as plain text.",
        "text": True, "position": position,
    }  # fmt: skip


def _ends_of(
    script: Script, thing: Thing | Local, step: str = "", known: dict[str, str] | None = None
) -> Iterator[Offer]:
    """Other ends of an activity, a timer, a child …, which the code still saw; by its name where one is given."""
    words = thing.named(script)
    begins = words[0].upper() + words[1:]
    base: Offer = {"step_id": step}
    recorded, failure, kind = "", "", ""
    if known is not None:
        recorded = known.get(f"{words} {thing.known_by(script)}", known.get(words, ""))
    if isinstance(thing, Local):
        word, cancels = LOCALLY, thing.cancels
    else:
        word = thing.form.word
        cancels = thing.ended < 0 and bool(cancel_wanted(script, thing))
        if not step:
            first = script.events[thing.begins].event_id
            base = {"position": first, "step_id": str(first)}
        if thing.ended < 0 and _over(script):
            return
        if thing.ended >= 0:
            recorded, failure, kind = _as_recorded(script, thing)
        if word == TIMER and thing.ended >= 0:
            return
        yield from _bare_ends(thing, begins, base)
    if word not in (ACTIVITY, CHILD, NEXUS, LOCALLY):
        return
    yield {**base, "kind": "result", "title": f"{begins} returns", "doc": _JSON_RESULT, "value": recorded}
    names = tuple(dict.fromkeys(name for name in (kind, "ApplicationError") if name))
    yield {
        **base, "kind": "failure", "title": f"{begins} fails", "needs": _BY_NAME, "names": names, "value": failure,
        "text": True, "doc": "name: the type of the error; value: its message, as plain text.",
    }  # fmt: skip
    yield {**base, "kind": "timeout", "title": f"{begins} times out", "needs": ()}
    if cancels:
        yield {**base, "kind": "cancelled", "title": f"{begins} is cancelled, as asked", "needs": ()}


def _bare_ends(thing: Thing, begins: str, base: Offer) -> Iterator[Offer]:
    """What happens to a thing with nothing more to say."""
    word = thing.form.word
    if word == TIMER:
        yield {**base, "kind": "fired", "title": f"{begins} fires", "needs": ()}
    elif "delivered" in thing.form.by_kind and thing.ended < 0:
        yield {**base, "kind": "delivered", "title": f"{begins} is delivered", "needs": ()}
        yield {**base, "kind": "lost", "title": f"{begins} finds nobody", "needs": ()}
    elif word in (CHILD, NEXUS) and thing.started < 0 and thing.ended < 0:
        yield {**base, "kind": "started", "title": f"{begins} starts", "needs": ()}
        if word == CHILD:
            yield {**base, "kind": "taken", "title": f"{begins} cannot start: its id is taken", "needs": ()}


def _over(script: Script) -> bool:
    closed = script.closed_at
    return closed >= 0 and script.type_of(script.events[closed]) not in KILLED


def _as_recorded(script: Script, thing: Thing) -> tuple[str, str, str]:
    """The recorded result (JSON text), or the message and type of the failure."""
    event = script.events[thing.ended]
    about, kind = script.about(event), script.type_of(event)
    if kind == thing.form.by_kind.get("result"):
        return recorded_result(thing.form.word, about), "", ""
    failure = getattr(about, "failure", None)
    if failure is None:
        return "", "", ""
    failure = failure.cause if failure.HasField("cause") and thing.form.word != ACTIVITY else failure
    return "", failure.message, failure.application_failure_info.type


def recorded_result(word: str, about: Any) -> str:
    """The result that an event holds, as JSON text; "" when it is none."""
    return json_texts([about.result] if word == NEXUS else about.result.payloads, one=True)
