"""Text in decoded payloads of runs and steps: a cancellable walk over the runs, newest first."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Hit, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters, keyset, payloads, rows
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.runs import Lister
from engine_bridge.errors import UsageError
from engine_bridge.format import plain
from engine_bridge.payloads import decode

SCOPES: Final = ("all", "inputs", "outputs", "errors", "steps")
PAYLOAD_LIMIT: Final = 1 << 20
"""Characters of one payload that are searched."""

_BATCH: Final = 200
_AROUND: Final = 60
_OF_RUN: Final = {"inputs": "input", "outputs": "output", "errors": "error"}


def find(
    db: Database, lister: Lister, text: str, scope: str, limit: int, cancel: CancelToken
) -> Iterator[Hit]:
    """Where a text occurs, ignoring case; at most ``limit`` findings. Raises UsageError for an unknown scope."""
    if scope not in SCOPES:
        raise UsageError(f"There is no search scope {scope!r}.", f"Known: {', '.join(SCOPES)}.")
    return _walk(db, lister, text.casefold(), scope, limit, cancel)


def _walk(
    db: Database, lister: Lister, text: str, scope: str, limit: int, cancel: CancelToken
) -> Iterator[Hit]:
    if not text:
        return
    key = keyset.key_of(db.tables, Sort())
    at, searched, found, total = None, 0, 0, lister.total(cancel)
    while found < limit:
        with db.reader(cancel) as read:
            raw = lister.raw(read, key, at, filters.Where(), True, _BATCH)
        for hit in _in_batch(db, raw, text, scope, cancel):
            yield hit
            found += 1
            if found >= limit:
                return
        searched += len(raw)
        cancel.progress(min(searched, total), total, "searching payloads")
        if len(raw) < _BATCH:
            return
        at = keyset.Cursor(raw[-1][-1], raw[-1][0], after=True)


def _in_batch(
    db: Database, raw: Sequence[Sequence[Any]], text: str, scope: str, cancel: CancelToken
) -> Iterator[Hit]:
    names = {row[0]: row[2] or "" for row in raw}
    kinds = [kind for name, kind in _OF_RUN.items() if scope in (name, "all")]
    if kinds:
        for run_id, encoding, *values in _bodies(db, kinds, list(names), cancel):
            for kind, value in zip(kinds, values, strict=True):
                excerpt = _excerpt(value, encoding, text)
                if excerpt is not None:
                    yield Hit(
                        ref=rows.ref(run_id), run_type=names.get(run_id, ""), where=kind, excerpt=excerpt
                    )
    if scope in ("steps", "all"):
        for run_id, step, name, encoding, output, error in _steps(db, list(names), cancel):
            for label, value in (("output", output), ("error", error)):
                excerpt = _excerpt(value, encoding, text)
                if excerpt is not None:
                    where = f"{label} of step {step} {name}"
                    yield Hit(
                        ref=rows.ref(run_id),
                        run_type=names.get(run_id, ""),
                        where=where,
                        excerpt=excerpt,
                        step_id=str(step),
                    )


def _bodies(db: Database, kinds: list[str], ids: list[str], cancel: CancelToken) -> Sequence[Any]:
    tables = db.tables
    run_id = tables.col("workflow_status", "workflow_uuid")
    parts = [sa.func.substr(payloads.body(tables, kind), 1, PAYLOAD_LIMIT) for kind in kinds]
    statement = sa.select(run_id, tables.col("workflow_status", "serialization"), *parts)
    return db.all(statement.select_from(payloads.joined(tables)).where(run_id.in_(ids)), cancel)


def _steps(db: Database, ids: list[str], cancel: CancelToken) -> Sequence[Any]:
    table = db.tables["operation_outputs"]
    statement = sa.select(
        table.c.workflow_uuid,
        table.c.function_id,
        table.c.function_name,
        db.tables.col("operation_outputs", "serialization"),
        sa.func.substr(table.c.output, 1, PAYLOAD_LIMIT),
        sa.func.substr(table.c.error, 1, PAYLOAD_LIMIT),
    ).where(table.c.workflow_uuid.in_(ids))
    return db.all(statement.order_by(table.c.workflow_uuid, table.c.function_id), cancel)


def _excerpt(value: Any, encoding: Any, text: str) -> str | None:
    if value is None:
        return None
    data = value.encode() if isinstance(value, str) else bytes(value)
    encoding = encoding if isinstance(encoding, str) else None
    if _surely_absent(data, encoding, text):
        return None
    shown = decode(data, encoding).text
    at = shown.casefold().find(text)
    if at < 0:
        return None
    # Case folding may change lengths, so the place is near, and good enough for an excerpt.
    start = max(0, at - _AROUND)
    return plain(" ".join(shown[start : at + len(text) + _AROUND].split()), 240)


def _surely_absent(data: bytes, encoding: str | None, text: str) -> bool:
    """Whether a pickle cannot show a text, without decoding it.

    Pickles hold strings and names as they are; numbers, times and punctuation appear only in the decoded view, so only
    a word that no rendering of those can contain is looked for in the raw bytes.
    """
    if encoding != "py_pickle" or _WORD.fullmatch(text) is None or any(text in word for word in _RENDERED):
        return False
    try:
        raw = binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        return False
    return raw.startswith(b"\x80") and text.encode() not in raw.lower()


_WORD: Final = re.compile(r"[a-z]{3,}")
_RENDERED: Final = (
    "false", "true", "null", "none", "nan", "infinity", "datetime", "date", "time", "timedelta", "timezone", "utc",
    "bytes", "bytearray", "binary", "base", "decimal", "fraction", "uuid", "complex", "set", "frozenset", "tuple",
    "list", "dict", "args", "kwargs", "state", "value", "type", "opaque", "truncated", "more", "shared", "recursive",
    "builtins", "microseconds", "seconds", "days", "items",
)  # fmt: skip
