"""What each event type does to a run and to its steps (temporal.md §2), as tables by type number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np

from engine_bridge.codes import code
from engine_bridge.engines.temporal.events import NUMBERS, UNKNOWN
from engine_bridge.model import EventKind, Status, StepKind, StepStatus

KIND: Final = "workflow"
"""Of what a run is named by."""


class Role(IntEnum):
    """How an event relates to steps."""

    RUN = 0  # it belongs to the run itself
    HEAD = 1  # it begins a step that later events continue
    FOLLOWER = 2  # it continues the step that ``link`` names
    ALONE = 3  # it is a step by itself


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """``link`` is the attribute that names the head; ``step`` and ``run`` are the statuses from this event on."""

    role: Role
    event: EventKind
    kind: StepKind | None = None
    step: StepStatus | None = None
    run: Status | None = None
    link: str = ""


def _run(event: EventKind, run: Status | None = None) -> TypeInfo:
    return TypeInfo(Role.RUN, event, run=run)


def _head(kind: StepKind, event: EventKind, step: StepStatus) -> TypeInfo:
    return TypeInfo(Role.HEAD, event, kind, step)


def _next(kind: StepKind, event: EventKind, step: StepStatus | None, link: str) -> TypeInfo:
    return TypeInfo(Role.FOLLOWER, event, kind, step, None, link)


def _alone(kind: StepKind, event: EventKind, step: StepStatus) -> TypeInfo:
    return TypeInfo(Role.ALONE, event, kind, step)


_S, _E, _K = StepStatus, EventKind, StepKind

INFO: Final[dict[str, TypeInfo]] = {
    "WorkflowExecutionStarted": _run(_E.RUN_STARTED, Status.RUNNING),
    "WorkflowExecutionCompleted": _run(_E.RUN_COMPLETED, Status.COMPLETED),
    "WorkflowExecutionFailed": _run(_E.RUN_FAILED, Status.FAILED),
    "WorkflowExecutionTimedOut": _run(_E.RUN_TIMED_OUT, Status.TIMED_OUT),
    "WorkflowExecutionCanceled": _run(_E.RUN_CANCELLED, Status.CANCELLED),
    "WorkflowExecutionTerminated": _run(_E.RUN_TERMINATED, Status.TERMINATED),
    "WorkflowExecutionContinuedAsNew": _run(_E.RUN_CONTINUED, Status.CONTINUED),
    "WorkflowExecutionCancelRequested": _run(_E.OPERATOR),
    "WorkflowExecutionPaused": _run(_E.OPERATOR, Status.PAUSED),
    "WorkflowExecutionUnpaused": _run(_E.OPERATOR, Status.RUNNING),
    "WorkflowExecutionOptionsUpdated": _run(_E.OPERATOR),
    "WorkflowTaskScheduled": _run(_E.TASK),
    "WorkflowTaskStarted": _run(_E.TASK),
    "WorkflowTaskCompleted": _run(_E.TASK),
    "WorkflowTaskFailed": _alone(_K.OTHER, _E.STEP_FAILED, _S.FAILED),
    "WorkflowTaskTimedOut": _alone(_K.OTHER, _E.STEP_TIMED_OUT, _S.TIMED_OUT),
    "ActivityTaskScheduled": _head(_K.STEP, _E.STEP_SCHEDULED, _S.SCHEDULED),
    "ActivityTaskStarted": _next(_K.STEP, _E.STEP_STARTED, _S.RUNNING, "scheduledEventId"),
    "ActivityTaskCompleted": _next(_K.STEP, _E.STEP_COMPLETED, _S.COMPLETED, "scheduledEventId"),
    "ActivityTaskFailed": _next(_K.STEP, _E.STEP_FAILED, _S.FAILED, "scheduledEventId"),
    "ActivityTaskTimedOut": _next(_K.STEP, _E.STEP_TIMED_OUT, _S.TIMED_OUT, "scheduledEventId"),
    "ActivityTaskCancelRequested": _next(_K.STEP, _E.OTHER, None, "scheduledEventId"),
    "ActivityTaskCanceled": _next(_K.STEP, _E.STEP_CANCELLED, _S.CANCELLED, "scheduledEventId"),
    "ActivityPropertiesModifiedExternally": _next(_K.STEP, _E.OPERATOR, None, "scheduledEventId"),
    "TimerStarted": _head(_K.TIMER, _E.TIMER_STARTED, _S.WAITING),
    "TimerFired": _next(_K.TIMER, _E.TIMER_FIRED, _S.COMPLETED, "startedEventId"),
    "TimerCanceled": _next(_K.TIMER, _E.STEP_CANCELLED, _S.CANCELLED, "startedEventId"),
    "MarkerRecorded": _alone(_K.OTHER, _E.OTHER, _S.COMPLETED),
    "WorkflowExecutionSignaled": _alone(_K.SIGNAL, _E.SIGNAL_RECEIVED, _S.COMPLETED),
    "StartChildWorkflowExecutionInitiated": _head(_K.CHILD, _E.STEP_SCHEDULED, _S.SCHEDULED),
    "StartChildWorkflowExecutionFailed": _next(_K.CHILD, _E.CHILD_FAILED, _S.FAILED, "initiatedEventId"),
    "ChildWorkflowExecutionStarted": _next(_K.CHILD, _E.CHILD_STARTED, _S.RUNNING, "initiatedEventId"),
    "ChildWorkflowExecutionCompleted": _next(_K.CHILD, _E.CHILD_COMPLETED, _S.COMPLETED, "initiatedEventId"),
    "ChildWorkflowExecutionFailed": _next(_K.CHILD, _E.CHILD_FAILED, _S.FAILED, "initiatedEventId"),
    "ChildWorkflowExecutionCanceled": _next(_K.CHILD, _E.STEP_CANCELLED, _S.CANCELLED, "initiatedEventId"),
    "ChildWorkflowExecutionTimedOut": _next(_K.CHILD, _E.STEP_TIMED_OUT, _S.TIMED_OUT, "initiatedEventId"),
    "ChildWorkflowExecutionTerminated": _next(_K.CHILD, _E.CHILD_FAILED, _S.FAILED, "initiatedEventId"),
    "SignalExternalWorkflowExecutionInitiated": _head(_K.SIGNAL_SEND, _E.SIGNAL_SENT, _S.RUNNING),
    "SignalExternalWorkflowExecutionFailed": _next(
        _K.SIGNAL_SEND, _E.STEP_FAILED, _S.FAILED, "initiatedEventId"
    ),
    "ExternalWorkflowExecutionSignaled": _next(
        _K.SIGNAL_SEND, _E.STEP_COMPLETED, _S.COMPLETED, "initiatedEventId"
    ),
    "RequestCancelExternalWorkflowExecutionInitiated": _head(_K.CONTROL, _E.STEP_SCHEDULED, _S.RUNNING),
    "RequestCancelExternalWorkflowExecutionFailed": _next(
        _K.CONTROL, _E.STEP_FAILED, _S.FAILED, "initiatedEventId"
    ),
    "ExternalWorkflowExecutionCancelRequested": _next(
        _K.CONTROL, _E.STEP_COMPLETED, _S.COMPLETED, "initiatedEventId"
    ),
    "WorkflowExecutionUpdateAccepted": _head(_K.UPDATE, _E.STEP_STARTED, _S.RUNNING),
    "WorkflowExecutionUpdateCompleted": _next(_K.UPDATE, _E.STEP_COMPLETED, _S.COMPLETED, "acceptedEventId"),
    "WorkflowExecutionUpdateRejected": _alone(_K.UPDATE, _E.STEP_FAILED, _S.FAILED),
    "NexusOperationScheduled": _head(_K.STEP, _E.STEP_SCHEDULED, _S.SCHEDULED),
    "NexusOperationStarted": _next(_K.STEP, _E.STEP_STARTED, _S.RUNNING, "scheduledEventId"),
    "NexusOperationCompleted": _next(_K.STEP, _E.STEP_COMPLETED, _S.COMPLETED, "scheduledEventId"),
    "NexusOperationFailed": _next(_K.STEP, _E.STEP_FAILED, _S.FAILED, "scheduledEventId"),
    "NexusOperationCanceled": _next(_K.STEP, _E.STEP_CANCELLED, _S.CANCELLED, "scheduledEventId"),
    "NexusOperationTimedOut": _next(_K.STEP, _E.STEP_TIMED_OUT, _S.TIMED_OUT, "scheduledEventId"),
    "NexusOperationCancelRequested": _next(_K.STEP, _E.OTHER, None, "scheduledEventId"),
    "NexusOperationCancelRequestCompleted": _next(_K.STEP, _E.OTHER, None, "scheduledEventId"),
    "NexusOperationCancelRequestFailed": _next(_K.STEP, _E.OTHER, None, "scheduledEventId"),
}
"""By canonical name; what is not here belongs to the run and says nothing about its status."""

OTHER: Final = TypeInfo(Role.RUN, EventKind.OTHER)


def info(type_: str) -> TypeInfo:
    """What a type does, also for types that are not known."""
    return INFO.get(type_, OTHER)


def _table(of: Any, default: int, dtype: Any = np.uint8) -> Any:
    table = np.full(256, default, dtype)
    for name, one in INFO.items():
        table[NUMBERS[name]] = of(one)
    return table


ROLE: Final = _table(lambda one: int(one.role), int(Role.RUN))
STEP_KIND: Final = _table(lambda one: code(one.kind), code(None))
EVENT_KIND: Final = _table(lambda one: code(one.event), code(EventKind.OTHER))
STEP_STATUS: Final = _table(lambda one: code(one.step), code(None))
RUN_STATUS: Final = _table(lambda one: code(one.run), code(None))
CLOSING: Final = _table(lambda one: one.run is not None and one.run.closed, 0, np.bool_)
TERMINAL: Final = _table(lambda one: one.step is not None and one.step.closed, 0, np.bool_)
"""Types that end a step."""

__all__ = [
    "CLOSING",
    "EVENT_KIND",
    "INFO",
    "ROLE",
    "RUN_STATUS",
    "STEP_KIND",
    "STEP_STATUS",
    "TERMINAL",
    "UNKNOWN",
]
