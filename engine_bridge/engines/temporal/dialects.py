"""Events in JSON that is not protobuf's own, translated by the API's schema.

Go's encoding/json (snake_case, oneofs as objects, numeric enums), protobufjs (Long, {seconds, nanos}, bytes as
objects), the old PascalCase enums, payloads decoded in place, the server's payload shorthand.
"""

from __future__ import annotations

import base64
import functools
import re
from typing import Any, Final

from engine_bridge.engines.temporal import payloads
from engine_bridge.engines.temporal.events import RawEvent, canonical, type_name
from engine_bridge.engines.temporal.events_values import duration_ns, id_of, integer, mapping, time_ns

_UPPER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PREFIX: Final = "EVENT_TYPE_"
_SECOND: Final = 1_000_000_000
_INT64: Final = frozenset({3, 4, 6, 16, 18})  # FieldDescriptor.TYPE_*
_BYTES: Final = 12
_OWN: Final = frozenset({"event_id", "event_time", "event_type"})


def foreign(event: Any) -> bool:
    """Whether an event (JSON, decoded) is in a dialect that has to be translated."""
    if not isinstance(event, dict):
        return False
    type_ = event.get("eventType")
    if (
        not isinstance(event.get("eventTime"), str)
        or not isinstance(type_, str)
        or not type_.startswith(_PREFIX)
    ):
        return True
    return readable(event)


def readable(event: dict[str, Any]) -> bool:
    """Whether payloads of an event are not in base64."""
    inside = next((v for k, v in event.items() if k.endswith("EventAttributes") and isinstance(v, dict)), {})
    return any(_readable(one) for one in (inside, mapping(event.get("userMetadata"))))


def _readable(value: Any, key: str = "") -> bool:
    """Whether payloads somewhere in a message are not in base64."""
    if isinstance(value, list):
        return any(_readable(one) for one in value[:8])
    if not isinstance(value, dict):
        return key in _PAYLOADS and value is not None and value != ""
    if "metadata" in value and isinstance(value["metadata"], dict):
        encoding = value["metadata"].get("encoding")
        return not isinstance(encoding, str) or "/" in encoding
    if isinstance(value.get("payloads"), list):
        return any(not isinstance(one, dict) or _readable(one, "input") for one in value["payloads"][:8])
    if any(isinstance(value.get(key), list) for key in _PAYLOADS):
        return True
    return any(_readable(one, name) for name, one in value.items())


_PAYLOADS: Final = frozenset({"input", "result", "lastCompletionResult", "args", "success", "summary"})


@functools.cache
def _schema() -> Any:
    from temporalio.api.history.v1 import HistoryEvent

    return HistoryEvent.DESCRIPTOR


def translated(event: dict[str, Any]) -> RawEvent:
    """The normal form of an event in any JSON dialect. What the schema does not know keeps its key and value."""
    flat = _opened(event, _schema())
    type_ = _type_of(flat)
    name, attributes = "", {}
    more: dict[str, Any] = {}
    for key, value in flat.items():
        field = _field(_schema(), key)
        if field is None or value is None or field.name in _OWN:
            continue
        if field.name.endswith("_event_attributes"):
            if isinstance(value, dict) and (not name or canonical(field.camelcase_name[:-15]) == type_):
                name, attributes = field.camelcase_name, message(value, field.message_type)
        else:
            more[field.camelcase_name] = _value(value, field)
    if type_ == "Unspecified" and name:
        type_ = canonical(name[:-15])
    if not name:
        attributes = next((v for k, v in flat.items() if k.endswith("ttributes") and isinstance(v, dict)), {})
    time = time_ns(_first(flat, "eventTime", "event_time", "EventTime"))
    return RawEvent(id_of(_first(flat, "eventId", "event_id", "EventId")), type_, time, attributes, more)


def _type_of(event: dict[str, Any]) -> str:
    value = _first(event, "eventType", "event_type", "EventType")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return "Unspecified"
    return type_name(value)


def _first(event: dict[str, Any], *keys: str) -> Any:
    return next((event[key] for key in keys if event.get(key) is not None), None)


