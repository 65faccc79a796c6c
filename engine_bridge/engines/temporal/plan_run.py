"""Ending, pausing and deleting a run."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Danger, Param, ParamType, Staged
from engine_bridge.engines.temporal.actions_facts import CANCEL, EVENTS, PAUSED, RUN, SINCE, STATUS
from engine_bridge.engines.temporal.actions_read import execution
from engine_bridge.engines.temporal.plan_base import (
    REASON,
    Draft,
    Look,
    Signer,
    handle,
    no_worker,
    payload,
    run_words,
)
from engine_bridge.errors import UsageError
from engine_bridge.format import counted

_NO_PAUSE: Final = (
    "This namespace cannot pause runs (the server's setting frontend.WorkflowPauseEnabled is off)."
)


def cancel_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.over:
        return "", run.over
    if run.cancel_requested:
        return "", "Its cancellation was requested already. If its code does not end, terminate it."
    return "The run's code is asked to end: it may clean up first, or not listen.", ""


def cancel(look: Look) -> Draft:
    run = look.run
    return Draft(
        title=f"Cancel {run.ref.group}",
        send=send_cancel,
        preconditions=(RUN, STATUS, CANCEL, SINCE),
        changes=(Change(what=CANCEL, before="no", after="yes"),),
        cli=("workflow", "cancel", *run_words(run)),
        python=(handle(run), "await handle.cancel()"),
        irreversible="A request to cancel cannot be taken back.",
        side_effects=(
            "Its code decides what happens: activities and children under way are cancelled as it says.",
        ),
        warnings=no_worker(run),
        dedupes=True,
    )


def send_cancel(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest

    return "request_cancel_workflow_execution", RequestCancelWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_execution=execution(look.run.ref),
        first_execution_run_id=look.run.first_run_id,
        identity=signer.identity,
        request_id=signer.id,
        reason=signer.text,
    )


def terminate_effect(look: Look) -> tuple[str, str]:
    if look.run.over:
        return "", look.run.over
    return "The server ends the run at once; its code is not asked, and cleans nothing up.", ""


def terminate(look: Look) -> Draft:
    run = look.run
    return Draft(
        title=f"Terminate {run.ref.group}",
        send=send_terminate,
        preconditions=(RUN, STATUS, SINCE),
        changes=(Change(what="status", before=run.status, after="Terminated"),),
        cli=("workflow", "terminate", *run_words(run), "--reason", REASON),
        python=(handle(run), 'await handle.terminate(reason="<reason>")'),
        irreversible="A terminated run stays terminated. Reset makes a new run of its history.",
        side_effects=("No compensation runs: the workflow's code is not told.", *_left(look)),
    )


def _left(look: Look) -> tuple[str, ...]:
    run, found = look.run, []
    if run.activities:
        many = counted(len(run.activities), "activity", "activities")
        found.append(f"Not interrupted, but what comes of it is dropped: {many} under way.")
    if run.children:
        many = counted(len(run.children), "open child", "open children")
        fates = Counter(_CHILDREN.get(policy, _CHILDREN[0]) for policy in run.children)
        told = "; ".join(f"{count} {fate}" for fate, count in fates.items())
        found.append(f"Its {many}, by parent close policy: {told}.")
    return tuple(found)


_CHILDREN: Final = {
    0: "as the server's default says", 1: "terminated", 2: "left alone", 3: "asked to cancel",
}  # fmt: skip
"""What the server does to an open child when its parent ends, by ParentClosePolicy."""


def send_terminate(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.common.v1 import Payloads
    from temporalio.api.workflowservice.v1 import TerminateWorkflowExecutionRequest

    return "terminate_workflow_execution", TerminateWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_execution=execution(look.run.ref),
        first_execution_run_id=look.run.first_run_id,
        identity=signer.identity,
        reason=signer.reason,
        details=Payloads(payloads=[payload({"playhead_request_id": signer.id})]),
    )


def pause_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.over:
        return "", run.over
    if run.paused:
        return "", f"It is paused already, {run.paused}."
    if not run.can_pause:
        return "", _NO_PAUSE
    return "The server dispatches no more of its tasks; signals are still stored.", ""


def unpause_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.over or not run.paused:
        return "", run.over or "It is not paused."
    return f"It goes on: it was paused {run.paused}.", ""


def pause(look: Look) -> Draft:
    run, pausing = look.run, look.staged.action == "pause"
    verb, back = ("Pause", "unpause") if pausing else ("Unpause", "pause")
    words = ("not paused", "paused")
    return Draft(
        title=f"{verb} {run.ref.group}",
        send=send_pause,
        preconditions=(RUN, STATUS, PAUSED, SINCE),
        changes=(Change(what="run", before=words[not pausing], after=words[pausing]),),
        cli=("workflow", verb.lower(), *run_words(run), "--reason", REASON),
        inverse=Staged(target=look.staged.target, action=back),
        side_effects=("Activities under way go on to their end; updates are refused meanwhile.",)
        if pausing
        else (),
        dedupes=True,
    )


def send_pause(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api import workflowservice as service

    word = "Pause" if look.staged.action == "pause" else "Unpause"
    request = getattr(service.v1, f"{word}WorkflowExecutionRequest")
    ref = look.run.ref
    return f"{word.lower()}_workflow_execution", request(
        namespace=look.namespace,
        workflow_id=ref.group,
        run_id=ref.run,
        identity=signer.identity,
        reason=signer.reason,
        request_id=signer.id,
    )


def delete_params(look: Look) -> tuple[Param, ...]:
    """A running one needs a second word."""
    if look.run.closed:
        return ()
    doc = "It runs: the server terminates it first, and its code is not told. Say yes to that too."
    return (
        Param(name="terminate", title="Terminate it first", type=ParamType.BOOLEAN, default=False, doc=doc),
    )


def delete_effect(look: Look) -> tuple[str, str]:
    if look.run.closed:
        return "The server deletes its history and its entry in the lists, within seconds.", ""
    return "It runs: the server terminates it, then deletes its history and its entry in the lists.", ""


def delete(look: Look) -> Draft:
    run = look.run
    if not run.closed and not arguments.boolean(look.args, "terminate"):
        raise UsageError(
            "It is still running: deleting it terminates it.",
            "Say so too: Terminate it first (terminate=true).",
        )
    ended = () if run.closed else (Change(what="status", before=run.status, after="Terminated"),)
    return Draft(
        title=f"{'Delete' if run.closed else 'Terminate and delete'} {run.ref.group}",
        send=send_delete,
        preconditions=(RUN, STATUS, EVENTS),
        changes=(*ended, Change(what="history", before=f"{run.events} events", after="deleted")),
        cli=("workflow", "delete", *run_words(run)),
        params=delete_params(look),
        irreversible="What is deleted is gone.",
        side_effects=() if run.closed else _left(look),
        warnings=(
            "Export the run first: nothing brings it back.",
            "The server does not record who deleted it, nor why: only Playhead's journal does.",
        ),
        danger=Danger.DESTROYS,
    )


def send_delete(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

    return "delete_workflow_execution", DeleteWorkflowExecutionRequest(
        namespace=look.namespace, workflow_execution=execution(look.run.ref)
    )
