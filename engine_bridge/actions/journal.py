"""The journal: what operators did, append-only and hash-chained, in the user's data folder.

Each row's hash is SHA-256 over the previous row's hash and the row's own canonical JSON, computed under SQLite's write
lock, so two Playheads write one chain. Count and head are anchored in a second file: a shortened or replaced journal
shows. It protects against edits of the journal file, not against somebody who rewrites journal and anchor alike. Rows
hold masked text and hashes, never secrets. Methods may be called from any thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.actions import journal_read
from engine_bridge.actions.journal_rows import GENESIS as GENESIS
from engine_bridge.actions.journal_rows import Kind as Kind
from engine_bridge.actions.journal_rows import Row as Row
from engine_bridge.actions.journal_rows import Tampered as Tampered
from engine_bridge.actions.journal_rows import canonical, chained, who
from engine_bridge.actions.journal_store import Store, head_of, rows_of
from engine_bridge.actions.model import Intent, Outcome, Receipt, Target, Verdict
from engine_bridge.actions.owner import Owner
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.payloads.masking import mask, mask_text
from engine_bridge.sqlite_library import sqlite3

_SEAL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Why:
    """What all intents of one confirmed plan share."""

    environment: str = ""
    reason: str = ""
    plan_id: str = ""
    job: str = ""


@dataclass(slots=True)
class _Entry:
    kind: Kind
    fields: dict[str, Any]
    payload: bytes | None = None
    ends: str = ""
    closes: str = ""


class Journal:
    """Opens the journal in ``folder``; creates it on the first write, never on a read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal.sqlite"
        self.owner = Owner(folder / "owners")
        self._store = Store(self.path, folder / "anchor" / "journal.json")
        self._lock = threading.Lock()
        self._flying: set[str] = set()
        self._late: list[_Entry] = []
        self._unsealed: tuple[int, str] | None = None
        self._sealed_s = 0.0

    # Writing

    def intent(
        self, intent: Intent, *, environment: str, reason: str, plan_id: str = "", job: str = ""
    ) -> Row:
        """Records, durably, what is about to be sent. Raises PlayheadError: then nothing may be sent."""
        why = Why(environment=environment, reason=reason, plan_id=plan_id, job=job)
        return self.group([intent], why)[-1]

    def group(
        self,
        intents: Sequence[Intent],
        why: Why,
        outcomes: Iterable[tuple[Intent, Receipt]] = (),
        *,
        anchor: bool = True,
    ) -> list[Row]:
        """Records outcomes and the next intents in one durable transaction, in this order.

        Raises PlayheadError: then none of the intents may be sent; the outcomes are kept for the next write. Without
        ``anchor`` the anchor follows once a second at most, and by ``seal``.
        """
        ended = [_outcome(intent, receipt.outcome, receipt) for intent, receipt in outcomes]
        if intents:
            self.owner.acquire()
            with self._lock:
                self._flying.update(one.request_id for one in intents)
        try:
            return self._write([*ended, *(_intent(one, why) for one in intents)], anchor=anchor)
        except PlayheadError:
            with self._lock:
                self._flying.difference_update(one.request_id for one in intents)
            raise

    def outcome(self, intent: Intent, receipt: Receipt) -> Row:
        """Records what became of an intent. Raises PlayheadError; the next write then records it first."""
        return self._write([_outcome(intent, receipt.outcome, receipt)])[-1]

    def settled(self, intent: Intent, outcome: Outcome) -> Row:
        """As ``outcome``, where nothing but the outcome is known."""
        return self._write([_outcome(intent, outcome, None)])[-1]

    def seen(self, intent: Intent, outcome: Outcome) -> bool:
        """Records what became of an effect that was awaited; False where somebody else has done so already."""
        with self._lock:
            with self._store.writing() as db:
                asked = (intent.request_id,)
                if db.execute("SELECT 1 FROM payload WHERE request_id=?", asked).fetchone() is None:
                    return False
                self._insert(db, _outcome(intent, outcome, None), *head_of(db))
                at = head_of(db)
            with contextlib.suppress(PlayheadError):
                self._anchor(*at)
        return True

    def unsettled(self, intent: Intent) -> None:
        """Nobody could find out what became of an intent: it stays open, for this or another Playhead to take over."""
        with self._lock:
            self._flying.discard(intent.request_id)

    def denied(
        self,
        *,
        source: str,
        environment: str,
        target: str,
        action: str,
        why: str,
        reason: str = "",
        target_kind: str = "",
        target_name: str = "",
        job: str = "",
    ) -> Row:
        """Records an attempt that was refused before anything was sent."""
        fields = {"source": source, "environment": environment, "target": target, "target_kind": target_kind}
        fields["target_name"] = target_name
        text = {"action": action, "reason": mask_text(reason), "evidence": (mask_text(why),), "job": job}
        return self._write([_Entry(Kind.DENIED, {**fields, **text, "verdict": "denied"})])[-1]

    def exported(self, *, source: str, environment: str, target: str, action: str, reason: str = "") -> Row:
        """Records that unmasked data left the source."""
        fields = {"source": source, "environment": environment, "target": target, "target_kind": "run"}
        return self._write([_Entry(Kind.EXPORT, {**fields, "action": action, "reason": mask_text(reason)})])[
            -1
        ]

    def take_over(self, source: str | None = None) -> list[Intent]:
        """Open intents of dead owners (and own ones that nobody could settle), now this caller's to settle.

        Each is handed out once. ``source`` limits it to one source's. Creates nothing when there is no journal.
        """
        orphans = [row for row in self.open_intents(source) if self._orphaned(row)]
        if orphans:
            self.owner.acquire()
        taken = [row for row in orphans if self._claim(row)]
        self.owner.sweep()
        return [intent for row in taken if (intent := self._intent_of(row)) is not None]

    def _orphaned(self, row: Row) -> bool:
        if row.owner == self.owner.id:
            return row.request_id not in self._flying
        return self.owner.dead(row.owner)

    def _claim(self, row: Row) -> bool:
        with self._lock:
            if row.owner == self.owner.id:
                fresh = row.request_id not in self._flying
                self._flying.add(row.request_id)
                return fresh
            with self._store.writing() as db:
                rows = rows_of(db, [row.request_id]).get(row.request_id, [])
                if journal_read.owner_of(rows) != row.owner:
                    return False
                same = {name: getattr(row, name) for name in ("source", "target", "action", "request_id")}
                self._insert(db, _Entry(Kind.SETTLING, same), *head_of(db))
                seq, head = head_of(db)
            self._flying.add(row.request_id)
            with contextlib.suppress(PlayheadError):
                self._anchor(seq, head)
        return True

    def seal(self) -> None:
        """Anchors what ``group`` wrote without an anchor."""
        with self._lock:
            if self._unsealed is not None:
                with contextlib.suppress(PlayheadError):
                    self._anchor(*self._unsealed)

    def _anchor(self, seq: int, head: str) -> None:
        self._unsealed = (seq, head)
        self._store.write_anchor(seq, head)
        self._unsealed = None
        self._sealed_s = time.monotonic()

    def _write(self, entries: list[_Entry], *, anchor: bool = True) -> list[Row]:
        """Appends in one transaction; what could not be recorded before comes first."""
        with self._lock:
            entries = self._late + entries
            self._late = [entry for entry in entries if entry.kind is Kind.OUTCOME]
            with self._store.writing() as db:
                rows, at = [], head_of(db)
                for entry in entries:
                    row = self._insert(db, entry, *at)
                    rows.append(row)
                    at = (row.seq, row.hash)
            self._late = []
            self._flying.difference_update(entry.ends for entry in entries)
            if not anchor and time.monotonic() - self._sealed_s < _SEAL_S:
                self._unsealed = at
                return rows
            try:
                self._anchor(*at)
            except PlayheadError:
                # The anchor matters before something is sent; an older one still verifies.
                if entries[-1].kind is Kind.INTENT:
                    raise
        return rows

    def _insert(self, db: sqlite3.Connection, entry: _Entry, last: int, head: str) -> Row:
        row = Row(
            seq=last + 1,
            time_ns=time.time_ns(),
            kind=entry.kind,
            who=_WHO,
            machine=platform.node(),
            owner=self.owner.id,
            **entry.fields,
        )
        body = canonical(row)
        digest = chained(head, body)
        db.execute("INSERT INTO journal VALUES (?, ?, ?)", (row.seq, body, digest))
        if entry.payload is not None:
            db.execute("INSERT INTO payload VALUES (?, ?)", (row.request_id, entry.payload))
        if entry.closes:
            db.execute("DELETE FROM payload WHERE request_id=?", (entry.closes,))
        return msgspec.structs.replace(row, hash=digest)

    # Reading

    def rows(
        self,
        *,
        source: str | None = None,
        target: str | None = None,
        text: str = "",
        before_seq: int | None = None,
        limit: int | None = None,
        called: str | None = None,
    ) -> list[Row]:
        """Rows, newest first; the next page is ``before_seq`` the last row's. ``text`` is found in any field.

        ``called`` is as ``target``, or the name that it shares with others.
        """
        with self._store.reading() as db:
            return journal_read.page(db, source, target, text, before_seq, limit, called) if db else []

    def count(self) -> int:
        """How many rows there are."""
        with self._store.reading() as db:
            return head_of(db)[0] if db else 0

    def of_requests(self, request_ids: Sequence[str]) -> dict[str, list[Row]]:
        """All rows of some requests, oldest first; requests that were never written are absent."""
        with self._store.reading() as db:
            return rows_of(db, request_ids) if db else {}

    def open_intents(self, source: str | None = None) -> list[Row]:
        """Intents without an outcome, oldest first; ``owner`` is whoever took them over last."""
        with self._store.reading() as db:
            return journal_read.open_intents(db, source) if db else []

    def awaited(self, source: str | None = None) -> list[Intent]:
        """What was sent and whose effect is awaited still, newest first; creates nothing.

        An effect that was awaited when an older Playhead recorded it is not among them: it kept nothing to ask by.
        """
        with self._store.reading() as db:
            ends = journal_read.awaited(db, source) if db else []
            first = rows_of(db, [row.request_id for row in ends]) if db else {}
        found = [(row, self._kept(first[row.request_id][0])) for row in ends]
        return [
            msgspec.structs.replace(intent, applied=row.verdict == Verdict.APPLIED.value)
            for row, intent in found
            if intent is not None
        ]

    def _kept(self, row: Row) -> Intent | None:
        """What was kept of an intent, by its first row; None where it is gone or somebody changed it."""
        with self._store.reading() as db:
            asked = (row.request_id,)
            found = db and db.execute("SELECT intent FROM payload WHERE request_id=?", asked).fetchone()
        if found and hashlib.sha256(found[0]).hexdigest() == row.intent_sha256:
            return msgspec.msgpack.decode(found[0], type=Intent)
        return None

    def _intent_of(self, row: Row) -> Intent | None:
        """What settling a row needs; None, and an outcome in the journal, where somebody changed it."""
        intent = self._kept(row)
        if intent is not None:
            return intent
        same = {
            name: getattr(row, name) for name in ("source", "target", "target_kind", "action", "request_id")
        }
        why = f"What is needed to settle row {row.seq} was changed. Look at the target itself."
        told = {"verdict": Verdict.UNKNOWN.value, "evidence": (why,)}
        self._write([_Entry(Kind.OUTCOME, same | told, ends=row.request_id, closes=row.request_id)])
        return None

    def verify(self, cancel: CancelToken | None = None) -> Tampered | None:
        """The first row that does not fit the chain or the anchor; None when all is well. Reports its progress."""
        anchor = self._store.read_anchor()
        with self._store.reading() as db:
            return journal_read.verify(db, anchor, self._store.anchor, cancel or CancelToken())

    def export(self, path: Path, form: str, cancel: CancelToken | None = None) -> int:
        """Writes all rows, oldest first, as "jsonl" or "csv" to a file; answers their number. Raises PlayheadError."""
        from engine_bridge.actions.journal_export import export

        with self._store.reading() as db:
            return export(db, path, form, cancel or CancelToken())

    def close(self) -> None:
        """Gives the lease back: what is still open can then be settled by another Playhead."""
        if self._late:
            with contextlib.suppress(PlayheadError):
                self._write([])
        self.seal()
        with self._lock:
            self._store.close()
        self.owner.release()


