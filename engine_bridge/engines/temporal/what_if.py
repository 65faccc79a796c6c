"""What if: edits of a recorded history, as the server would have written it. Pure: protobuf in, protobuf out.

The edits themselves are parts of the runner, too: of what the code would do, only the runner knows (``replay_parts``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from engine_bridge.engines.temporal.replay_parts.edits import change
from engine_bridge.engines.temporal.replay_parts.offers import offers_at
from engine_bridge.engines.temporal.replay_parts.recorded import Happened, Recorded, told_event, type_names
from engine_bridge.engines.temporal.replay_parts.script import Script, UnfitError
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, EditKind, ReplayInput, Was

_ENDINGS: Final = {
    "WorkflowExecutionCompleted": "completion", "WorkflowExecutionFailed": "failure",
    "WorkflowExecutionCanceled": "cancellation", "WorkflowExecutionContinuedAsNew": "continuation",
}  # fmt: skip


def edited(given: ReplayInput, edits: Sequence[Edit]) -> ReplayInput:
    """The input of a replay with edits, one after the other, each cutting what cannot hold any more. Raises UsageError.

    Positions are those of the recorded history. Edits of later turns go to the runner as they are, and behind the
    edited history what was recorded behind the cut, whose length the header tells.
    """
    from temporalio.api.history.v1 import History

    header, _, data = given.data.partition(b"\n")
    recorded = History.FromString(data).events
    script = Script(History.FromString(data).events)
    try:
        made: list[tuple[int, int]] = []
        for edit in edits:
            if edit.turn == 0:
                change(script, edit)
                _check(script, made, edit)
                made.append((edit.position or 0, script.cut))
    except UnfitError as error:
        raise UsageError(error.message, error.hint) from None
    events = script.whole()
    cut = script.cut or len(recorded)
    rest = History(events=recorded[cut:]).SerializeToString()
    told = {**json.loads(header), "rest": len(rest)}
    return msgspec.structs.replace(
        given,
        data=msgspec.json.encode(told) + b"\n" + History(events=events).SerializeToString() + rest,
        steps=sum(len(task.events) + 1 for task in Recorded(events, type_names()).tasks.values()),
        cut=cut,
        was=tuple(was(Recorded(recorded, type_names()), cut)),
        then=tuple(edit for edit in edits if edit.turn),
    )


def _check(script: Script, made: Sequence[tuple[int, int]], edit: Edit) -> None:
    """Raises UnfitError where an edit cuts off what one before it edited: ``made`` are their positions and cuts."""
    lost = [position for position, cut in made if script.cut < min(position, cut)]
    if lost:
        raise UnfitError(
            f"The edit of event {lost[0]} would be cut off: that of event {edit.position} cuts the history at "
            f"event {script.cut}.",
            "Remove one of them; what comes behind a cut is edited in a later turn.",
        )


def was(recorded: Recorded, cut: int) -> list[Was]:
    """What the code commanded in the first answer behind a position."""
    task = next((t for t in recorded.tasks.values() if t.completed > cut), None)
    return [Was(position=e.id, name=_title(e), step_id=str(e.id)) for e in (task.events if task else ())]


def _title(event: Happened) -> str:
    if event.type in _ENDINGS:
        return f"{_ENDINGS[event.type]} of the run"
    return event.name if event.name and not event.is_patch else told_event(event)


def offered(given: ReplayInput, position: int | None) -> tuple[EditKind, ...]:
    """What can be edited at a position (None: at the end of an open run). Raises UsageError for no such event."""
    from temporalio.api.history.v1 import History

    script = Script(History.FromString(given.data.partition(b"\n")[2]).events)
    try:
        return tuple(EditKind(**offer) for offer in offers_at(script, position))
    except UnfitError as error:
        raise UsageError(error.message, error.hint) from None
