"""Starting a workflow from nothing: its type, task queue and id, its input, and what else a start can say."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.temporal import codec_plan
from engine_bridge.engines.temporal.actions_facts import OPEN
from engine_bridge.engines.temporal.actions_space import SpaceFacts
from engine_bridge.engines.temporal.plan_base import Draft, Look, Signer, header, payload, payloads
from engine_bridge.engines.temporal.plan_batch import elsewhere, space
from engine_bridge.engines.temporal.plan_options import span_ns
from engine_bridge.engines.temporal.server_fields import search_attributes
from engine_bridge.engines.temporal.visibility_leaves import one_of, sendable
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import duration, plain

_FAIL, _TERMINATE = "refuse", "terminate the open one"
_CONFLICTS: Final = {_FAIL: (1, "Fail"), _TERMINATE: (3, "TerminateExisting")}
_ANY, _FAILED, _NEVER = "allow", "only after one that did not complete", "refuse"
_REUSES: Final = {
    _ANY: (1, "AllowDuplicate"),
    _FAILED: (2, "AllowDuplicateFailedOnly"),
    _NEVER: (3, "RejectDuplicate"),
}


class _Span(NamedTuple):
    """A duration of a start: its field of the request, its flag of the engine's command line, its name in Python."""

    name: str
    title: str
    field: str
    python: str
    doc: str

    @property
    def flag(self) -> str:
        return f"--{self.python.replace('_', '-')}"


_SPANS: Final = (
    _Span("execution_timeout", "All its runs may take", "workflow_execution_timeout", "execution_timeout",
          "Retries and continuations included."),
    _Span("run_timeout", "One run may take", "workflow_run_timeout", "run_timeout", "Of those that follow, each."),
    _Span("task_timeout", "A workflow task may take", "workflow_task_timeout", "task_timeout", "10 s if empty."),
    _Span("start_delay", "Starts after", "workflow_start_delay", "start_delay", "A signal starts it before."),
)  # fmt: skip


def effect(look: Look) -> tuple[str, str]:
    why = elsewhere(look)
    return ("" if why else "A new run starts, of a type, a task queue and an input that you give.", why)


def params(look: Look) -> tuple[Param, ...]:
    """What a run is started with."""
    return (
        Param(name="type", title="Workflow type", doc="As its workers register it."),
        Param(name="queue", title="Task queue", doc="That its workers poll."),
        Param(name="id", title="Workflow id", required=False, doc="Empty: its type, with something new added."),
        Param(
            name="args", title="Input", type=ParamType.JSON, required=False,
            doc='A JSON array of all arguments: ["order-17", {"express": true}].',
        ),
        Param(
            name="attributes", title="Search attributes", type=ParamType.JSON, required=False,
            doc='A JSON object: {"tenant": "acme"}.',
        ),
        Param(
            name="memo", title="Memo", type=ParamType.JSON, required=False, doc='A JSON object: {"note": "by hand"}.'
        ),
        *(
            Param(name=one.name, title=one.title, type=ParamType.DURATION, required=False, doc=one.doc)
            for one in _SPANS
        ),
        Param(
            name="conflict", title="While a run of its id is open", type=ParamType.CHOICE, required=False,
            default=_FAIL, choices=tuple(_CONFLICTS),
        ),
        Param(
            name="reuse", title="Where a run of its id is closed", type=ParamType.CHOICE, required=False,
            default=_ANY, choices=tuple(_REUSES),
        ),
    )  # fmt: skip


class Asked(NamedTuple):
    """What was given, checked."""

    type: str
    queue: str
    id: str | None
    input: list[Any]
    attributes: dict[str, Any]
    memo: dict[str, Any]
    spans: dict[_Span, int]
    conflict: str
    reuse: str


