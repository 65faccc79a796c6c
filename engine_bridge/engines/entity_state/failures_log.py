"""The failure logs of all workflows as one list, newest first, read in keyset pages from each.

A place is (phase, time as stored, row id): rows with a time come first, those without (phase 1) after them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import payloads
from engine_bridge.engines.entity_state.row_parts import labelled, owned
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable, to_key
from engine_bridge.errors import UsageError

BATCH: Final = 400
_END: Final = 2
_MESSAGE: Final = 10_000
_DETAILS: Final = 2_000
_FIELDS: Final = ("id", "entity_id", "step", "status", "error_type", "attempts", "correlation_id", "tenant",
                  "at", "resolved_at")  # fmt: skip

Place = tuple[int, Any, str]
Places = dict[str, Place]


@dataclass(slots=True, frozen=True)
class Line:
    """One row of a log, as stored. ``details`` is the head of them, ``size`` how many bytes there are."""

    bound: Bound
    place: Place
    values: dict[str, Any]
    message: Any
    details: Any
    size: int | None

    @property
    def at_ns(self) -> int | None:
        """When it was written."""
        found: int | None = self.values["at"]
        return found


def decoded(cursor: bytes | None) -> Places:
    """The places that a cursor names. Raises UsageError."""
    if cursor is None:
        return {}
    try:
        found = json.loads(cursor)
        return {str(type_): (int(phase), at, str(id_)) for type_, (phase, at, id_) in found.items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError("This page of failures cannot be found.", "Read the failures again.") from None


def encoded(places: Places) -> bytes:
    """A cursor."""
    return json.dumps(places).encode()


class Log:
    """Reads on from some places. ``where`` narrows each workflow's rows. Belongs to one call."""

    def __init__(
        self, store: Store, places: Places, where: dict[str, list[Any]], batch: int, cancel: CancelToken
    ) -> None:
        self._store = store
        self._cancel = cancel
        self._batch = batch
        self._streams = [
            self._stream(bound, bound.failures, places.get(bound.type), where.get(bound.type, []))
            for bound in store.workflows
            if bound.failures is not None and not bound.hidden
        ]

    def lines(self) -> Iterator[Line]:
        """All rows, newest first; each workflow's in the order of its own log."""
        heads = [(line, stream) for stream in self._streams if (line := next(stream, None)) is not None]
        while heads:
            at = max(range(len(heads)), key=lambda n: _recency(heads[n][0]))
            line, stream = heads[at]
            yield line
            following = next(stream, None)
            if following is None:
                heads.pop(at)
            else:
                heads[at] = (following, stream)

    def _stream(
        self, bound: Bound, table: BoundTable, place: Place | None, where: list[Any]
    ) -> Iterator[Line]:
        phase, after = (place[0], place) if place is not None else (0, None)
        if table.at is None and phase == 0:
            phase, after = 1, None
        while phase < _END:
            rows = self._read(bound, table, phase, after, where)
            yield from rows
            if len(rows) == self._batch:
                after = rows[-1].place
            else:
                phase, after = phase + 1, None

    def _read(
        self, bound: Bound, table: BoundTable, phase: int, after: Place | None, where: list[Any]
    ) -> list[Line]:
        self._cancel.raise_if_cancelled()
        raw = self._raw(table)
        chosen = labelled(*(getattr(table, name) for name in _FIELDS), raw, *self._texts(table))
        statement = sa.select(*chosen).select_from(table.table).where(*owned(bound, table), *where)
        if phase == 0:
            statement = statement.where(raw.is_not(None)).order_by(raw.desc())
        elif table.at is not None:
            statement = statement.where(raw.is_(None))
        if after is not None:
            statement = statement.where(*_below(table, raw, after))
        with self._store.reader(self._cancel) as read:
            rows = read.all(statement.order_by(table.id.desc()).limit(self._batch))
        return [_line(bound, phase, row) for row in rows]

    def _raw(self, table: BoundTable) -> Any:
        """The time as stored: text on SQLite, whose shapes may differ from row to row."""
        if table.at is None or self._store.dialect != "sqlite":
            return table.at
        return sa.type_coerce(table.at, sa.types.NullType())

    def _texts(self, table: BoundTable) -> list[Any]:
        message = (
            None if table.message is None else sa.func.substr(sa.cast(table.message, sa.Text), 1, _MESSAGE)
        )
        if table.details is None:
            return [message, None, None]
        whole = payloads.text_of(self._store.dialect, table.details)
        return [message, sa.func.substr(whole, 1, _DETAILS), payloads.size_of(self._store.dialect, whole)]


def _below(table: BoundTable, raw: Any, after: Place) -> list[Any]:
    phase, at, row_id = after
    lower = table.id < to_key(table.id, row_id)
    return [lower] if phase else [raw <= at, sa.or_(raw < at, lower)]


def _line(bound: Bound, phase: int, row: Any) -> Line:
    values = dict(zip(_FIELDS, row, strict=False))
    raw, message, details, size = row[len(_FIELDS) :]
    return Line(bound, (phase, raw, str(values["id"])), values, message, details, size)


def _recency(line: Line) -> tuple[int, int]:
    return -(2**63) if line.at_ns is None else line.at_ns, -line.bound.rank
