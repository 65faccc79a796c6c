"""Where bulk jobs are kept: a SQLite file beside the journal, readable by its user only.

It holds the plans (with their arguments) of items that were not sent yet, and forgets each when it is done. The journal
is the truth about what was sent: an item's request id derives from its job, so a crash between the two files loses
nothing.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.actions.bulk_model import ItemReport, ItemState, Job, JobState, Settings
from engine_bridge.actions.journal_store import prepare, prepared
from engine_bridge.actions.model import Plan, PlanItem, Target, derived_id
from engine_bridge.errors import NotFoundError, PlayheadError, RejectedError
from engine_bridge.held_files import Hold
from engine_bridge.payloads.masking import mask_text
from engine_bridge.sqlite_library import sqlite3

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, source TEXT, environment TEXT, action TEXT, reason TEXT, title TEXT, filter TEXT,
    created_ns INTEGER, settings BLOB, state TEXT, why TEXT, owner TEXT, canary_passed INTEGER
);
CREATE TABLE IF NOT EXISTS item (
    job TEXT, number INTEGER, target BLOB, title TEXT, plan BLOB, state TEXT, why TEXT, new_ref TEXT, took_ns INTEGER,
    attempt INTEGER, PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_state ON item (job, state, number);
"""
_JOB: Final = (
    "id, source, environment, action, reason, title, filter, created_ns, settings, state, why, owner,"
    " canary_passed"
)
_ITEM: Final = "number, target, title, state, why, new_ref, took_ns, attempt"
Ended = tuple[int, ItemState, str, str, int | None]
"""(number, state, why, new run, nanoseconds) of an item that is done."""


def request_id(job_id: str, number: int, attempt: int) -> str:
    """The request id of an item: known before it is sent, so that its journal rows are found after a crash."""
    return derived_id(job_id, f"item {number} attempt {attempt}")


