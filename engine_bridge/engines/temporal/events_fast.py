"""Heads of events in protobuf's JSON straight from typed structs: about 1 us an event, payloads are never touched."""

from __future__ import annotations

import functools
import re
from operator import attrgetter
from typing import Any, Final, NamedTuple, Union

import msgspec
import numpy as np

from engine_bridge.engines.temporal.events import NUMBERS, TYPES, UNKNOWN, Heads, attributes_key
from engine_bridge.engines.temporal.events_heads import cause_of, fill
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import duration_ns, times_ns
from engine_bridge.engines.temporal.group_types import info

_UPPER: Final = re.compile(r"(?<!^)(?=[A-Z])")
_MOST_ATTEMPTS: Final = 2**31 - 1


class _Named(msgspec.Struct, gc=False):
    name: str = ""


_FIELDS: Final[dict[str, list[tuple[str, Any, Any]]]] = {
    "ActivityTaskScheduled": [("activityType", _Named | None, None)],
    "ActivityTaskStarted": [("scheduledEventId", int, 0), ("attempt", int, 0)],
    "ActivityTaskCompleted": [("scheduledEventId", int, 0)],
    "ActivityTaskFailed": [("scheduledEventId", int, 0)],
    "ActivityTaskTimedOut": [("scheduledEventId", int, 0)],
    "TimerStarted": [("startToFireTimeout", str, "")],
    "TimerFired": [("startedEventId", int, 0)],
    "TimerCanceled": [("startedEventId", int, 0)],
    "WorkflowExecutionSignaled": [("signalName", str, "")],
}
"""The attributes of the types that long histories are made of. Of the others, which are read whole, none."""

_COMMANDS: Final = frozenset({"ActivityTaskScheduled", "TimerStarted"})

_PLAIN: Final = frozenset(
    name
    for name in TYPES
    if name.startswith("WorkflowTask") and name not in ("WorkflowTaskFailed", "WorkflowTaskTimedOut")
)
"""Types of which grouping needs nothing but id, type and time."""


def screaming(name: str) -> str:
    """``EVENT_TYPE_TIMER_STARTED``, as servers write ``TimerStarted``."""
    return f"EVENT_TYPE_{_UPPER.sub('_', name).upper()}"


class _Decoders(NamedTuple):
    """Of a list of events, and of a document that holds one; ``codes`` are the type numbers by class."""

    array: msgspec.json.Decoder[Any]
    document: msgspec.json.Decoder[Any]
    codes: dict[type, int]


@functools.cache
def _decoders(style: str) -> _Decoders:
    tag = screaming if style == "server" else str
    classes: dict[type, int] = {}
    for name in TYPES[1:]:
        fields: list[Any] = [("eventId", int, 0), ("eventTime", str | None, None)]
        if name in _FIELDS:
            inside = msgspec.defstruct(name, _FIELDS[name], gc=False)
            fields.append(
                ("attributes", inside | None, msgspec.field(default=None, name=attributes_key(name)))
            )
        if name in _COMMANDS:
            fields.append(("eventGroupMarkers", list[Any] | None, None))
        made = msgspec.defstruct(name, fields, gc=False, tag_field="eventType", tag=tag(name))
        classes[made] = NUMBERS[name]
    union: Any = Union[tuple(classes)]  # noqa: UP007  of a tuple made here
    doc = msgspec.defstruct("Doc", [("events", list[union] | None, None), ("history", Any, None)])
    doc = msgspec.defstruct("Doc", [("events", list[union] | None, None), ("history", doc | None, None)])
    return _Decoders(
        msgspec.json.Decoder(list[union], strict=False), msgspec.json.Decoder(doc, strict=False), classes
    )


def style_of(data: Any) -> str:
    """Which names of event types a document uses, by its beginning: "server" or "old" (PascalCase)."""
    return "server" if b'"EVENT_TYPE_' in bytes(data[:4096]) else "old"


def heads_fast(document: Any, records: list[Any]) -> Heads:
    """The heads of the events in a JSON document ({events}, {history: {events}} or a list of them).

    ``records`` are its events' own bytes. Raises ValidationError when one event is not as servers write them.
    """
    decoders = _decoders(style_of(document))
    events = _events(document, decoders)
    if len(events) != len(records):
        raise msgspec.ValidationError("two lists of events in one document")
    codes = decoders.codes
    heads = Heads.empty(len(events))
    heads.record = records
    heads.id[:] = [event.eventId for event in events]
    heads.type[:] = list(map(codes.__getitem__, map(type, events)))
    heads.time[:] = times_ns([event.eventTime or "" for event in events])
    for type_ in np.flatnonzero(np.bincount(heads.type, minlength=256)).tolist():
        name = TYPES[type_] if type_ != UNKNOWN else ""
        if name in _PLAIN:
            continue
        rows = np.flatnonzero(heads.type == type_)
        if name in _FIELDS:
            _typed(heads, name, rows.tolist(), events)
        else:
            for i in rows.tolist():
                fill(heads, i, event_of(records[i]))
    return heads


def _events(document: Any, decoders: _Decoders) -> list[Any]:
    if bytes(document[:1]) == b"[":
        found: list[Any] = decoders.array.decode(document)
        return found
    doc = decoders.document.decode(document)
    while doc is not None and doc.events is None:
        doc = doc.history
    return [] if doc is None else doc.events


def _typed(heads: Heads, name: str, rows: list[int], events: list[Any]) -> None:
    fields = [field for field, _, _ in _FIELDS[name]]
    inside = [events[i].attributes for i in rows]
    link = info(name).link
    if link in fields:
        get = attrgetter(link)
        heads.link[rows] = np.maximum([0 if one is None else get(one) for one in inside], 0)
    if "attempt" in fields:
        heads.attempt[rows] = np.clip(
            [0 if one is None else one.attempt for one in inside], 0, _MOST_ATTEMPTS
        )
    if name == "ActivityTaskScheduled":
        called = [one.activityType.name if one is not None and one.activityType else "" for one in inside]
        heads.name.update(zip(rows, called, strict=True))
    elif name == "WorkflowExecutionSignaled":
        heads.name.update(zip(rows, ["" if one is None else one.signalName for one in inside], strict=True))
    elif name.startswith("Timer"):
        heads.name.update(dict.fromkeys(rows, "timer"))
        if name == "TimerStarted":
            planned = ["" if one is None else one.startToFireTimeout for one in inside]
            heads.planned[rows] = [max(duration_ns(text) or 0, 0) for text in planned]
    for i in [row for row in rows if events[row].eventGroupMarkers] if name in _COMMANDS else ():
        for marker in events[i].eventGroupMarkers:
            cause = cause_of(marker)
            if cause:
                heads.cause[i] = cause