def asked(args: dict[str, Any]) -> Asked:
    """Raises UsageError."""
    given = [] if args.get("args") in (None, "") else arguments.json_value(args, "args")
    texts = {name: arguments.text(args, name) for name in ("type", "queue", "id", *(s.name for s in _SPANS))}
    if not texts["type"]:
        raise UsageError("Give the workflow's type.", "As its workers register it: type=fulfil_order.")
    if not texts["queue"]:
        raise UsageError("Give the task queue.", "That which its workers poll: queue=orders.")
    return Asked(
        type=texts["type"],
        queue=texts["queue"],
        id=texts["id"],
        input=given if isinstance(given, list) else [given],
        attributes=_object(args, "attributes"),
        memo=_object(args, "memo"),
        spans={one: span_ns(one.name, text) for one in _SPANS if (text := texts[one.name])},
        conflict=_choice(args, "conflict", _CONFLICTS),
        reuse=_choice(args, "reuse", _REUSES),
    )


def _object(args: dict[str, Any], name: str) -> dict[str, Any]:
    value = {} if args.get(name) in (None, "") else arguments.json_value(args, name)
    if not isinstance(value, dict):
        raise UsageError(f"{name} is no JSON object.", f'Write {name}={{"name": "value"}}.')
    return value


def _choice(args: dict[str, Any], name: str, known: dict[str, Any]) -> str:
    chosen = arguments.text(args, name) or next(iter(known))
    if chosen not in known:
        raise UsageError(f"{name} is {plain(chosen, 60)!r}.", f"Known: {', '.join(known)}.")
    return chosen


def new_id(args: dict[str, Any], signer: Signer) -> str:
    """The given workflow id, or one that the request's id makes new."""
    own = signer.derived("start")
    return (
        arguments.text(args, "id") or f"{arguments.text(args, 'type')}-{own[:8] if own[:1] != '<' else own}"
    )


def plan(look: Look) -> Draft:
    one, facts = asked(look.args), space(look)
    _refuse(one, facts)
    known = search_attributes(look.reads.client, look.reads.cancel)
    unknown = [name for name in one.attributes if name not in known]
    if unknown:
        raise RejectedError(
            f"The namespace has no search attribute {plain(unknown[0], 80)!r}.",
            f"It has {', '.join(known) or 'none'}.",
        )
    draft = Draft(
        title=f"Start {plain(one.type, 120)}",
        send=send,
        preconditions=(OPEN,),
        changes=_changes(one, facts, new_id(look.args, Signer())),
        cli=_cli(one),
        python=_python(one),
        params=params(look),
        new_run=True,
        irreversible="It runs as soon as a worker takes it; terminate it to stop it.",
        race="The server refuses it when a run of that workflow id was started in that very moment."
        if one.conflict == _FAIL
        else "The server terminates whatever run of that workflow id is open in that very moment.",
        warnings=_warnings(look, one),
        dedupes=True,
    )
    return codec_plan.told(look, draft, sends=bool(one.input or one.memo))


def _refuse(one: Asked, facts: SpaceFacts) -> None:
    """Raises RejectedError for what the server would refuse."""
    if facts.open and one.conflict == _FAIL:
        raise RejectedError(
            f"Run {facts.open} of {plain(one.id or '', 120)} is open.",
            f"Give another id, or say conflict={_TERMINATE}.",
        )
    closed = facts.last and not facts.open
    if closed and (one.reuse == _NEVER or (one.reuse == _FAILED and facts.last == "Completed")):
        raise RejectedError(f"A run of {plain(one.id or '', 120)} is there already: {facts.last}.")


def _changes(one: Asked, facts: SpaceFacts, made: str) -> tuple[Change, ...]:
    found = [Change(what="new run", before="none", after=f"{plain(made, 200)} on {plain(one.queue, 120)}")]
    if facts.open:
        found.append(
            Change(what=f"open run {facts.open}", before="Running", after="terminated by the server")
        )
    said = {
        "input": json.dumps(one.input, ensure_ascii=False) if one.input else "",
        "search attributes": _pairs(one.attributes),
        "memo": _pairs(one.memo),
    }
    found += [Change(what=name, before="none", after=plain(text, 400)) for name, text in said.items() if text]
    found += [
        Change(what=s.title.lower(), before="not set", after=duration(ns)) for s, ns in one.spans.items()
    ]
    return tuple(found)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())


