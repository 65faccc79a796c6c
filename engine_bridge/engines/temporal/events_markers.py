"""What the SDKs write into markers: local activities and patches. Times there are the worker's clock."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.events_values import duration_ns, integer, mapping, text, time_ns
from engine_bridge.engines.temporal.payloads import json_value, payloads

_MILLI: Final = 1_000_000


class LocalActivity(msgspec.Struct, frozen=True):
    """What a marker says of a local activity; ``start_ns`` and ``end_ns`` are on the worker's clock.

    ``backoff_ns``: how long a timer waits before the next attempt, which has a marker of its own; None after the last.
    """

    name: str = ""
    id: str = ""
    attempt: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    backoff_ns: int | None = None


def first(details: dict[str, Any], *keys: str) -> Any:
    """The JSON value of the first payload under the first key that is there."""
    for key in keys:
        found = payloads(details.get(key))
        if found:
            return json_value(found[0])
    return None


def local_activity(details: dict[str, Any]) -> LocalActivity:
    """Core SDKs and Go write one JSON under ``data``, Java a payload each."""
    data = mapping(first(details, "data"))
    if "activity_type" in data:
        return LocalActivity(
            text(data.get("activity_type")),
            text(data.get("activity_id")),
            _positive(data.get("attempt")),
            time_ns(data.get("original_schedule_time")),
            time_ns(data.get("complete_time")),
            duration_ns(data.get("backoff")),
        )
    if "ActivityType" in data:
        end = time_ns(data.get("ReplayTime"))
        return LocalActivity(
            text(data.get("ActivityType")),
            text(data.get("ActivityID")),
            _positive(data.get("Attempt")),
            None,
            end,
        )
    meta = mapping(first(details, "meta"))
    return LocalActivity(
        text(first(details, "type")),
        text(first(details, "activityId")),
        _positive(meta.get("atpt")),
        _millis(meta.get("firstSkd")),
        _millis(first(details, "time")),
    )


def _positive(value: Any) -> int | None:
    found = integer(value)
    return found if found is not None and 0 < found < 2**31 else None


def _millis(value: Any) -> int | None:
    found = integer(value)
    return None if found is None or abs(found) > 2**62 // _MILLI else found * _MILLI


def patch(details: dict[str, Any]) -> tuple[str, str]:
    """The id of a patch and its version ("3", "deprecated", ""), as Core, Go and Java write them."""
    data = mapping(first(details, "patch-data"))
    if data:
        return text(data.get("id")), "deprecated" if data.get("deprecated") else ""
    name = first(details, "patch_id", "change-id", "changeId")
    version = first(details, "version")
    return text(name), "" if version is None else str(version)
