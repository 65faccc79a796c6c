"""What changed in the list of runs: a cheap gate, then what is new, what finished or began, and the visible rows.

A mark holds the gate's token and high-water marks. Some changes touch nothing that is indexed (a resume, new
attributes), so the visible rows are read again whenever the gate moved, and compared with what was last handed out.
"""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa

from engine_bridge.bridge import Changes
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import rows
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.runs import Lister
from engine_bridge.model import RunRef

LIMIT: Final = 500
"""Rows that one answer carries at most, beside the visible ones."""

# Transactions commit later than the times they write; DBOS on old SQLite writes whole seconds.
_SLACK_MS: Final = 3_000


class _Mark(msgspec.Struct):
    token: str
    generation: int
    row: int
    created: int
    at: int
    recent: list[str]


class Watch:
    """Answers ``changes``. Thread-safe, and for any number of callers: all it goes by is the caller's mark."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def since(
        self, lister: Lister, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken
    ) -> Changes:
        """What happened since ``mark``; None, and marks of connections that are gone, start anew."""
        token = self._db.version_token(cancel)
        old = _parsed(mark)
        if old is not None and old.token == token:
            return Changes(mark=mark or b"", moved=False)
        if old is None or old.generation != self._db.generation:
            new_mark = self._mark(token, cancel)
            return Changes(mark=new_mark, moved=old is not None, reset=old is not None)
        new_mark = self._mark(token, cancel)
        created = self._created(old, cancel)
        touched = self._touched(old, cancel)
        ids = list(dict.fromkeys([ref.run for ref in visible] + created[:LIMIT] + touched))
        found = {run.ref: run for run in lister.by_ids(ids, cancel)}
        return Changes(
            mark=new_mark,
            moved=True,
            changed=tuple(found.values()),
            new=len(created),
            removed=tuple(ref for ref in visible if ref not in found),
        )

    def _mark(self, token: str, cancel: CancelToken) -> bytes:
        # The token is older than the rest, so a commit in between shows up once more and is never lost.
        tables = self._db.tables
        created = tables.col("workflow_status", "created_at")
        with self._db.reader(cancel) as read:
            newest = read.value(sa.select(sa.func.max(created))) or 0
            row = read.value(_MAX_ROWID) or 0 if tables.dialect == "sqlite" else 0
            recent = [] if tables.dialect == "sqlite" else self._recent(read, newest)
        at = self._db.now_ns(cancel) // rows.MS
        return msgspec.json.encode(_Mark(token, self._db.generation, row, newest, at, recent))

    def _recent(self, read: Reader, newest: int) -> list[str]:
        tables = self._db.tables
        created = tables.col("workflow_status", "created_at")
        statement = sa.select(tables.col("workflow_status", "workflow_uuid")).where(
            created >= newest - _SLACK_MS
        )
        return [row[0] for row in read.all(statement.order_by(created.desc()).limit(20 * LIMIT))]

    def _created(self, old: _Mark, cancel: CancelToken) -> list[str]:
        """Ids of the runs that appeared, newest first."""
        tables = self._db.tables
        created, run_id = (
            tables.col("workflow_status", "created_at"),
            tables.col("workflow_status", "workflow_uuid"),
        )
        if tables.dialect == "sqlite":
            # VACUUM renumbers rows and deleting the newest one frees its number: the time catches those.
            by_row = sa.select(run_id, created).where(sa.literal_column("rowid") > old.row)
            by_time = sa.select(run_id, created).where(created > old.created)
            both = by_row.union(by_time).subquery()
            found = self._db.all(sa.select(both.c.workflow_uuid).order_by(both.c.created_at.desc()), cancel)
            return [row[0] for row in found]
        statement = sa.select(run_id).where(created >= old.created - _SLACK_MS).order_by(created.desc())
        known = set(old.recent)
        return [row[0] for row in self._db.all(statement, cancel) if row[0] not in known]

    def _touched(self, old: _Mark, cancel: CancelToken) -> list[str]:
        """Ids of runs that began or finished."""
        tables = self._db.tables
        run_id = tables.col("workflow_status", "workflow_uuid")
        found: list[str] = []
        with self._db.reader(cancel) as read:
            for name in ("completed_at", "started_at_epoch_ms"):
                if tables.has("workflow_status", name):
                    column = tables.col("workflow_status", name)
                    statement = sa.select(run_id).where(column.is_not(None), column >= old.at - _SLACK_MS)
                    found += [row[0] for row in read.all(statement.order_by(column.desc()).limit(LIMIT))]
        return found


_MAX_ROWID: Final = sa.text("SELECT max(rowid) FROM workflow_status")


def _parsed(mark: bytes | None) -> _Mark | None:
    if mark is None:
        return None
    try:
        return msgspec.json.decode(mark, type=_Mark)
    except (msgspec.MsgspecError, ValueError):
        return None
