"""A new run like this one: the stored input copied as it is, or edited and sent as portable JSON."""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.actions.model import Change, Param, ParamType, PlanItem
from engine_bridge.engines.dbos import plan_args, plan_read
from engine_bridge.engines.dbos.actions_facts import INTERNAL_QUEUE, RunFacts
from engine_bridge.engines.dbos.plan_base import Draft, Look, driver_call, finish, fresh_id, in_transaction
from engine_bridge.engines.dbos.plan_values import CannotError, as_json
from engine_bridge.errors import UsageError

_UNEDITED: Final = "Leave it empty to copy the stored input byte for byte."


def params(look: Look) -> tuple[Param, ...]:
    """The input (empty: copied), the queue and the version."""
    run = look.run
    queues = (*plan_read.queues(look.tables, look.reads), INTERNAL_QUEUE)
    return (
        Param(
            name="input",
            title="Edited input",
            type=ParamType.JSON,
            required=False,
            doc=f'{_UNEDITED} Otherwise {{"positionalArgs": […], "namedArgs": {{…}}}}. {_present(look)}',
        ),
        Param(
            name="queue",
            title="Queue",
            type=ParamType.CHOICE,
            default=_queue(run),
            choices=queues if _queue(run) in queues else (_queue(run), *queues),
            source="this run" if run.queue is not None else "this run's queue is not recorded",
        ),
        Param(
            name="version",
            title="Version",
            type=ParamType.CHOICE,
            required=False,
            choices=plan_read.versions(look.tables, look.reads, run.application),
            doc="Leave it empty for the latest one when a worker takes it.",
        ),
    )


def _queue(run: RunFacts) -> str:
    return run.queue or INTERNAL_QUEUE


def _present(look: Look) -> str:
    try:
        value, _ = stored_input(look)
    except CannotError as error:
        return f"The stored one cannot be edited: {error}."
    text = plan_args.json_text(value)
    return f"Stored now: {text}" if len(text) <= 4_000 else "The stored one is long: see the run's input."


def stored_input(look: Look) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The stored input in portable form, and the types that this loses. Raises CannotError."""
    text, encoding = _input_row(look), look.run.serialization
    value, lost = as_json(text, encoding)
    if not isinstance(value, dict):
        raise CannotError("it is not a list of arguments")
    if encoding == "portable_json":
        return value, lost
    args, kwargs = value.get("args"), value.get("kwargs")
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise CannotError("it is not a list of arguments")
    return {"positionalArgs": args, "namedArgs": kwargs}, lost


def _input_row(look: Look) -> str | None:
    tables, runs = look.tables, look.tables["workflow_status"]
    old: Any = tables.col("workflow_status", "inputs")
    if not tables.has("workflow_input"):
        return _text(look.reads.value(sa.select(old).where(runs.c.workflow_uuid == look.run.id)))
    new = tables["workflow_input"]
    joined = runs.outerjoin(new, new.c.workflow_uuid == runs.c.workflow_uuid)
    stored = sa.func.coalesce(new.c.inputs, old)
    return _text(
        look.reads.value(sa.select(stored).select_from(joined).where(runs.c.workflow_uuid == look.run.id))
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def edited(args: dict[str, Any]) -> tuple[list[Any], dict[str, Any]] | None:
    """Arguments of an edited input, None when the stored one is to be copied. Raises UsageError."""
    if args.get("input") in (None, ""):
        return None
    value = plan_args.json_value(args, "input")
    if not isinstance(value, dict) or not set(value) <= {"positionalArgs", "namedArgs"}:
        raise UsageError('The input must be {"positionalArgs": […], "namedArgs": {…}}.')
    args_, kwargs = value.get("positionalArgs") or [], value.get("namedArgs") or {}
    if not isinstance(args_, list) or not isinstance(kwargs, dict):
        raise UsageError("positionalArgs must be a list and namedArgs an object.")
    return args_, kwargs


def options(run: RunFacts, args: dict[str, Any], new_id: str) -> dict[str, Any]:
    """DBOS's EnqueueOptions of a run like this one, without what it leaves out."""
    found = {
        "workflow_name": run.name,
        "queue_name": plan_args.text(args, "queue") or _queue(run),
        "workflow_id": new_id,
        "app_version": plan_args.text(args, "version"),
        "workflow_timeout": None if run.timeout_ms is None else run.timeout_ms / 1000,
        "priority": run.priority or None,
        "queue_partition_key": run.partition,
        "authenticated_user": run.user,
        "authenticated_roles": _json(run.roles),
        "class_name": run.class_name,
        "instance_name": run.config_name,
        "attributes": _json(run.attributes),
        "application_name": run.application,
    }
    return {name: value for name, value in found.items() if value is not None}


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def plan(look: Look) -> PlanItem:
    run, new_id = look.run, fresh_id()
    changed = edited(look.args)
    chosen = options(run, look.args, new_id)
    plan_read.check_partition(look.tables, look.reads, chosen["queue_name"], run.partition)
    return finish(
        look,
        Draft(
            title=f"Enqueue a run like {run.id}",
            python=_python(look, chosen, changed),
            imports=("DBOSClient", "WorkflowSerializationFormat"),
            sql=() if changed is not None else _copied(look, chosen),
            preconditions=("name", "serialization"),
            changes=(
                Change(what="new run", before="none", after=f"ENQUEUED on {chosen['queue_name']}"),
                Change(
                    what="input", before="stored", after="copied as stored" if changed is None else "edited"
                ),
            ),
            new_run=True,
            irreversible="The new run acts as soon as a worker takes it. It can be cancelled or deleted.",
            side_effects=_effects(run),
            warnings=_warnings(look, changed is not None),
            dedupes=True,
            fresh=new_id,
        ),
    )


def _python(look: Look, chosen: dict[str, Any], changed: Any) -> tuple[str, ...]:
    if changed is None:
        # The client cannot copy what it does not decode: an empty input is sent, then replaced by the stored one.
        copies = look.place.sql.copy_input(look.run.id, chosen["workflow_id"])
        start = f"client.enqueue_in_transaction(connection, {chosen!r})"
        return in_transaction(start, *map(driver_call, copies))
    args, kwargs = changed
    words = [repr(arg) for arg in args] + ([f"**{kwargs!r}"] if kwargs else [])
    text = repr(chosen)[:-1] + ", 'serialization_type': WorkflowSerializationFormat.PORTABLE}"
    return (f"client.enqueue({', '.join([text, *words])})",)


def _copied(look: Look, chosen: dict[str, Any]) -> tuple[str, ...]:
    new_id, queue = chosen["workflow_id"], chosen["queue_name"]
    return look.place.sql.enqueue_like(look.run.id, new_id, queue, chosen.get("app_version"))


def _effects(run: RunFacts) -> tuple[str, ...]:
    found = [
        "Name, class, instance, attributes, user, priority, partition and timeout are those of this run."
    ]
    if run.deduplication_id is not None:
        found.append(f"Its deduplication id {run.deduplication_id} is not copied.")
    return tuple(found)


def _warnings(look: Look, is_edited: bool) -> tuple[str, ...]:
    if not is_edited:
        return ()
    try:
        _, lost = stored_input(look)
    except CannotError as error:
        return (f"What the stored input has and JSON has not cannot be told: {error}.",)
    if look.run.serialization == "portable_json":
        return ()
    types = f" These types are lost: {', '.join(lost)}." if lost else ""
    return (f"The workflow gets its arguments as plain JSON values.{types}",)
