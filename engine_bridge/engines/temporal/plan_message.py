"""Sending a message into a run: signal, update, query."""

from __future__ import annotations

import json
from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.temporal import codec_plan
from engine_bridge.engines.temporal.actions_facts import RUN, SINCE, STATUS
from engine_bridge.engines.temporal.actions_read import execution
from engine_bridge.engines.temporal.plan_base import (
    Draft,
    Look,
    Signer,
    handle,
    header,
    no_worker,
    payloads,
    run_words,
)
from engine_bridge.errors import UsageError
from engine_bridge.format import plain

WAIT_S: Final = 10
"""How long an update's answer is waited for, and a query's."""
_COMPLETED: Final = 3
_LAST: Final = 200


def _name(kind: str, default: str | None = None, source: str = "") -> Param:
    return Param(
        name="name",
        title=f"{kind} name",
        default=default,
        source=source,
        doc="As the workflow's code declares it.",
    )


def _args(default: Any = None, source: str = "") -> Param:
    return Param(
        name="args",
        title="Arguments",
        type=ParamType.JSON,
        required=False,
        default=default,
        source=source,
        doc='A JSON array of all arguments, ["ann", 3]; anything else is the only argument; empty for none. '
        "Sent as json/plain.",
    )  # fmt: skip


def given(look: Look) -> tuple[str, list[Any]]:
    """The handler's name and its arguments. Raises UsageError."""
    return message_of(look.args)


def message_of(args: dict[str, Any]) -> tuple[str, list[Any]]:
    """The same of an action's arguments."""
    name = arguments.text(args, "name")
    if name is None:
        raise UsageError("Give the name of the handler.", "As the workflow's code declares it: name=approve.")
    if args.get("args") in (None, ""):
        return name, []
    value = arguments.json_value(args, "args")
    return name, value if isinstance(value, list) else [value]


def _shown(name: str, values: list[Any]) -> str:
    return f"{plain(name, 120)}({plain(', '.join(json.dumps(v, ensure_ascii=False) for v in values), 300)})"


def _inputs(values: list[Any]) -> tuple[str, ...]:
    return tuple(word for value in values for word in ("--input", json.dumps(value)))


def signal_params(look: Look) -> tuple[Param, ...]:
    """Name and arguments: only the code knows which it takes."""
    return _name("Signal"), _args(), *codec_plan.params(look)


def signal_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.over:
        return "", run.over
    if run.paused:
        return "The signal is stored in the history now; the code sees it when the run is unpaused.", ""
    if run.pollers == 0:
        return f"The signal is stored now; the code sees it when a worker polls task queue {run.queue}.", ""
    return "The signal is stored in the history, and the run's code sees it at once.", ""


def signal(look: Look) -> Draft:
    run = look.run
    name, values = given(look)
    call = f"await handle.signal({name!r}, args={values!r})"
    draft = Draft(
        title=f"Send the signal {plain(name, 120)} to {run.ref.group}",
        send=send_signal,
        preconditions=(RUN, STATUS, SINCE),
        changes=(
            Change(what="history", before=f"{run.events} events", after=f"one more: {_shown(name, values)}"),
        ),
        cli=("workflow", "signal", *run_words(run), "--name", name, *_inputs(values)),
        python=(handle(run), call),
        params=signal_params(look),
        irreversible="A signal stays in the history; the code may act on it at once.",
        race="The server drops a second signal of the same request id.",
        warnings=no_worker(run),
        dedupes=True,
    )
    return codec_plan.told(look, draft, sends=bool(values))


def send_signal(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

    name, values = given(look)
    return "signal_workflow_execution", SignalWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_execution=execution(look.run.ref),
        signal_name=name,
        input=codec_plan.payloads(look, payloads(values)),
        identity=signer.identity,
        request_id=signer.id,
        header=header(signer),
    )


def update_params(look: Look) -> tuple[Param, ...]:
    return _name("Update"), _args(), *codec_plan.params(look)


def update_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.over:
        return "", run.over
    if run.paused:
        return "", "The run is paused: the server takes no updates. Unpause it first."
    if run.pollers == 0:
        return f"No worker polls task queue {run.queue}: it waits, and is forgotten if none comes.", ""
    return "The run's code validates it and runs its handler; the answer is shown.", ""


def update(look: Look) -> Draft:
    run = look.run
    name, values = given(look)
    call = f"print(await handle.execute_update({name!r}, args={values!r}))"
    draft = Draft(
        title=f"Send the update {plain(name, 120)} to {run.ref.group}",
        send=send_update,
        preconditions=(RUN, STATUS, SINCE),
        changes=(Change(what="update", before="none", after=f"{_shown(name, values)}, and its answer"),),
        cli=("workflow", "update", "execute", *run_words(run), "--name", name, *_inputs(values)),
        python=(handle(run), call),
        params=update_params(look),
        irreversible="What its handler does is done.",
        race="The server runs an update of the same id only once.",
        side_effects=("Its validator may reject it: then nothing of it stays in the history.",),
        warnings=no_worker(run),
        dedupes=True,
    )
    return codec_plan.told(look, draft, sends=bool(values))


def send_update(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
    from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest

    name, values = given(look)
    return "update_workflow_execution", UpdateWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_execution=execution(look.run.ref),
        first_execution_run_id=look.run.first_run_id,
        wait_policy=WaitPolicy(lifecycle_stage=_COMPLETED),  # type: ignore[arg-type]  # the generated enum is an int
        request=Request(
            meta=Meta(update_id=signer.derived("update"), identity=signer.identity),
            input=Input(header=header(signer), name=name, args=codec_plan.payloads(look, payloads(values))),
        ),
    )


def query_params(look: Look) -> tuple[Param, ...]:
    return _name("Query"), _args(), *codec_plan.params(look)


def query_effect(look: Look) -> tuple[str, str]:
    run = look.run
    if run.pollers == 0:
        return f"It cannot be answered before a worker polls task queue {run.queue}.", ""
    return "A worker replays the run's code and runs its query handler; the history does not change.", ""


def query(look: Look) -> Draft:
    run = look.run
    name, values = given(look)
    call = f"print(await handle.query({name!r}, args={values!r}))"
    draft = Draft(
        title=f"Ask {run.ref.group} the query {plain(name, 120)}",
        send=send_query,
        preconditions=(RUN,),
        changes=(Change(what="answer", before="", after="shown when a worker answered"),),
        cli=("workflow", "query", *run_words(run), "--name", name, *_inputs(values)),
        python=(handle(run), call),
        params=query_params(look),
        side_effects=("It runs the user's code in a live worker. The history does not change.",),
        warnings=no_worker(run),
    )
    return codec_plan.told(look, draft, sends=bool(values))


def send_query(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.query.v1 import WorkflowQuery
    from temporalio.api.workflowservice.v1 import QueryWorkflowRequest

    name, values = given(look)
    return "query_workflow", QueryWorkflowRequest(
        namespace=look.namespace,
        execution=execution(look.run.ref),
        query=WorkflowQuery(
            query_type=name,
            query_args=codec_plan.payloads(look, payloads(values)),
            header=header(signer),
        ),
    )
