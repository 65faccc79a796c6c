"""Runner part: what a command says otherwise than its event, which core passes in silence."""

from __future__ import annotations

from typing import Any

from engine_bridge.engines.temporal.replay_parts.commands import Asked
from engine_bridge.engines.temporal.replay_parts.contents import Contents, painted, same_contents
from engine_bridge.engines.temporal.replay_parts.recorded import Happened, Recorded, Task

_INPUTS = {
    "schedule_activity": "arguments",
    "start_child_workflow_execution": "input",
    "signal_external_workflow_execution": "args",
    "continue_as_new_workflow_execution": "arguments",
}
_TIMEOUTS = {
    "schedule_activity": (
        "schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout",
    ),
    "start_child_workflow_execution": (
        "workflow_execution_timeout", "workflow_run_timeout", "workflow_task_timeout",
    ),
    "continue_as_new_workflow_execution": ("workflow_run_timeout", "workflow_task_timeout"),
    "schedule_nexus_operation": ("schedule_to_close_timeout",),
}  # fmt: skip
_QUEUED = ("schedule_activity", "start_child_workflow_execution", "continue_as_new_workflow_execution")
_LONGEST_TASK_S = 120.0  # the server's
_RETRIES = ("maximum_attempts", "initial_interval", "maximum_interval", "backoff_coefficient")
_TOLERANCE_S = 0.0011  # durations are rounded to milliseconds, and not by all versions alike


class Drifts:
    """Compares commands with their events; ``of`` gives the fields of Drift."""

    def __init__(self, recorded: Recorded, contents: Contents) -> None:
        self._recorded = recorded
        self._contents = contents

    def of(self, asked: Asked, event: Happened, task: Task | None) -> list[dict[str, Any]]:
        """What differs, as values of Drift without the step."""
        found = [*self._inputs(asked, event, task), *self._timeouts(asked, event), *self._names(asked, event)]
        if asked.what == "start_timer":
            found += _duration(asked, event)
        elif asked.what == "complete_workflow_execution":
            given = [asked.about.result] if asked.about.HasField("result") else []
            found += self._said("result", event, event.about.result.payloads, given)
        elif asked.what == "schedule_nexus_operation":
            found += self._said("input", event, [event.about.input], [asked.about.input])
        elif asked.what == "fail_workflow_execution":
            found += _failure(asked.about.failure, event.about.failure)
        elif asked.what == "update_response" and event.type.endswith("Completed"):
            found += self._said(
                "update result", event, event.about.outcome.success.payloads, [asked.about.completed]
            )
        return found

    def _said(
        self, what: str, event: Happened, held: Any, given: Any, note: str = ""
    ) -> list[dict[str, Any]]:
        recorded, replayed = self._contents.of(event, held), list(given)
        if same_contents(recorded, replayed):
            return []
        return [{"what": what, "recorded": painted(recorded), "replayed": painted(replayed), "note": note}]

    def _inputs(self, asked: Asked, event: Happened, task: Task | None) -> list[dict[str, Any]]:
        field = _INPUTS.get(asked.what)
        if field is None:
            return []
        given = getattr(asked.about, field)
        found = self._said("input", event, event.about.input.payloads, given)
        others = task.events if found and task is not None else ()
        for other in others:
            same = other is not event and other.key == event.key
            if same and not self._said("", other, other.about.input.payloads, given):
                note = f"event {other.id} of the history got this input: the order changed"
                return [{**found[0], "what": "order", "note": note}]
        return found

    def _timeouts(self, asked: Asked, event: Happened) -> list[dict[str, Any]]:
        found = []
        for name in _TIMEOUTS.get(asked.what, ()):
            if not asked.about.HasField(name) or getattr(event.about, name) == getattr(asked.about, name):
                continue
            held, given = seconds(getattr(event.about, name)), seconds(getattr(asked.about, name))
            # The server fills in what is not set, and bounds what is by the longer ones.
            if given and not _bounded(event.about, name, held, given, self._recorded.start):
                words = name.replace("_", " ")
                found.append(
                    {"what": "timeout", "recorded": held, "replayed": given, "note": f"{words}, in seconds"}
                )
        if asked.what == "schedule_activity" and asked.about.HasField("retry_policy"):
            found += _retries(asked.about.retry_policy, event.about.retry_policy)
        return found

    def _names(self, asked: Asked, event: Happened) -> list[dict[str, Any]]:
        pairs: list[tuple[str, str, str]] = []
        if asked.what in _QUEUED:
            pairs.append(("task queue", event.about.task_queue.name, asked.about.task_queue))
        if asked.what == "schedule_activity" and asked.about.activity_id != str(asked.seq):
            pairs.append(("activity id", event.about.activity_id, asked.about.activity_id))
        if asked.what == "schedule_nexus_operation":
            pairs.append(("endpoint", event.about.endpoint, asked.about.endpoint))
        if asked.what == "start_child_workflow_execution":
            pairs.append(("child id", event.about.workflow_id, asked.about.workflow_id))
        if asked.what == "continue_as_new_workflow_execution":
            pairs.append(("next type", event.about.workflow_type.name, asked.about.workflow_type))
        if asked.what == "signal_external_workflow_execution":
            pairs.append(("signal", event.about.signal_name, asked.about.signal_name))
            held, given = (
                event.about.workflow_execution.workflow_id,
                asked.about.workflow_execution.workflow_id,
            )
            pairs.append(("receiver", held, given or asked.about.child_workflow_id))
        return [
            {"what": what, "recorded": held, "replayed": given}
            for what, held, given in pairs
            if held and given and held != given
        ]


