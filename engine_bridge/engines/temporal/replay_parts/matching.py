"""Runner part: which event each command became, and the first place where commands and events part.

Core says whether a replay holds, with no line and often no event; this says where. Left out of the order are what core
answers by name and not by place (patches, updates, local activities), and commands that it takes back before they
become events (a timer that is cancelled in the same workflow task).
"""

from __future__ import annotations

from typing import NamedTuple

from engine_bridge.engines.temporal.replay_parts.commands import Asked
from engine_bridge.engines.temporal.replay_parts.recorded import Happened, Task

TAKEN_BACK = {
    "cancel_timer": "start_timer",
    "request_cancel_activity": "schedule_activity",
    "cancel_child_workflow_execution": "start_child_workflow_execution",
    "request_cancel_nexus_operation": "schedule_nexus_operation",
}
_ACCEPTED = "WorkflowExecutionUpdateAccepted"
_MAYBE = frozenset(
    {"request_cancel_activity", "cancel_child_workflow_execution", "request_cancel_nexus_operation"}
)


class Parting(NamedTuple):
    """The first difference: an event without its command, a command without its event, or one for the other.

    ``at`` counts the commands of the task before it.
    """

    event: Happened | None
    asked: Asked | None
    at: int


class Matcher:
    """Finds the event of each command of one workflow task, as they are asked for."""

    def __init__(self, task: Task | None) -> None:
        self._left = list(task.events) if task is not None else []
        self._ids = {identity_of(event) for event in self._left} - {""}

    def match(self, asked: Asked) -> Happened | None:
        """The event that a command became: the one of its own id, else the first of its kind that is left."""
        same = [event for event in self._left if event.key == asked.key]
        own = identity_asked(asked)
        found = next((event for event in same if own and identity_of(event) == own), None)
        if found is None and own and asked.what == "start_timer" and _comes(same, asked.seq):
            return None  # taken back in this very task: the next one has an event
        found = found or next(iter(same), None)
        if found is not None:
            self._left.remove(found)
        return found


def _comes(events: list[Happened], seq: int) -> bool:
    return any(event.about.timer_id.isdigit() and int(event.about.timer_id) > seq for event in events)


def identity_of(event: Happened) -> str:
    """What the SDK numbers or names a command by, as its event keeps it."""
    about = event.about
    if event.type == "TimerStarted":
        return str(about.timer_id)
    if event.type == "ActivityTaskScheduled":
        return str(about.activity_id)
    if event.type == "StartChildWorkflowExecutionInitiated":
        return str(about.workflow_id)
    if event.type == _ACCEPTED:
        return str(about.protocol_instance_id)
    return str(event.marked.get("seq") or "") if event.is_local else ""


def identity_asked(asked: Asked) -> str:
    """The same of a command."""
    about = asked.about
    if asked.what == "schedule_activity":
        return str(about.activity_id or about.seq)
    if asked.what in ("start_timer", "schedule_local_activity"):
        return str(about.seq)
    if asked.what == "start_child_workflow_execution":
        return str(about.workflow_id)
    return str(about.protocol_instance_id) if asked.what == "update_response" else ""


def parting_of(task: Task, asked: list[Asked], local: dict[str, str]) -> Parting | None:
    """Where a workflow task's commands and events part, None when they do not.

    ``local`` are the types of local activities by number, of the whole run.
    """
    found = [_in_order(task, asked), _named(task, asked, local)]
    return min((one for one in found if one is not None), key=_place_of, default=None)


def _place_of(parting: Parting) -> float:
    return parting.event.id if parting.event is not None else float("inf")


def _in_order(task: Task, asked: list[Asked]) -> Parting | None:
    wanted, given = ordered_events(task), ordered_commands(asked)
    for at, (event, command) in enumerate(zip(wanted, given, strict=False)):
        if event.key != command.key or _other_child(event, command):
            return Parting(event, command, at)
    at = min(len(wanted), len(given))
    if len(wanted) > at:
        local = [one for one in asked if one.what == "schedule_local_activity"]
        return Parting(wanted[at], local[-1] if local else None, at)
    return Parting(None, given[at], at) if len(given) > at else None


def _other_child(event: Happened, asked: Asked) -> bool:
    """Whether another child is started, which core sees by its id."""
    is_child = asked.what == "start_child_workflow_execution" and asked.about.workflow_id
    return bool(is_child and identity_of(event) != identity_asked(asked))


def ordered_events(task: Task) -> list[Happened]:
    """The events whose order counts."""
    return [
        event
        for event in task.events
        if not (event.is_patch or event.is_local or "Update" in event.type or _of_core(event))
    ]


def _of_core(event: Happened) -> bool:
    """Core itself writes the versions of a run behind a patch's marker."""
    if event.type != "UpsertWorkflowSearchAttributes":
        return False
    return set(event.about.search_attributes.indexed_fields) == {"TemporalChangeVersion"}


def ordered_commands(asked: list[Asked]) -> list[Asked]:
    """The commands whose order counts, without those that were taken back."""
    begun = {(one.what, one.seq) for one in asked}
    gone: set[tuple[str, int]] = set()
    for one in asked:
        start = (TAKEN_BACK.get(one.what, ""), cancelled_seq(one))
        if start in begun:
            gone |= {start, (one.what, one.seq)}
    by_name = (
        "set_patch_marker",
        "schedule_local_activity",
        "request_cancel_local_activity",
        "update_response",
    )
    gone |= {(one.what, one.seq) for one in asked if one.what in _MAYBE and one.event is None}
    return [one for one in asked if one.tells and one.what not in by_name and (one.what, one.seq) not in gone]


def cancelled_seq(asked: Asked) -> int:
    """The number of what a command cancels."""
    return int(getattr(asked.about, "child_workflow_seq", 0) or asked.seq)


def _named(task: Task, asked: list[Asked], local: dict[str, str]) -> Parting | None:
    """Patches, updates and local activities have names: those that the history has must be commanded."""
    patches = {one.name for one in asked if one.what == "set_patch_marker"}
    accepted = {identity_asked(one) for one in asked if one.type == _ACCEPTED}
    for event in task.events:
        if event.is_patch and event.name not in patches and not event.marked.get("deprecated"):
            return Parting(event, None, 0)
        if event.type == _ACCEPTED and identity_of(event) not in accepted:
            return Parting(event, None, 0)
        if event.is_local and local.get(identity_of(event)) != event.name:
            instead = (one for one in asked if one.name == event.name)
            return Parting(event, next(instead, None), 0)
    return None
