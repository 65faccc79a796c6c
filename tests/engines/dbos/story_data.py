"""Real databases and hand-made rows for the tests of histories."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine_bridge.cancel import CancelToken
from engine_bridge.codes import NO_TIME
from engine_bridge.engines.dbos import runs
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import Teller
from engine_bridge.engines.dbos.history_read import read_story
from engine_bridge.engines.dbos.history_rows import RawRun, Story, ns, run_ref
from engine_bridge.engines.dbos.history_tale import Tale, tell
from engine_bridge.engines.dbos.infer_context import Context
from engine_bridge.engines.dbos.infer_read import read_context
from engine_bridge.engines.dbos.rows import STATUSES
from engine_bridge.history import History
from engine_bridge.model import Event, Run, Status, Step
from engine_bridge.sqlite_library import sqlite3

DATA = Path(__file__).resolve().parents[2] / "data" / "dbos"
CANCEL = CancelToken()
# The sample's last worker stopped at 1795144727 s; a minute later nothing has moved.
NOW_MS = 1_795_144_787_000


def unpack(name: str, folder: Path) -> Path:
    """A writable copy of a sample database."""
    path = folder / f"{name}.sqlite"
    path.write_bytes(gzip.decompress((DATA / f"{name}.sqlite.gz").read_bytes()))
    return path


def opened(path: Path) -> Database:
    db = Database(f"dbos+sqlite:///{path}")
    db.open(CANCEL)
    return db


def write(path: Path, *statements: str, rows: Sequence[tuple[object, ...]] = ()) -> None:
    """Executes statements and commits; ``rows`` are for the last one.

    By the reader's own SQLite: two SQLite libraries in one process do not see each other's locks.
    """
    connection = sqlite3.connect(str(path))
    for statement in statements[:-1]:
        connection.execute(statement)
    if rows:
        connection.executemany(statements[-1], rows)
    else:
        connection.execute(statements[-1])
    connection.commit()
    connection.close()


def header_of(run: RawRun) -> Run:
    """A list row of a raw run, for stories that are in no database."""
    status = STATUSES.get(run.status, Status.UNKNOWN)
    ended = run.completed_ms if run.completed_ms is not None else run.updated_ms
    return Run(
        ref=run_ref(run.id),
        id=run.id,
        type=run.name,
        status=status,
        engine_status=run.status,
        engine="dbos",
        created_ns=ns(run.created_ms),
        started_ns=ns(run.dispatched_ms),
        ended_ns=ns(ended) if status.closed else None,
        updated_ns=ns(run.updated_ms),
    )


def tale_of(story: Story, header: Run | None = None, context: Context | None = None) -> Tale:
    """The whole tale of a story."""
    for piece in tell(story, header or header_of(story.run), context or Context()):
        if isinstance(piece, Tale):
            return piece
    raise AssertionError("no tale")


def read_at(db: Database, run_id: str, now_ms: int = NOW_MS) -> History:
    """A run's history as it was seen at a given time of the engine's clock."""
    story = replace(read_story(db, run_id, CANCEL), now_ms=now_ms)
    with db.reader(CANCEL) as read:
        context = read_context(db.tables, read, story)
    return history_of(tale_of(story, runs.read_run(db, run_ref(run_id), CANCEL), context), now_ms)


def history_of(tale: Tale, now_ms: int = NOW_MS, teller: Teller | None = None) -> History:
    history = History()
    for batch in (teller or Teller()).batches(tale, now_ms * 1_000_000, CANCEL):
        history.append(batch)
    return history


def steps(history: History) -> dict[str, Step]:
    return {step.id: step for step in history.all_steps()}


def of_step(history: History, step_id: str) -> list[Event]:
    return [event for event in history.all_events() if event.step_id == step_id]


def words(events: Sequence[Event]) -> list[str]:
    """Events as "kind step" in order."""
    return [f"{event.kind.value} {event.step_name or ''}".strip() for event in events]


def ms(time_ns: int | None) -> int | None:
    return None if time_ns is None or time_ns == NO_TIME else time_ns // 1_000_000
