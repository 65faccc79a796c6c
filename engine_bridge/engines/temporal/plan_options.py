"""Changing the options of one pending activity: its time-outs, its retries, its task queue."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType, Staged
from engine_bridge.engines.temporal.actions_facts import ACTIVITY, RUN, SINCE, STATUS
from engine_bridge.engines.temporal.actions_read import execution
from engine_bridge.engines.temporal.events_values import duration_ns
from engine_bridge.engines.temporal.group_facts import PendingActivity
from engine_bridge.engines.temporal.plan_activity import NO_EVENT, chosen
from engine_bridge.engines.temporal.plan_activity import params as step_params
from engine_bridge.engines.temporal.plan_base import Draft, Look, Signer, run_words
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.format import duration
from engine_bridge.query import literals

RESTORE: Final = "restore"
_NOT_KEPT: Final = "The options that it has now are kept nowhere: set them again to have them back."
_ONLY_BACK: Final = (
    "Only the options that the code set can be given back: As the code set them (restore=true)."
)


class Option(NamedTuple):
    """One option: ``path`` in the API's ActivityOptions, ``flag`` of the engine's command line."""

    name: str
    title: str
    type: ParamType
    path: str
    flag: str
    doc: str


_D: Final = ParamType.DURATION
OPTIONS: Final = (
    Option("start_to_close", "One attempt may take", _D, "start_to_close_timeout", "start-to-close-timeout",
           "From its start at a worker to its end."),
    Option("schedule_to_close", "All attempts may take", _D, "schedule_to_close_timeout", "schedule-to-close-timeout",
           "From its scheduling to its last end."),
    Option("schedule_to_start", "May wait for a worker", _D, "schedule_to_start_timeout", "schedule-to-start-timeout",
           "From its scheduling to its start."),
    Option("heartbeat", "Between heartbeats", _D, "heartbeat_timeout", "heartbeat-timeout",
           "How long a worker may keep silent."),
    Option("queue", "Task queue", ParamType.TEXT, "task_queue.name", "task-queue", "Whose workers take it."),
    Option("attempts", "Attempts at most", ParamType.INTEGER, "retry_policy.maximum_attempts",
           "retry-maximum-attempts", "The first included; 0: any number."),
    Option("first_interval", "First wait between attempts", _D, "retry_policy.initial_interval",
           "retry-initial-interval", "Before the second attempt."),
    Option("longest_interval", "Longest wait between attempts", _D, "retry_policy.maximum_interval",
           "retry-maximum-interval", "However many attempts there were."),
    Option("coefficient", "Waits grow by", ParamType.NUMBER, "retry_policy.backoff_coefficient",
           "retry-backoff-coefficient", "1: all waits are the same."),
)  # fmt: skip


def effect(look: Look) -> tuple[str, str]:
    """As for any activity of the run; whether it fits the chosen one is said by the plan."""
    run = look.run
    if run.over or not run.activities:
        return "", run.over or "No activity of this run is pending."
    if not any(one.options is not None for one in run.activities):
        return "", "This server does not tell the options of activities; it needs a newer version."
    return "The next attempt has the new options; one that is under way keeps its own.", ""


def params(look: Look) -> tuple[Param, ...]:
    """Which activity, and each option with its present value."""
    (step,) = step_params(look)
    one = next((one for one in look.run.activities if one.options is not None), None)
    found = [_param(option, one) for option in OPTIONS]
    restore = Param(
        name=RESTORE, title="As the code set them", type=ParamType.BOOLEAN, required=False, default=False,
        doc="All options back to what the workflow's code gave; nothing else is changed then.",
    )  # fmt: skip
    return step, *found, restore


def _param(option: Option, one: PendingActivity | None) -> Param:
    now = "" if one is None else f" Now {shown(at(one.options, option.path))}."
    return Param(
        name=option.name, title=option.title, type=option.type, required=False, doc=f"{option.doc}{now}"
    )


def at(options: dict[str, Any] | None, path: str) -> Any:
    """An option's value in protobuf JSON; None where it is not set."""
    value: Any = options
    for word in path.split("."):
        first, *rest = word.split("_")
        value = (
            value.get(first + "".join(part.capitalize() for part in rest))
            if isinstance(value, dict)
            else None
        )
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values of protobuf JSON mean the same: what is not set is nought."""
    return (one or "0s") == (other or "0s")


def shown(value: Any) -> str:
    """A value of protobuf JSON in words."""
    if value in (None, "", "0s"):
        return "none"
    ns = duration_ns(value)
    return str(value) if ns is None else duration(ns)


def given(args: dict[str, Any]) -> dict[str, Any]:
    """The options that are asked for, by path: durations in ns. Raises UsageError."""
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if option.type is ParamType.INTEGER:
            value: Any = arguments.integer(args, option.name, 0)
        else:
            value = arguments.text(args, option.name)
        if value is None:
            continue
        if option.type is ParamType.DURATION:
            value = span_ns(option.name, value)
        elif option.type is ParamType.NUMBER:
            value = _number(option.name, value)
        found[option.path] = value
    return found


def span_ns(name: str, text: str) -> int:
    """A duration as it was given, in ns. Raises UsageError."""
    value = int(text) if text.isdigit() else literals.duration(text.replace(" ", ""))
    if value is None or value < 0:
        raise UsageError(f"{name} is {text!r}, which is no duration.", "Write 90s or 1h30m.")
    return value


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value < 1e9:
        raise UsageError(f"{name} is {text!r}; it must be a number from 1 on.")
    return value


def message(wanted: dict[str, Any]) -> Any:
    """ActivityOptions with some options set."""
    from temporalio.api.activity.v1 import ActivityOptions

    made = ActivityOptions()
    durations = {option.path for option in OPTIONS if option.type is ParamType.DURATION}
    for path, value in wanted.items():
        *parents, last = path.split(".")
        holder = made
        for parent in parents:
            holder = getattr(holder, parent)
        if path in durations:
            getattr(holder, last).FromNanoseconds(value)
        else:
            setattr(holder, last, value)
    return made


def as_json(wanted: dict[str, Any]) -> dict[str, Any]:
    """The same in protobuf JSON, as the server's description is."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message(wanted))


