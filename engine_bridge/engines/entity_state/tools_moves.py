"""The recorded moves of many entities, each one's together and in order, read in short transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Divergence, Move, ReplayReport
from engine_bridge.engines.entity_state.history_read import read_story
from engine_bridge.engines.entity_state.history_tale import positions, tell
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text
from engine_bridge.errors import CancelledError, NotFoundError

ROWS: Final = 20_000
"""History rows of one transaction."""
_IDS: Final = 500
_LOCATED: Final = 500


class _Kind(msgspec.Struct):
    kind: str = ""


def moves(
    store: Store, bound: Bound, history: BoundTable, wanted: Sequence[str] | None, cancel: CancelToken
) -> Iterator[Move]:
    """The moves of all entities, or of those ``wanted`` (ids as text).

    ``position`` is the rank among the history rows of the entity, from 1 (``located`` turns it into an event's).
    """
    rows = (
        _all(store, bound, history, cancel) if wanted is None else _of(store, bound, history, wanted, cancel)
    )
    entity, position, last = None, 0, ""
    for row in rows:
        if str(row.entity) != entity:
            entity, position, last = str(row.entity), 0, ""
        position += 1
        target = NO_STATUS if row.target is None else str(row.target)
        yield Move(
            ref=bound.ref(entity),
            position=position,
            source=last if row.source is None else str(row.source),
            target=target,
            step=str(row.step or ""),
            requester=str(row.requester or ""),
            tenant=str(row.tenant or ""),
            kind=_kind(row.metadata),
        )
        last = target


def located(store: Store, report: ReplayReport, cancel: CancelToken) -> ReplayReport:
    """The report with positions of events, as the entity's own history counts them; of the first 500 listed.

    Entities beyond those are counted but not listed. A cancelled report keeps what it has.
    """
    left = _LOCATED
    groups = []
    for group in report.groups:
        found: list[Divergence] = []
        for one in group.entities[:left]:
            position = _position(store, one, cancel)
            if position is not None:
                found.append(msgspec.structs.replace(one, position=position))
        left -= len(found)
        groups.append(msgspec.structs.replace(group, entities=tuple(found)))
    return msgspec.structs.replace(report, groups=tuple(groups))


def _position(store: Store, found: Divergence, cancel: CancelToken) -> int | None:
    """The position of an event, None where the entity is gone by now; 0 where nobody waits any more."""
    try:
        events = [position for _, position in positions(tell(read_story(store, found.ref, cancel)))]
    except NotFoundError:
        return None
    except CancelledError:
        return 0
    return events[min(found.position, len(events)) - 1] if events else None


def _select(bound: Bound, history: BoundTable) -> sa.Select[Any]:
    tenant = history.tenant
    source: sa.FromClause = history.table
    conditions = [*history.scope, history.entity_id.is_not(None)]
    if tenant is None and bound.tenant is not None:
        tenant = as_text(bound.tenant)
        source = history.table.join(bound.table, history.link)
        conditions += bound.scope
    metadata = None if history.metadata is None else as_text(history.metadata)
    named = {
        "entity": history.entity_id, "order": history.order, "source": history.from_, "target": history.to,
        "step": history.step, "requester": history.requester, "tenant": tenant, "metadata": metadata,
    }  # fmt: skip
    columns = [(sa.null() if column is None else column).label(name) for name, column in named.items()]
    ordered = sa.select(*columns).select_from(source).where(*conditions)
    return ordered.order_by(history.entity_id, history.order)


def _all(store: Store, bound: Bound, history: BoundTable, cancel: CancelToken) -> Iterator[Any]:
    statement = _select(bound, history).limit(ROWS)
    after = sa.tuple_(history.entity_id, history.order)
    rows = store.all(statement, cancel)
    while rows:
        yield from rows
        if len(rows) < ROWS:
            return
        rows = store.all(statement.where(after > (rows[-1].entity, rows[-1].order)), cancel)


def _of(
    store: Store, bound: Bound, history: BoundTable, wanted: Sequence[str], cancel: CancelToken
) -> Iterator[Any]:
    statement = _select(bound, history)
    for at in range(0, len(wanted), _IDS):
        keys = [history.key(entity) for entity in wanted[at : at + _IDS]]
        yield from store.all(statement.where(history.entity_id.in_(keys)), cancel)


def _kind(metadata: Any) -> str:
    """How a move was made, where the metadata say so as the reference engine writes them."""
    if not isinstance(metadata, str):
        return ""
    try:
        return msgspec.json.decode(metadata, type=_Kind).kind
    except (msgspec.DecodeError, UnicodeError):
        return ""