def seconds(duration: Any) -> float:
    """A protobuf Duration in seconds."""
    return float(duration.seconds + duration.nanos / 1e9)


def _differs(a: float, b: float) -> bool:
    return abs(a - b) > _TOLERANCE_S


def _bounded(about: Any, name: str, held: float, given: float, start: Any) -> bool:
    """Whether a recorded time-out is what the server makes of the one given."""
    if not _differs(held, given):
        return True
    bounds = [given]
    if name != "schedule_to_close_timeout" and hasattr(about, "schedule_to_close_timeout"):
        bounds.append(seconds(about.schedule_to_close_timeout) or given)
    if name == "heartbeat_timeout":
        bounds.append(seconds(about.start_to_close_timeout) or given)
    if hasattr(about, "schedule_to_close_timeout"):
        bounds.append(seconds(start.workflow_run_timeout) or given)
    if name == "workflow_run_timeout":
        whole = about if hasattr(about, "workflow_execution_timeout") else start
        bounds.append(seconds(whole.workflow_execution_timeout) or given)
    if name == "workflow_task_timeout":
        bounds += [seconds(about.workflow_run_timeout) or given, _LONGEST_TASK_S]
    return not _differs(held, min(bounds))


def _duration(asked: Asked, event: Happened) -> list[dict[str, Any]]:
    held, given = seconds(event.about.start_to_fire_timeout), seconds(asked.about.start_to_fire_timeout)
    if not _differs(held, given):
        return []
    return [
        {"what": "timer", "recorded": held, "replayed": given, "note": "in seconds; the recorded one counts"}
    ]


def _retries(given: Any, held: Any) -> list[dict[str, Any]]:
    """What the code sets of a retry policy; the server fills in the rest."""
    found = []
    for name in _RETRIES:
        one, other = getattr(given, name), getattr(held, name)
        one, other = (seconds(v) if hasattr(v, "nanos") else float(v) for v in (one, other))
        if one and _differs(one, other) and not (name == "initial_interval" and one < _TOLERANCE_S):
            found.append(
                {"what": "retries", "recorded": other, "replayed": one, "note": name.replace("_", " ")}
            )
    return found


def _failure(given: Any, held: Any) -> list[dict[str, Any]]:
    one, other = (f"{f.application_failure_info.type}: {f.message}".removeprefix(": ") for f in (held, given))
    return [] if one == other else [{"what": "failure", "recorded": one[:240], "replayed": other[:240]}]
