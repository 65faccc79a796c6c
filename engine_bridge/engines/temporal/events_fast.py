"""Heads of events in protobuf's JSON straight from typed structs: about 1 us an event, payloads are never touched."""

from __future__ import annotations

import functools
import re
from operator import attrgetter
from typing import Any, Final, Union

import msgspec
import numpy as np

from engine_bridge.engines.temporal.events import NUMBERS, TYPES, Heads, attributes_key
from engine_bridge.engines.temporal.events_heads import COMMANDS, cause_of, fill
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import duration_ns, times_ns
from engine_bridge.engines.temporal.group_types import info

_UPPER: Final = re.compile(r"(?<!^)(?=[A-Z])")
_A_TURN: Final = 2_000
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

_PLAIN: Final = frozenset(
    name
    for name in TYPES
    if name.startswith("WorkflowTask") and name not in ("WorkflowTaskFailed", "WorkflowTaskTimedOut")
)
"""Types of which grouping needs nothing but id, type and time."""


def screaming(name: str) -> str:
    """``EVENT_TYPE_TIMER_STARTED``, as servers write ``TimerStarted``."""
    return f"EVENT_TYPE_{_UPPER.sub('_', name).upper()}"


@functools.cache
def _decoder(style: str) -> tuple[msgspec.json.Decoder[Any], dict[type, int]]:
    """Of events, with the type numbers of its classes."""
    tag = screaming if style == "server" else str
    classes: dict[type, int] = {}
    for name in TYPES[1:]:
        fields: list[Any] = [("eventId", int, 0), ("eventTime", str | None, None)]
        if name in _FIELDS:
            inside = msgspec.defstruct(name, _FIELDS[name], gc=False)
            fields.append(
                ("attributes", inside | None, msgspec.field(default=None, name=attributes_key(name)))
            )
        if name in COMMANDS:
            fields.append(("eventGroupMarkers", list[Any] | None, None))
        made = msgspec.defstruct(name, fields, gc=False, tag_field="eventType", tag=tag(name))
        classes[made] = NUMBERS[name]
    union: Any = Union[tuple(classes)]  # noqa: UP007  of a tuple made here
    return msgspec.json.Decoder(union, strict=False), classes


def style_of(record: Any) -> str:
    """Which names of event types an event uses: "server" or "old" (PascalCase)."""
    return "server" if b'"EVENT_TYPE_' in bytes(memoryview(record)[:400]) else "old"


def heads_fast(records: list[Any]) -> Heads:
    """The heads of events in JSON, which stay as records. Raises ValidationError and OverflowError when one of them is
    not as servers write them.
    """
    decoder, codes = _decoder(style_of(records[0]) if records else "server")
    events: list[Any] = []
    for at in range(0, len(records), _A_TURN):
        # In pieces: decoding all of a large file at once keeps the interpreter's lock for longer than a frame.
        events += decoder.decode_lines(b"\n".join(records[at : at + _A_TURN]))
    heads = Heads.empty(len(events))
    heads.record = records
    heads.id[:] = [event.eventId for event in events]
    heads.type[:] = list(map(codes.__getitem__, map(type, events)))
    heads.time[:] = times_ns([event.eventTime or "" for event in events])
    for type_ in np.flatnonzero(np.bincount(heads.type, minlength=256)).tolist():
        name = TYPES[type_]
        if name in _PLAIN:
            continue
        rows = np.flatnonzero(heads.type == type_)
        if name in _FIELDS:
            _typed(heads, name, rows.tolist(), events)
        else:
            for i in rows.tolist():
                fill(heads, i, event_of(records[i]))
    return heads


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
    for i in [row for row in rows if events[row].eventGroupMarkers] if name in COMMANDS else ():
        for marker in events[i].eventGroupMarkers:
            cause = cause_of(marker)
            if cause:
                heads.cause[i] = cause
