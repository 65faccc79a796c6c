"""What a server or a database knows beyond the history: pending work, as recorded facts. Flat values."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

_OWN: Final = re.compile(r" \[playhead [0-9a-f-]{36}\]$")
"""What our own requests are found again by."""


def told(note: str) -> str:
    """Who did something and why, without the request id that Playhead puts behind its reasons."""
    return _OWN.sub("", note)


class _Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class PendingActivity(_Fact, frozen=True):
    """An activity that is scheduled or at work now. ``scheduled_event_id`` 0: it goes by ``activity_id``.

    ``state``: scheduled, started, cancel_requested, paused or pause_requested. ``max_attempts`` None: no limit.
    ``failure`` and ``heartbeat`` are protobuf JSON (Failure, Payloads); ``next_attempt_ns`` when its back-off ends.
    """

    activity_id: str = ""
    activity_type: str = ""
    scheduled_event_id: int = 0
    state: str = ""
    attempt: int | None = None
    max_attempts: int | None = None
    scheduled_ns: int | None = None
    started_ns: int | None = None
    next_attempt_ns: int | None = None
    heartbeat_ns: int | None = None
    expires_ns: int | None = None
    failure: dict[str, Any] | None = None
    heartbeat: dict[str, Any] | None = None
    worker: str = ""
    note: str = ""  # who paused it, and why
    options: dict[str, Any] | None = None  # protobuf JSON (ActivityOptions), where the server tells them


class PendingNexus(_Fact, frozen=True):
    """A Nexus operation that is under way; fields as in PendingActivity."""

    scheduled_event_id: int
    name: str = ""  # service.operation
    endpoint: str = ""
    scheduled_ns: int | None = None
    state: str = ""
    attempt: int | None = None
    next_attempt_ns: int | None = None
    failure: dict[str, Any] | None = None
    note: str = ""


class PendingTask(_Fact, frozen=True):
    """The workflow task that waits for a worker, or is at one (``started_ns``)."""

    attempt: int | None = None
    scheduled_ns: int | None = None
    started_ns: int | None = None
    note: str = ""


class Pending(_Fact, frozen=True):
    """All that is pending in an open run. ``pollers`` counts workers that poll its queue, None: nobody asked."""

    activities: tuple[PendingActivity, ...] = ()
    nexus: tuple[PendingNexus, ...] = ()
    task: PendingTask | None = None
    pollers: int | None = None
    paused: str = ""  # who paused the run, and why; empty: it is not paused