_WHO = who()


def _intent(intent: Intent, why: Why) -> _Entry:
    staged = intent.item.staged
    raw = json.dumps(staged.args, sort_keys=True, default=repr).encode()
    payload = msgspec.msgpack.encode(_without_arguments(intent))
    fields = {
        "source": intent.source,
        "environment": why.environment,
        "target": staged.target.id,
        "target_kind": staged.target.kind,
        "target_name": _name(staged.target),
        "action": staged.action,
        "args": mask(staged.args),
        "args_sha256": hashlib.sha256(raw).hexdigest(),
        "intent_sha256": hashlib.sha256(payload).hexdigest(),
        "plan": tuple(mask_text(call) for call in intent.item.calls),
        "reason": mask_text(why.reason),
        "request_id": intent.request_id,
        "plan_id": why.plan_id,
        "job": why.job,
    }
    return _Entry(Kind.INTENT, fields, payload)


def _name(target: Target) -> str:
    """What people call a target, where that is not what it is looked up by."""
    return target.label if target.label != target.id else ""


def _outcome(intent: Intent, outcome: Outcome, receipt: Receipt | None) -> _Entry:
    staged = intent.item.staged
    changes = receipt.changes if receipt else ()
    fields = {
        "source": intent.source,
        "target": staged.target.id,
        "target_kind": staged.target.kind,
        "target_name": _name(staged.target),
        "action": staged.action,
        "request_id": intent.request_id,
        "verdict": outcome.verdict.value,
        "stale": outcome.stale,
        "pending": mask_text(outcome.pending),
        "evidence": tuple(mask_text(line) for line in outcome.evidence),
        "changes": tuple(mask_text(f"{c.what}: {c.before} → {c.after}") for c in changes),
        "new_ref": str(outcome.new_ref or ""),
        "took_ns": receipt.took_ns if receipt else None,
    }
    # An effect that is awaited is asked about later, by what was kept of its intent.
    closes = "" if outcome.pending else intent.request_id
    return _Entry(Kind.OUTCOME, fields, ends=intent.request_id, closes=closes)


def _without_arguments(intent: Intent) -> Intent:
    """The intent with masked arguments: settling needs ids and preconditions, never secrets."""
    staged = msgspec.structs.replace(intent.item.staged, args=mask(intent.item.staged.args))
    item = msgspec.structs.replace(
        intent.item,
        staged=staged,
        calls=(),
        copy_as={},
        inverse=None,
        changes=(),
        warnings=(),
        side_effects=(),
    )
    return msgspec.structs.replace(intent, item=item)
