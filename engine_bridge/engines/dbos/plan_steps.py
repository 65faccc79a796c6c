"""Forking and rewinding: what is kept, what runs again, and what was done meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from engine_bridge.actions.model import Change, Danger, Param, ParamType, PlanItem
from engine_bridge.engines.dbos import actions_facts, plan_args, plan_read
from engine_bridge.engines.dbos.actions_facts import INTERNAL_QUEUE
from engine_bridge.engines.dbos.plan_base import Draft, Look, call, finish, fresh_id
from engine_bridge.engines.dbos.plan_read import StepRow

_SHOWN: Final = 40
_LOST: Final = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


def fork_params(look: Look) -> tuple[Param, ...]:
    """Where to begin, on which version and queue."""
    queues = plan_read.queues(look.tables, look.reads)
    return (
        _start(look),
        _version(look, "Leave it empty for the latest one when a worker takes it."),
        Param(
            name="queue",
            title="Queue",
            type=ParamType.CHOICE,
            required=False,
            choices=queues,
            doc="Leave it empty for the recovery queue, which has no limits.",
        ),
    )


def rewind_params(look: Look) -> tuple[Param, ...]:
    """Where to begin, on which version."""
    return _start(look), _version(look, "Leave it empty to keep its version.")


def _start(look: Look) -> Param:
    chosen = look.staged.target.step_id if look.staged.target.kind == "step" else None
    default, source = (chosen, "the step picked") if chosen else _first_failed(look)
    return Param(
        name="start_step",
        title="Start at step",
        type=ParamType.STEP,
        default=default,
        source=source,
        doc="Steps before it are kept, it and later ones run again.",
    )


def _first_failed(look: Look) -> tuple[str, str]:
    rows = plan_read.steps(look.tables, look.reads, look.run.id)
    failed = next((row for row in rows if row.failed), None)
    if failed is None:
        return "1", ""
    return str(_cause(rows, failed)), f"the first failed step, {failed}"


def _cause(rows: list[StepRow], failed: StepRow) -> int:
    """The step to start from: where a child failed, the start of that child, because its result is read from it."""
    if failed.name != "DBOS.getResult":
        return failed.id
    starts = [
        row.id for row in rows if row.child is not None and row.id < failed.id and row.child_status in _LOST
    ]
    return starts[-1] if starts else failed.id


def _version(look: Look, doc: str) -> Param:
    found = plan_read.versions(look.tables, look.reads, look.run.application)
    return Param(
        name="version", title="Version", type=ParamType.CHOICE, required=False, choices=found, doc=doc
    )


def fork(look: Look) -> PlanItem:
    look = resolved(look)
    run, start = look.run, actions_facts.start_step(look.staged)
    version, queue = plan_args.text(look.args, "version"), plan_args.text(look.args, "queue")
    rows = plan_read.steps(look.tables, look.reads, run.id)
    new_id = fresh_id()
    key = None if queue is None else run.partition
    plan_read.check_partition(look.tables, look.reads, queue, key)
    line = call(
        "fork_workflow",
        run.id,
        start,
        application_version=version,
        queue_name=queue,
        queue_partition_key=key,
    )
    return finish(
        look,
        Draft(
            title=f"Fork {run.id} from step {start}",
            python=(f"with SetWorkflowID({new_id!r}):", f"    {line}"),
            imports=("DBOSClient", "SetWorkflowID"),
            sql=look.place.sql.fork(run.id, start, new_id, version, queue, key),
            preconditions=("status", "kept_steps"),
            changes=(
                Change(what="new run", before="none", after=f"ENQUEUED on {queue or INTERNAL_QUEUE}"),
                *_split(rows, start),
            ),
            new_run=True,
            irreversible="The new run may act as soon as a worker takes it. It can be cancelled or deleted.",
            fresh=new_id,
            side_effects=_fork_effects(look),
            warnings=(*_kept_failures(rows, start), *_compensated(rows, start), *_fork_warnings(look)),
            dedupes=True,
        ),
    )


def resolved(look: Look) -> Look:
    """The look with the start step that its default stands for, so that what is confirmed is what is executed."""
    if plan_args.integer(look.args, "start_step", 1) is not None:
        return look
    staged = msgspec.structs.replace(look.staged, args={**look.args, "start_step": _start(look).default})
    facts = actions_facts.read(look.tables, look.reads, staged)
    return look if facts is None else replace(look, staged=staged, facts=facts)


def _split(rows: list[StepRow], start: int) -> tuple[Change, ...]:
    kept = [str(row) for row in rows if row.id < start]
    again = [str(row) for row in rows if row.id >= start]
    return (
        Change(what=f"{len(kept)} steps kept", before=_listed(kept), after="from the record"),
        Change(what=f"{len(again)} steps run again", before=_listed(again), after="executed anew"),
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more


def _fork_effects(look: Look) -> tuple[str, ...]:
    found = ["Events and streams before the start step are copied; messages are not."]
    if look.run.unconsumed_messages:
        found.append(f"{look.run.unconsumed_messages} messages that this run has not taken stay with it.")
    return tuple(found)


def _fork_warnings(look: Look) -> tuple[str, ...]:
    if look.run.status in ("PENDING", "ENQUEUED", "DELAYED"):
        return (f"This run is {look.run.status} and goes on: cancel it, or both act.",)
    return ()


def _kept_failures(rows: list[StepRow], start: int) -> tuple[str, ...]:
    kept = [row for row in rows if row.id < start]
    failed = [str(row) for row in kept if row.failed]
    lost = [row for row in kept if row.child is not None and row.child_status in _LOST]
    found = []
    if failed:
        found.append(f"Kept steps that failed fail again, from the record: {_listed(failed)}.")
    if lost:
        names = _listed([f"{row} ({row.child}, {row.child_status})" for row in lost])
        found.append(
            f"Results are read from the child run itself, so these children are not run again: {names}. "
            f"Start at step {lost[0].id} or before to run them anew."
        )
    return tuple(found)


def _compensated(rows: list[StepRow], start: int) -> tuple[str, ...]:
    """Steps after a failure are often its compensation: what they undid is not redone by the steps that are kept."""
    failed = next((row for row in rows if row.failed), None)
    after = [
        row for row in rows if failed is not None and row.id > failed.id and not row.name.startswith("DBOS.")
    ]
    if failed is None or not after:
        return ()
    names = _listed([str(row) for row in after])
    kept = "kept steps before it" if start > 1 else "the run"
    return (
        f"After step {failed} failed, the run still executed {names}. If they undid something (compensation), "
        f"{kept} may rely on what is no longer so.",
    )


def rewind(look: Look) -> PlanItem:
    look = resolved(look)
    run, start = look.run, actions_facts.start_step(look.staged)
    version = plan_args.text(look.args, "version")
    rows = plan_read.steps(look.tables, look.reads, run.id)
    keys = plan_read.late_events(look.tables, look.reads, run.id, start)
    taken, waiting = plan_read.messages(look.tables, look.reads, run.id, start)
    return finish(
        look,
        Draft(
            title=f"Rewind {run.id} to step {start}",
            python=(call("rewind_workflow", run.id, start_step=start, application_version=version),),
            sql=look.place.sql.rewind(run.id, start, version),
            preconditions=("status", "updated_at", "steps", "kept_steps", "unconsumed_messages"),
            changes=(
                Change(what="status", before=run.status, after="ENQUEUED"),
                *_deleted(rows, start),
                Change(what="output and error", before="recorded", after="deleted"),
                *([Change(what="events", before=_listed(keys), after="as before that step")] if keys else []),
                *_gone("messages taken by those steps", taken),
                *_gone("messages not taken", waiting),
            ),
            irreversible="The deleted history cannot be brought back; a fork leaves it as it is.",
            side_effects=("Stream entries stay; a closed stream is opened again.",),
            warnings=(
                "Export the run first: its history is deleted.",
                *_kept_failures(rows, start),
                *_compensated(rows, start),
            ),
            danger=Danger.DESTROYS,
        ),
    )


def _deleted(rows: list[StepRow], start: int) -> tuple[Change, ...]:
    kept, gone = [str(r) for r in rows if r.id < start], [str(r) for r in rows if r.id >= start]
    return (
        Change(what=f"{len(kept)} steps kept", before=_listed(kept), after="from the record"),
        Change(what=f"{len(gone)} steps deleted", before=_listed(gone), after="deleted, then executed anew"),
    )


def _gone(what: str, topics: list[str]) -> list[Change]:
    return [Change(what=f"{len(topics)} {what}", before=_listed(topics), after="deleted")] if topics else []
