"""Operator actions on a Temporal server, as the bridge describes and plans them; reads only. The actor is act.py."""

from __future__ import annotations

from typing import Final

from engine_bridge.actions.model import ActionSpec, Danger, PlanItem, Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import (
    actions_facts,
    plan_activity,
    plan_backfill,
    plan_batch,
    plan_message,
    plan_new,
    plan_options,
    plan_reset,
    plan_run,
    plan_schedule,
    plan_start,
)
from engine_bridge.engines.temporal.actions_facts import RunFacts
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.actions_space import START
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.plan_base import Kind, Look, finish, refused
from engine_bridge.engines.temporal.what_if_actions import REHEARSED
from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain

_SIGNAL: Final = Kind(
    "Send a signal…", plan_message.signal_effect, plan_message.signal, plan_message.send_signal,
    plan_message.signal_params, dedupes=True, glyph="signal",
)  # fmt: skip
_UPDATE: Final = Kind(
    "Send an update…", plan_message.update_effect, plan_message.update, plan_message.send_update,
    plan_message.update_params, dedupes=True, glyph="control",
)  # fmt: skip
_QUERY: Final = Kind(
    "Ask a query…", plan_message.query_effect, plan_message.query, plan_message.send_query, plan_message.query_params,
    dedupes=True, glyph="unknown",
)  # fmt: skip
_RESET: Final = Kind(
    "Reset to a step…", plan_reset.effect, plan_reset.plan, plan_reset.send, plan_reset.params, glyph="back"
)
_CANCEL: Final = Kind(
    "Cancel", plan_run.cancel_effect, plan_run.cancel, plan_run.send_cancel, dedupes=True, glyph="cancelled"
)
_TERMINATE: Final = Kind(
    "Terminate", plan_run.terminate_effect, plan_run.terminate, plan_run.send_terminate, glyph="terminated"
)
_PAUSE: Final = Kind(
    "Pause", plan_run.pause_effect, plan_run.pause, plan_run.send_pause, dedupes=True, glyph="paused",
    undoes=("unpause",),
)  # fmt: skip
_UNPAUSE: Final = Kind(
    "Unpause", plan_run.unpause_effect, plan_run.pause, plan_run.send_pause, dedupes=True, glyph="running",
    undoes=("pause",),
)  # fmt: skip
_DELETE: Final = Kind(
    "Delete", plan_run.delete_effect, plan_run.delete, plan_run.send_delete, plan_run.delete_params,
    Danger.DESTROYS, glyph="trash",
)  # fmt: skip
_START: Final = Kind(
    "Start one like this…", plan_start.effect, plan_start.plan, plan_start.send, plan_start.params, dedupes=True,
    glyph="queue",
)  # fmt: skip


def _activity(title: str, glyph: str, *undoes: str) -> Kind:
    effect, plan_, send, params = (
        plan_activity.effect,
        plan_activity.plan,
        plan_activity.send,
        plan_activity.params,
    )
    return Kind(title, effect, plan_, send, params, glyph=glyph, undoes=undoes)


