"""Starting a new run like another: with its type, input, time-outs, memo and search attributes."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.temporal import codec_plan
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.actions_facts import RUN
from engine_bridge.engines.temporal.payloads import json_value
from engine_bridge.engines.temporal.plan_base import Draft, Look, Signer, header, payloads
from engine_bridge.format import plain

_ALLOW_DUPLICATE: Final = 1
_FAIL_IF_RUNNING: Final = 1
_COPIED: Final = (
    "workflow_execution_timeout",
    "workflow_run_timeout",
    "workflow_task_timeout",
    "retry_policy",
    "memo",
    "priority",
)
_READABLE: Final = 20_000
_OWN_ATTRIBUTES: Final = ("BuildIds", "TemporalChangeVersion", "BatcherUser")


def params(look: Look) -> tuple[Param, ...]:
    """Its id, its input and its task queue, prefilled."""
    given = _inputs(look.reads.started(look.run.ref).input)
    doc = "A JSON array of all arguments; sent as json/plain when you change it."
    lost = "It is no JSON, or encrypted, or long: leave this empty to send it as it is stored."
    return (
        Param(
            name="id",
            title="Workflow id",
            required=False,
            doc="Leave it empty for the old id with something added that is new.",
        ),
        Param(
            name="args",
            title="Input",
            type=ParamType.JSON,
            required=False,
            default=given,
            doc=doc if given is not None else f"{doc} {lost}",
            source="" if given is None else f"run {look.run.ref.run}",
        ),
        Param(name="queue", title="Task queue", required=False, default=look.run.queue),
        *codec_plan.params(look),
    )


def effect(look: Look) -> tuple[str, str]:
    return f"A new run of {plain(look.run.type, 120)} starts, with the stored input unless you edit it.", ""


def _inputs(given: Any) -> list[Any] | None:
    """Arguments as JSON values; None where one is something else, or all are too long for a field."""
    if sum(len(one.data) for one in given.payloads) > _READABLE:
        return None
    found = []
    for payload in given.payloads:
        one = values.stored(payload)
        if one.encoding not in ("json/plain", "binary/null"):
            return None
        found.append(json_value(one) if one.data else None)
    return found


def new_id(look: Look, signer: Signer) -> str:
    """The workflow id of the new run: the given one, or one that the request's id makes new."""
    own = signer.derived("start")
    return arguments.text(look.args, "id") or f"{look.run.ref.group}-{own[:8] if own[:1] != '<' else own}"


def plan(look: Look) -> Draft:
    started = look.reads.started(look.run.ref)
    queue = arguments.text(look.args, "queue") or look.run.queue
    edited = _edited(look, started.input) is not None
    count = look.reads.pollers(queue)
    warnings = [f"No worker polls task queue {plain(queue, 120)}."] if count == 0 else []
    if started.cron_schedule:
        warnings.append(f"The cron schedule {plain(started.cron_schedule, 80)} is not copied: it runs once.")
    if started.HasField("parent_workflow_execution"):
        warnings.append("The old run has a parent; the new one has none, and nobody waits for its result.")
    draft = Draft(
        title=f"Start a run like {look.run.ref.group}",
        send=send,
        preconditions=(RUN,),
        changes=(
            Change(what="new run", before="none", after=f"{new_id(look, Signer())} on {plain(queue, 120)}"),
            Change(what="input", before="stored", after="as you edited it" if edited else "the same"),
        ),
        params=params(look),
        new_run=True,
        irreversible="It runs as soon as a worker takes it; terminate it to stop it.",
        race="The server refuses it while another run of that workflow id is open.",
        warnings=tuple(warnings),
        dedupes=True,
    )
    return codec_plan.told(look, draft, sends=edited)


def _edited(look: Look, stored: Any) -> Any:
    """Edited input, None where it is the stored one."""
    if look.args.get("args") in (None, ""):
        return None
    given = arguments.json_value(look.args, "args")
    given = given if isinstance(given, list) else [given]
    return None if given == _inputs(stored) else codec_plan.payloads(look, payloads(given))


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.common.v1 import SearchAttributes
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

    started = look.reads.started(look.run.ref)
    request = StartWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_id=new_id(look, signer),
        workflow_type=started.workflow_type,
        task_queue=TaskQueue(name=arguments.text(look.args, "queue") or look.run.queue),
        input=_edited(look, started.input) or started.input,
        identity=signer.identity,
        request_id=signer.id,
        workflow_id_reuse_policy=_ALLOW_DUPLICATE,  # type: ignore[arg-type]  # the generated enums are ints
        workflow_id_conflict_policy=_FAIL_IF_RUNNING,  # type: ignore[arg-type]
        header=started.header,
    )
    request.header.fields["playhead"].CopyFrom(header(signer).fields["playhead"])
    for name in _COPIED:
        if started.HasField(name):
            getattr(request, name).CopyFrom(getattr(started, name))
    own = {
        name: one
        for name, one in started.search_attributes.indexed_fields.items()
        if name not in _OWN_ATTRIBUTES
    }
    if own:
        request.search_attributes.CopyFrom(SearchAttributes(indexed_fields=own))
    return "start_workflow_execution", request
