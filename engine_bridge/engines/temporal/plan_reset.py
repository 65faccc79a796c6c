"""Resetting a run: a new run from the end of a workflow task on, with a preview of what that does to the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Mark, Param, ParamType
from engine_bridge.engines.temporal.actions_facts import EVENTS, RUN, STATUS
from engine_bridge.engines.temporal.actions_read import execution
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.plan_base import REASON, Draft, Look, Signer, no_worker, run_words
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import counted, plain

LAST, FIRST, FAILED = "last workflow task", "first workflow task", "first failed step"
_ENDS: Final = ("WorkflowTaskCompleted", "WorkflowTaskFailed", "WorkflowTaskTimedOut")
_POINTS: Final = (*_ENDS, "WorkflowTaskStarted")
_FAILURES: Final = (
    "ActivityTaskFailed", "ActivityTaskTimedOut", "ActivityTaskCanceled", "ChildWorkflowExecutionFailed",
    "ChildWorkflowExecutionTimedOut", "StartChildWorkflowExecutionFailed", "NexusOperationFailed",
    "NexusOperationTimedOut", "WorkflowTaskFailed", "WorkflowTaskTimedOut",
)  # fmt: skip
_ALL_ELIGIBLE: Final = 3
_SIGNAL, _UPDATE = 1, 2
_SHOWN: Final = 12
_MARKED: Final = 200


def params(look: Look) -> tuple[Param, ...]:
    """Where to, and what is applied again."""
    step = Param(
        name="step",
        title="From step",
        type=ParamType.STEP,
        required=False,
        doc="What it does again: the run is reset to the end of the workflow task that began this step.",
    )
    to = Param(
        name="to",
        title="Or to the",
        type=ParamType.CHOICE,
        required=False,
        default=FAILED if look.run.status in ("Failed", "TimedOut") else LAST,
        choices=(LAST, FIRST, FAILED),
        doc="Where no step and no event is given.",
    )
    event = Param(
        name="event",
        title="Or to event",
        type=ParamType.INTEGER,
        required=False,
        doc="The event id of a workflow task's end.",
    )
    return step, to, event, *_switches()


def _switches() -> tuple[Param, ...]:
    return tuple(
        Param(
            name=name,
            title=f"Apply {name} again",
            type=ParamType.BOOLEAN,
            required=False,
            default=True,
            doc=f"The {name} that came after that point.",
        )
        for name in ("signals", "updates")
    )


def effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.events < 4:
        return "", "No workflow task has ended yet: there is nothing to go back to."
    end = "This run is terminated, and a" if not run.closed else "A"
    return (
        f"{end} new run goes on from an earlier workflow task; the plan shows what it keeps and does again.",
        "",
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a reset keeps and drops: ``kept`` events before the point, ``dropped`` ones from it on."""

    point: RawEvent
    kept: tuple[RawEvent, ...]
    dropped: tuple[RawEvent, ...]

    def of(self, *types: str) -> list[RawEvent]:
        return [event for event in self.dropped if event.type in types]


def plan(look: Look) -> Draft:
    run = look.run
    events = look.reads.history(run.ref)
    preview = previewed(events, point(look, events))
    excluded = _excluded(look)
    args = {"event": preview.point.id, "signals": 1 not in excluded, "updates": 2 not in excluded}
    names = ",".join(
        word for number, word in ((_SIGNAL, "Signal"), (_UPDATE, "Update")) if number in excluded
    )
    event = str(preview.point.id)
    return Draft(
        title=f"Reset {run.ref.group} to event {event}",
        send=send,
        preconditions=(RUN, STATUS, EVENTS),
        args=args,
        changes=(*_ended(look), *changes(preview, excluded)),
        cli=("workflow", "reset", *run_words(run), "--event-id", event, "--reason", REASON,
             *(("--reapply-exclude", names) if names else ())),
        new_run=True,
        irreversible="Terminate the new run to stop it; the old one stays as it ended.",
        race="The request id does not protect against a second reset: the server would make another run each time. "
        "Playhead never repeats it by itself.",
        side_effects=_again(preview),
        warnings=(*no_worker(run), *_warnings(preview)),
        cut=preview.point.id,
        marks=marks(preview, excluded),
    )  # fmt: skip


def _ended(look: Look) -> tuple[Change, ...]:
    if look.run.closed:
        return ()
    return (Change(what="this run", before=look.run.status, after="Terminated, when the new run begins"),)


def point(look: Look, events: Sequence[RawEvent]) -> int:
    """The id of the event to reset to. Raises UsageError and RejectedError."""
    event = arguments.integer(look.args, "event", 2)
    step = look.staged.target.step_id or arguments.text(look.args, "step")
    if event is not None:
        return _checked(events, event)
    if step is not None:
        return before_step(events, step)
    chosen = arguments.text(look.args, "to") or LAST
    ends = [one.id for one in events if one.type in _ENDS]
    if not ends:
        raise RejectedError("No workflow task has ended yet: there is nothing to go back to.")
    if chosen == FAILED:
        return _before_failure(events)
    if chosen not in (LAST, FIRST):
        raise UsageError(f"Nothing is called {plain(chosen, 60)}.", f"Known: {LAST}, {FIRST}, {FAILED}.")
    return ends[-1] if chosen == LAST else ends[0]


