"""The journal: what operators did, append-only and hash-chained, in the user's data folder.

Each row's hash is SHA-256 over the previous row's hash and the row's own canonical JSON, computed under SQLite's write
lock, so two Playheads write one chain. Count and head are anchored in a second file: a shortened or replaced journal
shows. It protects against edits of the journal file, not against somebody who rewrites journal and anchor alike. Rows hold
masked text and hashes, never secrets. Methods may be called from any thread.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.actions.model import Intent, Outcome, Receipt, Verdict
from engine_bridge.actions.owner import Owner
from engine_bridge.errors import PlayheadError
from engine_bridge.payloads.masking import mask, mask_text

GENESIS: Final = "0" * 64
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS payload (request_id TEXT PRIMARY KEY, intent BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


class Kind(StrEnum):
    INTENT = "intent"
    OUTCOME = "outcome"
    DENIED = "denied"  # not confirmed, read-only, refused by the plan
    SETTLING = "settling"  # another Playhead takes over a dead owner's intent
    EXPORT = "export"


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row. ``args``, ``plan`` and ``reason`` are masked; ``args_sha256`` is over the unmasked ones."""

    seq: int
    time_ns: int
    kind: Kind
    who: str
    machine: str
    owner: str
    source: str
    environment: str = ""
    target: str = ""
    target_kind: str = ""
    action: str = ""
    args: Any = None
    args_sha256: str = ""
    plan: tuple[str, ...] = ()
    reason: str = ""
    request_id: str = ""
    plan_id: str = ""
    verdict: str = ""
    evidence: tuple[str, ...] = ()
    new_ref: str = ""
    hash: str = ""


class Tampered(msgspec.Struct, frozen=True):
    """The first row that does not fit, and why. ``seq`` 0: the anchor."""

    seq: int
    why: str