class BulkStore:
    """The jobs in a folder. Any thread; several Playheads at once."""

    def __init__(self, folder: Path, dead: Callable[[str], bool]) -> None:
        self._path = folder / "bulk.sqlite"
        self._dead = dead
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._hold = Hold()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                db = self._writer = self._writer or self._open()
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise _failed(self._path, error) from None
            except BaseException:
                self._drop()
                raise

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA secure_delete=ON")
        prepare(db, _SCHEMA)
        self._hold.take(self._path)
        return db

    def _drop(self) -> None:
        db, self._writer = self._writer, None
        if db is not None:
            db.close()
        self._hold.release()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._drop()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        db = None
        try:
            db = sqlite3.connect(self._path, timeout=10)
            yield db
        except sqlite3.Error as error:
            raise _failed(self._path, error) from None
        finally:
            if db is not None:
                db.close()

    def create(
        self, plan: Plan, reason: str, settings: Settings, *, title: str = "", filter_text: str = ""
    ) -> Job:
        """Keeps a confirmed plan as a job that is ready to run; what the plan refuses is reported and never sent."""
        job_id = str(uuid.uuid4())
        action = plan.items[0].staged.action if plan.items else ""
        head = (
            job_id,
            plan.source,
            plan.environment,
            action,
            mask_text(reason),
            title,
            filter_text,
            time.time_ns(),
        )
        tail = (msgspec.msgpack.encode(settings), JobState.READY.value, "", "", 0)
        rows = [_item_row(job_id, number, item) for number, item in enumerate(plan.items)]
        with self._writing() as db:
            db.execute(f"INSERT INTO job ({_JOB}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", (*head, *tail))
            db.executemany("INSERT INTO item VALUES (?,?,?,?,?,?,?,?,?,1)", rows)
        return self.job(job_id)

    def jobs(self) -> list[Job]:
        """All jobs, newest first."""
        if not self._path.exists():
            return []
        with self._reading() as db:
            if not prepared(db):
                return []
            return [
                self._job(db, row) for row in db.execute(f"SELECT {_JOB} FROM job ORDER BY created_ns DESC")
            ]

    def job(self, job_id: str) -> Job:
        """One job, by its id or the unambiguous beginning of it. Raises NotFoundError."""
        found = [job for job in self.jobs() if job.id.startswith(job_id)]
        if len(found) != 1:
            raise NotFoundError(
                f"No bulk job {job_id!r}." if not found else f"Several jobs begin with {job_id!r}."
            )
        return found[0]

    def _job(self, db: sqlite3.Connection, row: Sequence[Any]) -> Job:
        state, owner = JobState(row[9]), row[11]
        if state is JobState.RUNNING and self._dead(owner):
            state = JobState.INTERRUPTED
        counts = dict(db.execute("SELECT state, count(*) FROM item WHERE job=? GROUP BY state", (row[0],)))
        return Job(
            id=row[0],
            source=row[1],
            environment=row[2],
            action=row[3],
            reason=row[4],
            title=row[5],
            filter=row[6],
            created_ns=row[7],
            settings=msgspec.msgpack.decode(row[8], type=Settings),
            state=state,
            why=row[10],
            canary_passed=bool(row[12]),
            counts=counts,
        )

    def report(
        self, job_id: str, states: Sequence[ItemState] = (), *, after: int = -1, limit: int = 100_000
    ) -> list[ItemReport]:
        """Items in order, of some states or of all; the next page is ``after`` the last one's number."""
        chosen = [state.value for state in states or tuple(ItemState)]
        marks = ",".join("?" * len(chosen))
        with self._reading() as db:
            rows = db.execute(
                f"SELECT {_ITEM} FROM item WHERE job=? AND number>? AND state IN ({marks}) ORDER BY number LIMIT ?",
                (job_id, after, *chosen, limit),
            ).fetchall()
        return [_report(job_id, row) for row in rows]

    # For the runner

    def claim(self, job_id: str, owner: str) -> Job:
        """Makes this process the one that runs a job. Raises RejectedError when it is done, or runs elsewhere."""
        job = self.job(job_id)
        if job.state.final or job.state is JobState.RUNNING:
            raise RejectedError(f"This job is {job.state.value}.", "Another one can be made of what is left.")
        passed = job.canary_passed or job.state is JobState.CANARY
        with self._writing() as db:
            changed = db.execute(
                "UPDATE job SET state=?, owner=?, why='', canary_passed=? WHERE id=? AND (state<>? OR owner=?)",
                (JobState.RUNNING.value, owner, passed, job.id, JobState.RUNNING.value, self._owner(db, job)),
            ).rowcount
        if not changed:
            raise RejectedError("This job was just taken up by another Playhead.")
        return self.job(job.id)

    def _owner(self, db: sqlite3.Connection, job: Job) -> str:
        """The dead owner of an interrupted job; nobody's name otherwise."""
        if job.state is not JobState.INTERRUPTED:
            return "-"
        owner = str(db.execute("SELECT owner FROM job WHERE id=?", (job.id,)).fetchone()[0])
        return owner if self._dead(owner) else "-"

    def leave(self, job_id: str, state: JobState, why: str = "") -> Job:
        """Records why this process runs a job no longer; arguments of items that will never be sent are forgotten."""
        with self._writing() as db:
            db.execute(
                "UPDATE job SET state=?, why=?, owner='' WHERE id=?", (state.value, mask_text(why), job_id)
            )
            if state.final:
                db.execute("UPDATE item SET plan=NULL WHERE job=?", (job_id,))
        return self.job(job_id)

    def finish(self, job_id: str, ended: Sequence[Ended]) -> None:
        """Records what became of items."""
        rows = [
            (state.value, mask_text(why), new, took, state is ItemState.OPEN, job_id, number)
            for number, state, why, new, took in ended
        ]
        with self._writing() as db:
            db.executemany(
                "UPDATE item SET state=?, why=?, new_ref=?, took_ns=?, plan=iif(?, plan, NULL)"
                " WHERE job=? AND number=?",
                rows,
            )

    def again(self, job_id: str, numbers: Sequence[int]) -> None:
        """Items that were interrupted, and are known not to have been applied, wait again."""
        with self._writing() as db:
            db.executemany(
                "UPDATE item SET state='waiting', why='', attempt=attempt+1 WHERE job=? AND number=? AND plan NOTNULL",
                [(job_id, number) for number in numbers],
            )

    def left(self, job_id: str, after: int, limit: int) -> list[tuple[int, int, PlanItem]]:
        """The next items that were not sent, in order: number, attempt, plan."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT number, attempt, plan FROM item WHERE job=? AND state='waiting' AND number>?"
                " ORDER BY number LIMIT ?",
                (job_id, after, limit),
            ).fetchall()
        return [
            (number, attempt, msgspec.msgpack.decode(plan, type=PlanItem)) for number, attempt, plan in rows
        ]

    def change(self, job_id: str, settings: Settings) -> None:
        """New settings, which the next run of the job follows."""
        with self._writing() as db:
            db.execute("UPDATE job SET settings=? WHERE id=?", (msgspec.msgpack.encode(settings), job_id))

    def forget(self, job_id: str) -> None:
        """Removes a job and its report; the journal keeps what it did."""
        with self._writing() as db:
            for statement in ("DELETE FROM item WHERE job=?", "DELETE FROM job WHERE id=?"):
                db.execute(statement, (job_id,))


def _failed(path: Path, error: Exception) -> PlayheadError:
    return PlayheadError(
        "The bulk jobs cannot be kept, so nothing is sent.",
        f"Make {path.parent} writable and free some space, then try again.",
        f"{type(error).__name__}: {error}",
    )


def _item_row(job_id: str, number: int, item: PlanItem) -> tuple[Any, ...]:
    state = ItemState.REFUSED if item.refused else ItemState.WAITING
    plan = None if item.refused else msgspec.msgpack.encode(msgspec.structs.replace(item, copy_as={}))
    target = msgspec.msgpack.encode(item.staged.target)
    return job_id, number, target, mask_text(item.title), plan, state.value, mask_text(item.refused), "", None


def _report(job_id: str, row: Sequence[Any]) -> ItemReport:
    number, target, title, state, why, new_ref, took_ns, attempt = row
    return ItemReport(
        number=number,
        target=msgspec.msgpack.decode(target, type=Target),
        title=title,
        state=ItemState(state),
        request_id=request_id(job_id, number, attempt),
        why=why or "",
        new_ref=new_ref or "",
        took_ns=took_ns,
    )