def plan(look: Look) -> Draft:
    one, event = chosen(look)
    if one.options is None:
        raise RejectedError("This server does not tell this activity's options; it needs a newer version.")
    restore, wanted = arguments.boolean(look.args, RESTORE), given(look.args)
    if restore == bool(wanted):
        raise UsageError(
            "Give the options to change, or only that they be as the code set them (restore=true)."
        )
    changes = _changes(one, wanted)
    if wanted and not changes:
        raise RejectedError("The activity has these options already.")
    name = f"{one.activity_type} ({one.activity_id})"
    return Draft(
        title=f"Change options of activity {name} of {look.run.ref.group}",
        send=send,
        preconditions=(RUN, STATUS, f"{ACTIVITY} {one.activity_id}", SINCE),
        args={**look.args, "step": str(event), "activity": one.activity_id},
        changes=changes or (Change(what="options", before="changed", after="as the code set them"),),
        cli=_cli(look, one, wanted),
        inverse=_inverse(look, one, event, wanted),
        irreversible="" if wanted and _before(one, wanted) else _ONLY_BACK if wanted else _NOT_KEPT,
        side_effects=(NO_EVENT,),
        warnings=_warnings(one),
        params=params(look),
    )


def _changes(one: PendingActivity, wanted: dict[str, Any]) -> tuple[Change, ...]:
    after = as_json(wanted)
    names = {option.path: option.title.lower() for option in OPTIONS}
    return tuple(
        Change(what=names[path], before=shown(at(one.options, path)), after=shown(at(after, path)))
        for path in wanted
        if not same(at(one.options, path), at(after, path))
    )


def _before(one: PendingActivity, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """What gives the present options back; None where one of them is not set, which cannot be asked for."""
    found = {}
    for option in OPTIONS:
        value = at(one.options, option.path)
        if option.path in wanted and value is None:
            return None
        if option.path in wanted:
            found[option.name] = value
    return found


def _inverse(look: Look, one: PendingActivity, event: int, wanted: dict[str, Any]) -> Staged | None:
    before = _before(one, wanted) if wanted else None
    if not before:
        return None
    return Staged(target=look.staged.target, action="update_options", args={"step": str(event), **before})


def _warnings(one: PendingActivity) -> tuple[str, ...]:
    return (
        ("An attempt is under way: it keeps the options that it began with.",)
        if one.state == "started"
        else ()
    )


def _cli(look: Look, one: PendingActivity, wanted: dict[str, Any]) -> tuple[str, ...]:
    words = ("activity", "update-options", "--activity-id", one.activity_id, *run_words(look.run))
    if not wanted:
        return (*words, "--restore-original-options")
    after = as_json(wanted)
    flags = [
        (f"--{option.flag}", str(at(after, option.path) or 0)) for option in OPTIONS if option.path in wanted
    ]
    return (*words, *(word for pair in flags for word in pair))


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.workflowservice.v1 import UpdateActivityOptionsRequest

    wanted = given(look.args)
    request = UpdateActivityOptionsRequest(
        namespace=look.namespace,
        execution=execution(look.run.ref),
        id=str(look.args.get("activity")),
        identity=signer.identity,
        restore_original=not wanted,
    )
    if wanted:
        request.activity_options.CopyFrom(message(wanted))
        request.update_mask.paths.extend(sorted(wanted))
    return "update_activity_options", request
