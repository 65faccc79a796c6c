"""What entities can be filtered and sorted by, with the values seen: bounded work."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Cost, Field, FieldType
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.filters_columns import STATUSES
from engine_bridge.engines.entity_state.keyset import SORTABLE
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.model import Status

_NEWEST: Final = 5_000
_VALUES: Final = 200

_T, _N, _W, _D, _B = (
    FieldType.TEXT, FieldType.INTEGER, FieldType.TIME, FieldType.DURATION, FieldType.BOOLEAN,
)  # fmt: skip
_I, _S, _X = Cost.INDEXED, Cost.SCAN, Cost.DECODED
_FIELDS: Final[tuple[tuple[str, FieldType, str, Cost, str], ...]] = (
    ("status", FieldType.STATUS, "Status", _S, "Engine-neutral status: running, completed, failed, cancelled, unknown"),
    ("state", _T, "Stands on", _S, "The entity's own status"),
    ("type", _T, "Workflow", _I, "Type of the workflow"),
    ("id", _T, "Entity", _I, "Id of the entity"),
    ("tenant", _T, "Tenant", _S, "Tenant it belongs to"),
    ("label", _T, "Label", _S, "What the mapping shows beside the id"),
    ("created", _W, "Created", _S, "When the entity was created"),
    ("updated", _W, "Updated", _S, "When its row last changed"),
    ("here_for", _D, "Here for", _X, "How long it has stood on its status; reads the newest move of each entity"),
    ("version", _N, "Version", _S, "Version of its row (optimistic lock)"),
    ("claimed_by", _T, "Claimed by", _S, "Who holds the claim"),
    ("stuck", _B, "Stuck", _S, "Its claim is older than its time to live"),
    ("drift", _B, "Drift", _X, "Its newest history row says another status; reads the newest move of each entity"),
    ("unknown", _B, "Unknown status", _S, "It stands on a status that no config knows"),
    ("failures", _N, "Failures", _S, "Permanent failures that nobody resolved"),
    ("error", _T, "Error", _X, "Type and message of its newest permanent failure"),
    ("correlation_id", _T, "Correlation id", _S, "Any move or failure of it has this correlation id"),
    ("started", _W, "Started", _S, "When its life began: when it was created"),
    ("ended", _W, "Ended", _X, "When it reached its terminal status; reads the newest move of each entity"),
    ("duration", _D, "Duration", _X, "From its creation to its end; reads the newest move of each entity"),
    ("age", _D, "Age", _S, "Since it was created"),
    ("attributes", FieldType.JSON, "Attributes", _X, "attributes.tenant, .label, .correlation_id (of the newest move)"),
)  # fmt: skip


def read(store: Store, cancel: CancelToken) -> list[Field]:
    """The fields of this source, with the values seen."""
    seen = _values(store, cancel)
    return [
        Field(
            name=name,
            type=kind,
            title=title,
            values=seen.get(name, ()),
            cost=cost,
            sortable=name in SORTABLE,
            doc=doc,
        )
        for name, kind, title, cost, doc in _FIELDS
    ]


def _values(store: Store, cancel: CancelToken) -> dict[str, tuple[str, ...]]:
    states: dict[str, None] = {}
    found: dict[str, set[str]] = {"tenant": set(), "claimed_by": set()}
    for bound in store.workflows:
        states |= dict.fromkeys(bound.statuses)
        for name, value in _sampled(store, bound, cancel):
            if name == "state":
                states[value] = None
            else:
                found[name].add(value)
    return {
        # The words of queues too, which no entity has: filters and saved views go from source to source.
        "status": tuple(status.value for status in (*STATUSES, Status.QUEUED, Status.DELAYED)),
        "type": tuple(bound.type for bound in store.workflows),
        "state": tuple(states)[:_VALUES],
        **{name: tuple(sorted(values))[:_VALUES] for name, values in found.items()},
    }


def _sampled(store: Store, bound: Bound, cancel: CancelToken) -> list[tuple[str, str]]:
    """Values of the newest entities."""
    columns: dict[str, Any] = {"state": bound.status}
    for name, column in (("tenant", bound.tenant), ("claimed_by", bound.claimed_by)):
        if column is not None:
            columns[name] = as_text(column)
    created = bound.created_at
    order = bound.id if created is None or not bound.served(created) else created
    chosen = (column.label(name) for name, column in columns.items())
    newest = (
        sa.select(*chosen).select_from(bound.table).where(*bound.scope).order_by(order.desc()).limit(_NEWEST)
    )
    rows = store.all(sa.select(newest.subquery()).distinct(), cancel)
    pairs = (pair for row in rows for pair in zip(columns, row, strict=True))
    return [(name, str(value)) for name, value in dict.fromkeys(pairs) if value not in (None, "")]
