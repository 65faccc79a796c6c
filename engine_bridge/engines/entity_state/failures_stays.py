"""In which stay of its entity a permanent failure happened: the one that ``history_tale`` tells it in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from engine_bridge.engines.entity_state.failures_log import Line
from engine_bridge.engines.entity_state.history_drafts import FIRST
from engine_bridge.engines.entity_state.row_parts import labelled
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.engines.entity_state.store_time import Instant


def read(read: Reader, lines: Sequence[Line]) -> dict[tuple[str, str], str]:
    """The ids of stays by (workflow, row id of the failure); without those whose times cannot be compared."""
    found: dict[tuple[str, str], str] = {}
    by_flow: dict[Bound, list[Any]] = {}
    for line in lines:
        by_flow.setdefault(line.bound, []).append(line.values["id"])
    for bound, ids in by_flow.items():
        log, history = bound.failures, bound.history
        if log is not None and history is not None and _comparable(log, history):
            rows = read.all(_entered(bound, log, history, ids))
            found |= {(bound.type, str(id_)): FIRST if at is None else str(at) for id_, at in rows}
    return found


def _entered(bound: Bound, log: BoundTable, history: BoundTable, ids: Iterable[Any]) -> sa.Select[Any]:
    """The newest history row before each failure: a row of the same time is what the failure brought about."""
    newest = (
        sa.select(history.order)
        .where(history.link, *history.rows, history.at < log.at)
        .order_by(history.order.desc())
        .limit(1)
        .correlate(bound.table, log.table)
    )
    chosen = sa.select(*labelled(log.id, newest.scalar_subquery()))
    return chosen.select_from(log.table.join(bound.table, log.link)).where(log.id.in_(list(ids)))


def _comparable(log: BoundTable, history: BoundTable) -> bool:
    """Whether both keep times in the same shape, so that the database can compare them as they are."""
    if log.at is None or history.at is None or log.table is history.table:
        return False
    ours, theirs = log.at.type, history.at.type
    if not isinstance(ours, Instant) or not isinstance(theirs, Instant):
        return False
    return (ours.unit, ours.shape, ours.zoned) == (theirs.unit, theirs.shape, theirs.zoned)
