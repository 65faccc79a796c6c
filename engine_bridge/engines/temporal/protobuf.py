"""Histories as protobuf: sliced into events by an own scanner, read with the API's own messages.

Importing ``temporalio.api`` takes 150 ms, so it happens on the first event that is read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME
from engine_bridge.engines.temporal.events import NUMBERS, Heads, RawEvent, type_name
from engine_bridge.engines.temporal.events_heads import COMMANDS, fill
from engine_bridge.engines.temporal.group_types import info
from engine_bridge.history import distinct

if TYPE_CHECKING:
    from temporalio.api.history.v1 import HistoryEvent

_SECOND: Final = 1_000_000_000
_DELIMITED: Final = 2
_EVENT: Final = 1 << 3 | _DELIMITED  # the tag of an event in a History
_MOST: Final = 2**62
_DAMAGED: Final = -1
"""What stands for the type of an event that cannot be read."""

Rows = NDArray[np.int64]

_DIRECT: Final = frozenset(
    {
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "TimerStarted",
        "TimerFired",
        "TimerCanceled",
        "WorkflowExecutionSignaled",
    }
)
"""Types that long histories are made of: their heads are read from the message, the others' from the normal form."""


class WireError(ValueError):
    """Bytes that are no protobuf message; ``at`` is where the last whole field ended, ``found`` what came before."""

    def __init__(self, at: int) -> None:
        super().__init__(f"no protobuf after byte {at}")
        self.at = at
        self.found: list[tuple[int, int]] = []


