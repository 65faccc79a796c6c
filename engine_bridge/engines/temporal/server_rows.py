"""Rows of lists: what visibility says of a run."""

from __future__ import annotations

import re
from typing import Any, Final

from engine_bridge.engines.temporal import server_values as values
from engine_bridge.model import Run, Status

PROBLEMS: Final = "TemporalReportedProblems"
_SYSTEM: Final = {
    "TemporalScheduledById": "schedule",
    "TemporalScheduledStartTime": "scheduled_for",
    "TemporalChangeVersion": "patches",
    "BuildIds": "build_ids",
    PROBLEMS: "problems",
    "TemporalPauseInfo": "pause",
}
"""Search attributes that the system sets; what else is there was set by the application."""


def run_of(info: Any, now_ns: int) -> Run:
    """The run of a ``WorkflowExecutionInfo``; one that cannot be read says so, and keeps its ids."""
    try:
        return _run(info, now_ns)
    except (ValueError, TypeError, KeyError) as error:
        return Run(
            ref=values.ref(info.execution.workflow_id, info.execution.run_id),
            id=info.execution.workflow_id,
            type=info.type.name,
            status=Status.UNKNOWN,
            engine_status=str(info.status),
            engine="temporal",
            bad=f"This row cannot be read: {type(error).__name__}",
        )


def _run(info: Any, now_ns: int) -> Run:
    status, word = values.STATUSES.get(info.status, (Status.UNKNOWN, f"status {info.status}"))
    created, ended = values.time_ns(info, "start_time"), values.time_ns(info, "close_time")
    begins = values.time_ns(info, "execution_time") or created
    later = begins is not None and begins > (ended or now_ns)
    if status is Status.RUNNING and later:
        status = Status.DELAYED
    system, own = attributes_of(info)
    memo = values.values(info.memo.fields)
    return Run(
        ref=values.ref(info.execution.workflow_id, info.execution.run_id),
        id=info.execution.workflow_id,
        type=info.type.name,
        status=status,
        engine_status=word,
        engine="temporal",
        created_ns=created,
        started_ns=None if later else begins,
        ended_ns=ended,
        delay_until_ns=begins if later and ended is None else None,
        parent=parent_of(info),
        queue=info.task_queue or None,
        version=_version(info),
        priority=info.priority.priority_key or None,
        schedule=system.get("schedule"),
        now=_now(system.get("problems"), info),
        attributes={**own, **({"memo": memo} if memo else {})},
        extra=_extra(info, system),
    )


def attributes_of(info: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The search attributes that the system set, by our names, and those of the application."""
    found = values.values(info.search_attributes.indexed_fields)
    system = {ours: found[name] for name, ours in _SYSTEM.items() if found.get(name) is not None}
    own = {name: value for name, value in found.items() if name not in _SYSTEM}
    return system, own


def parent_of(info: Any) -> Any:
    parent = info.parent_execution
    return values.ref(parent.workflow_id, parent.run_id) if parent.workflow_id else None


def _version(info: Any) -> str | None:
    deployed = info.versioning_info.deployment_version
    if deployed.build_id:
        return f"{deployed.deployment_name}:{deployed.build_id}".lstrip(":")
    return info.assigned_build_id or info.most_recent_worker_version_stamp.build_id or None


def _now(problems: Any, info: Any) -> str:
    """What a list can say of an open run: the server reports workflow tasks that keep failing."""
    if not isinstance(problems, list) or values.STATUSES.get(info.status, (Status.UNKNOWN, ""))[0].closed:
        return ""
    causes = [_cause(str(problem)) for problem in problems if str(problem).startswith("cause=")]
    return f"workflow task fails: {', '.join(causes) or ', '.join(map(str, problems))}"


def _cause(problem: str) -> str:
    """``cause=WorkflowTaskFailedCauseNonDeterministicError`` as "non deterministic error"."""
    name = (
        problem.removeprefix("cause=").removeprefix("WorkflowTaskFailedCause").removeprefix("WorkflowWorker")
    )
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def _extra(info: Any, system: dict[str, Any]) -> dict[str, Any]:
    root = info.root_execution
    found: dict[str, Any] = {
        "run_id": info.execution.run_id,
        "history_length": info.history_length or None,
        "history_size_bytes": info.history_size_bytes or None,
        "state_transitions": info.state_transition_count or None,
        "first_run_id": info.first_run_id or None,
        "root": root.workflow_id if root.run_id and root.run_id != info.execution.run_id else None,
        **{name: value for name, value in system.items() if name != "schedule"},
    }
    return {name: value for name, value in found.items() if value is not None}
