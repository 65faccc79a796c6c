"""Payloads: how they are named (``PayloadRef.key``) and read. They are never decoded here.

A key is a JSON list: the kind, the workflow type, then what finds the row. Its bytes are the stored text in UTF-8
(JSON columns as the database renders them).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.row_parts import named
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable, Expression, to_key
from engine_bridge.errors import NotFoundError
from engine_bridge.model import PayloadRef

HEAD_CHARACTERS: Final = 320

_Found = tuple[Expression, sa.FromClause, list[Any]]


def ref(kind: str, type: str, *ids: Any, label: str, size: int | None = None, head: Any = None) -> PayloadRef:
    """Names a payload of ``KINDS``; ``head`` is its text where that is short."""
    key = json.dumps([kind, type, *map(str, ids)])
    stored = head.encode("utf-8", "surrogateescape") if isinstance(head, str) else None
    return PayloadRef(
        key=key, label=label, encoding="json" if _is_json(head) else None, size=size, head=stored
    )


def _is_json(head: Any) -> bool:
    return isinstance(head, str) and head[:1] in '{["'


def text_of(dialect: str, column: Expression) -> Expression:
    """A column's value as text, whatever its type."""
    return sa.cast(column, sa.Text)


def head_of(text: Expression) -> Expression:
    """A text that is short enough to be read with its row, else NULL."""
    return sa.case((sa.func.length(text) <= HEAD_CHARACTERS, text), else_=None)


def size_of(dialect: str, text: Expression) -> Expression:
    """Bytes of a text as stored."""
    if dialect == "postgresql":
        return sa.func.octet_length(text)
    return sa.func.length(sa.cast(text, sa.LargeBinary))


def read(store: Store, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
    """The stored bytes of a payload from ``offset``; ``length`` -1: to the end. Raises NotFoundError."""
    kind, type_, *ids = _parsed(key)
    try:
        value, table, where = KINDS[kind](store.workflow(type_), ids)
    except (ValueError, AttributeError, IndexError):
        raise _gone() from None
    part = _bytes(store.dialect, text_of(store.dialect, value))
    if offset or length >= 0:
        part = sa.func.substr(part, offset + 1, length) if length >= 0 else sa.func.substr(part, offset + 1)
    with store.reader(cancel) as reader:
        found = reader.value(sa.select(part).select_from(table).where(*where).limit(1))
    if found is None:
        raise _gone()
    return found.encode() if isinstance(found, str) else bytes(found)


def _entity(bound: Bound, ids: list[str]) -> _Found:
    entity_id, name = ids
    column = next((column for column in bound.payload if column.name == name), None)
    if column is None:
        raise _gone()
    return column, bound.table, [bound.id == bound.key(entity_id), *bound.scope]


def _history(bound: Bound, ids: list[str]) -> _Found:
    entity_id, order = ids
    table = _present(bound.history)
    where = [named(table, entity_id), table.order == to_key(table.order, order)]
    return table.metadata, table.table, [*where, *table.rows, *_visible(bound, entity_id)]


def _visible(bound: Bound, entity_id: str) -> list[Any]:
    """The condition that the source's tenant owns an entity: its other tables need not name tenants."""
    if not bound.scope:
        return []
    return [sa.exists().where(bound.id == bound.key(entity_id), *bound.scope)]


def _row(table: str, column: str) -> Callable[[Bound, list[str]], _Found]:
    def find(bound: Bound, ids: list[str]) -> _Found:
        entity_id, row_id = ids
        found = _present(getattr(bound, table))
        where = [found.id == to_key(found.id, row_id), *found.scope, *_visible(bound, entity_id)]
        return getattr(found, column), found.table, where

    return find


def _present(table: BoundTable | None) -> BoundTable:
    if table is None:
        raise _gone()
    return table


KINDS: Final[dict[str, Callable[[Bound, list[str]], _Found]]] = {
    "entity": _entity,  # entity id, column
    "history": _history,  # entity id, order
    "failure": _row("failures", "details"),  # entity id, row id, as all that follow
    "delayed": _row("delayed", "data"),
    "delayed_envelope": _row("delayed", "envelope"),
    "outbox": _row("outbox", "payload"),
    "outbox_envelope": _row("outbox", "envelope"),
}


def _bytes(dialect: str, text: Expression) -> Expression:
    if dialect == "postgresql":
        return sa.func.convert_to(text, sa.literal_column("'UTF8'"))
    return sa.cast(text, sa.LargeBinary)


def _parsed(key: str) -> list[Any]:
    try:
        found = json.loads(key)
    except ValueError:
        raise _gone() from None
    if not isinstance(found, list) or len(found) != 4 or found[0] not in KINDS:
        raise _gone()
    return [str(part) for part in found]


def _gone() -> NotFoundError:
    return NotFoundError("This payload is not there any more.", "The row may have been deleted.")
