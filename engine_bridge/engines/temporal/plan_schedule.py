"""Pausing and triggering a schedule."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType, Staged
from engine_bridge.engines.temporal.actions_facts import LEFT_OUT, PAUSED, STARTED, ScheduleFacts
from engine_bridge.engines.temporal.plan_base import REASON, Draft, Look, Signer
from engine_bridge.errors import UsageError
from engine_bridge.format import plain

OVERLAPS: Final = {
    "as the schedule says": 0, "skip": 1, "buffer one": 2, "buffer all": 3, "cancel other": 4, "terminate other": 5,
    "allow all": 6,
}  # fmt: skip
POLICY: Final = ("", "Skip", "BufferOne", "BufferAll", "CancelOther", "TerminateOther", "AllowAll")
_DEFAULT: Final = "as the schedule says"
_VERBS: Final = {"pause_schedule": "Pause", "resume_schedule": "Unpause"}


def facts_of(look: Look) -> ScheduleFacts:
    """The schedule that is looked at."""
    if not isinstance(look.facts, ScheduleFacts):
        raise TypeError("not a schedule")
    return look.facts


def effect(look: Look) -> tuple[str, str]:
    facts, action = facts_of(look), look.staged.action
    noted = f": {plain(facts.notes, 200)}" if facts.notes else ""
    if action == "pause_schedule":
        return (
            ("", f"It is paused already{noted}.")
            if facts.paused
            else ("It starts no more runs until unpaused.", "")
        )
    if action == "resume_schedule":
        said = "It starts runs again; those that it missed are started as its catch-up window says."
        return (said, "") if facts.paused else ("", "It is not paused.")
    return f"It starts {plain(facts.workflow, 120)} now, paused or not.", ""


def toggle(look: Look) -> Draft:
    facts, verb = facts_of(look), _VERBS[look.staged.action]
    pausing = verb == "Pause"
    back = "resume_schedule" if pausing else "pause_schedule"
    words = ("active", "paused")
    return Draft(
        title=f"{verb} the schedule {plain(facts.id, 120)}",
        send=send,
        preconditions=(PAUSED,),
        changes=(
            Change(what="schedule", before=words[not pausing], after=words[pausing]),
            Change(what="notes", before=plain(facts.notes, 200) or "none", after="the reason"),
        ),
        cli=("schedule", "toggle", "--schedule-id", facts.id, f"--{verb.lower()}", "--reason", REASON),
        python=(_handle(facts), f'await handle.{verb.lower()}(note="<reason>")'),
        inverse=Staged(target=look.staged.target, action=back),
        side_effects=("Runs under way go on.",) if pausing else (),
    )


def _handle(facts: ScheduleFacts) -> str:
    return f"handle = client.get_schedule_handle({facts.id!r})"


def trigger_params(look: Look) -> tuple[Param, ...]:
    """What happens when a run of it is still open."""
    doc = "When a run that it started is still open."
    return (
        Param(
            name="overlap",
            title="On overlap",
            type=ParamType.CHOICE,
            required=False,
            default=_DEFAULT,
            choices=tuple(OVERLAPS),
            doc=doc,
        ),
    )


def overlap(look: Look, default: str = _DEFAULT) -> int:
    """The number of the chosen overlap policy. Raises UsageError."""
    chosen = arguments.text(look.args, "overlap") or default
    if chosen not in OVERLAPS:
        raise UsageError(f"Nothing is called {plain(chosen, 60)}.", f"Known: {', '.join(OVERLAPS)}.")
    return OVERLAPS[chosen]


def trigger(look: Look) -> Draft:
    facts, policy = facts_of(look), POLICY[overlap(look)]
    return Draft(
        title=f"Start a run of the schedule {plain(facts.id, 120)} now",
        send=send,
        preconditions=(STARTED, LEFT_OUT),
        changes=(Change(what=STARTED, before=str(facts.started), after=str(facts.started + 1)),),
        cli=(
            "schedule",
            "trigger",
            "--schedule-id",
            facts.id,
            *(("--overlap-policy", policy) if policy else ()),
        ),
        python=(_handle(facts), "await handle.trigger()"),
        params=trigger_params(look),
        new_run=True,
        irreversible="Terminate the run that it starts to stop it.",
        race="The server does not tell whose request started a run.",
        warnings=("Its overlap policy may skip it while a run is open.",) if not policy else (),
    )


def send(look: Look, signer: Signer) -> tuple[str, Any]:
    from temporalio.api.schedule.v1 import SchedulePatch, TriggerImmediatelyRequest
    from temporalio.api.workflowservice.v1 import PatchScheduleRequest

    action = look.staged.action
    if action == "trigger_schedule":
        policy: Any = overlap(look)
        patch = SchedulePatch(trigger_immediately=TriggerImmediatelyRequest(overlap_policy=policy))
    else:
        patch = SchedulePatch(**{_VERBS[action].lower(): signer.text})  # type: ignore[arg-type]  # two text fields
    return "patch_schedule", PatchScheduleRequest(
        namespace=look.namespace,
        schedule_id=facts_of(look).id,
        patch=patch,
        identity=signer.identity,
        request_id=signer.id,
    )