def _checked(events: Sequence[RawEvent], id_: int) -> int:
    found = next((one for one in events if one.id == id_), None)
    if found is None:
        raise UsageError(f"The run has no event {id_}.", f"It has {len(events)}.")
    if found.type not in _POINTS:
        near = ", ".join(str(one.id) for one in events if one.type in _ENDS and abs(one.id - id_) < 20)
        raise UsageError(
            f"Event {id_} is {found.type}: a run is reset to the end of a workflow task.",
            f"Near it: {near or 'none'}.",
        )
    return id_


def before_step(events: Sequence[RawEvent], step: str) -> int:
    """The end of the workflow task that began a step, or of the last one before what came from outside."""
    if not step.isdigit():
        raise UsageError(
            f"{plain(step, 60)} is no event id.", "A step is named by the id of its first event."
        )
    found = next((one for one in events if one.id == int(step)), None)
    if found is None:
        raise UsageError(f"The run has no event {step}.", f"It has {len(events)}.")
    own = int(found.attributes.get("workflowTaskCompletedEventId") or 0)
    ends = [one.id for one in events if one.type in _ENDS and one.id <= (own or found.id)]
    if not ends:
        raise RejectedError(f"No workflow task has ended before event {step}.")
    return ends[-1]


def _before_failure(events: Sequence[RawEvent]) -> int:
    """Before the first step that failed; where none did, the last workflow task."""
    for event in events:
        if event.type in ("WorkflowTaskFailed", "WorkflowTaskTimedOut"):
            return event.id
        if event.type in _FAILURES:
            began = event.attributes.get("scheduledEventId") or event.attributes.get("initiatedEventId")
            return before_step(events, str(began or event.id))
    return [one.id for one in events if one.type in _ENDS][-1]


def previewed(events: Sequence[RawEvent], id_: int) -> Preview:
    """What a reset to an event does: the new run's history is that of before it (server: ndc/workflow_resetter.go)."""
    kept = tuple(one for one in events if one.id < id_)
    dropped = tuple(one for one in events if one.id >= id_)
    return Preview(dropped[0], kept, dropped)


def changes(preview: Preview, excluded: Sequence[int]) -> tuple[Change, ...]:
    """Before and after, event by event where it matters."""
    point_, last = preview.point.id, preview.dropped[-1].id
    found = [
        Change(what="kept", before="", after=f"events 1 to {point_ - 1}"),
        Change(what=f"event {point_}", before=preview.point.type, after="WorkflowTaskFailed (reset)"),
        Change(what="dropped", before=f"events {point_} to {last}", after="not in the new run"),
    ]
    signals, updates = preview.of("WorkflowExecutionSignaled"), _updates(preview)
    found += [_again_applied("signal", one, _SIGNAL in excluded) for one in signals[:_SHOWN]]
    found += [_again_applied("update", one, _UPDATE in excluded) for one in updates[:_SHOWN]]
    more = max(0, len(signals) - _SHOWN) + max(0, len(updates) - _SHOWN)
    if more:
        found.append(Change(what=f"{more} more signals and updates", before="received", after="likewise"))
    return (*found, *_done_again(preview))


def marks(preview: Preview, excluded: Sequence[int]) -> tuple[Mark, ...]:
    """What is applied and executed again, event by event, in their order."""
    found = []
    for one in (*preview.of("WorkflowExecutionSignaled"), *_updates(preview)):
        kind = _UPDATE if "Update" in one.type else _SIGNAL
        change = _again_applied("update" if kind == _UPDATE else "signal", one, kind in excluded)
        found.append(
            Mark(position=one.id, kind="left" if kind in excluded else "applied", words=_told(change))
        )
    found += [
        Mark(position=one.id, kind="again", words=_told(_again_begun(one, preview)))
        for one in (*_ended_behind(preview), *_begun(preview))
    ]
    return tuple(sorted(found, key=lambda mark: mark.position)[:_MARKED])


def _told(change: Change) -> str:
    return f"{change.what}: {change.after}"


def _done_again(preview: Preview) -> list[Change]:
    """What begins again: a line each for what has effects, timers in one."""
    begun = _begun(preview)
    steps = [one for one in begun if one.type != "TimerStarted"]
    found = [_again_begun(one, preview) for one in steps[:_SHOWN]]
    if len(steps) > _SHOWN:
        found.append(Change(what=f"{len(steps) - _SHOWN} more steps", before="begun", after="executed again"))
    timers = len(begun) - len(steps)
    if timers:
        found.append(Change(what="timers", before=f"{timers} begun", after="started again"))
    return found


