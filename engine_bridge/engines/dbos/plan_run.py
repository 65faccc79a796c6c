"""Cancelling, resuming, deleting and delaying a run."""

from __future__ import annotations

from typing import Final

from engine_bridge.actions.model import Change, Danger, Param, ParamType, PlanItem, Staged
from engine_bridge.engines.dbos import plan_args, plan_read
from engine_bridge.engines.dbos.actions_facts import INTERNAL_QUEUE, at
from engine_bridge.engines.dbos.plan_base import Draft, Look, call, finish
from engine_bridge.errors import UsageError

MS: Final = 1_000_000
_SHOWN: Final = 20

_CHILDREN: Final = Param(
    name="children",
    title="Children too",
    type=ParamType.BOOLEAN,
    required=False,
    default=False,
    doc="Also the runs that it started, and those they started.",
)


def children_params(look: Look) -> tuple[Param, ...]:
    """The switch for descendants."""
    return (_CHILDREN,)


def named(ids: list[str]) -> str:
    """A list of ids, shortened."""
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def cancel(look: Look) -> PlanItem:
    run, children = look.run, plan_args.boolean(look.args, "children")
    found = plan_read.descendants(look.tables, look.reads, run.id)
    open_ones = plan_read.open_ones(found)
    # DBOS walks all of them, and cancels those that are neither SUCCESS nor ERROR.
    hit = [id_ for id_, status in found.items() if status not in ("SUCCESS", "ERROR")] if children else []
    changes = [Change(what="status", before=run.status, after="CANCELLED")]
    if run.queue is not None:
        changes.append(Change(what="queue", before=run.queue, after="none"))
    changes += [Change(what=f"status of {id_}", before=found[id_], after="CANCELLED") for id_ in hit[:_SHOWN]]
    warnings = []
    if open_ones and not children:
        warnings.append(f"{len(open_ones)} of its children are open and go on: {named(open_ones)}.")
    cli = () if children or look.place.dialect != "postgresql" else _dbos(look, "cancel")
    return finish(
        look,
        Draft(
            title=f"Cancel {run.id}" + (f" and {len(hit)} descendants" if hit else ""),
            python=(call("cancel_workflow", run.id, cancel_children=children or None),),
            sql=look.place.sql.cancel((run.id, *hit)),
            cli=cli,
            preconditions=("status", "owner_xid"),
            changes=tuple(changes),
            irreversible="Resume starts it again after its last recorded step, but on the recovery queue, and "
            "without its deadline and deduplication id: that is no exact undo.",
            race="Children are found level by level in transactions of their own: one started meanwhile escapes."
            if children
            else "",
            side_effects=("No compensation runs: the workflow is not told, it just does not go on.",)
            if run.status == "PENDING"
            else (),
            warnings=tuple(warnings),
        ),
    )


def _dbos(look: Look, verb: str) -> tuple[str, ...]:
    schema = ("--schema", look.place.schema) if look.place.schema else ()
    return ("dbos", "workflow", verb, "--sys-db-url", look.place.client, *schema, "--", look.run.id)


def resume_params(look: Look) -> tuple[Param, ...]:
    """Where to put it."""
    names = plan_read.queues(look.tables, look.reads)
    doc = "Leave it empty for the recovery queue, which has no limits."
    return (
        Param(name="queue", title="Queue", type=ParamType.CHOICE, required=False, choices=names, doc=doc),
    )


