"""The traces that a request leaves in a run's history: its id, or what derives from it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from engine_bridge.actions.model import Outcome, Verdict
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.act_trace import Trace, applied
from engine_bridge.engines.temporal.actions_facts import RunFacts
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.plan_base import Signer
from engine_bridge.engines.temporal.visibility_leaves import quoted
from engine_bridge.errors import NotFoundError, PlayheadError
from engine_bridge.format import counted, plain
from engine_bridge.model import RunRef

HELD: Final = "the server writes its event when the workflow task under way is over"
NOT_TAKEN: Final = "no worker has taken it yet"
FAILS: Final = "the run's workflow task fails: mend the code and deploy it"
_RUNS: Final = 100
_ACCEPTED: Final = 2


def one_event(
    name: str, mine: Callable[[RawEvent, Signer], bool], words: str
) -> Callable[[Trace], Outcome | None]:
    """An action that leaves one event, which a worker then sees."""

    def look(trace: Trace) -> Outcome | None:
        events = trace.events() if trace.now is not None else []
        own = next((one for one in events if one.type == name and mine(one, trace.signer)), None)
        if own is None:
            return held(trace)
        evidence = f"event {own.id} of the history is {words}, and carries this request's id"
        if name in _ENDING or any(one.type == "WorkflowTaskCompleted" and one.id > own.id for one in events):
            return applied(evidence)
        over = trace.run is not None and trace.run.closed
        return applied(evidence, pending="" if over else FAILS if failing(trace.run) else NOT_TAKEN)

    return look


def held(trace: Trace) -> Outcome | None:
    """What the server took while a worker has the run's workflow task: the event is written when that task is over."""
    if not trace.taken or not at_a_worker(trace.run):
        return None
    waits = f"{HELD} ({FAILS})" if failing(trace.run) else HELD
    return applied("the server took the request", pending=waits)


def at_a_worker(run: RunFacts | None) -> bool:
    """Whether a worker has the run's workflow task: until it is over the server keeps events back."""
    return run is not None and run.task is not None and run.task.started_ns is not None


_ENDING: Final = ("WorkflowExecutionTerminated", "WorkflowExecutionPaused", "WorkflowExecutionUnpaused")


def by_request(event: RawEvent, signer: Signer) -> bool:
    if event.attributes.get("requestId") == signer.id:
        return True
    field = event.attributes.get("header", {}).get("fields", {}).get("playhead")
    return field is not None and _text(field).get("request_id") == signer.id


def _text(payload: Any) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(payload.get("data", "")))
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def by_cause(event: RawEvent, signer: Signer) -> bool:
    return signer.tag in str(event.attributes.get("cause", ""))


def by_details(event: RawEvent, signer: Signer) -> bool:
    given = event.attributes.get("details", {}).get("payloads", [])
    return any(_text(one).get("playhead_request_id") == signer.id for one in given)


def update(trace: Trace) -> Outcome | None:
    events = trace.events() if trace.now is not None else []
    id_ = trace.signer.derived("update")
    accepted = _updated(events, "WorkflowExecutionUpdateAccepted", "acceptedRequest", id_)
    completed = next((one for one in events if one.attributes.get("meta", {}).get("updateId") == id_), None)
    if accepted is not None and completed is not None:
        failed = completed.attributes.get("outcome", {}).get("failure", {}).get("message")
        said = f"its handler failed: {plain(str(failed), 500)}" if failed else "its handler has ended"
        return applied(f"event {accepted.id} is its acceptance, event {completed.id} its end", said)
    if accepted is not None and trace.run is not None and trace.run.closed:
        said = f"its handler had not ended when the run did ({trace.run.status})"
        return applied(f"event {accepted.id} is its acceptance", said)
    if accepted is not None:
        return applied(f"event {accepted.id} is its acceptance", pending="its handler has not ended yet")
    return _not_accepted(trace, id_)


def _updated(events: list[RawEvent], name: str, key: str, id_: str) -> RawEvent | None:
    return next(
        (
            e
            for e in events
            if e.type == name and e.attributes.get(key, {}).get("meta", {}).get("updateId") == id_
        ),
        None,
    )


