"""Protobuf values as plain ones: times, payloads, references, enumerations."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from engine_bridge.engines.temporal.payloads import Stored, json_value
from engine_bridge.model import RunRef, Status

KIND: Final = "workflow"
_SECOND: Final = 1_000_000_000

STATUSES: Final = {
    1: (Status.RUNNING, "Running"),
    2: (Status.COMPLETED, "Completed"),
    3: (Status.FAILED, "Failed"),
    4: (Status.CANCELLED, "Canceled"),
    5: (Status.TERMINATED, "Terminated"),
    6: (Status.CONTINUED, "ContinuedAsNew"),
    7: (Status.TIMED_OUT, "TimedOut"),
    8: (Status.PAUSED, "Paused"),
}
"""Numbers of ``WorkflowExecutionStatus`` with their words, Playhead's and the server's."""
WORDS: Final = {name: status for status, name in STATUSES.values()}


def ref(workflow_id: str, run_id: str) -> RunRef:
    return RunRef(KIND, workflow_id, run_id)


def time_ns(message: Any, name: str) -> int | None:
    """A Timestamp field in ns; None where it is not set, and for the zero time of Go."""
    if not message.HasField(name):
        return None
    stamp = getattr(message, name)
    return stamp.seconds * _SECOND + stamp.nanos if stamp.seconds > 0 else None


def duration_ns(message: Any, name: str) -> int | None:
    """A Duration field in ns; None where it is not set or zero, which means that there is no limit."""
    if not message.HasField(name):
        return None
    span = getattr(message, name)
    return (span.seconds * _SECOND + span.nanos) or None


def stored(payload: Any) -> Stored:
    """A Payload as (encoding, bytes)."""
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    kind = payload.metadata.get("messageType", b"") or payload.metadata.get("type", b"")
    return Stored(encoding or None, payload.data, kind.decode(errors="replace"))


def values(payloads: Mapping[str, Any]) -> dict[str, Any]:
    """Search attributes or memo fields by name: what is JSON as its value, the rest as what it is, in words."""
    return {name: _value(stored(payload)) for name, payload in sorted(payloads.items())}


def _value(one: Stored) -> Any:
    if one.encoding == "binary/null" or not one.data:
        return None
    if "json" in (one.encoding or ""):
        return json_value(one)
    return f"{one.opaque or one.encoding or 'bytes'}: {base64.b64encode(one.data[:60]).decode()}"
