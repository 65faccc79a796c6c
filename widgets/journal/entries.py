"""What an operator did, as one row: the intent with its outcome. Knows no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from engine_bridge.format import plain, short_time, timestamp

#: Outcome: the status whose glyph and colour the row carries.
STATES: Final = {
    "applied": "completed",
    "not applied": "cancelled",
    "cannot be known": "unknown",
    "denied": "failed",
    "stale": "retrying",
    "open": "running",
    "exported": "completed",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt, denied or executed, or an export. ``outcome`` is one of STATES; ``hashes`` are (row number, hash).

    ``source`` is what the journal calls it, ``source_title`` what it is called here; ``time_ns`` is its first row's;
    ``heard`` is what its source said of ``pending`` when it was asked again, and nothing the journal holds.
    """

    seq: int
    time_ns: int
    who: str
    source: str
    source_title: str
    target: str
    action: str
    outcome: str
    machine: str = ""
    environment: str = ""
    target_kind: str = ""
    target_name: str = ""
    reason: str = ""
    request_id: str = ""
    job: str = ""
    new_ref: str = ""
    pending: str = ""
    heard: str = ""
    args: str = ""
    plan: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    hashes: tuple[tuple[int, str], ...] = ()
    took_ns: int | None = None

    @property
    def called(self) -> str:
        """What people call the target."""
        return self.target_name or self.target

    @property
    def state(self) -> str:
        """The status that gives glyph and colour."""
        return STATES.get(self.outcome, "unknown")

    @property
    def awaited(self) -> bool:
        """Whether something of it had not come about when it was looked at last."""
        return bool(self.pending)

    @property
    def words(self) -> str:
        """The outcome as shown."""
        return (
            f"{self.outcome}, still awaited" if self.pending and self.outcome == "applied" else self.outcome
        )


COLUMNS: Final = ("when", "who", "source", "target", "action", "outcome", "reason")


def cells(entry: Entry, now_ns: int, zone: tzinfo | None) -> tuple[tuple[str, str], ...]:
    """(text, tooltip) of each of COLUMNS."""
    return (
        (short_time(entry.time_ns, now_ns, zone), timestamp(entry.time_ns, zone)),
        (plain(entry.who, 60), f"{entry.who} on {entry.machine}"),
        (plain(entry.source_title, 60), entry.source),
        (plain(entry.called, 120), f"{entry.target_kind} {entry.target}".strip()),
        (plain(entry.action, 60), "\n".join(entry.plan)),
        (entry.words, "\n".join(entry.evidence)),
        (plain(entry.reason, 200), entry.reason),
    )


def as_text(entries: Sequence[Entry], zone: tzinfo | None) -> str:
    """Entries as lines with tabs, for the clipboard."""
    return "\n".join("\t".join(text for text, _ in cells(entry, entry.time_ns, zone)) for entry in entries)