def _warnings(look: Look, one: Asked) -> tuple[str, ...]:
    found = []
    if look.reads.pollers(one.queue) == 0:
        found.append(f"No worker polls task queue {plain(one.queue, 120)}.")
    if sendable(one.type) and not _runs(look, one.type):
        found.append(f"The namespace has no run of type {plain(one.type, 120)} so far: is it spelt so?")
    return tuple(found)


def _runs(look: Look, type_: str) -> int:
    from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

    clause = one_of("WorkflowType", [type_])
    request = CountWorkflowExecutionsRequest(namespace=look.namespace, query=clause)
    return int(look.reads.call("count_workflow_executions", request).count)


def _cli(one: Asked) -> tuple[str, ...]:
    pairs = [("--type", one.type), ("--task-queue", one.queue)]
    pairs += [("--workflow-id", one.id)] if one.id else []
    pairs += [("--input", json.dumps(value)) for value in one.input]
    pairs += [("--search-attribute", f"{name}={json.dumps(value)}") for name, value in one.attributes.items()]
    pairs += [("--memo", f"{name}={json.dumps(value)}") for name, value in one.memo.items()]
    pairs += [(span.flag, f"{ns / 1e9:.9f}".rstrip("0").rstrip(".") + "s") for span, ns in one.spans.items()]
    pairs += [("--id-conflict-policy", _CONFLICTS[one.conflict][1])] if one.conflict != _FAIL else []
    pairs += [("--id-reuse-policy", _REUSES[one.reuse][1])] if one.reuse != _ANY else []
    return ("workflow", "start", *(word for pair in pairs for word in pair))


def _python(one: Asked) -> tuple[str, ...]:
    options = [f"args={one.input!r}", f"id={one.id!r}" if one.id else "id=str(uuid.uuid4())"]
    options.append(f"task_queue={one.queue!r}")
    if one.memo:
        options.append(f"memo={one.memo!r}")
    if one.attributes:
        listed = {
            name: value if isinstance(value, list) else [value] for name, value in one.attributes.items()
        }
        options.append(f"search_attributes={listed!r}")
    options += [f"{span.python}=datetime.timedelta(seconds={ns / 1e9!r})" for span, ns in one.spans.items()]
    if one.conflict != _FAIL:
        options.append("id_conflict_policy=common.WorkflowIDConflictPolicy.TERMINATE_EXISTING")
    if one.reuse != _ANY:
        options.append(f"id_reuse_policy=common.WorkflowIDReusePolicy({_REUSES[one.reuse][0]})")
    return (
        "import datetime, uuid",
        "from temporalio import common",
        f"await client.start_workflow({', '.join([repr(one.type), *options])})",
    )


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

    one = asked(look.args)
    request = StartWorkflowExecutionRequest(
        namespace=look.namespace,
        workflow_id=new_id(look.args, signer),
        task_queue=TaskQueue(name=one.queue),
        identity=signer.identity,
        request_id=signer.id,
        workflow_id_conflict_policy=_CONFLICTS[one.conflict][0],  # type: ignore[arg-type]  # the generated enums are ints
        workflow_id_reuse_policy=_REUSES[one.reuse][0],  # type: ignore[arg-type]
        header=header(signer),
    )
    request.workflow_type.name = one.type
    if one.input:
        request.input.CopyFrom(codec_plan.payloads(look, payloads(one.input)))
    _describe(look, request, one)
    for span, ns in one.spans.items():
        getattr(request, span.field).FromNanoseconds(ns)
    return "start_workflow_execution", request


def _describe(look: Look, request: Any, one: Asked) -> None:
    """The memo, which a codec encodes as it does input, and search attributes, which the server must read."""
    if one.memo:
        sent = codec_plan.payloads(look, payloads(list(one.memo.values()))).payloads
        for name, value in zip(one.memo, sent, strict=True):
            request.memo.fields[name].CopyFrom(value)
    if one.attributes:
        known = search_attributes(look.reads.client, look.reads.cancel)
        for name, value in one.attributes.items():
            made = payload(value)
            made.metadata["type"] = known.get(name, "").encode()
            request.search_attributes.indexed_fields[name].CopyFrom(made)