def _updates(preview: Preview) -> list[RawEvent]:
    return preview.of("WorkflowExecutionUpdateAccepted", "WorkflowExecutionUpdateAdmitted")


def _again_applied(kind: str, event: RawEvent, left_out: bool) -> Change:
    name = event.attributes.get("signalName") or event.attributes.get("acceptedRequest", {}).get(
        "input", {}
    ).get("name")
    after = "left out" if left_out else "applied again"
    return Change(
        what=f"{kind} {plain(str(name or ''), 80)}".strip(), before=f"event {event.id}", after=after
    )


_BEGINS: Final = {
    "ActivityTaskScheduled": ("activity", "activityType"),
    "StartChildWorkflowExecutionInitiated": ("child", "workflowType"),
    "NexusOperationScheduled": ("Nexus operation", "operation"),
    "TimerStarted": ("timer", ""),
    "SignalExternalWorkflowExecutionInitiated": ("signal to another run", "signalName"),
    "RequestCancelExternalWorkflowExecutionInitiated": ("cancellation of another run", ""),
}


def _begun(preview: Preview) -> list[RawEvent]:
    found = preview.of(*_BEGINS)
    return found + [one for one in preview.of("MarkerRecorded") if "LocalActivity" in _marker(one)]


def _marker(event: RawEvent) -> str:
    return str(event.attributes.get("markerName", "")).replace("_", " ").title().replace(" ", "")


_ENDED: Final = {
    "ActivityTaskCompleted": "completed", "ActivityTaskFailed": "failed", "ActivityTaskTimedOut": "timed out",
    "ActivityTaskCanceled": "cancelled", "ChildWorkflowExecutionCompleted": "completed",
    "ChildWorkflowExecutionFailed": "failed", "ChildWorkflowExecutionStarted": "started", "TimerFired": "fired",
    "TimerCanceled": "cancelled", "NexusOperationCompleted": "completed", "NexusOperationFailed": "failed",
}  # fmt: skip


def _again_begun(event: RawEvent, preview: Preview) -> Change:
    kind, key = _BEGINS.get(event.type, ("local activity", ""))
    name = event.attributes.get(key, "")
    name = name.get("name", "") if isinstance(name, dict) else name
    again = "started again" if kind in ("child", "timer") else "executed again"
    what = f"{kind} {plain(str(name), 80)}".strip()
    return Change(what=what, before=f"event {event.id}, {_end_of(event, preview)}", after=again)


def _end_of(event: RawEvent, preview: Preview) -> str:
    ended = "begun"
    if event.type == "MarkerRecorded":
        return "done"
    for other in preview.dropped:
        first = next((other.attributes[k] for k in _LINKS if k in other.attributes), None)
        if other.type in _ENDED and str(first) == str(event.id):
            ended = _ENDED[other.type]
    return ended


_LINKS: Final = ("scheduledEventId", "initiatedEventId", "startedEventId")


def _again(preview: Preview) -> tuple[str, ...]:
    done = [one for one in _begun(preview) if one.type in ("ActivityTaskScheduled", "MarkerRecorded")]
    if not done:
        return ("No activity is executed again; the code goes on from there.",)
    which = "1 activity is" if len(done) == 1 else f"{len(done)} activities are"
    return (f"{which} executed again, if the code takes the same way: what it does happens twice.",)


def _warnings(preview: Preview) -> tuple[str, ...]:
    found = []
    if preview.of("StartChildWorkflowExecutionInitiated"):
        found.append(
            "Children begun after that point are begun again: one of the same id that still runs is in the way."
        )
    open_ = _ended_behind(preview)
    if open_:
        many = counted(len(open_), "activity", "activities")
        found.append(f"Executed again too: {many} that began before that point and ended after it.")
    return tuple(found)


def _ended_behind(preview: Preview) -> list[RawEvent]:
    """The activities that began before the point and ended after it, by their beginnings."""
    ends = preview.of("ActivityTaskCompleted", "ActivityTaskFailed")
    begun = {int(one.attributes.get("scheduledEventId") or 0) for one in ends}
    return [one for one in preview.kept if one.type in _BEGINS and one.id in begun]


def _excluded(look: Look) -> list[int]:
    given = ((_SIGNAL, "signals"), (_UPDATE, "updates"))
    return [number for number, name in given if not arguments.boolean(look.args, name, True)]


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

    return "reset_workflow_execution", ResetWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_execution=execution(look.run.ref),
        reason=signer.text,
        workflow_task_finish_event_id=arguments.integer(look.args, "event", 2) or 0,
        request_id=signer.id,
        reset_reapply_type=_ALL_ELIGIBLE,  # type: ignore[arg-type]  # the generated enum is an int
        reset_reapply_exclude_types=_excluded(look),  # type: ignore[arg-type]
        identity=signer.identity,
    )
