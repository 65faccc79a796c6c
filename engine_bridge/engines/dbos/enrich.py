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
from engine_bridge.engines.dbos.prepared import Prepared
from engine_bridge.engines.dbos.rows import Builder
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.model import Blocked, Failure, PayloadRef, Run

ERROR_LIMIT: Final = 65_536
"""Characters of an error that a list reads; the whole of it stays one click away."""

WAITS_NS: Final = 2_000_000_000
"""How long what open runs wait for is remembered: it also depends on the time."""

_CHUNK: Final = 500
_CACHED: Final = 4_096
_STATUS, _UPDATED, _SERIALIZATION = 1, 4, 19


class Enricher:
    """Builds runs of raw rows (``rows.listed``), reading what else they show. Thread-safe; remembers errors."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tables = db.tables
        self._builder = Builder(db.tables)
        self._waits: tuple[str, int, dict[str, Blocked | None]] = ("", 0, {})
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
        steps = self._steps(read, rows) if counts else None
        failures = self._errors(read, rows) if errors else {}
        return self._builder.build(rows, now_ns, steps, failures, read.bad_texts)

    def _steps(self, read: Reader, rows: Sequence[Sequence[Any]]) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for ids in _chunks([row[0] for row in rows]):
            found.update(
                read.fetch(self._counting(len(ids)), {f"id{n}": run_id for n, run_id in enumerate(ids)})
            )
        return found

    def _counting(self, number: int) -> Prepared:
        known: Prepared | None = self._db.statements.get(("steps", number))
        if known is not None:
            return known
        owner = self._tables["operation_outputs"].c.workflow_uuid
        marks = [sa.bindparam(f"id{n}", "", type_=sa.Text()) for n in range(number)]
        statement = sa.select(owner, sa.func.count()).where(owner.in_(marks)).group_by(owner)
        return self._db.statements.add(("steps", number), self._db.statements.render(statement))

    def _errors(self, read: Reader, rows: Sequence[Sequence[Any]]) -> Mapping[str, Failure]:
        wanted = {row[0]: row for row in rows if row[_STATUS] == "ERROR"}
        found: dict[str, Failure] = {}
        for run_id, row in wanted.items():
            known = self._failures.get((run_id, row[_UPDATED]))
            if known is not None:
                found[run_id] = known
        for ids in _chunks([run_id for run_id in wanted if run_id not in found]):
            for run_id, error in read.all(error_query(self._tables, ids)):
                # In a damaged file a row may not be the one that its index named.
                asked = wanted.get(run_id)
                failure = None if asked is None else decoded(error, asked[_SERIALIZATION], run_id)
                if asked is not None and failure is not None:
                    found[run_id] = failure
                    self._remember((run_id, asked[_UPDATED]), failure)
        return found

    def _remember(self, key: tuple[str, Any], failure: Failure) -> None:
        if len(self._failures) >= _CACHED:
            self._failures.clear()
        self._failures[key] = failure

    def with_waits(self, runs: Sequence[Run], now_ns: int, cancel: CancelToken) -> list[Run]:
        """The same runs, the open ones with what they wait for."""
        opened = [run for run in runs if not run.status.closed]
        if not opened:
            return list(runs)
        found = self._blocked(opened, now_ns, cancel)
        return [_waiting(run, found[run.id], now_ns) if run.id in found else run for run in runs]

    def _blocked(self, runs: list[Run], now_ns: int, cancel: CancelToken) -> dict[str, Blocked | None]:
        """What open runs wait for; asked again when anything was committed, or after WAITS_NS."""
        from engine_bridge.engines.dbos import infer_page

        token, (old, at, found) = self._db.version_token(cancel), self._waits
        if token != old or abs(now_ns - at) > WAITS_NS:
            at, found = now_ns, {}
            self._waits = (token, at, found)
        missing = [run for run in runs if run.id not in found]
        if missing:
            answers = infer_page.now_texts(self._db, missing, now_ns, cancel)
            found.update({run_id: blocked for run_id, (_, blocked) in answers.items()})
        return found


def _waiting(run: Run, blocked: Blocked | None, now_ns: int) -> Run:
    from engine_bridge.engines.dbos.infer import now_text

    return msgspec.structs.replace(run, blocked_on=blocked, now=now_text(blocked, now_ns) or run.now)


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