def resume(look: Look) -> PlanItem:
    run, queue = look.run, plan_args.text(look.args, "queue")
    plan_read.check_partition(look.tables, look.reads, queue, run.partition)
    place = queue or INTERNAL_QUEUE
    latest = plan_read.versions(look.tables, look.reads, run.application)[:1]
    changes = [
        Change(what="status", before=run.status, after="ENQUEUED"),
        Change(what="queue", before=run.queue or "none", after=place),
        Change(what="dispatches", before=str(run.recovery_attempts), after="0"),
    ]
    if run.deadline is not None:
        changes.append(Change(what="deadline", before=at(run.deadline), after="none"))
    if run.deduplication_id is not None:
        changes.append(Change(what="deduplication id", before=run.deduplication_id, after="none"))
    warnings = []
    if latest and run.version is not None and run.version != latest[0]:
        warnings.append(
            f"It stays on version {run.version}, and the latest is {latest[0]}: without a worker of {run.version} "
            "nothing takes it. Fork it onto the latest version instead."
        )
    if run.status == "PENDING":
        warnings.append("If its worker still lives, the step under way runs twice.")
    return finish(
        look,
        Draft(
            title=f"Resume {run.id}",
            python=(call("resume_workflow", run.id, queue_name=queue),),
            sql=look.place.sql.resume(run.id, queue),
            cli=_dbos(look, "resume") if queue is None and look.place.dialect == "postgresql" else (),
            preconditions=("status", "owner_xid", "updated_at", "recovery_attempts", "steps"),
            changes=tuple(changes),
            irreversible="It runs as soon as a worker takes it; cancel stops it again, after the step under way.",
            warnings=tuple(warnings),
        ),
    )


def delete(look: Look) -> PlanItem:
    run, children = look.run, plan_args.boolean(look.args, "children")
    found = plan_read.descendants(look.tables, look.reads, run.id)
    hit = list(found) if children else []
    changes = [
        Change(what="run", before=run.status, after="deleted"),
        Change(what="steps", before=str(run.steps), after="0"),
    ]
    changes += [Change(what=f"run {id_}", before=found[id_], after="deleted") for id_ in hit[:_SHOWN]]
    warnings = ["Export the run first: nothing brings it back."]
    if run.status == "PENDING":
        warnings.append(
            "It is not stopped first: a worker that executes it goes on to the end of its step. Cancel it first."
        )
    open_ones = plan_read.open_ones(found)
    if open_ones:
        fate = "deleted while they run" if children else "left without their parent"
        warnings.append(f"{len(open_ones)} open descendants are {fate}: {named(open_ones)}.")
    return finish(
        look,
        Draft(
            title=f"Delete {run.id}" + (f" and {len(hit)} descendants" if hit else ""),
            python=(call("delete_workflow", run.id, delete_children=children or None),),
            sql=look.place.sql.delete((run.id, *hit)),
            preconditions=("status", "owner_xid", "updated_at", "steps"),
            changes=tuple(changes),
            irreversible="What is deleted is gone.",
            race="Descendants are found first, in transactions of their own." if children else "",
            side_effects=("Its messages, events and streams go with it.",),
            warnings=tuple(warnings),
            danger=Danger.DESTROYS,
        ),
    )


def delay_params(look: Look) -> tuple[Param, ...]:
    """How long from now, or until when."""
    return (
        Param(
            name="delay",
            title="From now",
            type=ParamType.DURATION,
            required=False,
            doc="From the moment that this is executed. Give this or a time.",
        ),
        Param(
            name="until_ms",
            title="Until (epoch ms)",
            type=ParamType.INTEGER,
            required=False,
            doc="The exact time, in milliseconds since 1970.",
        ),
    )


def set_delay(look: Look) -> PlanItem:
    run = look.run
    delay = plan_args.integer(look.args, "delay", 0)
    until = plan_args.integer(look.args, "until_ms", 0)
    if (delay is None) == (until is None):
        raise UsageError("Give either a delay from now, or a time.")
    due = until if until is not None else (look.now_ns + (delay or 0)) // MS
    line = (
        call("set_workflow_delay", run.id, delay_until_epoch_ms=until)
        if delay is None
        else call("set_workflow_delay", run.id, delay_seconds=delay / 1e9)
    )
    before = "none" if run.delay_until is None else at(run.delay_until)
    back = Staged(target=look.staged.target, action="set_delay", args={"until_ms": run.delay_until})
    about = "" if delay is None else ", counted from the execution"
    return finish(
        look,
        Draft(
            title=f"Delay {run.id} until {at(due)}",
            python=(line,),
            sql=look.place.sql.set_delay(run.id, due),
            preconditions=("status", "delay_until"),
            params=delay_params(look),
            changes=(Change(what="due", before=before, after=at(due) + about),),
            inverse=back if run.delay_until is not None else None,
            warnings=("That time has passed: it is put on its queue within a second.",)
            if due * MS <= look.now_ns
            else (),
        ),
    )
