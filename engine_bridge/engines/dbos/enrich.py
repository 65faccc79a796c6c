"""What a page of runs needs beyond its rows: errors, counts of steps, what open runs wait for. One query each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import payloads
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.errors import failure_of
from engine_bridge.engines.dbos.rows import Builder
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.model import Blocked, Failure, PayloadRef, Run

ERROR_LIMIT: Final = 65_536
"""Characters of an error that a list reads; the whole of it stays one click away."""

_CHUNK: Final = 500
_CACHED: Final = 4_096
_STATUS, _UPDATED, _SERIALIZATION = 1, 4, 19


class Enricher:
    """Builds runs of raw rows (``rows.listed``), reading what else they show. Thread-safe; remembers errors."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tables = db.tables
        self._failures: dict[tuple[str, Any], Failure] = {}

    def runs(
        self,
        read: Reader,
        rows: Sequence[Sequence[Any]],
        now_ns: int,
        *,
        counts: bool = True,
        errors: bool = True,
    ) -> list[Run]:
        """The runs of rows, without what they wait for."""
        builder = Builder(self._tables)
        steps = self._steps(read, rows) if counts else {}
        failures = self._errors(read, rows) if errors else {}
        width = len(self._tables.unknown) + builder.width
        built = []
        for row in rows:
            run_id = row[0]
            run = builder.build(
                row[:width],
                now_ns,
                steps.get(run_id, 0) if counts else None,
                failures.get(run_id),
                read.bad_texts,
            )
            built.append(run)
        return built

    def _steps(self, read: Reader, rows: Sequence[Sequence[Any]]) -> Mapping[str, int]:
        table = self._tables["operation_outputs"]
        found: dict[str, int] = {}
        for ids in _chunks([row[0] for row in rows]):
            statement = (
                sa.select(table.c.workflow_uuid, sa.func.count())
                .where(table.c.workflow_uuid.in_(ids))
                .group_by(table.c.workflow_uuid)
            )
            found.update((run_id, count) for run_id, count in read.all(statement))
        return found

    def _errors(self, read: Reader, rows: Sequence[Sequence[Any]]) -> Mapping[str, Failure]:
        wanted = {row[0]: row for row in rows if row[_STATUS] == "ERROR"}
        found: dict[str, Failure] = {}
        for run_id, row in wanted.items():
            known = self._failures.get((run_id, row[_UPDATED]))
            if known is not None:
                found[run_id] = known
        for ids in _chunks([run_id for run_id in wanted if run_id not in found]):
            for run_id, error in read.all(error_query(self._tables, ids)):
                row = wanted[run_id]
                failure = decoded(error, row[_SERIALIZATION], run_id)
                if failure is not None:
                    found[run_id] = failure
                    self._remember((run_id, row[_UPDATED]), failure)
        return found

    def _remember(self, key: tuple[str, Any], failure: Failure) -> None:
        if len(self._failures) >= _CACHED:
            self._failures.clear()
        self._failures[key] = failure

    def with_waits(self, runs: Sequence[Run], now_ns: int, cancel: CancelToken) -> list[Run]:
        """The same runs, the open ones with what they wait for."""
        if all(run.status.closed for run in runs):
            return list(runs)
        from engine_bridge.engines.dbos import infer_page

        found = infer_page.now_texts(self._db, runs, now_ns, cancel)
        return [_waiting(run, *found[run.id]) if run.id in found else run for run in runs]


def _waiting(run: Run, text: str, blocked: Blocked | None) -> Run:
    return msgspec.structs.replace(run, blocked_on=blocked, now=text or run.now)


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))


def error_query(tables: Tables, ids: list[str]) -> sa.Select[Any]:
    """(id, beginning of its error) of some runs."""
    run_id = tables.col("workflow_status", "workflow_uuid")
    error = sa.func.substr(payloads.body(tables, "error"), 1, ERROR_LIMIT).label("error")
    return sa.select(run_id, error).select_from(payloads.joined(tables)).where(run_id.in_(ids))


def decoded(error: Any, encoding: str | None, run_id: str) -> Failure | None:
    """A stored error as a Failure; never executed."""
    if error is None:
        return None
    raw: PayloadRef = payloads.ref("error", run_id, encoding=encoding)
    return msgspec.structs.replace(failure_of(error, encoding), raw=raw)
