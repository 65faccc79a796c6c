"""What is pending in an open run, from the server's description."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.group_facts import Pending, PendingActivity, PendingNexus, PendingTask

_ACTIVITY: Final = {1: "scheduled", 2: "started", 3: "cancel_requested", 4: "paused", 5: "pause_requested"}
_NEXUS: Final = {1: "scheduled", 2: "backing_off", 3: "started", 4: "blocked"}
_TASK_STARTED: Final = 2


def pending_of(answer: Any) -> Pending:
    """The pending parts of a DescribeWorkflowExecutionResponse. A closed run waits for nothing; the server still tells
    what it left behind."""
    if answer.workflow_execution_info.HasField("close_time"):
        return Pending()
    pause = answer.workflow_extended_info.pause_info
    return Pending(
        activities=tuple(_activity(one) for one in answer.pending_activities),
        nexus=tuple(_nexus(one) for one in answer.pending_nexus_operations),
        task=_task(answer.pending_workflow_task) if answer.HasField("pending_workflow_task") else None,
        paused=_who(pause.identity, pause.reason) if pause.identity or pause.reason else "",
    )


def _who(identity: str, reason: str) -> str:
    return f"by {identity or 'somebody'}" + (f": {reason}" if reason else "")


def _json(message: Any, name: str) -> dict[str, Any] | None:
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(getattr(message, name)) if message.HasField(name) else None


def _activity(one: Any) -> PendingActivity:
    state = "paused" if one.paused and one.state != 2 else _ACTIVITY.get(one.state, "")
    note = ""
    if one.HasField("pause_info"):
        by = one.pause_info.manual
        note = _who(by.identity, by.reason) if one.pause_info.HasField("manual") else ""
    return PendingActivity(
        activity_id=one.activity_id,
        activity_type=one.activity_type.name,
        state=state,
        attempt=one.attempt or None,
        max_attempts=one.maximum_attempts or None,
        scheduled_ns=values.time_ns(one, "scheduled_time"),
        started_ns=values.time_ns(one, "last_started_time"),
        next_attempt_ns=values.time_ns(one, "next_attempt_schedule_time"),
        heartbeat_ns=values.time_ns(one, "last_heartbeat_time"),
        expires_ns=values.time_ns(one, "expiration_time"),
        failure=_json(one, "last_failure"),
        heartbeat=_json(one, "heartbeat_details"),
        worker=one.last_worker_identity,
        note=note,
        options=_json(one, "activity_options"),
    )


def _nexus(one: Any) -> PendingNexus:
    return PendingNexus(
        scheduled_event_id=one.scheduled_event_id,
        name=f"{one.service}.{one.operation}".strip("."),
        endpoint=one.endpoint,
        scheduled_ns=values.time_ns(one, "scheduled_time"),
        state=_NEXUS.get(one.state, ""),
        attempt=one.attempt or None,
        next_attempt_ns=values.time_ns(one, "next_attempt_schedule_time"),
        failure=_json(one, "last_attempt_failure"),
        note=one.blocked_reason,
    )


def _task(one: Any) -> PendingTask:
    return PendingTask(
        attempt=one.attempt or None,
        scheduled_ns=values.time_ns(one, "scheduled_time"),
        started_ns=values.time_ns(one, "started_time"),
    )
