"""A folder of histories for the contract suite: several statuses, dialects and times."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from temporalio.api.history.v1 import History as Message

from tests.engines.temporal.files import histories as h

_FAILURE = {"message": "insufficient funds", "applicationFailureInfo": {"type": "CardDeclined"}}
_ENDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("", {}),
    ("WorkflowExecutionCompleted", {}),
    ("WorkflowExecutionFailed", {"failure": _FAILURE}),
    ("WorkflowExecutionCanceled", {}),
    ("WorkflowExecutionTerminated", {"reason": "enough", "identity": "ada"}),
    ("WorkflowExecutionTimedOut", {}),
)
_FIRST = datetime(2026, 11, 20, 8, tzinfo=UTC)


def history(number: int, id_: str, end: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The beginning of the kitchen as another run, ``number`` minutes later; its end comes ``number`` seconds after."""
    from engine_bridge.engines.temporal.events_fast import screaming

    events = h.events()[: 16 if number % 3 else 20]
    begin = _FIRST + timedelta(minutes=number)
    for at, event in enumerate(events):
        event["eventTime"] = (begin + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    started = events[0]["workflowExecutionStartedEventAttributes"]
    started |= {
        "workflowId": id_,
        "originalExecutionRunId": f"run-{id_}",
        "workflowType": {"name": ("Order", "Refund")[number % 2]},
    }
    if end[0]:
        key = end[0][:1].lower() + end[0][1:] + "EventAttributes"
        time = (begin + timedelta(seconds=number + 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        last = str(len(events) + 1)
        events.append({"eventId": last, "eventTime": time, "eventType": screaming(end[0]), key: end[1]})
    return {"events": events}


def _binary(found: dict[str, Any]) -> bytes:
    return ParseDict(found, Message()).SerializeToString()


_WRITERS: tuple[tuple[str, Callable[[dict[str, Any]], bytes]], ...] = (
    ("json", h.dumped),
    ("json", lambda found: h.dumped(found["events"][::-1])),
    ("json.gz", lambda found: gzip.compress(h.dumped({"history": found}), mtime=0)),
    ("bin", _binary),
)


def write_folder(folder: Path) -> None:
    """Eighteen runs."""
    folder.mkdir(parents=True)
    for number in range(18):
        suffix, write = _WRITERS[number % len(_WRITERS)]
        made = history(number, f"order-{number:03}", _ENDS[number % len(_ENDS)])
        (folder / f"order-{number:03}.{suffix}").write_bytes(write(made))


def grown() -> bytes:
    """A run newer than all others."""
    return json.dumps(history(99, "grown", _ENDS[1])).encode()
