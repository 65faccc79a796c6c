"""Runner part: what a workflow task brought to the code, in words."""

from __future__ import annotations

from typing import Any

_JOBS = {
    "initialize_workflow": "start",
    "start_workflow": "start",
    "fire_timer": "timer fired",
    "cancel_workflow": "cancellation requested",
    "update_random_seed": "reset",
    "query_workflow": "query",
    "resolve_signal_external_workflow": "signal delivered",
    "resolve_request_cancel_external_workflow": "cancellation delivered",
}
_RESULTS = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "backoff": "waits to be retried",
}
_OF = {
    "resolve_activity": ("schedule_activity", "schedule_local_activity"),
    "resolve_child_workflow_execution_start": ("start_child_workflow_execution",),
    "resolve_child_workflow_execution": ("start_child_workflow_execution",),
    "resolve_nexus_operation_start": ("schedule_nexus_operation",),
    "resolve_nexus_operation": ("schedule_nexus_operation",),
}
_MOST = 4


def jobs_told(jobs: list[tuple[str, Any]], commands: dict[tuple[str, int], Any]) -> str:
    """Jobs of an activation, each with its kind, in words, a few of them."""
    words = list(dict.fromkeys(job_told(what, job, commands) for what, job in jobs))
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more if words else "workflow task"


def job_told(what: str, job: Any, commands: dict[tuple[str, int], Any]) -> str:
    """One job."""
    about: Any = getattr(job, what, None)
    if what in _JOBS:
        return _JOBS[what]
    if what == "signal_workflow":
        return f"signal {about.signal_name}"
    if what == "do_update":
        return f"update {about.name}"
    if what == "notify_has_patch":
        return f"patch {about.patch_id}"
    if what in _OF:
        asked = next((commands[name, about.seq] for name in _OF[what] if (name, about.seq) in commands), None)
        name = asked.name if asked is not None else "what was awaited"
        return f"{name} {_result(what, about)}"
    return what.replace("_", " ")


def _result(what: str, about: Any) -> str:
    if what.endswith("_start"):
        return "could not start" if about.WhichOneof("status") == "failed" else "started"
    return _RESULTS.get(about.result.WhichOneof("status") or "", "completed")
