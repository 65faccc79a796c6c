"""What waits for the application's own workers: delayed steps and domain events that are not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import resource_ids
from engine_bridge.engines.entity_state.history_read import parsed
from engine_bridge.engines.entity_state.row_parts import labelled, owned, text
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.format import count, duration

MOST: Final = 500
"""Open rows that are listed of each type."""
LATE_NS: Final = 60 * 1_000_000_000
"""A row that nobody has taken for longer than this is worth a warning."""
_ENVELOPE: Final = 2_000

_Make = Callable[[Bound, dict[str, Any], int], Resource]


def has_delayed(store: Store) -> bool:
    """Whether any workflow has a table of delayed steps."""
    return any(bound.delayed is not None for bound in store.workflows)


def has_outbox(store: Store) -> bool:
    """Whether any workflow has an outbox."""
    return any(bound.outbox is not None for bound in store.workflows)


def delayed(store: Store, cancel: CancelToken) -> list[Resource]:
    """Delayed steps that are not done, the next due first."""
    names = ("id", "entity_id", "step", "requester", "expected_status", "due_at", "created_at", "leased_until",
             "attempts", "last_error", "tenant")  # fmt: skip
    found = _open(store, "delayed", names, ("done_at", "due_at"), _delay, cancel)
    return sorted(found, key=lambda resource: resource.cells["due_ns"] or 0)


def outbox(store: Store, cancel: CancelToken) -> list[Resource]:
    """Events that are not published, the oldest first."""
    names = ("id", "entity_id", "event_type", "created_at", "leased_until", "attempts", "tenant")
    found = _open(store, "outbox", names, ("published_at", "id"), _event, cancel)
    return sorted(found, key=lambda resource: resource.cells["created_ns"] or 0)


def _open(
    store: Store, kind: str, names: Sequence[str], marks: tuple[str, str], make: _Make, cancel: CancelToken
) -> list[Resource]:
    now_ns = store.now_ns(cancel)
    found: list[Resource] = []
    for bound in store.workflows:
        table: BoundTable | None = getattr(bound, kind)
        if table is not None:
            with store.reader(cancel) as reader:
                rows = reader.all(_statement(bound, table, names, marks))
            found += [make(bound, dict(zip((*names, "envelope"), row, strict=True)), now_ns) for row in rows]
    return found


def _statement(
    bound: Bound, table: BoundTable, names: Sequence[str], marks: tuple[str, str]
) -> sa.Select[Any]:
    done, order = (getattr(table, name) for name in marks)
    columns = [getattr(table, name) for name in names]
    envelope = table.envelope
    columns.append(None if envelope is None else sa.func.substr(sa.cast(envelope, sa.Text), 1, _ENVELOPE))
    statement = sa.select(*labelled(*columns)).select_from(table.table).where(*owned(bound, table))
    if done is not None:
        statement = statement.where(done.is_(None))
    return statement.order_by(table.id if order is None else order).limit(MOST)


def _delay(bound: Bound, row: dict[str, Any], now_ns: int) -> Resource:
    return Resource(
        kind="delayed",
        id=resource_ids.make(bound.type, row["id"]),
        title=f"{row['step'] or 'whatever applies'} of {bound.type} {row['entity_id']}",
        cells={
            "due_ns": row["due_at"],
            "requester": text(row["requester"]),
            "expects": text(row["expected_status"]),
            "leases": row["attempts"],
            "leased_until_ns": row["leased_until"],
            "last_error": text(row["last_error"]),
            "created_ns": row["created_at"],
            **_whose(row),
        },
        warning=_late(row, row["due_at"], now_ns, "due"),
        filter=resource_ids.one_entity(bound.type, row["entity_id"]),
    )


def _event(bound: Bound, row: dict[str, Any], now_ns: int) -> Resource:
    return Resource(
        kind="outbox",
        id=resource_ids.make(bound.type, row["id"]),
        title=f"{row['event_type'] or 'event'} of {bound.type} {row['entity_id']}",
        cells={
            "created_ns": row["created_at"],
            "leases": row["attempts"],
            "leased_until_ns": row["leased_until"],
            **_whose(row),
        },
        warning=_late(row, row["created_at"], now_ns, "waits"),
        filter=resource_ids.one_entity(bound.type, row["entity_id"]),
    )


def _whose(row: dict[str, Any]) -> dict[str, Any]:
    sealed = parsed(row["envelope"])
    return {"correlation_id": text(sealed.get("correlation_id")), "tenant": text(row["tenant"])}


def _late(row: dict[str, Any], since_ns: int | None, now_ns: int, verb: str) -> str:
    leased = row["leased_until"]
    if since_ns is None or now_ns - since_ns <= LATE_NS or (leased is not None and leased > now_ns):
        return ""
    error = row.get("last_error")
    tries = row["attempts"]
    taken = f", taken {count(tries)} times" if isinstance(tries, int) and tries else ", nobody took it"
    return f"{verb} since {duration(now_ns - since_ns)}{taken}" + (f", last error {error}" if error else "")
