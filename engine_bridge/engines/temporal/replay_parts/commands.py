"""Runner part: what the code commanded, by the type of the event that it becomes."""

from __future__ import annotations

from typing import Any

from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, SIGNALLED, told

BECOMES = {
    "schedule_activity": "ActivityTaskScheduled",
    "request_cancel_activity": "ActivityTaskCancelRequested",
    "start_timer": "TimerStarted",
    "cancel_timer": "TimerCanceled",
    "set_patch_marker": "MarkerRecorded",
    "schedule_local_activity": "MarkerRecorded",
    "start_child_workflow_execution": "StartChildWorkflowExecutionInitiated",
    "signal_external_workflow_execution": "SignalExternalWorkflowExecutionInitiated",
    "request_cancel_external_workflow_execution": "RequestCancelExternalWorkflowExecutionInitiated",
    "cancel_child_workflow_execution": "RequestCancelExternalWorkflowExecutionInitiated",
    "upsert_workflow_search_attributes": "UpsertWorkflowSearchAttributes",
    "modify_workflow_properties": "WorkflowPropertiesModified",
    "schedule_nexus_operation": "NexusOperationScheduled",
    "request_cancel_nexus_operation": "NexusOperationCancelRequested",
    "complete_workflow_execution": "WorkflowExecutionCompleted",
    "fail_workflow_execution": "WorkflowExecutionFailed",
    "cancel_workflow_execution": "WorkflowExecutionCanceled",
    "continue_as_new_workflow_execution": "WorkflowExecutionContinuedAsNew",
}
UPDATED = {"accepted": "Accepted", "completed": "Completed", "rejected": "Rejected"}
_NAMED = {
    "schedule_activity": "activity_type",
    "schedule_local_activity": "activity_type",
    "start_child_workflow_execution": "workflow_type",
    "signal_external_workflow_execution": "signal_name",
    "set_patch_marker": "patch_id",
}
_ENDINGS = {
    "complete_workflow_execution": "completion",
    "fail_workflow_execution": "failure",
    "cancel_workflow_execution": "cancellation",
    "continue_as_new_workflow_execution": "continuation",
}
KINDS = {
    "schedule_activity": "activity", "schedule_local_activity": "local activity", "start_timer": "timer",
    "start_child_workflow_execution": "child workflow", "set_patch_marker": "patch", "update_response": "update",
}  # fmt: skip


class Asked:
    """One command with the place that it came from. ``event`` is the one it became, None where there is none."""

    def __init__(self, command: Any, site: dict[str, Any]) -> None:
        self.what = str(command.WhichOneof("variant") or "")
        about: Any = getattr(command, self.what, None)
        self.about = about
        self.site = site
        self.metadata = getattr(command, "user_metadata", None)
        self.event: Any = None
        self.n = -1  # the step that it is told as
        self.type = BECOMES.get(self.what, "")
        if self.what == "update_response":
            self.type = "WorkflowExecutionUpdate" + UPDATED.get(str(self.about.WhichOneof("response")), "")
        self.name = self._name()
        self.key = self.type, "" if self.type == SIGNALLED else self.name

    def _name(self) -> str:
        if self.what == "schedule_nexus_operation":
            return f"{self.about.service}.{self.about.operation}"
        return str(getattr(self.about, _NAMED.get(self.what, ""), "") or "")

    @property
    def seq(self) -> int:
        return int(getattr(self.about, "seq", 0))

    @property
    def words(self) -> str:
        """The command in words, as its event is told."""
        if self.what == "set_patch_marker":
            return f"patch {self.name}"
        if self.what == "schedule_local_activity":
            return f"local activity {self.name}"
        return told(self.type, self.name) or self.what

    @property
    def title(self) -> str:
        """A short name, as the history's step has."""
        if self.type in ENDS:
            return f"{_ENDINGS[self.what]} of the run"
        return (
            self.name if self.name and self.what in KINDS and self.what != "set_patch_marker" else self.words
        )

    @property
    def tells(self) -> bool:
        """Whether it is a boundary of the code at all: an answer to a query is none."""
        return bool(self.type)
