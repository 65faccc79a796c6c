"""What an action looks at: its target's present state, read the same way for the plan and right before sending.

The server has no compare-and-swap on a run's state; its run id, and that of the chain's first run, are the only guards
that it checks itself.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.actions.model import Precondition, Staged
from engine_bridge.engines.temporal import actions_space
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.actions_space import SpaceFacts
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.group_facts import PendingActivity, PendingTask
from engine_bridge.engines.temporal.server_describe import described
from engine_bridge.errors import NotFoundError
from engine_bridge.format import in_words, plain, timestamp
from engine_bridge.model import RunRef

RUN, STATUS, EVENTS, SINCE = "run id", "status", "events", "events, at least"
CANCEL, PAUSED, ACTIVITY = "cancellation requested", "paused", "activity"
STARTED, LEFT_OUT = "runs started", "runs left out"
MATCHES: Final = "runs that match, at most"
OPEN: Final = "open run of that id"
_TOLD: Final = 8


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One run now. ``status`` is the server's word; ``paused`` says by whom; ``pollers`` None: nobody can tell;
    ``children`` the parent close policies (numbers of ``ParentClosePolicy``) of open children."""

    ref: RunRef
    first_run_id: str
    type: str
    queue: str
    status: str
    closed: bool
    events: int
    cancel_requested: bool
    paused: str
    reset_to: str
    task: PendingTask | None
    activities: tuple[PendingActivity, ...]
    children: tuple[int, ...]
    pollers: int | None
    can_pause: bool
    request_ids: tuple[str, ...] = ()

    @property
    def over(self) -> str:
        """Why nothing can be done to a closed run, "" for an open one."""
        if not self.closed:
            return ""
        if self.status == "ContinuedAsNew":
            return "This run continued as new: act on the run that goes on."
        return f"The run is over ({self.status})."


class ScheduleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule now. ``left_out`` counts starts that its overlap policy skipped or its buffer had no room for,
    ``waiting`` those that wait for the end of another run."""

    id: str
    paused: bool
    notes: str
    started: int
    left_out: int
    waiting: int
    workflow: str


Facts = RunFacts | ScheduleFacts | SpaceFacts


def read(reads: Reads, staged: Staged) -> Facts:
    """The facts of a target. Raises NotFoundError."""
    kind, id_ = staged.target.kind, staged.target.id
    if kind == "schedules":
        return schedule(reads, id_)
    if kind == "namespaces":
        return actions_space.space(reads, staged)
    if kind == "batch operations":
        return actions_space.batch(reads, id_)
    return run(reads, ref_of(staged))


def ref_of(staged: Staged) -> RunRef:
    """The run that a target is, or is a part of; one that is named by its workflow id alone is the newest of it."""
    ref = staged.target.ref
    return values.ref(staged.target.id, "") if ref is None else ref


def run(reads: Reads, ref: RunRef) -> RunFacts:
    """One run. Raises NotFoundError."""
    answer = reads.describe(ref)
    found = described(answer, reads.client.now_ns())
    row, extra = found.row, found.row.extra
    info = answer.workflow_execution_info
    closed = row.status.closed
    return RunFacts(
        ref=found.ref,
        first_run_id=info.first_run_id,
        type=row.type,
        queue=row.queue or "",
        status=row.engine_status or "",
        closed=closed,
        events=found.length,
        cancel_requested=bool(extra.get("cancel_requested")),
        paused=found.pending.paused,
        reset_to=str(extra.get("reset_to") or ""),
        task=found.pending.task,
        activities=found.pending.activities,
        children=tuple(child.parent_close_policy for child in answer.pending_children),
        pollers=reads.pollers(row.queue) if row.queue else None,
        can_pause=closed or reads.can_pause(),
        request_ids=tuple(answer.workflow_extended_info.request_id_infos),
    )


def schedule(reads: Reads, id_: str) -> ScheduleFacts:
    """One schedule. Raises NotFoundError."""
    from temporalio.api.workflowservice.v1 import DescribeScheduleRequest

    request = DescribeScheduleRequest(namespace=reads.namespace, schedule_id=id_)
    answer = reads.call("describe_schedule", request, f"the schedule {id_}")
    state = answer.schedule.state
    return ScheduleFacts(
        id=id_,
        paused=state.paused,
        notes=state.notes,
        started=answer.info.action_count,
        left_out=answer.info.overlap_skipped + answer.info.buffer_dropped,
        waiting=answer.info.buffer_size,
        workflow=answer.schedule.action.start_workflow.workflow_type.name,
    )


def observed(facts: Facts, *names: str) -> tuple[Precondition, ...]:
    """The preconditions of a plan; an activity is named by its id ("activity 7")."""
    return tuple(Precondition(what=name, value=value_of(facts, name)) for name in names)


def value_of(facts: Facts, name: str) -> Any:
    """A precondition's value now."""
    if isinstance(facts, ScheduleFacts):
        return {PAUSED: facts.paused, STARTED: facts.started, LEFT_OUT: facts.left_out}.get(name)
    if isinstance(facts, SpaceFacts):
        return {STATUS: facts.state, MATCHES: facts.matching, OPEN: facts.open or "none"}.get(name)
    if name.startswith(f"{ACTIVITY} "):
        one = pending(facts, name.removeprefix(f"{ACTIVITY} "))
        return "not pending" if one is None else "paused" if "pause" in one.state else "pending"
    return {
        RUN: facts.ref.run, STATUS: facts.status, EVENTS: facts.events, SINCE: facts.events,
        CANCEL: facts.cancel_requested, PAUSED: bool(facts.paused),
    }.get(name)  # fmt: skip