@functools.cache
def _names(descriptor: Any) -> dict[str, Any]:
    return {name: field for field in descriptor.fields for name in (field.camelcase_name, field.name)}


def _field(descriptor: Any, key: str) -> Any:
    return _names(descriptor).get(key) or _names(descriptor).get(key[:1].lower() + key[1:])


@functools.cache
def _oneofs(descriptor: Any) -> frozenset[str]:
    return frozenset(
        name for one in descriptor.oneofs for name in (one.name, one.name.title().replace("_", ""))
    )


def _opened(value: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    """A message without the objects that Go's JSON writes around the chosen field of a oneof."""
    found = dict(value)
    for key in value.keys() & _oneofs(descriptor):
        if isinstance(value[key], dict) and _field(descriptor, key) is None:
            inside = found.pop(key)
            found |= {k: v for k, v in inside.items() if k not in found}
    return found


def message(value: Any, descriptor: Any) -> Any:
    """A message of one type as protobuf JSON."""
    kind = descriptor.full_name
    if kind == "temporal.api.common.v1.Payloads":
        several = value.get("payloads") if isinstance(value, dict) and "payloads" in value else value
        several = several if isinstance(several, list) else [] if not several else [several]
        return {"payloads": [payloads.standard(one) for one in several]}
    if kind == "temporal.api.common.v1.Payload":
        return payloads.standard(value)
    if kind == "google.protobuf.Duration":
        return value if isinstance(value, str) else _duration(duration_ns(value))
    if kind == "google.protobuf.Timestamp":
        return value if isinstance(value, str) else _time(time_ns(value))
    if not isinstance(value, dict):
        return value
    result = {}
    for key, one in _opened(value, descriptor).items():
        field = _field(descriptor, key)
        if one is not None:
            result[key if field is None else field.camelcase_name] = (
                one if field is None else _value(one, field)
            )
    return result


def _value(value: Any, field: Any) -> Any:
    inside = field.message_type
    if inside is not None and inside.GetOptions().map_entry:
        of = inside.fields_by_name["value"]
        return {str(k): _single(v, of) for k, v in value.items()} if isinstance(value, dict) else value
    if field.is_repeated and isinstance(value, list):
        return [_single(one, field) for one in value]
    return _single(value, field)


def _single(value: Any, field: Any) -> Any:
    if field.message_type is not None:
        return message(value, field.message_type)
    if field.enum_type is not None:
        return _enum(value, field.enum_type)
    if field.type in _INT64:
        number = integer(value)
        return value if number is None else str(number)
    if field.type == _BYTES:
        data = payloads.bytes_of(value)
        return value if data is None else base64.b64encode(data).decode()
    return value


def _enum(value: Any, enum: Any) -> Any:
    """``NORMAL``, ``Normal`` and 1 as ``TASK_QUEUE_KIND_NORMAL``; numbers that the schema does not know stay."""
    if isinstance(value, int) and not isinstance(value, bool):
        known = enum.values_by_number.get(value)
        return value if known is None else known.name
    if isinstance(value, str) and value not in enum.values_by_name:
        wanted = f"{_UPPER.sub('_', enum.name)}_{_UPPER.sub('_', value)}".upper()
        return wanted if wanted in enum.values_by_name else value
    return value


def _duration(ns: int | None) -> str | None:
    if ns is None:
        return None
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{ns // _SECOND}{_fraction(ns % _SECOND)}s"


def _time(ns: int | None) -> str | None:
    from datetime import UTC, datetime, timedelta

    if ns is None:
        return None
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // _SECOND)
    return f"{day:%Y-%m-%dT%H:%M:%S}{_fraction(ns % _SECOND)}Z"


def _fraction(nanos: int) -> str:
    """Three, six or nine digits, as protobuf JSON has them."""
    if not nanos:
        return ""
    digits = f"{nanos:09d}"
    return "." + (
        digits[:3] if digits.endswith("000000") else digits[:6] if digits.endswith("000") else digits
    )
