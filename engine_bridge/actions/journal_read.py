"""Reads of the journal that need more than one statement. Each works on a connection of its caller's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.actions.journal_rows import GENESIS, Kind, Row, Tampered, parse, problem, searchable
from engine_bridge.actions.journal_store import rows_of
from engine_bridge.cancel import CancelToken
from engine_bridge.sqlite_library import sqlite3

_EVERY: Final = 500


def page(
    db: sqlite3.Connection,
    source: str | None,
    target: str | None,
    text: str,
    before_seq: int | None,
    limit: int | None,
    called: str | None = None,
) -> list[Row]:
    """Rows, newest first. ``called`` is a target's id, or the name that it shares with others."""
    tests: list[tuple[str, Any]] = []
    if source is not None:
        tests.append(("json_extract(body, '$.source') = ?", source))
    if target is not None:
        tests.append(("json_extract(body, '$.target') = ?", target))
    if before_seq is not None:
        tests.append(("seq < ?", before_seq))
    where = f"WHERE {' AND '.join(test for test, _ in tests)}" if tests else ""
    wanted, found = text.casefold(), []
    for body, digest in db.execute(
        f"SELECT body, hash FROM journal {where} ORDER BY seq DESC", [value for _, value in tests]
    ):
        row = parse(body, digest)
        named = called is None or called in (row.target, row.target_name, row.target_name.rpartition(" ")[0])
        if named and (not wanted or wanted in searchable(row)):
            found.append(row)
            if limit is not None and len(found) >= limit:
                break
    return found


def open_intents(db: sqlite3.Connection, source: str | None) -> list[Row]:
    """Intents without an outcome, oldest first, with their present owner."""
    ids = [request_id for (request_id,) in db.execute("SELECT request_id FROM payload")]
    found = []
    for rows in rows_of(db, ids).values():
        owner = owner_of(rows)
        if owner is not None and source in (None, rows[0].source):
            found.append(msgspec.structs.replace(rows[0], owner=owner))
    return sorted(found, key=lambda row: row.seq)


def awaited(db: sqlite3.Connection, source: str | None) -> list[Row]:
    """The last outcomes of requests whose effect is awaited still, and can be asked about, newest first."""
    ids = [request_id for (request_id,) in db.execute("SELECT request_id FROM payload")]
    ends = [rows[-1] for rows in rows_of(db, ids).values() if rows[-1].kind is Kind.OUTCOME]
    found = [row for row in ends if source in (None, row.source)]
    return sorted(found, key=lambda row: row.seq, reverse=True)


def owner_of(rows: list[Row]) -> str | None:
    """Who owns a request, given its rows in order; None once it has an outcome."""
    if not rows or any(row.kind is Kind.OUTCOME for row in rows):
        return None
    return rows[-1].owner


def verify(
    db: sqlite3.Connection | None, anchor: tuple[int, str] | None, place: Path, cancel: CancelToken
) -> Tampered | None:
    """The first row that does not fit; walks all of them."""
    if anchor is not None and len(anchor[1]) != len(GENESIS):
        return Tampered(0, f"the anchor {place} cannot be read ({anchor[1]})")
    head, count = GENESIS, 0
    opened: dict[str, int] = {}
    total = db.execute("SELECT count(*) FROM journal").fetchone()[0] if db else 0
    for seq, body, digest in db.execute("SELECT seq, body, hash FROM journal ORDER BY seq") if db else ():
        count += 1
        if count % _EVERY == 0:
            cancel.progress(count, total, "Checking the journal")
        wrong = problem(seq, count, body, digest, head)
        if not wrong and anchor is not None and anchor[0] == count and anchor[1] != digest:
            wrong = "its hash is not the anchored one"
        if wrong:
            return Tampered(count, wrong)
        head = digest
        _track(parse(body, digest), opened)
    if anchor is not None and anchor[0] > count:
        return Tampered(count + 1, f"rows {count + 1} to {anchor[0]} are gone")
    if anchor is None and count:
        return Tampered(0, f"the anchor {place} is missing")
    return _lost_intent(db, opened) if db else None


def _track(row: Row, opened: dict[str, int]) -> None:
    if row.kind is Kind.INTENT:
        opened[row.request_id] = row.seq
    elif row.kind is Kind.OUTCOME:
        opened.pop(row.request_id, None)


def _lost_intent(db: sqlite3.Connection, opened: dict[str, int]) -> Tampered | None:
    kept = {request_id for (request_id,) in db.execute("SELECT request_id FROM payload")}
    lost = sorted(seq for request_id, seq in opened.items() if request_id not in kept)
    return Tampered(lost[0], "what is needed to settle this intent is gone") if lost else None
