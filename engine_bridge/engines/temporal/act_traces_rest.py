"""Traces of what is done to activities, schedules and batches, and of runs started like another."""

from __future__ import annotations

from typing import Final

from engine_bridge.actions.model import Outcome, Verdict
from engine_bridge.engines.temporal import plan_new, plan_options
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.act_trace import Trace, applied
from engine_bridge.engines.temporal.act_traces_run import held
from engine_bridge.engines.temporal.actions_facts import LEFT_OUT, STARTED, ScheduleFacts, pending
from engine_bridge.engines.temporal.actions_space import START, SpaceFacts, progress
from engine_bridge.engines.temporal.group_facts import PendingActivity
from engine_bridge.engines.temporal.plan_backfill import MOST
from engine_bridge.errors import NotFoundError
from engine_bridge.format import counted, plain

_RUNNING: Final = 1
_COMPLETED: Final = 2
_ENDS: Final = ("ActivityTaskCompleted", "ActivityTaskFailed")


def _activity(trace: Trace) -> PendingActivity | None:
    run = trace.run
    return None if run is None else pending(run, str(trace.item.staged.args.get("activity")))


def paused_activity(trace: Trace) -> Outcome | None:
    """Who paused it and why stands beside a pending activity."""
    one = _activity(trace)
    if one is None or "pause" not in one.state or trace.signer.tag not in one.note:
        ended = "the activity has ended since, or is paused no more"
        return applied(ended) if trace.applied else None
    waits = "its attempt under way has not ended yet" if one.state == "pause_requested" else ""
    return applied(f"the server lists it as paused {one.note}", pending=waits)


def set_going(trace: Trace) -> Outcome | None:
    """Nothing tells whose request it was: only that the server took ours."""
    one = _activity(trace)
    if not trace.taken:
        return None
    if one is None:
        return applied("the server took the request; the activity has ended since")
    if "pause" in one.state and not trace.item.staged.args.get("keep_paused"):
        return None
    return applied(f"the server took the request; the activity is {one.state}, attempt {one.attempt or 1}")


def options_set(trace: Trace) -> Outcome | None:
    """The server describes an activity with its options; whose request set them it does not tell."""
    one, args = _activity(trace), trace.item.staged.args
    wanted = plan_options.given(args)
    if one is None or one.options is None:
        return (
            applied("the server took the request; the activity has ended since")
            if trace.answer is not None
            else None
        )
    if not wanted:
        if trace.answer is None:
            said = "Whether they are as the code set them is not told by the server."
            return Outcome(verdict=Verdict.UNKNOWN, evidence=(said,))
        return applied("the server took the request, and answered the options of the code")
    after = plan_options.as_json(wanted)
    if any(
        not plan_options.same(plan_options.at(one.options, path), plan_options.at(after, path))
        for path in wanted
    ):
        return None
    return applied("the server lists the activity with these options", "it does not record who set them")


def ended_activity(trace: Trace) -> Outcome | None:
    """The event of its end names who ended it; an activity ends once."""
    step = str(trace.item.staged.args.get("step"))
    for event in trace.events() if trace.now is not None else []:
        same = str(event.attributes.get("scheduledEventId")) == step
        by = str(event.attributes.get("identity", ""))
        if same and event.type in _ENDS and by.startswith("playhead:"):
            return applied(f"event {event.id} is its end, by {plain(by, 120)}")
    return _failed_attempt(trace)


def _failed_attempt(trace: Trace) -> Outcome | None:
    one, given = _activity(trace), trace.item.staged.args.get("message")
    said = None if one is None or one.failure is None else one.failure.get("message")
    if trace.answer is None or given is None or said != given:
        return held(trace)
    return applied("its last failure is the given one; its retry policy decides what follows")


