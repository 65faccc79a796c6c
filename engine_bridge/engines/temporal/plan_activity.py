"""Pausing, trying again, completing and failing one pending activity. None of it but its end leaves an event."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType, Staged
from engine_bridge.engines.temporal import codec_plan
from engine_bridge.engines.temporal.actions_facts import ACTIVITY, RUN, SINCE, STATUS, RunFacts
from engine_bridge.engines.temporal.actions_read import Reads, execution
from engine_bridge.engines.temporal.group_facts import PendingActivity
from engine_bridge.engines.temporal.plan_base import REASON, Draft, Look, Signer, payloads, run_words
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import plain

_ENDS: Final = ("complete_activity", "fail_activity")
_WORDS: Final = {
    "pause_activity": "Pause",
    "unpause_activity": "Unpause",
    "reset_activity": "Try again at once",
    "complete_activity": "Complete",
    "fail_activity": "Fail",
}
_NO_ATTEMPT: Final = "No attempt is under way, and the server takes a failure for one only"
NO_EVENT: Final = (
    "The history does not show this: only Playhead's journal does, and the activity while it is pending."
)


def effect(look: Look) -> tuple[str, str]:
    """As for any activity of the run; whether it fits the chosen one is said by the plan."""
    run, action = look.run, look.staged.action
    if run.over:
        return "", run.over
    paused = [one for one in run.activities if "pause" in one.state]
    if not run.activities:
        return "", "No activity of this run is pending."
    if action == "unpause_activity" and not paused:
        return "", "No activity of this run is paused."
    if action == "pause_activity" and len(paused) == len(run.activities):
        return "", "Every pending activity of this run is paused."
    if action == "fail_activity" and not any(one.state == "started" for one in run.activities):
        return "", f"{_NO_ATTEMPT}. Complete it, or cancel the run."
    return _EFFECTS[action], ""


_EFFECTS: Final = {
    "pause_activity": "The server does not try it again until it is unpaused; an attempt under way goes on.",
    "unpause_activity": "The server tries it again.",
    "reset_activity": "Its attempts count from 1 again, and the next begins at once.",
    "complete_activity": "The run goes on with the result that you give; a worker's own comes too late.",
    "fail_activity": "The run's code sees the failure that you give, as if the activity had failed.",
}


def params(look: Look) -> tuple[Param, ...]:
    """Which one, and what each action takes."""
    ids = scheduled(look.reads, look.run)
    action = look.staged.action
    wanted = [one for one in look.run.activities if _fits(action, one) and one.activity_id in ids]
    default = ids[wanted[0].activity_id] if wanted else None
    step = Param(
        name="step",
        title="Activity",
        type=ParamType.STEP,
        required=False,
        default=None if default is None else str(default),
        doc="The step of the activity: the id of the event that scheduled it.",
        source="" if default is None else f"{wanted[0].activity_type}, attempt {wanted[0].attempt or 1}",
    )
    return step, *_OWN.get(action, ()), *(codec_plan.params(look) if action in _ENDS else ())


def _flag(name: str, title: str, doc: str, *, on: bool = False) -> Param:
    return Param(name=name, title=title, type=ParamType.BOOLEAN, required=False, default=on, doc=doc)


_OWN: Final = {
    "unpause_activity": (
        _flag("from_first", "Count attempts from 1", "Else it goes on with the next attempt."),
    ),
    "reset_activity": (
        _flag("keep_paused", "Keep it paused", "A paused one stays paused."),
        _flag("heartbeat", "Forget its heartbeat", "What its last attempt recorded is dropped."),
    ),
    "complete_activity": (
        Param(
            name="result",
            title="Result",
            type=ParamType.JSON,
            doc="What the run's code gets; sent as json/plain.",
        ),
    ),
    "fail_activity": (
        Param(name="message", title="Message", doc="What the failure says."),
        Param(
            name="type",
            title="Type",
            required=False,
            doc="By which retry policies and code tell failures apart.",
        ),
        _flag("final", "Not tried again", "Else the activity's retry policy decides.", on=True),
    ),
}


def _fits(action: str, one: PendingActivity) -> bool:
    paused = "pause" in one.state
    if action == "fail_activity":
        return one.state == "started"
    return paused if action == "unpause_activity" else not (paused and action == "pause_activity")


def scheduled(reads: Reads, run: RunFacts) -> dict[str, int]:
    """The ids of the events that scheduled the pending activities, by activity id."""
    wanted, found = {one.activity_id for one in run.activities}, dict[str, int]()
    for event in reads.backwards(run.ref):
        attributes = event.activity_task_scheduled_event_attributes
        if attributes.activity_id in wanted and attributes.activity_id not in found:
            found[attributes.activity_id] = event.event_id
            if len(found) == len(wanted):
                break
    return found


def chosen(look: Look) -> tuple[PendingActivity, int]:
    """The pending activity that a step is, and its event id. Raises UsageError and RejectedError."""
    ids = scheduled(look.reads, look.run)
    step = look.staged.target.step_id or arguments.text(look.args, "step")
    fitting = [one for one in look.run.activities if _fits(look.staged.action, one)]
    if step is None and len(fitting) == 1 and fitting[0].activity_id in ids:
        return fitting[0], ids[fitting[0].activity_id]
    if step is None:
        raise UsageError("Choose the activity.", f"Pending: {_listed(ids)}.")
    one = next((one for one in look.run.activities if str(ids.get(one.activity_id)) == step), None)
    if one is None:
        raise RejectedError(
            f"Step {plain(step, 60)} is no pending activity (any more).", f"Pending: {_listed(ids)}."
        )
    if not _fits(look.staged.action, one) and look.staged.action == "fail_activity":
        raise RejectedError(f"{_NO_ATTEMPT}: it is {one.state.replace('_', ' ')}.")
    if not _fits(look.staged.action, one):
        raise RejectedError(f"It is paused {one.note}." if "pause" in one.state else "It is not paused.")
    return one, ids[one.activity_id]


def _listed(ids: dict[str, int]) -> str:
    return ", ".join(f"step {event} (activity {plain(name, 60)})" for name, event in ids.items()) or "none"


def plan(look: Look) -> Draft:
    one, event = chosen(look)
    action = look.staged.action
    name = f"{one.activity_type} ({one.activity_id})"
    ended = action in _ENDS
    if ended:
        _answer(look)
    resolved = {**look.args, "step": str(event), "activity": one.activity_id}
    back = {"pause_activity": "unpause_activity", "unpause_activity": "pause_activity"}.get(action)
    inverse = Staged(target=look.staged.target, action=back, args={"step": str(event)}) if back else None
    draft = Draft(
        title=f"{_WORDS[action]}: activity {plain(name, 120)} of {look.run.ref.group}",
        send=send,
        preconditions=(RUN, STATUS, f"{ACTIVITY} {one.activity_id}", SINCE),
        args=resolved,
        changes=_changes(look, one),
        cli=_cli(look, one),
        inverse=inverse,
        irreversible="" if back else _IRREVERSIBLE[action],
        side_effects=() if ended else (NO_EVENT,),
        warnings=_warnings(action, one),
        params=params(look),
    )
    return codec_plan.told(look, draft, sends=ended)


_IRREVERSIBLE: Final = {
    "reset_activity": "An attempt that has begun is not taken back.",
    "complete_activity": "An activity ends once.",
    "fail_activity": "A failure that the code has seen is not taken back.",
}


def _changes(look: Look, one: PendingActivity) -> tuple[Change, ...]:
    attempt = str(one.attempt or 1)
    state = one.state.replace("_", " ")
    after = {
        "pause_activity": (Change(what="activity", before=state, after="paused"),),
        "unpause_activity": (Change(what="activity", before=state, after="scheduled"),),
        "reset_activity": (Change(what="attempt", before=attempt, after="1"),),
        "complete_activity": (Change(what="activity", before=state, after="completed"),),
        "fail_activity": (Change(what="activity", before=f"{state}, attempt {attempt}", after="failed"),),
    }
    return after[look.staged.action]


def _warnings(action: str, one: PendingActivity) -> tuple[str, ...]:
    if one.state == "started" and action in ("complete_activity", "fail_activity", "reset_activity"):
        return (
            f"An attempt is under way at {plain(one.worker, 80)}: it is not interrupted, and what it does is done.",
        )
    return ()


def _answer(look: Look) -> Any:
    """The result or the failure. Raises UsageError."""
    if look.staged.action == "complete_activity":
        if "result" not in look.args:
            raise UsageError("Give the result.", 'As JSON: "yes", 1, {"paid": true}, null.')
        return codec_plan.payloads(look, payloads([arguments.json_value(look.args, "result")]))
    from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure

    message = arguments.text(look.args, "message")
    if message is None:
        raise UsageError("Give the failure's message.")
    kind, final = arguments.text(look.args, "type") or "", arguments.boolean(look.args, "final", True)
    info = ApplicationFailureInfo(type=kind, non_retryable=final)
    made = Failure(message=message, source="playhead", application_failure_info=info)
    return codec_plan.failure(look, made)


def _cli(look: Look, one: PendingActivity) -> tuple[str, ...]:
    verb = look.staged.action.removesuffix("_activity")
    words = ("activity", verb, "--activity-id", one.activity_id, *run_words(look.run))
    if verb == "complete":
        import json

        return (*words, "--result", json.dumps(arguments.json_value(look.args, "result")))
    if verb == "fail":
        return (*words, "--reason", str(look.args.get("message")))
    if verb == "reset":
        flags = {"keep_paused": "--keep-paused", "heartbeat": "--clear-heartbeat-details"}
        return (*words, *(flag for name, flag in flags.items() if arguments.boolean(look.args, name)))
    return (*words, "--reason", REASON) if verb == "pause" else words


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    """By the activity id that the plan resolved."""
    return _SENDS[look.staged.action](look, str(look.args.get("activity")), signer)


def _pause(look: Look, id_: str, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import PauseActivityRequest

    return "pause_activity", PauseActivityRequest(
        namespace=look.namespace,
        execution=execution(look.run.ref),
        id=id_,
        identity=signer.identity,
        reason=signer.text,
        request_id=signer.id,
    )


def _unpause(look: Look, id_: str, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import UnpauseActivityRequest

    return "unpause_activity", UnpauseActivityRequest(
        namespace=look.namespace,
        execution=execution(look.run.ref),
        id=id_,
        identity=signer.identity,
        reset_attempts=arguments.boolean(look.args, "from_first"),
    )


def _reset(look: Look, id_: str, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import ResetActivityRequest

    return "reset_activity", ResetActivityRequest(
        namespace=look.namespace,
        execution=execution(look.run.ref),
        id=id_,
        identity=signer.identity,
        keep_paused=arguments.boolean(look.args, "keep_paused"),
        reset_heartbeat=arguments.boolean(look.args, "heartbeat"),
    )


def _end(look: Look, id_: str, signer: Signer) -> tuple[str, Any]:
    from temporalio.api import workflowservice as service

    word, field = (
        ("Completed", "result") if look.staged.action == "complete_activity" else ("Failed", "failure")
    )
    request = getattr(service.v1, f"RespondActivityTask{word}ByIdRequest")
    ref = look.run.ref
    given = {"workflow_id": ref.group, "run_id": ref.run, "activity_id": id_, field: _answer(look)}
    rpc = f"respond_activity_task_{word.lower()}_by_id"
    return rpc, request(namespace=look.namespace, identity=signer.identity, **given)


_SENDS: Final = {
    "pause_activity": _pause,
    "unpause_activity": _unpause,
    "reset_activity": _reset,
    "complete_activity": _end,
    "fail_activity": _end,
}