_ACTIVITY: Final = {
    "reset_activity": _activity("Try an activity again now…", "retrying"),
    "pause_activity": _activity("Pause an activity…", "paused", "unpause_activity"),
    "unpause_activity": _activity("Unpause an activity…", "running", "pause_activity"),
    "complete_activity": _activity("Complete an activity…", "completed"),
    "fail_activity": _activity("Fail an activity…", "failed"),
    "update_options": Kind(
        "Change an activity's options…",
        plan_options.effect,
        plan_options.plan,
        plan_options.send,
        plan_options.params,
        glyph="settings",
    ),
}
_SCHEDULE: Final = {
    "pause_schedule": Kind(
        "Pause", plan_schedule.effect, plan_schedule.toggle, plan_schedule.send, bulk=False, glyph="paused",
        undoes=("resume_schedule",),
    ),
    "resume_schedule": Kind(
        "Unpause", plan_schedule.effect, plan_schedule.toggle, plan_schedule.send, bulk=False, glyph="running",
        undoes=("pause_schedule",),
    ),
    "trigger_schedule": Kind(
        "Start a run now…", plan_schedule.effect, plan_schedule.trigger, plan_schedule.send,
        plan_schedule.trigger_params, bulk=False, glyph="signal",
    ),
    "backfill_schedule": Kind(
        "Start the runs of a span of time…", plan_backfill.effect, plan_backfill.plan, plan_backfill.send,
        plan_backfill.params, bulk=False, glyph="schedule",
    ),
}  # fmt: skip
_SPACE: Final = {
    START: Kind(
        "Start a workflow…", plan_new.effect, plan_new.plan, plan_new.send, plan_new.params, dedupes=True, bulk=False,
        glyph="running",
    ),
    "batch": Kind(
        "Act on all runs of a query…", plan_batch.effect, plan_batch.plan, plan_batch.send, plan_batch.params,
        dedupes=True, bulk=False, glyph="queue",
    ),
}  # fmt: skip
_JOB: Final = {
    "stop_batch": Kind(
        "Stop", plan_batch.stop_effect, plan_batch.stop, plan_batch.send_stop, bulk=False, glyph="cancelled"
    )
}

_RUN: Final = {
    "signal": _SIGNAL,
    "update": _UPDATE,
    "query": _QUERY,
    "reset": _RESET,
    "cancel": _CANCEL,
    "terminate": _TERMINATE,
    "pause": _PAUSE,
    "unpause": _UNPAUSE,
    **_ACTIVITY,
    "start_like": _START,
    "delete": _DELETE,
}
_STEP: Final = {name: _RUN[name] for name in ("reset", *_ACTIVITY)}
_TARGETS: Final[dict[str, dict[str, Kind]]] = {
    "run": _RUN,
    "step": _STEP,
    "schedules": _SCHEDULE,
    "namespaces": _SPACE,
    "batch operations": _JOB,
}


def kind_of(staged: Staged) -> Kind | None:
    """The action, None where its target has no such."""
    return _TARGETS.get(staged.target.kind, {}).get(staged.action)


def specs(client: Client, target: Target, cancel: CancelToken) -> list[ActionSpec]:
    """What can be done to a target now. Raises NotFoundError; [] for kinds that nothing can be done to."""
    kinds = _TARGETS.get(target.kind, {})
    if not kinds:
        return []
    reads = Reads(client, cancel)
    facts = actions_facts.read(reads, Staged(target=target, action=""))
    return [
        _spec(Look(Staged(target=target, action=name), facts, reads), kind) for name, kind in kinds.items()
    ]


def _spec(look: Look, kind: Kind) -> ActionSpec:
    effect, disabled = kind.effect(look)
    return ActionSpec(
        id=look.staged.action,
        title=kind.title,
        effect=effect,
        params=() if disabled else kind.params(look),
        disabled=disabled,
        danger=kind.danger,
        bulk=isinstance(look.facts, RunFacts) and kind.bulk,
        dedupes=kind.dedupes,
        glyph=kind.glyph,
        undoes=kind.undoes,
        rehearses=look.staged.action in REHEARSED and look.staged.target.kind in ("run", "step"),
    )


def plan(client: Client, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
    """What staged actions will do, one item each, in order."""
    reads, items = Reads(client, cancel), []
    for number, one in enumerate(staged):
        cancel.progress(number, len(staged), "planning")
        items.append(_plan(reads, one))
    return items


def _plan(reads: Reads, staged: Staged) -> PlanItem:
    kind = kind_of(staged)
    title = f"{staged.action} {plain(staged.target.label, 120)}"
    if kind is None:
        return refused(staged, title, f"There is no action {staged.action} on {staged.target.kind}.")
    try:
        look = Look(staged, actions_facts.read(reads, staged), reads)
        why = kind.effect(look)[1]
        return refused(staged, title, why) if why else finish(look, kind.plan(look))
    except PlayheadError as error:
        reads.cancel.raise_if_cancelled()
        return refused(staged, title, str(error))
