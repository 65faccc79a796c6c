"""A whole event of the record that grouping kept of it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.events import RawEvent, attributes_key, type_name
from engine_bridge.engines.temporal.events_values import id_of, mapping, time_ns

_HALF: Final = re.compile(
    r"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\)(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""Halves of surrogate pairs: JSON can write them, but they are no characters."""
_ID: Final = re.compile(r'"(?:eventId|event_id)"\s*:\s*"?(\d{1,18})')
_OWN = frozenset({"eventId", "eventTime", "eventType"})
_SHOWN_BY_UI = frozenset({"attributes", "classification", "category", "id", "name", "timestamp"})


class Foreign(msgspec.Struct, frozen=True):
    """An event in JSON that is not protobuf's own: its dialect is translated when somebody looks."""

    data: Any


def event_of(record: Any) -> RawEvent:
    """The event of a record: JSON or protobuf bytes, a RawEvent, or any of them in a tuple with what belongs to it.

    Never raises: one that cannot be read keeps its id where it can be told.
    """
    if isinstance(record, tuple):
        record = record[0]
    if isinstance(record, RawEvent):
        return record
    if isinstance(record, Foreign):
        from engine_bridge.engines.temporal.dialects import translated

        foreign: RawEvent = translated(_event(record.data))
        return foreign
    if isinstance(record, msgspec.Raw) or record[:1] == b"{":
        return event_of_json(_event(record))
    event: RawEvent = _messages()(bytes(record))
    return event


@functools.cache
def _messages() -> Callable[[bytes], RawEvent]:
    # Once: an import statement, even of what is there, is dear where Qt is loaded.
    from engine_bridge.engines.temporal.protobuf import event_of_message

    return event_of_message


def whole_characters(data: Any) -> str:
    """JSON as text, with what is no character replaced."""
    return _HALF.sub(r"\\ufffd", bytes(data).decode("utf-8", "replace"))


def read(record: Any) -> Any:
    """The value of an event's JSON; of one that cannot be read, an event of its id."""
    try:
        return msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = whole_characters(record)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        known = _ID.search(text)
        return {"eventId": known[1] if known else 0, "eventType": "unreadable event", "eventTime": ""}


def _event(record: Any) -> dict[str, Any]:
    found = read(record)
    return found if isinstance(found, dict) else {}


def event_of_json(event: dict[str, Any]) -> RawEvent:
    """An event of protobuf JSON (camelCase keys; enums by any of their names)."""
    name = type_name(event.get("eventType") or 0)
    key = attributes_key(name)
    attributes = event.get(key)
    if not isinstance(attributes, dict):
        key = next(
            (k for k, v in event.items() if k.endswith("EventAttributes") and isinstance(v, dict)), key
        )
        attributes = mapping(event.get(key))
    more = {k: v for k, v in event.items() if k not in _OWN and k != key and v is not None}
    if "classification" in more or "category" in more:  # what the web UI adds to each event
        more = {k: v for k, v in more.items() if k not in _SHOWN_BY_UI}
    return RawEvent(id_of(event.get("eventId")), name, time_ns(event.get("eventTime")), attributes, more)
