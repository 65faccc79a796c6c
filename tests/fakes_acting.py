"""A fake engine that can be acted on: a small SQLite file, a bridge that plans, an actor that writes in a child.

``Store`` is the engine's database, and how a test plays the engine (take a signal, move a run, hold the lock).
``ActingBridge`` is ``FakeBridge`` with actions, so every page of the window has something to show. ``install``
registers the engine by an entry point, so that child processes find it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

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
    derived_id,
)
from engine_bridge.bridge import Bridge, Capability, Engine, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError, RejectedError
from engine_bridge.history import Batch
from engine_bridge.model import Environment, Run, RunRef, Status
from engine_bridge.sqlite_library import sqlite3
from tests.fakes import FakeBridge, ref

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, status TEXT NOT NULL, version INTEGER NOT NULL, who TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS applied (request_id TEXT PRIMARY KEY, run TEXT, action TEXT, args TEXT, new_run TEXT);
CREATE TABLE IF NOT EXISTS signal (request_id TEXT PRIMARY KEY, run TEXT, topic TEXT, message TEXT, taken INTEGER);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS queue (id TEXT PRIMARY KEY, paused INTEGER);
"""


class Store:
    """The fake engine's database.

    Settings: ``locked`` (an action waits until it is gone), ``fail`` (comma-separated run ids whose actions raise),
    ``takes_signals`` ("0": signals stay pending), ``slow_s`` (each action takes this long).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        with self.connect() as db:
            db.executescript(_SCHEMA)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()

    def set(self, name: str, value: str | None) -> None:
        with self.connect() as db:
            db.execute("DELETE FROM setting WHERE name=?", (name,))
            if value is not None:
                db.execute("INSERT INTO setting VALUES (?, ?)", (name, value))

    def get(self, name: str) -> str:
        with self.connect() as db:
            row = db.execute("SELECT value FROM setting WHERE name=?", (name,)).fetchone()
        return row[0] if row else ""

    def state(self, run: str) -> tuple[str, int, str]:
        """(status, version, who) of a run that was touched; ("", 0, "") for others."""
        with self.connect() as db:
            row = db.execute("SELECT status, version, who FROM run WHERE id=?", (run,)).fetchone()
        return row or ("", 0, "")

    def states(self) -> dict[str, str]:
        with self.connect() as db:
            return dict(db.execute("SELECT id, status FROM run"))

    def move(self, run: str, status: str, who: str = "somebody") -> None:
        with self.connect() as db:
            _move(db, run, status, who)

    def take_signals(self) -> None:
        with self.connect() as db:
            db.execute("UPDATE signal SET taken=1")

    def applied(self) -> list[tuple[str, str]]:
        """(run, action) of everything that was applied, in order."""
        with self.connect() as db:
            return db.execute("SELECT run, action FROM applied ORDER BY rowid").fetchall()

    def signals(self) -> list[tuple[str, str, str]]:
        with self.connect() as db:
            return db.execute("SELECT run, topic, message FROM signal ORDER BY rowid").fetchall()

    def paused(self, queue: str) -> bool:
        with self.connect() as db:
            row = db.execute("SELECT paused FROM queue WHERE id=?", (queue,)).fetchone()
        return bool(row and row[0])


def _move(db: sqlite3.Connection, run: str, status: str, who: str) -> None:
    db.execute(
        "INSERT INTO run VALUES (?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET status=excluded.status, "
        "version=version + 1, who=excluded.who",
        (run, status, who),
    )


class ActingBridge(FakeBridge):
    """Runs of ``FakeBridge`` whose status is what the store says, with actions and plans."""

    def __init__(self, path: Path | str, runs: int = 60, environment: Environment = Environment.DEV) -> None:
        super().__init__(runs)
        self.store = Store(path)
        self._environment = environment
        self._seen = ""

    def open(self, cancel: CancelToken) -> SourceInfo:
        info = super().open(cancel)
        return msgspec.structs.replace(
            info,
            environment=self._environment,
            capabilities=info.capabilities | {Capability.ACTIONS},
            resource_kinds=("queues",),
        )

    def _matching(self, query: object) -> list[Run]:
        states = self.store.states()
        self._runs = [_with_status(run, states.get(run.id, "")) for run in self._runs]
        return super()._matching(query)

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        self._matching(None)
        return super().run(ref, cancel)

    def changes(self, mark, visible, cancel):
        seen = json.dumps(self.store.states())
        if seen != self._seen:
            self._seen = seen
            self._mark += 1
            changes = super().changes(mark, visible, cancel)
            changed = tuple(run for run in self._matching(None) if run.ref in set(visible))
            return msgspec.structs.replace(changes, moved=True, changed=changed)
        return super().changes(mark, visible, cancel)

    def tail(self, ref, after, cancel):
        known = self.run(ref, cancel)
        while not cancel.wait(0.05):
            now = self.run(ref, cancel)
            if now != known:
                known = now
                yield Batch(run=now)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        if target.kind == "queues":
            paused = self.store.paused(target.id)
            return [
                ActionSpec(
                    id="pause",
                    title="Pause queue",
                    effect="Nothing is dequeued any more.",
                    disabled="it is paused" if paused else "",
                ),
                ActionSpec(
                    id="resume",
                    title="Resume queue",
                    effect="Runs are dequeued again.",
                    disabled="" if paused else "it is not paused",
                ),
            ]
        run = self.run(target.ref or ref(target.id), cancel)
        return _run_actions(run)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        return [self._plan(one, cancel) for one in staged]

    def _plan(self, staged: Staged, cancel: CancelToken) -> PlanItem:
        spec = next((s for s in self.actions(staged.target, cancel) if s.id == staged.action), None)
        status = self.store.state(staged.target.id)[0]
        if spec is None:
            return PlanItem(staged=staged, title=staged.action, refused="there is no such action")
        if staged.target.kind == "run":
            status = self.run(staged.target.ref or ref(staged.target.id), cancel).status.value
        after = {"cancel": "cancelled", "resume": "queued", "delete": "gone"}.get(staged.action, status)
        call = f"{staged.action}(id={staged.target.id!r}, {', '.join(f'{k}={v!r}' for k, v in staged.args.items())})"
        inverse = {
            "cancel": "resume",
            "resume": "cancel" if staged.target.kind == "run" else "pause",
            "pause": "resume",
        }.get(staged.action)
        return PlanItem(
            staged=staged,
            title=f"{spec.title.rstrip('…')} {staged.target.id}",
            calls=(call,),
            changes=(Change(what="status", before=status, after=after),) if after != status else (),
            preconditions=(Precondition(what="version", value=self.store.state(staged.target.id)[1]),),
            refused=spec.disabled,
            new_run=staged.action == "fork",
            inverse=Staged(target=staged.target, action=inverse) if inverse else None,
            irreversible=""
            if inverse
            else "A sent signal cannot be taken back."
            if staged.action == "signal"
            else "It stays done.",
            race="Between reading and writing another operator may act; the engine has no compare-and-swap.",
            side_effects=("Steps from there on run again.",) if staged.action == "fork" else (),
            warnings=("Compensation steps already ran.",)
            if staged.action == "fork" and status == "failed"
            else (),
            dedupes=spec.dedupes,
            danger=spec.danger,
            copy_as={
                "SQL": f"UPDATE run SET status = '{after}' WHERE id = '{staged.target.id}';",
                "CLI": f"playhead act SOURCE {staged.target.id} {staged.action}",
                "Python": call,
            },
        )


def _with_status(run: Run, status: str) -> Run:
    return msgspec.structs.replace(run, status=Status(status)) if status and status != run.status else run


def _run_actions(run: Run) -> list[ActionSpec]:
    return [*_gentle_actions(run), *_other_actions(run)]


def _gentle_actions(run: Run) -> list[ActionSpec]:
    closed = run.status.closed
    waiting = run.status is Status.RUNNING
    return [
        ActionSpec(
            id="signal",
            title="Signal…",
            effect="The waiting step takes it and the run goes on."
            if waiting
            else "Nothing waits for it: it is kept.",
            params=(
                Param(
                    name="topic",
                    title="Topic",
                    default="approve_order",
                    source="the signal this run waits for",
                ),
                Param(
                    name="message",
                    title="Message",
                    type=ParamType.JSON,
                    default={"approved": True},
                    source="the last such signal, sent to run-0001",
                ),
            ),
            dedupes=True,
            glyph="signal",
        ),
        ActionSpec(
            id="cancel",
            title="Cancel…",
            effect="The run stops at its next step.",
            params=(
                Param(
                    name="children",
                    title="Cancel children too",
                    type=ParamType.BOOLEAN,
                    required=False,
                    default=False,
                ),
            ),
            disabled=f"it is {run.status.value}" if closed else "",
            bulk=True,
            glyph="cancelled",
        ),
    ]


def _other_actions(run: Run) -> list[ActionSpec]:
    waiting = run.status is Status.RUNNING
    done = run.status is Status.COMPLETED
    return [
        ActionSpec(
            id="fork",
            title="Fork from here…",
            effect="A new run keeps the steps before the chosen one and runs the others again.",
            params=(
                Param(name="step", title="First step that runs again", type=ParamType.STEP, default="1"),
            ),
            bulk=True,
            glyph="fork",
        ),
        ActionSpec(
            id="resume",
            title="Resume",
            effect="It is queued again, from its last step.",
            disabled="a completed run has nothing left to do" if done else "it is running" if waiting else "",
            bulk=True,
            glyph="running",
        ),
        ActionSpec(
            id="delay",
            title="Set delay…",
            effect="It starts later.",
            params=(Param(name="delay", title="Delay", type=ParamType.DURATION, default=60_000_000_000),),
            disabled="only a delayed run has a delay",
            glyph="clock",
        ),
        ActionSpec(
            id="delete",
            title="Delete…",
            effect="The run and its history are gone for good.",
            danger=Danger.DESTROYS,
            bulk=True,
            glyph="trash",
        ),
    ]


class FakeActor(Actor):
    """Writes to the store; every request id is applied at most once."""

    def __init__(self, path: str, secret: str | None = None) -> None:
        self._path = path
        self._store: Store | None = None

    def open(self, cancel: CancelToken) -> None:
        if not Path(self._path).exists():
            raise PlayheadError("The store is gone.")
        self._store = Store(self._path)

    @property
    def store(self) -> Store:
        assert self._store is not None
        return self._store

    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        store, staged = self.store, item.staged
        while store.get("locked"):
            cancel.progress(0, None, "waiting for the lock")
            cancel.wait(0.05)
        cancel.progress(0, None, "sent")
        if store.get("slow_s"):
            cancel.wait(float(store.get("slow_s")))
            cancel.raise_if_cancelled()
        run = staged.target.id
        if run in store.get("fail").split(","):
            raise RejectedError(f"The engine refuses {run}.")
        status, version, who = store.state(run)
        expected = next((p.value for p in item.preconditions if p.what == "version"), version)
        if version != expected:
            return Receipt(
                request_id=request_id,
                outcome=Outcome(
                    verdict=Verdict.NOT_APPLIED,
                    stale=True,
                    evidence=(f"{who} made it {status} meanwhile.", f"version was {expected}, is {version}"),
                ),
            )
        new_run = self._write(staged, request_id)
        cancel.progress(0, None, "verifying")
        return Receipt(
            request_id=request_id,
            outcome=self._outcome(staged, request_id, new_run),
            changes=item.changes,
            inverse=item.inverse,
        )

    def _write(self, staged: Staged, request_id: str) -> str:
        run, action = staged.target.id, staged.action
        new_run = derived_id(request_id, "fork") if action == "fork" else ""
        with self.store.connect() as db:
            known = db.execute("SELECT 1 FROM applied WHERE request_id=?", (request_id,)).fetchone()
            if known:
                return new_run
            db.execute(
                "INSERT INTO applied VALUES (?, ?, ?, ?, ?)",
                (request_id, run, action, json.dumps(staged.args), new_run),
            )
            if action == "signal":
                taken = self.store.get("takes_signals") != "0"
                db.execute(
                    "INSERT INTO signal VALUES (?, ?, ?, ?, ?)",
                    (request_id, run, staged.args["topic"], json.dumps(staged.args["message"]), int(taken)),
                )
            elif staged.target.kind == "queues":
                db.execute("INSERT OR REPLACE INTO queue VALUES (?, ?)", (run, int(action == "pause")))
            elif action in ("cancel", "resume"):
                _move(db, run, "cancelled" if action == "cancel" else "queued", "playhead")
        return new_run

    def _outcome(self, staged: Staged, request_id: str, new_run: str) -> Outcome:
        pending = ""
        if staged.action == "signal":
            with self.store.connect() as db:
                row = db.execute("SELECT taken FROM signal WHERE request_id=?", (request_id,)).fetchone()
            pending = "" if row and row[0] else "Nothing has taken the signal yet."
        evidence = (
            ("Read back: the signal was taken.",)
            if staged.action == "signal" and not pending
            else ("Read back.",)
        )
        return Outcome(
            verdict=Verdict.APPLIED,
            evidence=evidence,
            pending=pending,
            new_ref=RunRef("workflow", new_run, new_run) if new_run else None,
        )

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        if self.store.get("blind"):
            return Outcome(verdict=Verdict.UNKNOWN, evidence=("The row that would tell is gone.",))
        with self.store.connect() as db:
            row = db.execute(
                "SELECT new_run FROM applied WHERE request_id=?", (intent.request_id,)
            ).fetchone()
        if row is None:
            return Outcome(verdict=Verdict.NOT_APPLIED, evidence=("No row carries this request id.",))
        return self._outcome(intent.item.staged, intent.request_id, row[0] or "")

    def close(self) -> None:
        self._store = None


def _path(url: str) -> str:
    return urlsplit(url).path


def _bridge(url: str, secret: str | None) -> Bridge:
    environment = Environment.PRODUCTION if url.startswith("act://prod") else Environment.DEV
    return ActingBridge(_path(url), environment=environment)


def _actor(url: str, secret: str | None) -> Actor:
    return FakeActor(_path(url), secret)


ENGINE = Engine("acting", "Acting", ("act",), _bridge, actor=_actor)


def install(folder: Path) -> Path:
    """Makes a folder that registers this engine when it stands on ``sys.path``."""
    info = folder / "acting_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acting-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[playhead.engines]\nacting = tests.fakes_acting:ENGINE\n")
    return folder
