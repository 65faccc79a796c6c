"""Text in what entities hold and what was recorded of them: a cancellable walk over the tables, newest rows first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Hit
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.row_parts import by_scan, labelled, numbered, owned
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.errors import UsageError
from engine_bridge.format import plain

SCOPES: Final = ("all", "inputs", "outputs", "errors", "steps")
"""inputs: payload columns; errors: the failure log; steps: history rows; outputs: events and data of delayed steps."""
LIMIT: Final = 1 << 20
"""Characters of one value that are searched."""
_BATCH: Final = 500
_AROUND: Final = 60
_WORD: Final = re.compile(r"[a-z0-9_-]{3,}")
_RENDERED: Final = ("true", "false", "null", "none")


@dataclass(slots=True, frozen=True)
class _Part:
    """One table to walk: its texts with their names, the entity's id, and the order to walk in."""

    bound: Bound
    table: sa.Table
    entity: Any
    order: Any
    texts: tuple[tuple[str, Any], ...]
    where: Sequence[Any]


def find(store: Store, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
    """Where a text occurs, ignoring case; at most ``limit`` findings. Raises UsageError for an unknown scope."""
    if scope not in SCOPES:
        raise UsageError(f"There is no search scope {scope!r}.", f"Known: {', '.join(SCOPES)}.")
    return _limited(store, text.casefold(), scope, limit, cancel)


def _limited(store: Store, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
    found = 0
    if not text or limit <= 0:
        return
    for part in _parts(store, scope):
        for hit in _walk(store, part, text, cancel):
            yield hit
            found += 1
            if found >= limit:
                return


def _parts(store: Store, scope: str) -> Iterator[_Part]:
    for bound in store.workflows:
        if scope in ("inputs", "all") and bound.payload:
            texts = tuple((column.name, column) for column in bound.payload)
            yield _Part(bound, bound.table, bound.id, bound.id, texts, bound.scope)
        for name, tables, columns in _BESIDE:
            if scope in (name, "all"):
                yield from _beside(store, bound, tables, columns)


_BESIDE: Final = (
    ("steps", ("history",), ("reason", "metadata", "step", "actor", "correlation_id")),
    ("errors", ("failures",), ("error_type", "message", "details", "step", "correlation_id")),
    ("outputs", ("delayed", "outbox"), ("data", "payload", "last_error", "event_type")),
)


def _beside(store: Store, bound: Bound, tables: Sequence[str], columns: Sequence[str]) -> Iterator[_Part]:
    for name in tables:
        table: BoundTable | None = getattr(bound, name)
        if table is None:
            continue
        order = table.order if "order" in table.names else table.id
        texts = tuple(
            (f"{column} in the {name}", getattr(table, column)) for column in columns if column in table.names
        )
        if "actor" in columns and table.actor is not None and "actor" not in table.names:
            texts = (*texts, (f"actor in the {name}", table.actor))
        if texts:
            # Rows in the order of their numbers are found without sorting, unless an index on something else is taken.
            rules = [
                by_scan(store.dialect, rule) if numbered(order) else rule for rule in owned(bound, table)
            ]
            yield _Part(bound, table.table, table.entity_id, order, texts, rules)


def _walk(store: Store, part: _Part, text: str, cancel: CancelToken) -> Iterator[Hit]:
    values = [sa.func.substr(sa.cast(column, sa.Text), 1, LIMIT) for _, column in part.texts]
    chosen = sa.select(*labelled(part.order, part.entity, *values)).select_from(part.table).where(*part.where)
    # Orders need not be unique (Statesman counts for each entity): the entity decides between equals.
    place = sa.tuple_(part.order, part.entity)
    chosen = chosen.order_by(part.order.desc(), part.entity.desc()).limit(_BATCH)
    after: list[Any] = []
    searched = 0
    while True:
        with store.reader(cancel) as read:
            rows = read.all(chosen.where(*after))
        for row in rows:
            yield from _hits(part, row, text)
        searched += len(rows)
        cancel.progress(searched, None, f"Searching {part.table.name}")
        if len(rows) < _BATCH:
            return
        after = [place < (rows[-1][0], rows[-1][1])]


def _hits(part: _Part, row: Sequence[Any], text: str) -> Iterator[Hit]:
    for (where, _), value in zip(part.texts, row[2:], strict=True):
        excerpt = None if value is None else excerpt_of(str(value), text)
        if excerpt is not None:
            yield Hit(ref=part.bound.ref(row[1]), run_type=part.bound.type, where=where, excerpt=excerpt)


def excerpt_of(value: str, text: str) -> str | None:
    """What stands around a text (lower case) in a value as it is shown, None where it does not occur."""
    if "\\" not in value and _WORD.fullmatch(text) and text not in _RENDERED and text not in value.casefold():
        return None  # no rendering would show it
    shown = _shown(value)
    at = shown.casefold().find(text)
    if at < 0:
        return None
    # Case folding may change lengths, so the place is near, and good enough for an excerpt.
    start = max(0, at - _AROUND)
    return plain(" ".join(shown[start : at + len(text) + _AROUND].split()), 240)


def _shown(value: str) -> str:
    """JSON with its escapes read; anything else as it is."""
    if value[:1] in '{["':
        with suppress(ValueError, RecursionError):
            return json.dumps(json.loads(value), ensure_ascii=False)
    return value
