"""A history's columns and records as bytes that any later version reads: codes are written with their words."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import EVENT_KINDS, NONE, PROVENANCES, STATUSES, STEP_KINDS, STEP_STATUSES
from engine_bridge.errors import CorruptError
from engine_bridge.history import (
    ATTEMPT_COLUMNS,
    EVENT_COLUMNS,
    STEP_COLUMNS,
    Batch,
    Columns,
    History,
    decode_event,
    decode_step,
)

_EVENT_WORDS: Final[dict[str, tuple[StrEnum, ...]]] = {
    "kind": EVENT_KINDS,
    "step_status": STEP_STATUSES,
    "run_status": STATUSES,
    "provenance": PROVENANCES,
}
_STEP_WORDS: Final[dict[str, tuple[StrEnum, ...]]] = {
    "kind": STEP_KINDS,
    "status": STEP_STATUSES,
    "provenance": PROVENANCES,
}
_ATTEMPT_WORDS: Final[dict[str, tuple[StrEnum, ...]]] = {"status": STEP_STATUSES}


class _Table(msgspec.Struct, frozen=True):
    """``columns`` are little-endian; ``words`` list, by column, what its codes meant when it was written."""

    rows: int
    columns: dict[str, bytes]
    words: dict[str, list[str]]
    records: list[bytes]


class _Steps(msgspec.Struct, frozen=True):
    steps: _Table
    attempts: _Table
    names: list[str]


def pack_events(history: History, records: list[bytes]) -> bytes:
    """The events of a history, with their (masked) records."""
    return msgspec.msgpack.encode(_table(history.events, EVENT_COLUMNS, _EVENT_WORDS, records))


def pack_steps(history: History, records: list[bytes]) -> bytes:
    """The steps, attempts and names of a history, with the steps' (masked) records."""
    steps = _table(history.steps, STEP_COLUMNS, _STEP_WORDS, records)
    attempts = _table(history.attempts, ATTEMPT_COLUMNS, _ATTEMPT_WORDS, [])
    return msgspec.msgpack.encode(_Steps(steps, attempts, history.names))


def unpack(steps: bytes | None, events: bytes | None) -> Batch:
    """The batch of both; a part that is None is absent. Raises CorruptError for what does not fit together."""
    batch = Batch()
    try:
        if steps is not None:
            _add_steps(batch, msgspec.msgpack.decode(steps, type=_Steps))
        if events is not None:
            _add_events(batch, msgspec.msgpack.decode(events, type=_Table))
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise CorruptError(
            "A history in this bundle cannot be read.", "Export it again.", type(error).__name__
        ) from None
    return batch


def _add_steps(batch: Batch, found: _Steps) -> None:
    batch.steps = _columns(found.steps, STEP_COLUMNS, _STEP_WORDS)
    batch.attempts = _columns(found.attempts, ATTEMPT_COLUMNS, _ATTEMPT_WORDS)
    batch.step_rows = np.arange(found.steps.rows, dtype=np.int64)
    batch.step_records = found.steps.records
    batch.names = found.names
    for record in found.steps.records:
        decode_step(record)
    _within(batch.steps["name"], len(found.names), 0)
    _within(batch.steps["parent"], found.steps.rows, -1)
    _within(batch.attempts["step"], found.steps.rows, 0)


def _add_events(batch: Batch, found: _Table) -> None:
    batch.events = _columns(found, EVENT_COLUMNS, _EVENT_WORDS)
    batch.event_records = found.records
    batch.total = found.rows
    for record in found.records:
        decode_event(record)
    steps = len(batch.step_rows)
    if not steps:
        batch.events["step"] = np.full(found.rows, -1, np.int32)
    _within(batch.events["step"], steps, -1)
    positions = batch.events["position"]
    if len(positions) and (positions[0] < 1 or (positions[1:] <= positions[:-1]).any()):
        raise ValueError("positions do not rise")


def _within(column: NDArray[Any], rows: int, least: int) -> None:
    if len(column) and (column.min() < least or column.max() >= max(rows, least + 1)):
        raise ValueError("a row that does not exist is named")


def _table(
    columns: Columns, spec: dict[str, Any], words: dict[str, tuple[StrEnum, ...]], records: list[bytes]
) -> _Table:
    rows = len(next(iter(columns.values())))
    flat = {name: _little(columns[name].astype(dtype)).tobytes() for name, dtype in spec.items()}
    return _Table(
        rows, flat, {name: [word.value for word in known] for name, known in words.items()}, records
    )


def _columns(table: _Table, spec: dict[str, Any], words: dict[str, tuple[StrEnum, ...]]) -> Columns:
    if table.records and len(table.records) != table.rows:
        raise ValueError("records are missing")
    found: Columns = {}
    for name, dtype in spec.items():
        column = np.frombuffer(table.columns[name], np.dtype(dtype).newbyteorder("<")).astype(dtype)
        if len(column) != table.rows:
            raise ValueError("a column is cut")
        found[name] = _recoded(column, table.words[name], words[name]) if name in words else column
    return found


def _recoded(column: NDArray[Any], written: list[str], known: tuple[StrEnum, ...]) -> NDArray[Any]:
    """Codes as they are today; words that this version does not know become "none"."""
    today = {member.value: code for code, member in enumerate(known)}
    lookup = np.full(256, NONE, np.uint8)
    for old, word in enumerate(written[:NONE]):
        lookup[old] = today.get(word, NONE)
    recoded: NDArray[Any] = lookup[column]
    return recoded


def _little(column: NDArray[Any]) -> NDArray[Any]:
    return column if sys.byteorder == "little" else column.byteswap()
