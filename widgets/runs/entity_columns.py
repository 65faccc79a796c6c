"""The columns of the runs table where runs are entities: no queue, no attempts, but where each stands and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine_bridge.format import plain
from engine_bridge.model import Run
from widgets.entities.columns import columns
from widgets.runs.columns import COLUMNS
from widgets.table.columns import Clock, Column

_SHARED: Final = {column.id: column for column in COLUMNS}
_OWN: Final = {column.id: column for column in columns({})}


def _status_full(run: Run, clock: Clock) -> str:
    return plain(f"{run.engine_status} ({run.status.value.replace('_', ' ')})")


ENTITY_COLUMNS: Final[tuple[Column, ...]] = (
    replace(
        _OWN["state"],
        width=190,
        least=130,
        full=_status_full,
        state=lambda run: run.status,
        tail=None,
        doc="The entity's own status",
    ),
    _SHARED["type"],
    replace(_OWN["id"], width=160, least=76),
    replace(_OWN["now"], title="now, or why"),
    _OWN["here_for"],
    _OWN["tenant"],
    _OWN["version"],
    replace(_OWN["updated"], hidden=True),
    replace(_SHARED["created"], doc="When the entity was created"),
    replace(_SHARED["ended"], doc="When it came to where its life ends"),
    replace(_SHARED["status"], title="neutral status", hidden=True),
    _OWN["claimed_by"],
    _OWN["correlation_id"],
    _OWN["label"],
)
