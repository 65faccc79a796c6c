"""A recorded run fed back to its code: cut behind a workflow task, and all that came from outside given as edits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.replay_parts.script import Script
from engine_bridge.engines.temporal.replay_parts.values import json_texts
from engine_bridge.replay.model import Edit, ReplayInput

_KINDS: Final = {
    "ActivityTaskCompleted": "result", "ActivityTaskFailed": "failure", "ActivityTaskTimedOut": "timeout",
    "ActivityTaskCanceled": "cancelled", "TimerFired": "fired", "ChildWorkflowExecutionStarted": "started",
    "ChildWorkflowExecutionCompleted": "result", "ChildWorkflowExecutionFailed": "failure",
    "ChildWorkflowExecutionCanceled": "cancelled", "StartChildWorkflowExecutionFailed": "taken",
    "NexusOperationStarted": "started", "NexusOperationCompleted": "result", "NexusOperationFailed": "failure",
    "NexusOperationCanceled": "cancelled", "ExternalWorkflowExecutionSignaled": "delivered",
    "SignalExternalWorkflowExecutionFailed": "lost", "ExternalWorkflowExecutionCancelRequested": "delivered",
}  # fmt: skip
_REFERS: Final = ("initiated_event_id", "scheduled_event_id", "started_event_id")


def fed_back(item: ReplayInput, tasks: int = 1) -> ReplayInput:
    """The input of the first workflow tasks alone, with the rest of the record as edits, a turn for each task."""
    from temporalio.api.history.v1 import History

    header, _, data = item.data.partition(b"\n")
    events = History.FromString(data).events
    kinds = [Script.type_of(event) for event in events]
    first = [n for n, kind in enumerate(kinds) if kind == "WorkflowTaskStarted"][tasks - 1] + 1
    open_run = History(events=events[:first]).SerializeToString()
    turns = outside(events, first)
    then = tuple(Edit(**values, turn=turn) for turn, some in enumerate(turns, 1) for values in some)
    rest = History(events=events[first:]).SerializeToString()
    told = {**json.loads(header), "rest": len(rest)}
    return msgspec.structs.replace(
        item, data=msgspec.json.encode(told) + b"\n" + open_run + rest, cut=first, then=then
    )


def outside(events: Sequence[Any], first: int) -> list[list[dict[str, Any]]]:
    """What came from outside before each later workflow task began, as fields of edits."""
    turns: list[list[dict[str, Any]]] = []
    now: list[dict[str, Any]] = []
    for event in events[first:]:
        kind, about = Script.type_of(event), Script.about(event)
        if kind == "WorkflowTaskStarted":
            turns.append(now)
            now = []
        elif kind == "WorkflowExecutionUpdateAccepted":
            request = about.accepted_request.input
            turns[-1].append({"kind": "update", "name": request.name, "value": _array(request.args)})
        elif kind == "MarkerRecorded" and about.marker_name == "core_local_activity":
            told = json.loads(about.details["data"].payloads[0].data)
            value = json_texts(about.details["result"].payloads, one=True)
            turns.append([{"kind": "result", "step_id": told["activity_type"], "value": value}])
        elif kind == "WorkflowExecutionSignaled":
            now.append({"kind": "signal", "name": about.signal_name, "value": _array(about.input)})
        elif kind == "WorkflowExecutionCancelRequested":
            now.append({"kind": "cancel", "value": about.cause})
        elif kind in _KINDS:
            now.append(_end(kind, about))
    return turns


def _end(kind: str, about: Any) -> dict[str, Any]:
    place = next(getattr(about, name) for name in _REFERS if getattr(about, name, 0))
    found = {"kind": _KINDS[kind], "position": place, "step_id": str(place)}
    if found["kind"] == "result":
        payloads = [about.result] if kind.startswith("Nexus") else about.result.payloads
        found["value"] = json_texts(payloads, one=True)
    elif found["kind"] == "failure":
        failure = about.failure.cause if kind.startswith("Nexus") else about.failure
        found |= {"name": failure.application_failure_info.type, "value": failure.message}
    return found


def _array(payloads: Any) -> str:
    return json.dumps([json.loads(payload.data) for payload in payloads.payloads])
