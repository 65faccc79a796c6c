"""Where the payloads of an event stand, how they are named across the seam, and how a name finds them again."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from engine_bridge.engines.temporal import payloads
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_values import mapping
from engine_bridge.engines.temporal.payloads import Stored
from engine_bridge.errors import NotFoundError
from engine_bridge.model import PayloadRef, RunRef

_SINGLE: Final = frozenset({"NexusOperationScheduled", "NexusOperationCompleted"})
_PATHS: Final = (
    "input",
    "result",
    "details",
    "acceptedRequest.input.args",
    "rejectedRequest.input.args",
    "request.input.args",
    "outcome.success",
    "lastCompletionResult",
    "continuedFailure.applicationFailureInfo.details",
    "failure.applicationFailureInfo.details",
    "failure.canceledFailureInfo.details",
    "failure.timeoutFailureInfo.lastHeartbeatDetails",
    "lastFailure.applicationFailureInfo.details",
    "outcome.failure.applicationFailureInfo.details",
)
_MAPS: Final = ("header.fields", "memo.fields", "upsertedMemo.fields", "acceptedRequest.input.header.fields")
_PARTS: Final = {path: tuple(path.split(".")) for path in (*_PATHS, *_MAPS)}
_INLINE: Final = "\0payload"  # no workflow id begins so
_LABELS: Final = {
    "acceptedRequest.input.args": "input",
    "rejectedRequest.input.args": "input",
    "request.input.args": "input",
    "outcome.success": "result",
    "lastCompletionResult": "last completion result",
    "failure.timeoutFailureInfo.lastHeartbeatDetails": "last heartbeat",
}


def key(ref: RunRef, event_id: int, path: str) -> str:
    """The key of a payload: run, event, and the path in it (``input`` is all arguments, ``input/0`` the first)."""
    return f"{_key_of(ref.group, ref.run)}, {event_id}, {encode_basestring_ascii(path)}]"


@functools.lru_cache(maxsize=64)
def _key_of(group: str, run: str) -> str:
    return json.dumps([group, run])[:-1]


def parse_key(text: str) -> tuple[RunRef, int, str]:
    """The run, event id and path of a key. Raises NotFoundError."""
    try:
        group, run, event_id, path = json.loads(text)
    except ValueError:
        raise gone() from None
    if not (isinstance(event_id, int) and all(isinstance(one, str) for one in (group, run, path))):
        raise gone()
    return RunRef("workflow", group, run), event_id, path


def gone() -> NotFoundError:
    """The error for a payload that its event does not hold (any more)."""
    return NotFoundError(
        "This payload is not there any more.", "The history may have been reset or reloaded."
    )


def at(event: RawEvent, path: str) -> Stored | None:
    """The payload at a path of an event, None when there is none; several arguments as one."""
    found = [payloads.payload(one) for one in raw_at(event, path)]
    return payloads.combined(found)


def raw_at(event: RawEvent, path: str) -> list[Any]:
    """The payloads at a path of an event, as they are written; [] when there are none."""
    inside, _, place = path.partition("/")
    value: Any = event.attributes
    for part in inside.split("."):
        value = mapping(value).get(part)
    if inside in _MAPS or (event.type == "MarkerRecorded" and inside == "details"):
        name, _, number = place.rpartition("/")
        name, place = (name, number) if name and number.isdigit() else (place, "")
        value = mapping(value).get(name)
    if value is None:
        return []
    found = _several(event, inside, value)
    if place == "":
        return found
    return [found[int(place)]] if place.isdigit() and int(place) < len(found) else []


def _several(event: RawEvent, path: str, value: Any) -> list[Any]:
    return [value] if event.type in _SINGLE or path in _MAPS else payloads.listed(value)


def inline(value: Any, label: str) -> PayloadRef:
    """A reference that carries its payload in its key: for those that stand in no event of a history."""
    stored = payloads.payload(value)
    return named(stored, json.dumps([_INLINE, "", 0, json.dumps(payloads.standard(value))]), label)


def inlined(key_: str) -> Any:
    """The payload that a key carries, None for the key of another place. Raises NotFoundError."""
    ref, _, path = parse_key(key_)
    try:
        return json.loads(path) if ref.group == _INLINE else None
    except ValueError:
        raise gone() from None


def reference(ref: RunRef, event: RawEvent, path: str, label: str) -> PayloadRef | None:
    """Names the payload at a path; None when there is none."""
    found = at(event, path)
    return None if found is None else named(found, key(ref, event.id, path), label)


def named(found: Stored, key_: str, label: str) -> PayloadRef:
    """A reference to a payload at hand; what is compressed, encrypted or elsewhere says so in its label."""
    size = len(found.data)
    return PayloadRef(
        key=key_,
        label=" · ".join(part for part in (label, found.opaque, found.outside) if part),
        encoding=found.encoding,
        size=size,
        head=found.data if size <= payloads.HEAD and not found.opaque else None,
        encoded=found.opaque,
        type=found.type,
    )


def all_of(ref: RunRef, event: RawEvent) -> tuple[PayloadRef, ...]:
    """Every payload of an event, arguments one by one."""
    return tuple(_each(ref, event))


def _each(ref: RunRef, event: RawEvent) -> Iterator[PayloadRef]:
    held = event.attributes
    for path in [one for one in _PATHS if _PARTS[one][0] in held]:
        value = _inside(event, path)
        if value is None or (event.type == "MarkerRecorded" and path == "details"):
            continue
        label = _LABELS.get(path, "details" if path.endswith("etails") else path)
        found = _several(event, path, value)
        for i, one in enumerate(found):
            yield named(
                payloads.payload(one),
                key(ref, event.id, f"{path}/{i}"),
                f"{label} {i + 1}" if len(found) > 1 else label,
            )
    if event.type == "MarkerRecorded":
        for name, value in sorted(mapping(event.attributes.get("details")).items()):
            for i, one in enumerate(payloads.payloads(value)):
                yield named(one, key(ref, event.id, f"details/{name}/{i}"), name)
    said = mapping(event.more.get("userMetadata"))
    for name in ("summary", "details"):
        if name in said and payloads.payload(said[name]).opaque:
            yield inline(said[name], name)
    for path in [one for one in _MAPS if _PARTS[one][0] in held]:
        for name, one in sorted(mapping(_inside(event, path)).items()):
            what = "memo" if "emo" in path else "header"
            yield named(payloads.payload(one), key(ref, event.id, f"{path}/{name}/0"), f"{what} {name}")


def _inside(event: RawEvent, path: str) -> Any:
    value: Any = event.attributes
    for part in _PARTS[path]:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
