"""What an open run waits for, from recorded facts: pending work as the engine keeps it, open timers, children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine_bridge.engines.temporal.group_facts import Pending, PendingActivity, told
from engine_bridge.engines.temporal.group_failures import failure
from engine_bridge.model import Blocked, Evidence, Failure, Provenance, Run, RunRef, Status, Step, StepKind

_RECORDED: Final = Provenance.RECORDED


def blocked(
    pending: Pending,
    steps: Sequence[Step] | None,
    children: Sequence[tuple[RunRef, str, int]],
    now_ns: int,
    queue: str = "",
    task_failure: Failure | None = None,
) -> Blocked | None:
    """The foremost thing that an open run waits for; None when it is at work, or when nothing recorded tells.

    ``steps`` are the open ones of its history (None: it was not read); ``children`` the open ones: (run, type, id of
    the initiating event); ``task_failure`` is why the last workflow task failed.
    """
    return (
        _paused(pending)
        or _task(pending, queue, task_failure, now_ns)
        or _activity(pending, steps)
        or _nexus(pending, steps)
        or _child(children, steps)
        or _timer(steps)
        or _anything(pending, steps)
    )


def delayed(run: Run) -> Blocked | None:
    """What a run that has not begun waits for: its time."""
    if run.status is not Status.DELAYED:
        return None
    return Blocked(
        kind="delay",
        what="its start",
        since_ns=run.created_ns,
        until_ns=run.delay_until_ns,
        provenance=_RECORDED,
        evidence=_fact(
            "its time of execution lies ahead", "a start delay, a cron schedule, or a retry's back-off"
        ),
    )


def _fact(rule: str, *facts: str) -> tuple[Evidence, ...]:
    return (Evidence(rule=rule, facts=tuple(fact for fact in facts if fact)),)


def _paused(pending: Pending) -> Blocked | None:
    if not pending.paused:
        return None
    return Blocked(
        kind="paused",
        what=f"an operator: it was paused {told(pending.paused)}",
        provenance=_RECORDED,
        evidence=_fact("the server says who paused it"),
        hint="Unpause it to go on.",
    )


def _task(pending: Pending, queue: str, why: Failure | None, now_ns: int) -> Blocked | None:
    task = pending.task
    if task is None:
        return None
    tries = task.attempt or 1
    if tries > 1:
        said = f": {why.type}: {why.message}".rstrip(": ") if why is not None else ""
        return Blocked(
            kind="version",
            what=f"its code: the workflow task fails (attempt {tries}){said}",
            since_ns=task.scheduled_ns if why is None else why.time_ns,
            provenance=_RECORDED,
            evidence=_fact("the pending workflow task counts its attempts", f"attempt {tries}"),
            hint="Mend the workflow's code and deploy it: the task is tried again. Or reset the run.",
            failure=why,
        )
    if task.started_ns is not None:
        return None
    if pending.pollers == 0:
        return Blocked(
            kind="queue",
            what=f"a worker: none polls task queue {queue}",
            since_ns=task.scheduled_ns,
            provenance=_RECORDED,
            evidence=_fact("its workflow task is scheduled and not started", "the task queue has no poller"),
            hint="Start a worker for this task queue, or check the queue's name.",
        )
    later = task.scheduled_ns is not None and task.scheduled_ns > now_ns
    return Blocked(
        kind="delay" if later else "queue",
        what="its start" if later else f"a worker of task queue {queue}",
        since_ns=None if later else task.scheduled_ns,
        until_ns=task.scheduled_ns if later else None,
        provenance=_RECORDED,
        evidence=_fact("its workflow task is scheduled and not started"),
    )


def _activity(pending: Pending, steps: Sequence[Step] | None) -> Blocked | None:
    if not pending.activities:
        return None
    one = min(pending.activities, key=_urgency)
    step = _step_of(one, steps)
    name = step.name if step is not None else one.activity_type or one.activity_id
    more = len(pending.activities) - 1
    others = f" and {more} more" if more else ""
    return Blocked(
        kind="retry" if one.failure is not None and one.next_attempt_ns else "step",
        what=f"activity {name}{_state(one)}{others}",
        since_ns=step.start_ns if step is not None else one.scheduled_ns,
        until_ns=one.next_attempt_ns or one.expires_ns,
        step_id=step.id if step is not None else None,
        provenance=_RECORDED,
        evidence=_fact(
            "the server counts its attempts and keeps the last failure",
            _attempt(one),
            f"last worker: {one.worker}" if one.worker else "",
        ),
        hint=_hint(one),
        failure=failure(one.failure),
    )


def _urgency(one: PendingActivity) -> tuple[bool, bool, int]:
    """Paused ones first, then those that fail, those with most attempts above."""
    return "pause" not in one.state, one.failure is None, -(one.attempt or 1)


def _step_of(one: PendingActivity, steps: Sequence[Step] | None) -> Step | None:
    """The open step of an activity: servers name it by its activity id alone."""
    wanted = str(one.scheduled_event_id)
    activities = [step for step in steps or () if step.kind is StepKind.STEP]
    return next(
        (s for s in activities if s.id == wanted or s.attributes.get("activityId") == one.activity_id), None
    )


def _attempt(one: PendingActivity) -> str:
    return f"attempt {one.attempt or 1} of {one.max_attempts or 'any number'}"


def _state(one: PendingActivity) -> str:
    why = failure(one.failure)
    said = f": {why.type}: {why.message}".rstrip(": ") if why is not None else ""
    if "pause" in one.state:
        return f", which was paused {told(one.note)}".rstrip() + said
    if (one.attempt or 1) > 1 or why is not None:
        return f", {_attempt(one)}{said}"
    if one.state != "started":
        return ", which no worker has taken"
    return f", at worker {one.worker}" if one.worker else ", at a worker"


def _hint(one: PendingActivity) -> str:
    if "pause" in one.state:
        return "Unpause the activity to go on."
    if one.failure is not None:
        return "See its failure; mend the cause, or complete, fail or reset the activity."
    return ""


def _nexus(pending: Pending, steps: Sequence[Step] | None) -> Blocked | None:
    if not pending.nexus:
        return None
    one = min(pending.nexus, key=lambda op: (op.failure is None, -(op.attempt or 0), op.scheduled_event_id))
    step = next((step for step in steps or () if step.id == str(one.scheduled_event_id)), None)
    why = failure(one.failure)
    said = f": {why.type}: {why.message}".rstrip(": ") if why is not None else ""
    tries = f", attempt {one.attempt}" if (one.attempt or 1) > 1 else ""
    more = f" and {len(pending.nexus) - 1} more" if len(pending.nexus) > 1 else ""
    state = one.state.replace("_", " ")
    return Blocked(
        kind="retry" if one.failure is not None and one.next_attempt_ns else "step",
        what=f"Nexus operation {one.name} ({state}{tries}){said}{more}"
        + (f": {one.note}" if one.note else ""),
        since_ns=step.start_ns if step is not None else one.scheduled_ns,
        until_ns=one.next_attempt_ns,
        step_id=str(one.scheduled_event_id),
        provenance=_RECORDED,
        evidence=_fact("the server lists it as pending", f"endpoint {one.endpoint}" if one.endpoint else ""),
        failure=why,
    )


def _child(children: Sequence[tuple[RunRef, str, int]], steps: Sequence[Step] | None) -> Blocked | None:
    if not children:
        return None
    ref, kind, event = children[0]
    step = next((step for step in steps or () if step.id == str(event)), None)
    more = f" and {len(children) - 1} more" if len(children) > 1 else ""
    return Blocked(
        kind="child",
        what=f"child {kind} {ref.group}{more}",
        since_ns=step.start_ns if step is not None else None,
        ref=ref,
        step_id=str(event) if event else None,
        provenance=_RECORDED,
        evidence=_fact("the server lists it as an open child"),
    )


def _timer(steps: Sequence[Step] | None) -> Blocked | None:
    timers = [step for step in steps or () if step.kind is StepKind.TIMER]
    if not timers:
        return None
    first = min(timers, key=lambda step: step.planned_end_ns or 2**63)
    more = f" and {len(timers) - 1} more" if len(timers) > 1 else ""
    return Blocked(
        kind="timer",
        what=f"timer {first.detail}".rstrip() + more,
        since_ns=first.start_ns,
        until_ns=first.planned_end_ns,
        step_id=first.id,
        provenance=_RECORDED,
        evidence=_fact("the history holds its start, and no end", f"event {first.id}"),
        hint="A signal or an update may go on before it fires.",
    )


def _anything(pending: Pending, steps: Sequence[Step] | None) -> Blocked | None:
    if steps is None or pending.task is not None:
        return None
    return Blocked(
        kind="signal",
        what="a signal or an update",
        provenance=Provenance.INFERRED,
        evidence=_fact("no workflow task, activity, timer or child is pending, so nothing else can wake it"),
        hint="Its queries and its stack trace tell what it waits for; they need a worker.",
    )