class Journal:
    """Opens the journal in ``folder``; creates it on the first write, never on a read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite"
        self._anchor = folder / "anchor" / "journal.json"
        self.owner = Owner(folder / "owners")
        self._lock = threading.Lock()

    # Writing

    def intent(self, intent: Intent, *, environment: str, reason: str, plan_id: str = "") -> Row:
        """Records, durably, what is about to be sent. Raises PlayheadError: then nothing may be sent."""
        self.owner.acquire()
        staged = intent.item.staged
        raw = json.dumps(staged.args, sort_keys=True, default=repr).encode()
        return self._append(
            Kind.INTENT,
            payload=(intent.request_id, msgspec.msgpack.encode(_without_arguments(intent))),
            source=intent.source,
            environment=environment,
            target=staged.target.id,
            target_kind=staged.target.kind,
            action=staged.action,
            args=mask(staged.args),
            args_sha256=hashlib.sha256(raw).hexdigest(),
            plan=tuple(mask_text(call) for call in intent.item.calls),
            reason=mask_text(reason),
            request_id=intent.request_id,
            plan_id=plan_id,
        )

    def outcome(self, intent: Intent, receipt: Receipt) -> Row:
        """Records what became of an intent."""
        return self.settled(intent, receipt.outcome)

    def settled(self, intent: Intent, outcome: Outcome) -> Row:
        staged = intent.item.staged
        return self._append(
            Kind.OUTCOME,
            source=intent.source,
            target=staged.target.id,
            target_kind=staged.target.kind,
            action=staged.action,
            request_id=intent.request_id,
            verdict=outcome.verdict.value,
            evidence=tuple(mask_text(text) for text in outcome.evidence),
            new_ref=str(outcome.new_ref or ""),
        )

    def denied(
        self, *, source: str, environment: str, target: str, action: str, why: str, reason: str = ""
    ) -> Row:
        """Records an attempt that was refused before anything was sent."""
        return self._append(
            Kind.DENIED,
            source=source,
            environment=environment,
            target=target,
            action=action,
            reason=mask_text(reason),
            evidence=(mask_text(why),),
            verdict=Verdict.NOT_APPLIED.value,
        )

    def take_over(self) -> list[Intent]:
        """Open intents of dead owners, now this process's to settle: each is handed to one Playhead only."""
        self.owner.acquire()
        taken = []
        for row in self.open_intents():
            if self.owner.dead(row.owner) and self._claim(row):
                taken.append(self._intent_of(row.request_id))
        return taken

    def _claim(self, row: Row) -> bool:
        with self._writing() as db:
            if self._owner_of(db, row.request_id) != row.owner:
                return False
            same = {name: getattr(row, name) for name in ("source", "target", "action", "request_id")}
            self._insert(db, Kind.SETTLING, same)
        self._write_anchor()
        return True

    def _append(self, kind: Kind, payload: tuple[str, bytes] | None = None, **fields: Any) -> Row:
        with self._writing() as db:
            row = self._insert(db, kind, fields)
            if payload is not None:
                db.execute("INSERT INTO payload VALUES (?, ?)", payload)
        self._write_anchor()
        return row

    def _insert(self, db: sqlite3.Connection, kind: Kind, fields: dict[str, Any]) -> Row:
        last = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        seq, head = last or (0, GENESIS)
        row = Row(
            seq=seq + 1,
            time_ns=time.time_ns(),
            kind=kind,
            who=_who(),
            machine=platform.node(),
            owner=self.owner.id,
            **fields,
        )
        body = _canonical(row)
        digest = _hash(head, body)
        db.execute("INSERT INTO journal VALUES (?, ?, ?)", (row.seq, body, digest))
        return msgspec.structs.replace(row, hash=digest)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction under SQLite's write lock."""
        with self._lock:
            db = None
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                db = sqlite3.connect(self.path, timeout=10, isolation_level=None)
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA fullfsync=ON")
                db.executescript(_SCHEMA)
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                raise PlayheadError(
                    "The journal cannot be written, so nothing is sent.",
                    f"Make {self.path.parent} writable and free some space, then try again.",
                    f"{type(error).__name__}: {error}",
                ) from None
            finally:
                if db is not None:
                    db.close()

    def _write_anchor(self) -> None:
        """Count and head, outside the journal. A crash before it leaves an older anchor, which still verifies."""
        with self._reading() as db:
            if db is None:
                return
            seq, head = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        self._anchor.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._anchor.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        fresh.write_text(json.dumps({"count": seq, "head": head}))
        old = self._read_anchor()
        if old is None or old[0] <= seq:
            fresh.replace(self._anchor)
        else:
            fresh.unlink()

    # Reading

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        if not self.path.exists():
            yield None
            return
        db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            yield db
        except sqlite3.Error as error:
            raise PlayheadError(
                "The journal cannot be read.", f"Its file is {self.path}.", f"{type(error).__name__}: {error}"
            ) from None
        finally:
            db.close()

    def rows(
        self, *, source: str | None = None, target: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Rows, newest first."""
        with self._reading() as db:
            if db is None:
                return []
            found = []
            for body, digest in db.execute("SELECT body, hash FROM journal ORDER BY seq DESC"):
                row = _row(body, digest)
                if source in (None, row.source) and target in (None, row.target):
                    found.append(row)
                    if limit is not None and len(found) >= limit:
                        break
            return found

    def open_intents(self) -> list[Row]:
        """Intents without an outcome, oldest first; ``owner`` is whoever took them over last."""
        intents: dict[str, Row] = {}
        for row in reversed(self.rows()):
            if row.kind is Kind.INTENT:
                intents[row.request_id] = row
            elif row.kind is Kind.OUTCOME:
                intents.pop(row.request_id, None)
            elif row.kind is Kind.SETTLING and row.request_id in intents:
                intents[row.request_id] = msgspec.structs.replace(intents[row.request_id], owner=row.owner)
        return list(intents.values())

    def _owner_of(self, db: sqlite3.Connection, request_id: str) -> str | None:
        owner = None
        for body, digest in db.execute("SELECT body, hash FROM journal ORDER BY seq"):
            row = _row(body, digest)
            if row.request_id == request_id:
                owner = None if row.kind is Kind.OUTCOME else row.owner
        return owner

    def _intent_of(self, request_id: str) -> Intent:
        with self._reading() as db:
            found = (
                db and db.execute("SELECT intent FROM payload WHERE request_id=?", (request_id,)).fetchone()
            )
        if not found:
            raise PlayheadError(f"The journal holds no intent {request_id}.")
        return msgspec.msgpack.decode(found[0], type=Intent)

    def verify(self) -> Tampered | None:
        """The first row that does not fit the chain or the anchor; None when all is well."""
        head, count = GENESIS, 0
        anchor = self._read_anchor()
        with self._reading() as db:
            for seq, body, digest in (
                db.execute("SELECT seq, body, hash FROM journal ORDER BY seq") if db else ()
            ):
                count += 1
                problem = _problem(seq, count, body, digest, head)
                if problem:
                    return Tampered(count, problem)
                head = digest
                if anchor is not None and anchor[0] == count and anchor[1] != digest:
                    return Tampered(count, "its hash is not the anchored one")
        if anchor is not None and anchor[0] > count:
            return Tampered(count + 1, f"rows {count + 1} to {anchor[0]} are gone")
        if anchor is None and count:
            return Tampered(0, f"the anchor {self._anchor} is missing")
        return None

    def _read_anchor(self) -> tuple[int, str] | None:
        try:
            data = json.loads(self._anchor.read_text())
            return int(data["count"]), str(data["head"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError):
            return (0, GENESIS)

    def close(self) -> None:
        """Gives the lease back: what is still open can then be settled by another Playhead."""
        self.owner.release()


def _without_arguments(intent: Intent) -> Intent:
    """The intent with masked arguments: settling needs ids and preconditions, never secrets."""
    staged = msgspec.structs.replace(intent.item.staged, args=mask(intent.item.staged.args))
    item = msgspec.structs.replace(intent.item, staged=staged, calls=(), copy_as={}, inverse=None)
    return msgspec.structs.replace(intent, item=item)


def _problem(seq: int, count: int, body: str, digest: str, head: str) -> str:
    if seq != count:
        return f"row {count} is missing"
    if _hash(head, body) != digest:
        return "its content or its predecessor was changed"
    try:
        inner = _row(body, digest).seq
    except msgspec.DecodeError:
        return "it is not a row of this journal"
    return "" if inner == seq else "it stands in another row's place"


def _canonical(row: Row) -> str:
    return json.dumps(msgspec.to_builtins(row), sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _row(body: str, digest: str) -> Row:
    return msgspec.structs.replace(msgspec.json.decode(body, type=Row), hash=digest)


def _hash(head: str, body: str) -> str:
    return hashlib.sha256(f"{head}\n{body}".encode()).hexdigest()


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
