"""An engine whose state is one small SQLite file, with actions: for tests of everything that acts.

``install`` registers it by an entry point of its own, so that child processes and ``playhead act`` find it like any
other engine. Faults are rows of the file: (run, point, how), with the points start, locked, before-commit and
after-commit, and the hows kill, kill-parent, orphan (the parent is killed, the child stopped), error, hang and
``slow:SECONDS``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from engine_bridge.actions.model import (
    ActionSpec,
    Actor,
    Change,
    Danger,
    Intent,
    Outcome,
    Param,
    ParamType,
    PlanItem,
    Precondition,
    Receipt,
    Staged,
    Target,
    Verdict,
)
from engine_bridge.bridge import (
    Bridge,
    Capability,
    Engine,
    Field,
    FieldType,
    Page,
    Resource,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import NotFoundError, RejectedError, SchemaUnknownError
from engine_bridge.history import Batch
from engine_bridge.model import Run, RunRef, Status
from engine_bridge.sqlite_library import sqlite3

SCHEMA = """
CREATE TABLE run (id TEXT PRIMARY KEY, status TEXT, version INTEGER, note TEXT);
CREATE TABLE applied (request_id TEXT, run TEXT, time REAL);
CREATE TABLE fault (run TEXT, point TEXT, how TEXT);
PRAGMA user_version = 1;
"""


def make(path: Path, runs: int, status: str = "failed") -> Path:
    """A file with runs ``r-0000`` …, all in one status."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA)
        rows = [(f"r-{i:04d}", status, 1, "") for i in range(runs)]
        db.executemany("INSERT INTO run VALUES (?, ?, ?, ?)", rows)
        db.commit()
    return path


def add_fault(path: Path, run: str, point: str, how: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO fault VALUES (?, ?, ?)", (run, point, how))
        db.commit()


def clear_faults(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM fault")
        db.commit()


def applied(path: Path) -> dict[str, int]:
    """How often something was applied to each run."""
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT run, count(*) FROM applied GROUP BY run"))


def requests(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT request_id FROM applied")]


def status_of(path: Path, run: str) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT status FROM run WHERE id=?", (run,)).fetchone()[0])


AFTER = {"retry": "running", "cancel": "cancelled", "delete": "deleted", "annotate": "same"}


class ShopActor(Actor):
    """Compare-and-swap on ``version``; one connection a call. A locked file makes it wait for ever."""

    concurrent = True

    def __init__(self, path: str, synchronous: str = "OFF") -> None:
        self._path = path
        self._synchronous = synchronous

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=3600, isolation_level=None)
        db.execute(f"PRAGMA synchronous={self._synchronous}")
        return db

    def open(self, cancel: CancelToken) -> None:
        with closing(self._connect()) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != 1:
            raise SchemaUnknownError(f"Schema {version} was not tested: nothing is written.")

    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        run = item.staged.target.id
        with closing(self._connect()) as db:
            faults = dict(db.execute("SELECT point, how FROM fault WHERE run=?", (run,)))
            _fault(faults, "start", cancel)
            cancel.progress(0, None, "Waiting for the lock")
            db.execute("BEGIN IMMEDIATE")
            _fault(faults, "locked", cancel)
            stale = _stale(db, item)
            if stale:
                db.execute("ROLLBACK")
                return Receipt(request_id=request_id, outcome=stale)
            after = AFTER[item.staged.action]
            note = str(item.staged.args.get("text", ""))
            if after == "same":
                db.execute("UPDATE run SET note=?, version=version+1 WHERE id=?", (note, run))
            else:
                db.execute("UPDATE run SET status=?, version=version+1 WHERE id=?", (after, run))
            db.execute("INSERT INTO applied VALUES (?, ?, ?)", (request_id, run, time.time()))
            _fault(faults, "before-commit", cancel)
            db.execute("COMMIT")
            _fault(faults, "after-commit", cancel)
        outcome = Outcome(verdict=Verdict.APPLIED, evidence=(f"request {request_id} is recorded",))
        return Receipt(request_id=request_id, outcome=outcome, changes=item.changes, inverse=item.inverse)

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=3600)) as db:
            cancel.raise_if_cancelled()
            found = db.execute(
                "SELECT count(*) FROM applied WHERE request_id=?", (intent.request_id,)
            ).fetchone()
        if found[0]:
            return Outcome(verdict=Verdict.APPLIED, evidence=("its request id is recorded",))
        return Outcome(verdict=Verdict.NOT_APPLIED, evidence=("its request id is not recorded",))

    def close(self) -> None:
        """Nothing is kept open between calls."""


def _stale(db: sqlite3.Connection, item: PlanItem) -> Outcome | None:
    row = db.execute("SELECT version, status FROM run WHERE id=?", (item.staged.target.id,)).fetchone()
    wanted = {p.what: p.value for p in item.preconditions}
    if row is not None and row[0] == wanted["version"]:
        return None
    won = db.execute("SELECT request_id FROM applied WHERE run=?", (item.staged.target.id,)).fetchall()
    who = f"request {won[-1][0]} won" if won else "it is gone"
    return Outcome(verdict=Verdict.NOT_APPLIED, stale=True, evidence=(f"the run changed: {who}",))


def _fault(faults: dict[str, str], point: str, cancel: CancelToken) -> None:
    how = faults.get(point, "")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "kill-parent":
        parent = os.getppid()
        os.kill(parent, signal.SIGKILL)
        _until_dead(parent)
    elif how == "orphan":
        # Stopped first: once its parent is dead a child ends by itself.
        parent = os.getppid()
        subprocess.Popen(["sh", "-c", f"kill -STOP {os.getpid()}; kill -KILL {parent}"])
        _until_dead(parent)
    elif how == "error":
        raise RejectedError("The shop refuses this run.")
    elif how == "hang":
        while True:
            time.sleep(1)
    elif how.startswith("slow:"):
        time.sleep(float(how[5:]))