def _not_accepted(trace: Trace, id_: str) -> Outcome | None:
    answer = trace.answer
    if answer is not None and answer.HasField("outcome") and answer.outcome.HasField("failure"):
        why = plain(answer.outcome.failure.message, 500)
        said = ("The run's code rejected it, and nothing of it stays in the history.", why)
        return Outcome(verdict=Verdict.NOT_APPLIED, evidence=said)
    if answer is not None and answer.stage >= _ACCEPTED:
        return None
    return _waiting(trace, id_)


def _waiting(trace: Trace, id_: str) -> Outcome | None:
    """An update that the server holds for a worker, or has forgotten."""
    from temporalio.api.update.v1 import UpdateRef
    from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest

    from engine_bridge.engines.temporal.actions_read import execution

    ref = UpdateRef(workflow_execution=execution(trace.ref), update_id=id_)
    request = PollWorkflowExecutionUpdateRequest(namespace=trace.reads.namespace, update_ref=ref)
    try:
        trace.reads.call("poll_workflow_execution_update", request)
    except NotFoundError:
        said = "The server has no update of this request's id."
        return Outcome(verdict=Verdict.NOT_APPLIED, evidence=(said,))
    except PlayheadError:
        return None
    held = "The server holds it for a worker, in memory: it is forgotten if none comes, or if the server restarts."
    return Outcome(
        verdict=Verdict.UNKNOWN, evidence=(held,), pending=FAILS if failing(trace.run) else NOT_TAKEN
    )


def query(trace: Trace) -> Outcome | None:
    if trace.answer is None:
        return Outcome(verdict=Verdict.NOT_APPLIED, evidence=(_unanswered(trace), "A query changes nothing."))
    return applied("a worker answered", "a query leaves no event")


def _unanswered(trace: Trace) -> str:
    """Why no worker answered, and what to do."""
    run = trace.run
    if run is None or not run.pollers:
        where = "" if run is None else f" None polls task queue {plain(run.queue, 120)}:"
        return f"No worker answered.{where} start one that has this workflow's code, and ask again."
    if failing(run):
        return f"No worker answered: {FAILS}."
    who = counted(run.pollers, "worker")
    return (
        f"None of {who} on task queue {plain(run.queue, 120)} answered: busy, or a slow handler. Ask again."
    )


def failing(run: RunFacts | None) -> bool:
    """Whether nothing reaches the run's code because its workflow task fails again and again."""
    return run is not None and run.task is not None and (run.task.attempt or 0) > 1


def reset(trace: Trace) -> Outcome | None:
    point = int(trace.item.staged.args.get("event") or 0)
    for run_id in _later(trace):
        found = _made_by(trace, values.ref(trace.ref.group, run_id), point)
        if found:
            new = values.ref(trace.ref.group, found)
            return applied(f"run {found} begins with event {point} as this request's reset", new_ref=new)
    return None


def _later(trace: Trace) -> list[str]:
    """Runs that a reset may have made: what the server answered, the newest of the id, and those that are listed."""
    if trace.answer is not None:
        return [str(trace.answer.run_id)]
    newest = str(
        trace.reads.describe(values.ref(trace.ref.group, "")).workflow_execution_info.execution.run_id
    )
    found = [trace.run.reset_to if trace.run is not None else "", newest, *_listed(trace)]
    return [one for one in dict.fromkeys(found) if one and one != trace.ref.run]


def _listed(trace: Trace) -> list[str]:
    from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

    request = ListWorkflowExecutionsRequest(
        namespace=trace.reads.namespace, page_size=_RUNS, query=f"WorkflowId = {quoted(trace.ref.group)}"
    )
    return [one.execution.run_id for one in trace.reads.call("list_workflow_executions", request).executions]


def _made_by(trace: Trace, ref: RunRef, point: int) -> str:
    """The run that this request's reset made, where ``ref`` is it or goes back to it; "" where not."""
    try:
        events = trace.reads.since(ref, point - 1)
    except NotFoundError:
        return ""
    first = events[0] if events else None
    if first is None or first.type != "WorkflowTaskFailed":
        return ""
    mine = trace.signer.tag in str(first.attributes.get("failure", {}).get("message", ""))
    return str(first.attributes.get("newRunId") or ref.run) if mine else ""


def gone(trace: Trace) -> Outcome | None:
    """The server takes a deletion at once, and does it in the background."""
    if trace.now is None:
        return applied("the server does not know the run any more")
    waits = "the server deletes it in the background"
    return applied("the server took the request", pending=waits) if trace.taken else None
