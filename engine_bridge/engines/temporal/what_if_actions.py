"""Dry runs: the event that a staged action would add to the history of its run."""

from __future__ import annotations

from typing import Final

import msgspec

from engine_bridge.actions.model import Staged
from engine_bridge.engines.temporal.plan_message import message_of
from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit


def edit_of(staged: Staged) -> Edit | None:
    """The event that a staged action would add; None where the code would see none. Raises UsageError."""
    args = staged.args
    if staged.action in ("signal", "update"):
        name, values = message_of(args)
        return Edit(kind=staged.action, name=name, value=msgspec.json.encode(values).decode())
    if staged.action == "cancel":
        return Edit(kind="cancel")
    if staged.action in ("complete_activity", "fail_activity"):
        return _activity_edit(staged)
    return None


def _activity_edit(staged: Staged) -> Edit:
    step = str(staged.args.get("step") or staged.target.step_id or "")
    if not step.isdigit():
        raise UsageError("Choose the activity.", "Its step is the id of the event that scheduled it.")
    if staged.action == "complete_activity":
        value = staged.args.get("result")
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return Edit(kind="result", position=int(step), step_id=step, value=text)
    name, message = (str(staged.args.get(key) or "") for key in ("type", "message"))
    return Edit(kind="failure", position=int(step), step_id=step, name=name, value=message)


REHEARSED: Final = frozenset({"signal", "update", "cancel", "complete_activity", "fail_activity"})
"""Actions of a run that ``edit_of`` knows."""
