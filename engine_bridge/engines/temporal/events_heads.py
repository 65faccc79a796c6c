"""What grouping needs of an event, from its normal form. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from engine_bridge.codes import NO_TIME, code
from engine_bridge.engines.temporal.events import NUMBERS, UNKNOWN, Heads, RawEvent
from engine_bridge.engines.temporal.events_markers import local_activity, patch
from engine_bridge.engines.temporal.events_values import duration_ns, id_of, mapping, text
from engine_bridge.engines.temporal.group_types import info
from engine_bridge.model import EventKind, StepKind, StepStatus

RESET_CAUSES: Final = frozenset({"WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW", "ResetWorkflow"})
RESET: Final = code(StepKind.CONTROL)
"""The kind of step that a failed workflow task is when it was a reset."""

RETRIED_CAUSES: Final = frozenset({"WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND", "UnhandledCommand"})
"""Causes of failed workflow tasks that are no fault: the server asks the worker again."""

LOCAL_ACTIVITY: Final = frozenset({"core_local_activity", "LocalActivity"})
PATCHES: Final = frozenset({"core_patch", "Version"})
COMMANDS: Final = frozenset({"ActivityTaskScheduled", "TimerStarted"})
"""Types that long histories are made of which begin a step, and so name the handler that issued it."""
SIDE_EFFECTS: Final = {"SideEffect": "side effect", "MutableSideEffect": "mutable side effect"}


def heads_of(events: Sequence[RawEvent], records: Sequence[Any] | None = None) -> Heads:
    """The heads of whole events; ``records`` are kept for looking at them, the events themselves when None."""
    heads = Heads.empty(len(events))
    for i, event in enumerate(events):
        fill(heads, i, event)
    heads.record = events if records is None else records
    return heads


def fill(heads: Heads, i: int, event: RawEvent) -> None:
    """Fills one row of heads (not its record)."""
    heads.id[i], heads.type[i] = event.id, NUMBERS.get(event.type, UNKNOWN)
    heads.time[i] = NO_TIME if event.time_ns is None else event.time_ns
    known, attributes = info(event.type), event.attributes
    if known.link:
        heads.link[i] = id_of(attributes.get(known.link))
    name = _NAMES.get(event.type)
    if name is not None:
        heads.name[i] = name(attributes)
    elif event.type not in NUMBERS:
        heads.name[i] = event.type
    special = _SPECIAL.get(event.type)
    if special is not None:
        special(heads, i, attributes)
    for marker in event.more.get("eventGroupMarkers") or ():
        cause = cause_of(marker)
        if cause:
            heads.cause[i] = cause


def cause_of(marker: Any) -> str:
    """The handler that a group marker names, "" when it names none."""
    inside = mapping(marker)
    update = text(mapping(inside.get("inboundUpdate")).get("inboundUpdateId"))
    event = id_of(mapping(inside.get("inboundEvent")).get("inboundEventId"))
    return f"update {update}" if update else f"event {event}" if event else ""


def _named(key: str) -> Callable[[dict[str, Any]], str]:
    return lambda attributes: text(mapping(attributes.get(key)).get("name"))


def _update_name(key: str) -> Callable[[dict[str, Any]], str]:
    return lambda a: text(mapping(mapping(a.get(key)).get("input")).get("name")) or "update"


def _nexus_name(attributes: dict[str, Any]) -> str:
    return ".".join(text(attributes.get(key)) for key in ("service", "operation"))


_NAMES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "ActivityTaskScheduled": _named("activityType"),
    "TimerStarted": lambda a: "timer",
    "TimerFired": lambda a: "timer",
    "TimerCanceled": lambda a: "timer",
    "WorkflowExecutionSignaled": lambda a: text(a.get("signalName")),
    "SignalExternalWorkflowExecutionInitiated": lambda a: text(a.get("signalName")),
    "RequestCancelExternalWorkflowExecutionInitiated": lambda a: "request cancel",
    "StartChildWorkflowExecutionInitiated": _named("workflowType"),
    "WorkflowExecutionUpdateAccepted": _update_name("acceptedRequest"),
    "WorkflowExecutionUpdateRejected": _update_name("rejectedRequest"),
    "NexusOperationScheduled": _nexus_name,
    "WorkflowTaskFailed": lambda a: "workflow task",
    "WorkflowTaskTimedOut": lambda a: "workflow task",
    **{
        f"ChildWorkflowExecution{end}": _named("workflowType")
        for end in ("Started", "Completed", "Failed", "Canceled", "TimedOut", "Terminated")
    },
    "StartChildWorkflowExecutionFailed": _named("workflowType"),
}


def _started(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    heads.attempt[i] = min(id_of(attributes.get("attempt")), 2**31 - 1)


def _timer(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    heads.planned[i] = max(duration_ns(attributes.get("startToFireTimeout")) or 0, 0)


def _update_accepted(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    heads.answers[i] = f"update {update_id(attributes)}"


def update_id(attributes: dict[str, Any]) -> str:
    """The id of an update, from any of its events."""
    request = mapping(
        attributes.get("acceptedRequest") or attributes.get("rejectedRequest") or attributes.get("request")
    )
    meta = mapping(request.get("meta") or attributes.get("meta"))
    return text(meta.get("updateId")) or text(attributes.get("protocolInstanceId"))


def _update_completed(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    if not heads.link[i]:
        heads.cause[i] = f"update {update_id(attributes)}"
    if mapping(attributes.get("outcome")).get("failure"):
        heads.status[i], heads.event[i] = code(StepStatus.FAILED), code(EventKind.STEP_FAILED)


def _task_failed(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    cause = text(attributes.get("cause"))
    if cause in RESET_CAUSES:
        heads.name[i] = "reset"
        heads.kind[i], heads.event[i] = code(StepKind.CONTROL), code(EventKind.OPERATOR)
        heads.status[i] = code(StepStatus.COMPLETED)
    elif cause in RETRIED_CAUSES:
        heads.status[i], heads.event[i] = code(StepStatus.CANCELLED), code(EventKind.OTHER)


def _marker(heads: Heads, i: int, attributes: dict[str, Any]) -> None:
    name, details = text(attributes.get("markerName")), mapping(attributes.get("details"))
    heads.name[i] = SIDE_EFFECTS.get(name, name) or "marker"
    if name in LOCAL_ACTIVITY:
        _local_activity(heads, i, attributes, details)
    elif name in PATCHES:
        heads.name[i] = patch(details)[0] or name
        heads.kind[i], heads.event[i] = code(StepKind.PATCH), code(EventKind.PATCHED)
    elif name in SIDE_EFFECTS:
        heads.kind[i], heads.event[i] = code(StepKind.LOCAL), code(EventKind.STEP_COMPLETED)


def _local_activity(heads: Heads, i: int, attributes: dict[str, Any], details: dict[str, Any]) -> None:
    facts = local_activity(details)
    heads.name[i] = facts.name or "local activity"
    heads.kind[i], heads.event[i] = code(StepKind.LOCAL), code(EventKind.STEP_COMPLETED)
    heads.attempt[i] = facts.attempt or 0
    if attributes.get("failure"):
        heads.status[i], heads.event[i] = code(StepStatus.FAILED), code(EventKind.STEP_FAILED)
    if facts.end_ns is not None:
        heads.worker[i] = (facts.end_ns if facts.start_ns is None else facts.start_ns, facts.end_ns)


_SPECIAL: Final[dict[str, Callable[[Heads, int, dict[str, Any]], None]]] = {
    "ActivityTaskStarted": _started,
    "TimerStarted": _timer,
    "WorkflowExecutionUpdateAccepted": _update_accepted,
    "WorkflowExecutionUpdateCompleted": _update_completed,
    "WorkflowTaskFailed": _task_failed,
    "MarkerRecorded": _marker,
}
