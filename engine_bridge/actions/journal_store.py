"""The journal's file and its anchor: durable appends under SQLite's write lock, indexed reads.

The indexes are over the hashed text itself, so they cannot disagree with it. ``payload`` holds what settling an open
intent needs, and only while it is open or its effect is awaited.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine_bridge.actions.journal_rows import GENESIS, Row, parse
from engine_bridge.errors import PlayheadError
from engine_bridge.held_files import Hold
from engine_bridge.sqlite_library import sqlite3

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS payload (request_id TEXT PRIMARY KEY, intent BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS journal_request ON journal (json_extract(body, '$.request_id'));
CREATE INDEX IF NOT EXISTS journal_source ON journal (json_extract(body, '$.source'));
CREATE INDEX IF NOT EXISTS journal_target ON journal (json_extract(body, '$.target'));
CREATE TRIGGER IF NOT EXISTS journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
_CHUNK: Final = 500
_WAIT_S: Final = 10.0


class Store:
    """Opened lazily: reading creates nothing. Writers of one process take turns outside; others wait 10 s."""

    def __init__(self, path: Path, anchor: Path) -> None:
        self.path = path
        self.anchor = anchor
        self._db: sqlite3.Connection | None = None
        self._hold = Hold()
        self._inode = -1

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction under the write lock. Raises PlayheadError; then nothing was written."""
        try:
            db = self._connected()
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise PlayheadError(
                "The journal cannot be written, so nothing is sent.",
                f"Make {self.path.parent} writable and free some space, then try again.",
                f"{type(error).__name__}: {error}",
            ) from None
        except BaseException:
            self.close()
            raise

    def _connected(self) -> sqlite3.Connection:
        """The writing connection; a new one when the file was replaced under it."""
        if self._db is not None and not self._still():
            self.close()
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            db = self._db = sqlite3.connect(
                self.path, timeout=10, isolation_level=None, check_same_thread=False
            )
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA fullfsync=ON")
            db.execute("PRAGMA secure_delete=ON")
            prepare(db, _SCHEMA)
            self._hold.take(self.path)
            self._inode = self.path.stat().st_ino
        return self._db

    def _still(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Drops the connection; a transaction under way is rolled back."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
        self._hold.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection of its own, None while there is no journal. Raises PlayheadError."""
        if not self.path.exists():
            yield None
            return
        # What a killed writer left is recovered by a writable connection only; a foreign journal is read as it is.
        own = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        mode = "rw" if own else "ro&immutable=1"
        db = None
        try:
            db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10)
            yield db if prepared(db) else None
        except sqlite3.Error as error:
            raise PlayheadError(
                "The journal cannot be read.", f"Its file is {self.path}.", f"{type(error).__name__}: {error}"
            ) from None
        finally:
            if db is not None:
                db.close()

    # The anchor

    def write_anchor(self, seq: int, head: str) -> None:
        """Count and head, outside the journal. A crash before it leaves an older anchor, which still verifies."""
        old = self.read_anchor()
        if old is not None and old[0] > seq:
            return
        self.anchor.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.anchor.with_suffix(f".{os.getpid()}-{id(self):x}")
        try:
            with fresh.open("w") as file:
                file.write(json.dumps({"count": seq, "head": head}))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.anchor)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise PlayheadError(
                "The journal's anchor cannot be written, so nothing is sent.",
                f"Make {self.anchor.parent} writable and free some space, then try again.",
                f"{type(error).__name__}: {error}",
            ) from None

    def read_anchor(self) -> tuple[int, str] | None:
        """Count and head, None when there is no anchor; a broken one answers (0, why)."""
        try:
            data = json.loads(self.anchor.read_text())
            return int(data["count"]), str(data["head"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            return 0, type(error).__name__


def prepare(db: sqlite3.Connection, schema: str) -> None:
    """Makes a new file what its readers expect, in one step; several processes may do so at once."""
    if prepared(db):
        return
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            # One flush to disk a commit, where a rollback journal needs three. The change does not wait for locks.
            db.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    db.executescript(f"BEGIN IMMEDIATE;\n{schema}\nCOMMIT;")


def prepared(db: sqlite3.Connection) -> bool:
    """Whether a file has its tables: it is there a moment before them."""
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def head_of(db: sqlite3.Connection) -> tuple[int, str]:
    """Count and hash of the last row."""
    found = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    return (int(found[0]), str(found[1])) if found else (0, GENESIS)


def rows_of(db: sqlite3.Connection, request_ids: Sequence[str]) -> dict[str, list[Row]]:
    """All rows of some requests, oldest first, by request id."""
    found: dict[str, list[Row]] = {}
    for at in range(0, len(request_ids), _CHUNK):
        chunk = request_ids[at : at + _CHUNK]
        marks = ",".join("?" * len(chunk))
        cursor = db.execute(
            f"SELECT body, hash FROM journal WHERE json_extract(body, '$.request_id') IN ({marks}) ORDER BY seq",
            chunk,
        )
        for body, digest in cursor:
            row = parse(body, digest)
            found.setdefault(row.request_id, []).append(row)
    return found
