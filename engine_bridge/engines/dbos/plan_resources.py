"""Pausing and resuming queues and schedules."""

from __future__ import annotations

from typing import Final

from engine_bridge.actions.model import Change, Param, ParamType, PlanItem, Staged
from engine_bridge.engines.dbos import plan_args
from engine_bridge.engines.dbos.actions_facts import QueueFacts, ScheduleFacts
from engine_bridge.engines.dbos.plan_base import Draft, Look, call, driver_call, finish, in_transaction

_NOT_OFFICIAL: Final = (
    "DBOS has no official pause: a global concurrency of 0 lets nothing start, and any value lets it go on. "
    "An application that starts and registers the queue again may set its own value."
)
_UNCHECKED: Final = (
    "DBOS's client refuses 0 on a queue with limits per worker or partition, although workers obey it: "
    "the client's own statement is sent without that check."
)


def queue_effect(action: str, queue: QueueFacts) -> tuple[str, str]:
    """What it does to this queue now, and why it is disabled."""
    paused = queue.global_concurrency == 0
    if action == "pause_queue":
        if paused:
            return "", "Its global concurrency is 0 already: nothing starts."
        return "Nothing of it starts any more; what runs goes on. Runs can still be put on it.", ""
    if not paused:
        return "", f"Its global concurrency is {_limit(queue.global_concurrency)}: it is not paused."
    return "Its runs start again, up to the limit that you give.", ""


def queue_params(look: Look) -> tuple[Param, ...]:
    """The limit to go back to: the journal knows it, the database does not."""
    if look.staged.action == "pause_queue":
        return ()
    return (
        Param(
            name="concurrency",
            title="Global concurrency",
            type=ParamType.INTEGER,
            required=False,
            doc="As before the pause (the receipt of the pause has it); leave it empty for no limit.",
        ),
    )


def queue(look: Look) -> PlanItem:
    """The plan of either."""
    facts = look.facts
    if not isinstance(facts, QueueFacts):
        raise TypeError("not a queue")
    pausing = look.staged.action == "pause_queue"
    value = 0 if pausing else plan_args.integer(look.args, "concurrency", max(1, facts.other_limit))
    before = facts.global_concurrency
    back = (
        Staged(target=look.staged.target, action="resume_queue", args={"concurrency": before})
        if pausing
        else Staged(target=look.staged.target, action="pause_queue")
    )
    statements = look.place.sql.queue(facts.name, value)
    return finish(
        look,
        Draft(
            title=f"{'Pause' if pausing else 'Resume'} the queue {facts.name}",
            python=_python(facts, value, statements),
            sql=statements,
            preconditions=("global_concurrency",),
            changes=(Change(what="global concurrency", before=_limit(before), after=_limit(value)),),
            inverse=back,
            side_effects=("Runs that a worker has taken go on.",) if pausing else (),
            warnings=(_NOT_OFFICIAL, *((_UNCHECKED,) if pausing and facts.other_limit else ())),
        ),
    )


def _python(facts: QueueFacts, value: int | None, statements: tuple[str, ...]) -> tuple[str, ...]:
    if value != 0:
        return (f"{call('retrieve_queue', facts.name)}.set_global_concurrency({value!r})",)
    return in_transaction(*(driver_call(statement) for statement in statements))


def _limit(value: int | None) -> str:
    return "unlimited" if value is None else str(value)


def schedule_effect(action: str, schedule: ScheduleFacts) -> tuple[str, str]:
    """What it does to this schedule now, and why it is disabled."""
    paused = schedule.status == "PAUSED"
    if action == "pause_schedule":
        if paused:
            return "", "It is paused already."
        return "It starts no more runs; those that it has started go on.", ""
    if not paused:
        return "", "It is not paused."
    if schedule.automatic_backfill:
        return "It fires again at its next time; its automatic backfill may also start what it missed.", ""
    return "It fires again at its next time; what it missed is not made up for.", ""


def schedule(look: Look) -> PlanItem:
    """The plan of either."""
    facts = look.facts
    if not isinstance(facts, ScheduleFacts):
        raise TypeError("not a schedule")
    action = look.staged.action
    status = "PAUSED" if action == "pause_schedule" else "ACTIVE"
    back = "resume_schedule" if action == "pause_schedule" else "pause_schedule"
    return finish(
        look,
        Draft(
            title=f"{'Pause' if status == 'PAUSED' else 'Resume'} the schedule {facts.name}",
            python=(call(action, facts.name),),
            sql=look.place.sql.schedule(facts.name, status),
            preconditions=("status",),
            changes=(Change(what="status", before=facts.status, after=status),),
            inverse=Staged(target=look.staged.target, action=back),
            warnings=("An application that applies its schedules again at its start may replace it.",),
        ),
    )