def pending(facts: RunFacts, activity_id: str) -> PendingActivity | None:
    """A pending activity by its id."""
    return next((one for one in facts.activities if one.activity_id == activity_id), None)


def stale(
    preconditions: tuple[Precondition, ...], now: Facts, grows: tuple[str, ...] = (STARTED, LEFT_OUT)
) -> list[str]:
    """What is no longer as it was when it was planned, in words; ``grows`` may have: a schedule goes on."""
    found = []
    for one in preconditions:
        value = value_of(now, one.what)
        grown = one.what in (SINCE, *grows) and value >= one.value
        if value == one.value or grown or (one.what == MATCHES and value <= one.value):
            continue
        found.append(f"{one.what} was {in_words(one.value)} when it was planned, and is {in_words(value)}")
    return found


def planned_events(preconditions: tuple[Precondition, ...]) -> int:
    """How many events a run had when it was planned; 0 where nobody looked."""
    return next((int(p.value) for p in preconditions if p.what in (EVENTS, SINCE)), 0)


def told(events: list[RawEvent]) -> list[str]:
    """What happened, by whom: the first and the last of some events, in words."""
    lines = [line for line in map(_told, events, [events] * len(events)) if line]
    if len(lines) > _TOLD:
        lines = [*lines[: _TOLD - 2], f"… {len(lines) - _TOLD + 1} more …", lines[-1]]
    return lines


_SILENT: Final = ("WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted", "MarkerRecorded")


def _told(event: RawEvent, all_: list[RawEvent]) -> str:
    if event.type in _SILENT:
        return ""
    by = who_of(event, all_)
    named = event.attributes.get("signalName") or event.attributes.get("activityType", {}).get("name")
    of = f" {plain(str(named), 80)}" if named else ""
    following = event.attributes.get("newExecutionRunId")
    on = f"; run {following} goes on" if following else ""
    return (
        f"event {event.id}, {timestamp(event.time_ns)}: {event.type}{of}" + (f" by {by}" if by else "") + on
    )


def who_of(event: RawEvent, events: list[RawEvent]) -> str:
    """Who wrote an event: its own identity, or that of the worker whose workflow task ended in it."""
    own = event.attributes.get("identity")
    if own:
        return plain(str(own), 120)
    task = str(event.attributes.get("workflowTaskCompletedEventId", ""))
    for other in events:
        if str(other.id) == task and other.attributes.get("identity"):
            return f"worker {plain(str(other.attributes['identity']), 120)}"
    return ""


def is_gone(reads: Reads, ref: RunRef) -> bool:
    """Whether the server knows nothing of a run (any more)."""
    try:
        reads.describe(ref)
    except NotFoundError:
        return True
    return False