def fields(data: Any, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """(field number, wire type, start, end) of each field's value. Raises WireError."""
    at, stop = start, len(data) if end is None else end
    while at < stop:
        whole = at
        tag, at = _varint(data, at, stop, whole)
        number, wire = tag >> 3, tag & 7
        begin = at
        if wire == 0:
            _, at = _varint(data, at, stop, whole)
        elif wire == _DELIMITED:
            size, begin = _varint(data, at, stop, whole)
            at = begin + size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise WireError(whole)
        if at > stop or not number:
            raise WireError(whole)
        yield number, wire, begin, at


def _varint(data: Any, at: int, stop: int, whole: int) -> tuple[int, int]:
    value = shift = 0
    while at < stop and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError(whole)


def slices(data: Any) -> list[tuple[int, int]]:
    """Where the events of a History message lie: (start, end) each. Raises WireError, with those before the break."""
    found = _quick_slices(data)
    if found is not None:
        return found
    found, whole = [], 0
    try:
        for number, wire, start, end in fields(data):
            if number != 1 or wire != _DELIMITED:
                raise WireError(whole)
            found.append((start, end))
            whole = end
    except WireError as error:
        error.found = found
        raise
    return found


def _quick_slices(data: Any) -> list[tuple[int, int]] | None:
    """The same where all is well, in a third of the time; None where something is not."""
    found: list[tuple[int, int]] = []
    at, stop = 0, len(data)
    while at < stop - 1:
        if data[at] != _EVENT:
            return None
        size, at, shift = data[at + 1], at + 2, 7
        if size >= 0x80:
            size &= 0x7F
            while True:
                if at >= stop or shift > 56:
                    return None
                byte = data[at]
                at += 1
                size |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
        found.append((at, at + size))
        at += size
    return found if at == stop else None


@functools.cache
def _message() -> Any:
    from temporalio.api.history.v1 import HistoryEvent

    return HistoryEvent


def scan(data: bytes, events: Sequence[HistoryEvent] = ()) -> Heads:
    """The heads of a serialized ``History``, with its events' own bytes as records. Raises WireError.

    ``events`` are those in it, where somebody has read them.
    """
    records = [data[start:end] for start, end in slices(data)]
    if len(events) != len(records):
        events = _events_of(data, len(records))
    return _heads(records, events or _each(records))


def heads_of_messages(records: Sequence[bytes]) -> Heads:
    """The heads of serialized ``HistoryEvent`` messages; what cannot be read has type UNKNOWN and id 0."""
    joined = b"".join([_framed(record) for record in records])
    return _heads(records, _events_of(joined, len(records)) or _each(records))


def _framed(record: bytes) -> bytes:
    """An event as a ``History`` holds it."""
    size, prefix = len(record), bytearray((_EVENT,))
    while size >= 0x80:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + record


def _events_of(data: bytes, count: int) -> Sequence[Any]:
    """The events of a serialized ``History``, read in one go; none where one of them is damaged."""
    from google.protobuf.message import DecodeError
    from temporalio.api.history.v1 import History

    try:
        events = History.FromString(data).events
    except DecodeError:
        return ()
    return events if len(events) == count else ()


def _each(records: Sequence[bytes]) -> Iterable[Any]:
    """The event of each record, None for one that is damaged."""
    message = _message()
    return (_parsed(message, record) for record in records)


def _heads(records: Sequence[bytes], events: Iterable[Any]) -> Heads:
    """Column by column: a loop over events would take three times as long."""
    heads, events, plans = Heads.empty(len(records)), list(events), _plans()
    heads.record = records
    numbers = np.array([_DAMAGED if event is None else event.event_type for event in events], np.int64)
    for number in distinct(numbers[numbers != _DAMAGED]).tolist():
        rows, plan = np.flatnonzero(numbers == number), plans.get(number)
        mine = [events[i] for i in rows.tolist()]
        if plan is not None:
            _direct(heads, rows, mine, plan)
            continue
        for i, event in zip(rows.tolist(), mine, strict=True):
            fill(heads, i, normal(event))
    heads.cause = dict(sorted(heads.cause.items()))
    return heads


def _direct(heads: Heads, rows: Rows, events: list[HistoryEvent], plan: _Plan) -> None:
    """The heads of events of one type, which stand in ``rows``."""
    heads.id[rows] = [event.event_id for event in events]
    heads.type[rows] = plan.type
    heads.time[rows] = _times(events)
    if plan.link is not None:
        heads.link[rows] = list(map(plan.link, events))
    if plan.name is not None:
        heads.name.update(zip(rows.tolist(), map(plan.name, events), strict=True))
    if plan.attempt is not None:
        heads.attempt[rows] = np.maximum(list(map(plan.attempt, events)), 0)
    if plan.wait is not None:
        waits = map(plan.wait, events)
        heads.planned[rows] = [max(min(one.seconds * _SECOND + one.nanos, _MOST), 0) for one in waits]
    for i, event in zip(rows.tolist(), events, strict=True) if plan.command else ():
        for marker in event.event_group_markers:
            _caused(heads, i, marker)


def _times(events: list[HistoryEvent]) -> Rows:
    stamps = [event.event_time for event in events]
    seconds = np.array([stamp.seconds for stamp in stamps], np.int64)
    found = seconds * _SECOND + np.array([stamp.nanos for stamp in stamps], np.int64)
    for i in np.flatnonzero((seconds <= 0) | (seconds >= _MOST // _SECOND)).tolist():
        found[i] = _time(events[i])
    return found


def _time(event: HistoryEvent) -> int:
    time = event.event_time
    ns = time.seconds * _SECOND + time.nanos
    if not ns and not event.HasField("event_time"):
        return NO_TIME
    return ns if abs(ns) < _MOST else NO_TIME


class _Plan(NamedTuple):
    """How the head of a direct type is read from its message; None where there is nothing to read."""

    type: int
    command: bool
    link: Callable[[HistoryEvent], int] | None
    name: Callable[[HistoryEvent], str] | None
    attempt: Callable[[HistoryEvent], int] | None
    wait: Callable[[HistoryEvent], Any] | None


@functools.cache
def _plans() -> dict[int, _Plan]:
    return {NUMBERS[name]: _plan(name) for name in _DIRECT}


def _plan(type_: str) -> _Plan:
    attributes = f"{_snake(type_)}_event_attributes"

    def reads(field: str | None) -> Callable[[HistoryEvent], Any] | None:
        return attrgetter(f"{attributes}.{field}") if field else None

    timer = type_.startswith("Timer")
    return _Plan(
        NUMBERS[type_],
        type_ in COMMANDS,
        reads(_snake(info(type_).link)),
        (lambda _: "timer") if timer else reads(_NAMES.get(type_)),
        reads("attempt") if type_ == "ActivityTaskStarted" else None,
        reads("start_to_fire_timeout") if type_ == "TimerStarted" else None,
    )


_NAMES: Final = {"ActivityTaskScheduled": "activity_type.name", "WorkflowExecutionSignaled": "signal_name"}


def _caused(heads: Heads, i: int, marker: Any) -> None:
    if marker.HasField("inbound_update"):
        heads.cause[i] = f"update {marker.inbound_update.inbound_update_id}"
    elif marker.HasField("inbound_event"):
        heads.cause[i] = f"event {marker.inbound_event.inbound_event_id}"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


def event_of_message(record: bytes) -> RawEvent:
    """The normal form of a serialized ``HistoryEvent``; one that cannot be read comes without attributes."""
    event = _parsed(_message(), record)
    return RawEvent(0, "unreadable event") if event is None else normal(event)


def _parsed(message: Any, record: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(record)
    except DecodeError:
        return None


def normal(event: HistoryEvent) -> RawEvent:
    """The normal form of a ``HistoryEvent``."""
    from google.protobuf.json_format import MessageToDict

    name = type_name(event.event_type)
    which = event.WhichOneof("attributes")
    attributes = MessageToDict(getattr(event, which)) if which else {}
    more: dict[str, Any] = {}
    for field, value in event.ListFields():
        if field.name == which or field.name in ("event_id", "event_time", "event_type"):
            continue
        more[field.camelcase_name] = _plain(field, value)
    time = _time(event)
    return RawEvent(event.event_id, name, None if time == NO_TIME else time, attributes, more)


def _plain(field: Any, value: Any) -> Any:
    from google.protobuf.json_format import MessageToDict

    if field.message_type is None:
        # As in protobuf JSON, where 64-bit integers are texts.
        return str(value) if field.cpp_type == field.CPPTYPE_INT64 else value
    return [MessageToDict(one) for one in value] if field.is_repeated else MessageToDict(value)