def _until_dead(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.01)


class ShopBridge(Bridge):
    """Reads the same file, read-only."""

    engine = "shop"
    concurrent = True

    def __init__(self, path: str) -> None:
        self._path = path

    def _db(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)

    def open(self, cancel: CancelToken) -> SourceInfo:
        return SourceInfo(
            engine="shop",
            engine_title="Shop",
            title=Path(self._path).name,
            location=self._path,
            order="there is none",
            capabilities=frozenset({Capability.RUNS, Capability.ACTIONS, Capability.RESOURCES}),
            resource_kinds=("queues",),
        )

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def fields(self, cancel: CancelToken) -> list[Field]:
        return [
            Field(name="status", type=FieldType.STATUS, values=tuple(Status)),
            Field(name="id", type=FieldType.TEXT),
            Field(name="created", type=FieldType.TIME, sortable=True),
        ]

    def runs(
        self, query: Any, sort: Sort, cursor: Any, direction: Any, limit: int, cancel: CancelToken
    ) -> Page:
        from engine_bridge.query.predicate import predicate

        test = predicate(query, 0) if query is not None else lambda run: True
        after = cursor.decode() if cursor else ""
        with closing(self._db()) as db:
            rows = db.execute("SELECT id, status FROM run WHERE id > ? ORDER BY id", (after,)).fetchall()
        found = [run for run in map(_run, rows) if test(run)]
        more = found[limit - 1].id.encode() if len(found) > limit else None
        return Page(items=tuple(found[:limit]), after=more)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        found = self.find(ref.run, 1, cancel)
        if not found:
            raise NotFoundError(f"No run {ref}.")
        return found[0]

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        with closing(self._db()) as db:
            rows = db.execute("SELECT id, status FROM run WHERE id >= ? ORDER BY id LIMIT ?", (text, limit))
            return [_run(row) for row in rows if row[0].startswith(text)]

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        yield Batch(run=self.run(ref, cancel))

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        return [Resource(kind="queues", id="orders", title="orders")]

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        if target.kind != "run":
            return [
                ActionSpec(id="pause", title="Pause", effect="pauses it", disabled="it is paused already")
            ]
        status = self.run(RunRef("workflow", target.id, target.id), cancel).status
        why = "" if status is Status.FAILED else f"it is {status}, not failed"
        return [
            ActionSpec(id="retry", title="Retry", effect="runs it again", disabled=why, bulk=True),
            ActionSpec(id="cancel", title="Cancel", effect="stops it", bulk=True),
            ActionSpec(id="delete", title="Delete", effect="deletes it", danger=Danger.DESTROYS, bulk=True),
            ActionSpec(id="annotate", title="Annotate", effect="writes a note", params=PARAMS),
        ]

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        with closing(self._db()) as db:
            known = {
                row[0]: row[1:]
                for one in staged
                for row in db.execute("SELECT id, status, version FROM run WHERE id=?", (one.target.id,))
            }
        return [_plan(one, known.get(one.target.id)) for one in staged]


PARAMS = (
    Param(name="text", title="Text"),
    Param(name="count", title="Count", type=ParamType.INTEGER, default=1),
    Param(name="data", title="Data", type=ParamType.JSON, required=False),
    Param(name="mode", title="Mode", type=ParamType.CHOICE, choices=("soft", "hard"), required=False),
    Param(name="delay", title="Delay", type=ParamType.DURATION, required=False),
    Param(name="force", title="Force", type=ParamType.BOOLEAN, required=False),
)


def plan_of(run: str, action: str = "retry", status: str = "failed", version: int = 1) -> PlanItem:
    """The plan that the bridge makes of a run in this state."""
    ref = RunRef("workflow", run, run)
    return _plan(Staged(target=Target(kind="run", id=run, ref=ref), action=action), (status, version))


def _plan(staged: Staged, known: tuple[str, int] | None) -> PlanItem:
    run = staged.target.id
    if known is None:
        return PlanItem(staged=staged, title=f"{staged.action} {run}", refused="the run is gone")
    status, version = known
    refused = f"it is {status}, not failed" if staged.action == "retry" and status != "failed" else ""
    after = AFTER[staged.action]
    return PlanItem(
        staged=staged,
        title=f"{staged.action.capitalize()} {run}",
        calls=(f"UPDATE run SET status='{after}' WHERE id='{run}'",),
        changes=(Change(what="status", before=status, after=status if after == "same" else after),),
        preconditions=(Precondition(what="version", value=version),),
        refused=refused,
        danger=Danger.DESTROYS if staged.action == "delete" else Danger.CHANGES,
        inverse=Staged(target=staged.target, action="retry") if staged.action == "cancel" else None,
        irreversible="what is deleted is gone" if staged.action == "delete" else "",
    )


def _run(row: tuple[str, str]) -> Run:
    status = Status(row[1]) if row[1] in tuple(Status) else Status.UNKNOWN
    ref = RunRef("workflow", row[0], row[0])
    return Run(ref=ref, id=row[0], type="order", status=status, engine_status=row[1], engine="shop")


def _path(url: str) -> str:
    return url.removeprefix("shop://")


ENGINE = Engine(
    name="shop",
    title="Shop",
    schemes=("shop",),
    bridge=lambda url, secret: ShopBridge(_path(url)),
    actor=lambda url, secret: ShopActor(_path(url)),
)


def install(folder: Path) -> Path:
    """Makes a folder that registers this engine when it stands on ``sys.path``."""
    info = folder / "shop_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[playhead.engines]\nshop = tests.fakes_actions:ENGINE\n")
    return folder
