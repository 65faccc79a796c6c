"""Entities related to one: those that share a correlation id with its moves or failures, of any workflow.

Recorded facts only: the same correlation id stands in rows of both. Paged by workflow, then by id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Relation, Relations
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import runs
from engine_bridge.engines.entity_state.row_parts import key_of, labelled, named, text
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable, as_text, to_key
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.model import RunRef

MOST_IDS: Final = 50
"""Correlation ids of one entity that are followed, the newest."""
_TABLES: Final = ("history", "failures")


def read(store: Store, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
    """A page of relations. Raises NotFoundError."""
    place, after = _decoded(cursor)
    with store.reader(cancel) as reader:
        ids = _correlations(store.workflow(ref.group), reader, ref)
        found: list[tuple[RunRef, str]] = []
        workflows = store.workflows
        while ids and place < len(workflows) and len(found) <= limit:
            bound = workflows[place]
            some = _others(bound, reader, ids, ref, after, limit + 1 - len(found))
            found += [(bound.ref(entity), id_) for entity, id_ in some]
            place, after = place + 1, None
    page, more = found[:limit], len(found) > limit
    known = {run.ref: run for run in runs.by_refs(store, [found_ref for found_ref, _ in page], cancel)}
    items = tuple(
        Relation(role="same request", run=known.get(other), ref=other, note=f"correlation id {id_}")
        for other, id_ in page
    )
    return Relations(items=items, after=_encoded(workflows, page[-1][0]) if more else None)


def _decoded(cursor: bytes | None) -> tuple[int, Any]:
    if cursor is None:
        return 0, None
    try:
        place, after = json.loads(cursor)
        return int(place), after
    except (ValueError, TypeError):
        raise UsageError("This page of relations cannot be found.", "Read the relations again.") from None


def _encoded(workflows: Sequence[Bound], last: RunRef) -> bytes:
    place = next(n for n, bound in enumerate(workflows) if bound.type == last.group)
    return json.dumps([place, last.run]).encode()


def _correlations(bound: Bound, read: Reader, ref: RunRef) -> list[str]:
    """The correlation ids of an entity's rows, the newest first."""
    if read.value(sa.select(bound.id).where(bound.id == bound.key(ref.run), *bound.scope)) is None:
        raise NotFoundError(f"There is no {ref.group} {ref.run[:200]}.", "It may have been deleted.")
    found: dict[str, None] = {}
    for table, order in _correlated(bound):
        column = as_text(table.correlation_id)
        mine = [named(table, ref.run), column.is_not(None), *table.rows]
        rows = read.all(sa.select(column).where(*mine).order_by(order.desc()).limit(20 * MOST_IDS))
        found |= dict.fromkeys(str(row[0]) for row in rows if row[0])
    return list(found)[:MOST_IDS]


def _correlated(bound: Bound) -> list[tuple[BoundTable, Any]]:
    """The tables of a workflow that hold correlation ids, with their order."""
    tables = (getattr(bound, name) for name in _TABLES)
    named = [table for table in tables if table is not None and table.correlation_id is not None]
    return [(table, table.order if "order" in table.names else table.id) for table in named]


def _others(
    bound: Bound, read: Reader, ids: list[str], ref: RunRef, after: str | None, limit: int
) -> list[tuple[str, str]]:
    """Entities of a workflow with any of these correlation ids, by id, with the id that they share."""
    parts = []
    for table, _ in _correlated(bound):
        column = as_text(table.correlation_id)
        parts.append(sa.select(*labelled(table.entity_id, column)).where(column.in_(ids), *table.rows))
    if not parts:
        return []
    seen: dict[Any, str] = {}
    for part in parts:
        for entity, id_ in read.all(part.limit(_MOST_ROWS)):
            if not (bound.type == ref.group and str(entity) == ref.run):
                seen.setdefault(key_of(bound, entity), str(id_))
    seen.pop(None, None)
    return _existing(bound, read, seen, after, limit)


_MOST_ROWS: Final = 5_000
_IDS: Final = 500


def _existing(
    bound: Bound, read: Reader, seen: dict[Any, str], after: str | None, limit: int
) -> list[tuple[str, str]]:
    keys = list(seen)
    found: list[Any] = []
    for at in range(0, len(keys), _IDS):
        where = [bound.id.in_(keys[at : at + _IDS]), *bound.scope]
        if after is not None:
            where.append(bound.id > to_key(bound.id, after))
        found += [row[0] for row in read.all(sa.select(bound.id).where(*where))]
    return [(text(key) or "", seen[key]) for key in sorted(found)[:limit]]
