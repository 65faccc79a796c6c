"""The failure log: failed runs and failed steps in one list, newest first, errors decoded.

A run's failure has the time of its end, a step's that of its own; a step that fails its run appears as both. Cancelled
runs are no failures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.bridge import FailureRow, Page
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import enrich, filters, keyset, payloads, rows
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.errors import failure_of
from engine_bridge.engines.dbos.runs import Lister
from engine_bridge.engines.dbos.tables import Expression, Tables
from engine_bridge.errors import UsageError
from engine_bridge.model import Failure, Run
from engine_bridge.query.sql import literal_in

BATCH: Final = 400
SCAN_S: Final = 3.0

WINDOW: Final = 15_000
"""Steps that one read looks through for failed ones: they are rare, and no index finds them."""

_NEVER: Final = -1
_ABOVE: Final = 2

_Phase = tuple[Expression, list[Any], list[Any]]
_Place = tuple[int, int, str, int]
"""Order of the log: time in ms (-1: not recorded), 1 for runs and 0 for steps, run id, step id."""


def page(
    db: Database, lister: Lister, query: Any, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
) -> Page:
    """A page of FailureRow. A text, or a filter that SQL cannot answer, is searched for SCAN_S at most."""
    log = _Log(db, lister, query, text.casefold(), cancel)
    return log.page(_parsed(cursor), limit)


def _parsed(cursor: bytes | None) -> _Place | None:
    if cursor is None:
        return None
    try:
        at, kind, run_id, step = json.loads(cursor)
    except (ValueError, TypeError):
        raise UsageError("This place in the failure log is not valid.", "Start from the top.") from None
    return at, kind, run_id, step


class _Log:
    """One question to the failure log."""

    def __init__(self, db: Database, lister: Lister, query: Any, text: str, cancel: CancelToken) -> None:
        self._db = db
        self._tables = db.tables
        self._lister = lister
        self._text = text
        self._cancel = cancel
        self._now_ns = db.now_ns(cancel)
        self._where = filters.where(db, query, self._now_ns)
        self._matches = self._where.predicate(self._now_ns)

    def page(self, at: _Place | None, limit: int) -> Page:
        kept: list[tuple[_Place, FailureRow]] = []
        # A text, or a filter to be scanned, keeps few rows of many.
        scanned = bool(self._text) or self._where.residual is not None
        size = BATCH if scanned else min(BATCH, limit + 1)
        searched, ended, deadline = 0, False, time.monotonic() + SCAN_S
        while len(kept) <= limit and not ended and (not searched or time.monotonic() < deadline):
            batch, at, seen = self._batch(at, size)
            kept += batch
            searched += seen
            ended = at is None
            self._cancel.progress(searched, None, "reading failures")
        if len(kept) > limit:
            at = kept[limit - 1][0]
        unfinished = at is not None and len(kept) < limit
        return Page(
            items=tuple(row for _, row in kept[:limit]),
            after=None if at is None else json.dumps(at).encode(),
            searched=searched if scanned or unfinished else None,
            complete=not unfinished,
        )

    def _batch(
        self, at: _Place | None, size: int
    ) -> tuple[list[tuple[_Place, FailureRow]], _Place | None, int]:
        """The next rows of both kinds, merged: (matching rows, where to go on or None, rows looked at)."""
        with self._db.reader(self._cancel) as read:
            floor = self._floor(read, at)
            failed, run_rows = self._runs(read, at, floor, size)
            steps = self._steps(read, at, floor, size)
            merged = sorted([*failed, *steps], key=lambda found: found[0], reverse=True)[:size]
            runs = self._headers(read, merged, run_rows)
        onward = None if floor is None else (floor, _ABOVE, "", 0)
        if len(merged) >= size:
            onward = merged[-1][0]
        seen = len(merged) if floor is None else WINDOW
        kept = []
        for place, row in merged:
            run = runs.get(place[2])
            built = self._row(place, row, run)
            if built is not None and (run is None or self._matches(run)) and self._contains(built):
                kept.append((place, built))
        return kept, onward, seen

    def _floor(self, read: Reader, at: _Place | None) -> int | None:
        """The end of the window below a place: a time with WINDOW steps above it. None: the window has no end."""
        if at is not None and at[0] == _NEVER:
            return None
        ended = self._tables.col("operation_outputs", "completed_at_epoch_ms")
        below = [ended.is_not(None)] if at is None else [ended <= at[0]]
        floor = read.value(sa.select(ended).where(*below).order_by(ended.desc()).limit(1).offset(WINDOW))
        # Steps that all ended at one time make a window without a floor of its own.
        return None if floor is None or (at is not None and floor >= at[0]) else int(floor)

    def _runs(
        self, read: Reader, at: _Place | None, floor: int | None, size: int
    ) -> tuple[list[tuple[_Place, Any]], dict[str, Sequence[Any]]]:
        tables = self._tables
        status = tables.col("workflow_status", "status")
        run_id = tables.col("workflow_status", "workflow_uuid")
        found: list[Any] = []
        for time_, order, conditions in _phases(
            _run_time(tables), at, floor, 1, run_id, sa.literal_column("0")
        ):
            statement = (
                sa.select(*rows.listed(tables), time_.label("moment"))
                .where(
                    literal_in(status, filters.FAILED),
                    status.in_(keyset.literal("ERROR", rows.EXHAUSTED)),
                    *self._where.conditions(),
                    *conditions,
                )
                .order_by(*order, run_id.desc())
                .limit(size - len(found))
            )
            found += read.all(statement) if len(found) < size else ()
        return [(_place(row[-1], 1, row[0], 0), None) for row in found], {row[0]: row[:-1] for row in found}

    def _steps(
        self, read: Reader, at: _Place | None, floor: int | None, size: int
    ) -> list[tuple[_Place, Any]]:
        table = self._tables["operation_outputs"]
        ended = self._tables.col("operation_outputs", "completed_at_epoch_ms")
        run_id, step = table.c.workflow_uuid, table.c.function_id
        source: sa.FromClause = table
        if self._where.clause is not None:
            runs = self._tables["workflow_status"]
            source = table.join(runs, runs.c.workflow_uuid == run_id)
        found: list[Any] = []
        for time_, order, conditions in _phases(ended, at, floor, 0, run_id, step):
            statement = (
                sa.select(
                    run_id,
                    step,
                    table.c.function_name,
                    sa.func.substr(table.c.error, 1, enrich.ERROR_LIMIT),
                    self._tables.col("operation_outputs", "serialization"),
                    time_.label("moment"),
                )
                .select_from(source)
                .where(table.c.error.is_not(None), *self._where.conditions(), *conditions)
                .order_by(*order, run_id.desc(), step.desc())
                .limit(size - len(found))
            )
            found += read.all(statement) if len(found) < size else ()
        return [(_place(row[5], 0, row[0], row[1]), row) for row in found]

    def _headers(
        self, read: Reader, merged: list[tuple[_Place, Any]], known: dict[str, Sequence[Any]]
    ) -> dict[str, Run]:
        wanted = {place[2] for place, _ in merged}
        missing = sorted(wanted - known.keys())
        raw = [row for run_id, row in known.items() if run_id in wanted]
        run_id = self._tables.col("workflow_status", "workflow_uuid")
        if missing:
            raw += read.all(sa.select(*rows.listed(self._tables)).where(run_id.in_(missing)))
        built = self._lister.enricher.runs(read, raw, self._now_ns, counts="steps" in self._where.needs)
        return {run.id: run for run in built}

    def _row(self, place: _Place, row: Any, run: Run | None) -> FailureRow | None:
        found = _step_failure(row) if row is not None else run.failure if run is not None else None
        if found is None and run is not None:
            found = Failure(type="", message=run.bad or "failed without a recorded error")
        if found is None:
            return None
        return FailureRow(
            ref=rows.ref(place[2]),
            run_type=run.type if run is not None else "",
            time_ns=_time_ns(place[0]),
            failure=found,
            step_id=None if row is None else str(row[1]),
            step_name=None if row is None else row[2],
            run_status=run.status.value if run is not None else "",
        )

    def _contains(self, row: FailureRow) -> bool:
        if not self._text:
            return True
        own = (row.ref.run, row.run_type, row.step_name or "")
        return any(self._text in part.casefold() for part in (*own, *_texts(row.failure)))


def _texts(found: Failure) -> list[str]:
    inner = [text for cause in found.causes for text in _texts(cause)]
    return [found.type, found.message, found.code or "", *inner]


def _step_failure(row: Any) -> Failure:
    run_id, step, _, error, encoding, moment = row
    raw = payloads.ref("step_error", run_id, step, label="error", encoding=encoding)
    time_ns = _time_ns(moment) if type(moment) is int else None
    return msgspec.structs.replace(failure_of(error, encoding), raw=raw, time_ns=time_ns)


def _place(moment: Any, kind: int, run_id: Any, step: Any) -> _Place:
    # What is no number stands above all numbers, as in SQLite's own order.
    time_ms = moment if type(moment) is int else rows.LIMIT_MS
    return time_ms, kind, str(run_id), step if type(step) is int else 0


def _time_ns(moment: int) -> int | None:
    return moment * rows.MS if 0 <= moment < rows.LIMIT_MS else None


def _run_time(tables: Tables) -> Expression:
    name = "completed_at" if tables.has("workflow_status", "completed_at") else "updated_at"
    return tables.col("workflow_status", name)


def _phases(
    column: Expression, at: _Place | None, floor: int | None, kind: int, run_id: Expression, step: Expression
) -> list[_Phase]:
    """(time, ordering by it, conditions) of the rows that have a time, which an index orders, then of those without."""
    valued: _Phase = (
        column,
        [column.desc()],
        [column.is_not(None), *_before(at, column, kind, run_id, step)],
    )
    if floor is not None:
        valued[2].append(column > floor)
        return [valued]
    never: Expression = sa.literal_column(str(_NEVER))
    # A constant in ORDER BY would name a column by its number.
    timeless: _Phase = (never, [], [column.is_(None), *_before(at, never, kind, run_id, step)])
    return [timeless] if at is not None and at[0] == _NEVER else [valued, timeless]


def _before(
    at: _Place | None, moment: Expression, kind: int, run_id: Expression, step: Expression
) -> list[Any]:
    """The conditions that a row of a kind stands below a place."""
    if at is None:
        return []
    time_ms, at_kind, at_id, at_step = at
    if kind != at_kind:
        return [moment <= time_ms if kind < at_kind else moment < time_ms]
    below = sa.or_(run_id < at_id, sa.and_(run_id == at_id, step < at_step))
    return [moment <= time_ms, sa.or_(moment < time_ms, below)]
