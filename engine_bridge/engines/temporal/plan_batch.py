"""Batches: one operation on all runs that match a query, carried out by the server itself."""

from __future__ import annotations

import json
from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.confirm import LIMIT
from engine_bridge.actions.model import Change, Danger, Param, ParamType
from engine_bridge.engines.temporal import codec_plan
from engine_bridge.engines.temporal.actions_facts import MATCHES, STATUS
from engine_bridge.engines.temporal.actions_space import SpaceFacts, batch_query
from engine_bridge.engines.temporal.plan_base import REASON, Draft, Look, Signer, header, payload, payloads
from engine_bridge.engines.temporal.plan_message import given
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import counted, plain

_OPERATIONS: Final = (
    "signal",
    "cancel",
    "terminate",
    "reset to first workflow task",
    "reset to last workflow task",
    "delete",
)
_ALL_ELIGIBLE: Final = 3


def space(look: Look) -> SpaceFacts:
    if not isinstance(look.facts, SpaceFacts):
        raise TypeError("not a namespace")
    return look.facts


def effect(look: Look) -> tuple[str, str]:
    facts = space(look)
    if elsewhere(look):
        return "", elsewhere(look)
    if facts.running:
        return "", f"The namespace runs one batch at a time, and {plain(facts.running, 80)} is running."
    return (
        "The server itself does it to every run that matches, at its own rate, also when Playhead is closed.",
        "",
    )


def elsewhere(look: Look) -> str:
    """Why nothing can be done to a namespace, "" for that of the source."""
    if space(look).name == look.namespace:
        return ""
    return f"This source is namespace {look.namespace}: open the other one to act on it."


def params(look: Look) -> tuple[Param, ...]:
    """Which runs, and what is done to them."""
    return (
        Param(
            name="query",
            title="Query",
            doc="The server's own List Filter: WorkflowType = 'fulfil_order' and tenant = 'acme'. Where only open "
            "runs can be meant, that is added.",
        ),
        Param(
            name="operation", title="Operation", type=ParamType.CHOICE, default="cancel", choices=_OPERATIONS
        ),
        Param(name="name", title="Signal name", required=False, doc="For signal."),
        Param(
            name="args",
            title="Signal arguments",
            type=ParamType.JSON,
            required=False,
            doc="For signal; a JSON array.",
        ),
        Param(
            name="rate",
            title="Runs a second",
            type=ParamType.INTEGER,
            required=False,
            doc="A wish: what the server's own configuration allows is the limit.",
        ),
    )


def operation(look: Look) -> str:
    """Raises UsageError."""
    chosen = arguments.text(look.args, "operation") or ""
    if chosen not in _OPERATIONS:
        raise UsageError("Choose the operation.", f"Known: {', '.join(_OPERATIONS)}.")
    return chosen


def plan(look: Look) -> Draft:
    facts, chosen = space(look), operation(look)
    if not facts.query:
        raise UsageError("Give the query.", "The server's own List Filter: WorkflowType = 'fulfil_order'.")
    if not facts.matching:
        raise RejectedError(f"No run matches {plain(facts.query, 300)}.")
    if chosen == "signal":
        given(look)
    count = counted(facts.matching, "run")
    draft = Draft(
        title=f"Batch: {chosen} {count}",
        send=send,
        preconditions=(MATCHES,),
        changes=(
            Change(what="runs that match", before=count, after=_AFTER.get(chosen.partition(" ")[0], chosen)),
        ),
        cli=_cli(look, facts.query, chosen),
        params=params(look),
        new_run=chosen.startswith("reset"),
        irreversible="What the server has done is not taken back; the batch can be stopped on the way.",
        race="Runs that begin or end meanwhile are hit or missed: the server evaluates the query again. Playhead does "
        "not send it when more match than you confirmed.",
        side_effects=("Each run's history holds the reason, and the server's own identity.",),
        warnings=(f"The first of them: {', '.join(plain(one, 80) for one in facts.sample)}.",),
        dedupes=True,
        danger=Danger.DESTROYS if chosen == "delete" else Danger.CHANGES,
        typed=str(facts.matching) if facts.matching > LIMIT else "",
    )
    return codec_plan.told(look, draft, sends=chosen == "signal")


_AFTER: Final = {
    "signal": "signalled", "cancel": "asked to end", "terminate": "terminated", "reset": "reset, each a new run",
    "delete": "deleted",
}  # fmt: skip


def _cli(look: Look, query: str, chosen: str) -> tuple[str, ...]:
    verb, _, where = chosen.partition(" to ")
    words: tuple[str, ...] = ("workflow", verb, "--query", query, "--reason", REASON)
    rate = arguments.integer(look.args, "rate", 1)
    if rate is not None:
        words += ("--rps", str(rate))
    if verb == "signal":
        name, values = given(look)
        return (
            *words,
            "--name",
            name,
            *(word for value in values for word in ("--input", json.dumps(value))),
        )
    kinds = {"first workflow task": "FirstWorkflowTask", "last workflow task": "LastWorkflowTask"}
    return (*words, "--type", kinds[where]) if where else words


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import StartBatchOperationRequest

    request = StartBatchOperationRequest(
        namespace=look.namespace,
        job_id=signer.derived("batch"),
        reason=signer.text,
        visibility_query=batch_query(look.staged),
        max_operations_per_second=float(arguments.integer(look.args, "rate", 1) or 0),
    )
    _operate(request, look, signer)
    return "start_batch_operation", request


def _operate(request: Any, look: Look, signer: Signer) -> None:
    chosen = operation(look)
    if chosen == "signal":
        name, values = given(look)
        request.signal_operation.signal = name
        request.signal_operation.input.CopyFrom(codec_plan.payloads(look, payloads(values)))
        request.signal_operation.header.CopyFrom(header(signer))
        request.signal_operation.identity = signer.identity
    elif chosen == "cancel":
        request.cancellation_operation.identity = signer.identity
    elif chosen == "terminate":
        request.termination_operation.identity = signer.identity
        request.termination_operation.details.payloads.append(payload({"playhead_request_id": signer.id}))
    elif chosen == "delete":
        request.deletion_operation.identity = signer.identity
    else:
        options = request.reset_operation.options
        first = chosen == "reset to first workflow task"
        (options.first_workflow_task if first else options.last_workflow_task).SetInParent()
        options.reset_reapply_type = _ALL_ELIGIBLE
        request.reset_operation.identity = signer.identity


def stop_effect(look: Look) -> tuple[str, str]:
    state = space(look).state
    if state != "running":
        return "", f"It is {state or 'over'}."
    return "The server does it to no further run.", ""


def stop(look: Look) -> Draft:
    facts = space(look)
    return Draft(
        title=f"Stop the batch {plain(facts.job, 80)}",
        send=send_stop,
        preconditions=(STATUS,),
        changes=(Change(what="batch", before=facts.state, after="stopped"),),
        cli=("batch", "terminate", "--job-id", facts.job, "--reason", REASON),
        irreversible="What it has done stays done.",
    )


def send_stop(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import StopBatchOperationRequest

    return "stop_batch_operation", StopBatchOperationRequest(
        namespace=look.namespace, job_id=space(look).job, reason=signer.text, identity=signer.identity
    )
