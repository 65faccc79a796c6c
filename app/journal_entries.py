"""From rows of the journal to entries: an intent together with what became of it. Qt-free; any thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from engine_bridge.actions.journal_rows import Kind, Row
from widgets.journal.entries import Entry

if TYPE_CHECKING:
    from engine_bridge.actions.journal import Journal

Titles = Callable[[str], str]


def read(
    journal: Journal,
    titles: Titles,
    *,
    source: str | None = None,
    target: str | None = None,
    text: str = "",
    before_seq: int | None = None,
    limit: int = 1_000,
) -> tuple[list[Entry], int | None]:
    """Entries, newest first, and the row to read on before (None: there is nothing older)."""
    rows = journal.rows(source=source, target=target, text=text, before_seq=before_seq, limit=limit)
    wanted = list({row.request_id for row in rows if row.request_id})
    whole = journal.of_requests(wanted) if wanted else {}
    more = rows[-1].seq if len(rows) == limit else None
    return entries(rows, whole, titles), more


def entries(rows: Sequence[Row], whole: dict[str, list[Row]], titles: Titles) -> list[Entry]:
    """One entry for each request, newest first by when it began; rows without a request stand for themselves."""
    found: list[Entry] = []
    done: set[str] = set()
    for row in rows:
        if not row.request_id:
            found.append(_entry([row], titles))
        elif row.request_id not in done:
            done.add(row.request_id)
            found.append(_entry(whole.get(row.request_id) or [row], titles))
    return sorted(found, key=lambda entry: entry.seq, reverse=True)


def _entry(rows: list[Row], titles: Titles) -> Entry:
    first, last = rows[0], rows[-1]
    ends = [row for row in rows if row.kind is Kind.OUTCOME]
    end = ends[-1] if ends else None
    return Entry(
        seq=first.seq,
        time_ns=first.time_ns,
        who=first.who,
        source=first.source,
        source_title=titles(first.source),
        target=first.target,
        target_name=first.target_name,
        action=first.action,
        outcome=_outcome(last, end),
        machine=first.machine,
        environment=first.environment,
        target_kind=first.target_kind,
        reason=first.reason,
        request_id=first.request_id,
        job=first.job,
        new_ref=end.new_ref if end else "",
        pending=end.pending if end else "",
        args=json.dumps(first.args, ensure_ascii=False) if first.args else "",
        plan=first.plan,
        changes=end.changes if end else (),
        evidence=_evidence(rows),
        hashes=tuple((row.seq, row.hash) for row in rows),
        took_ns=next((row.took_ns for row in ends if row.took_ns is not None), None),
    )


def _outcome(last: Row, end: Row | None) -> str:
    if last.kind is Kind.DENIED:
        return "denied"
    if last.kind is Kind.EXPORT:
        return "exported"
    if end is None:
        return "open"
    return "stale" if end.stale else end.verdict


def _evidence(rows: Iterable[Row]) -> tuple[str, ...]:
    """All evidence once, in order."""
    return tuple(dict.fromkeys(text for row in rows for text in row.evidence))