def started(trace: Trace) -> Outcome | None:
    """The new run's first event carries the request's id."""
    ref = values.ref(_new_id(trace), trace.answer.run_id if trace.answer is not None else "")
    try:
        found = trace.reads.describe(ref).workflow_execution_info.execution
        first = trace.reads.started(values.ref(found.workflow_id, found.run_id))
    except NotFoundError:
        return None
    field = first.header.fields.get("playhead")
    if field is None or trace.signer.id not in field.data.decode(errors="replace"):
        return None
    new = values.ref(found.workflow_id, found.run_id)
    return applied(f"run {new.run} of {plain(new.group, 120)} carries this request's id", new_ref=new)


def _new_id(trace: Trace) -> str:
    if trace.item.staged.action == START:
        return plan_new.new_id(trace.item.staged.args, trace.signer)
    given = trace.item.staged.args.get("id")
    return str(given) if given else f"{trace.ref.group}-{trace.signer.derived('start')[:8]}"


def noted(trace: Trace) -> Outcome | None:
    """A schedule keeps the note of its last pause or end of a pause."""
    facts = trace.now
    if not isinstance(facts, ScheduleFacts) or trace.signer.tag not in facts.notes:
        return None
    return applied(f"the schedule is {'paused' if facts.paused else 'active'}: {plain(facts.notes, 300)}")


def triggered(trace: Trace) -> Outcome | None:
    """A schedule counts the runs that it started, and those that it left out."""
    facts = trace.now
    if not isinstance(facts, ScheduleFacts) or not trace.taken:
        return None
    if _more(trace, STARTED, facts.started):
        return applied(_counts(trace, facts))
    if _more(trace, LEFT_OUT, facts.left_out):
        said = "The server took the request and started nothing: the overlap policy leaves a run out while one is open."
        return Outcome(verdict=Verdict.NOT_APPLIED, evidence=(said, _counts(trace, facts)))
    if not facts.waiting:
        return None
    waits = "it waits in the schedule's buffer for the end of another run"
    return applied("the server took the request", pending=waits)


def backfilled(trace: Trace) -> Outcome | None:
    """A schedule counts the runs that it started; those of a backfill may follow one another."""
    facts = trace.now
    if not isinstance(facts, ScheduleFacts) or not trace.taken:
        return None
    wanted = int(trace.item.staged.args.get("times") or 0)
    begun = _more(trace, STARTED, facts.started)
    over = begun + _more(trace, LEFT_OUT, facts.left_out)
    told = ("the server took the request", _counts(trace, facts))
    if over >= wanted and (wanted < MOST or not facts.waiting):
        return applied(*told)
    return applied(*told, pending=f"{begun} of {wanted} runs have been started so far")


def _more(trace: Trace, name: str, now: int) -> int:
    """How much a count has grown since it was planned."""
    return now - next((int(p.value) for p in trace.item.preconditions if p.what == name), now)


def _counts(trace: Trace, facts: ScheduleFacts) -> str:
    left_out = _more(trace, LEFT_OUT, facts.left_out)
    also = f", and left out {left_out}" if left_out else ""
    begun = counted(_more(trace, STARTED, facts.started), "run")
    return f"the schedule has started {begun} since{also}; {facts.started} in all"


def batch(trace: Trace) -> Outcome | None:
    """The batch's id is the request's; the server counts what is done."""
    job = trace.signer.derived("batch")
    try:
        at = progress(trace.reads, job)
    except NotFoundError:
        return None
    done = f"{at.complete_operation_count} of {at.total_operation_count} done, {at.failure_operation_count} failed"
    if at.state == _RUNNING:
        # Until the server has counted its runs it says 0 of 0.
        far = done if at.total_operation_count else "its runs are being counted"
        return applied(f"batch {job} is running", pending=f"the batch is under way: {far}")
    if at.state == _COMPLETED:
        return applied(f"batch {job} is completed: {done}")
    return applied(f"batch {job} was stopped, or has failed: {done} when it was last counted")


def stopped(trace: Trace) -> Outcome | None:
    facts = trace.now
    if not isinstance(facts, SpaceFacts) or facts.state == "running" or trace.answer is None:
        return None
    return applied(f"the batch is over; the server calls one that was stopped {facts.state}")
