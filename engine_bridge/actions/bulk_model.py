"""Bulk jobs as values: settings, states, progress, reports."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from engine_bridge.actions.model import Outcome, Target, Verdict


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Settings(_Value, frozen=True):
    """How a job runs.

    ``canary`` items come first, then it stops and asks (0: no canary); ``rate`` is sends a second (0: no limit);
    ``stop_share`` is the share of errors that stops it (1: never), looked at after ``stop_minimum`` items.
    """

    canary: int = 10
    rate: float = 20.0
    in_flight: int = 4
    stop_share: float = 0.2
    stop_minimum: int = 20


class JobState(StrEnum):
    READY = "ready"
    RUNNING = "running"
    CANARY = "canary done"  # asks to go on
    PAUSED = "paused"
    STOPPED = "stopped"  # too many errors, or the source or the journal failed
    CANCELLED = "cancelled"
    DONE = "done"
    INTERRUPTED = "interrupted"  # its Playhead ended while it ran

    @property
    def final(self) -> bool:
        return self in (JobState.CANCELLED, JobState.DONE)


class ItemState(StrEnum):
    WAITING = "waiting"
    OPEN = "open"  # sent; nobody could read back yet what became of it
    APPLIED = "applied"
    NOT_APPLIED = "not applied"
    STALE = "stale"
    UNKNOWN = "unknown"
    REFUSED = "refused"


ERRORS: Final = (ItemState.NOT_APPLIED, ItemState.UNKNOWN, ItemState.OPEN)


class ItemReport(_Value, frozen=True):
    """What became of one item. ``why`` is the reason of a refusal, or the evidence."""

    number: int
    target: Target
    title: str
    state: ItemState
    request_id: str
    why: str = ""
    new_ref: str = ""
    took_ns: int | None = None


class Job(_Value, frozen=True):
    """One job. ``counts`` maps item states to numbers; ``why`` says why it stopped."""

    id: str
    source: str
    environment: str
    action: str
    reason: str
    title: str
    created_ns: int
    state: JobState
    settings: Settings
    counts: dict[str, int]
    why: str = ""
    filter: str = ""
    canary_passed: bool = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - self.count(ItemState.WAITING)

    def count(self, *states: ItemState) -> int:
        return sum(self.counts.get(state.value, 0) for state in states)


class Progress(_Value, frozen=True):
    """How far a running job is: ``job`` as it stands, items under way, and sends a second since this run began."""

    job: Job
    in_flight: int
    rate: float


def state_of(outcome: Outcome, later: bool) -> ItemState:
    """The item state of an outcome; ``later``: nobody knows it yet."""
    if later:
        return ItemState.OPEN
    if outcome.stale:
        return ItemState.STALE
    return _STATES[outcome.verdict]


_STATES: Final = {
    Verdict.APPLIED: ItemState.APPLIED,
    Verdict.NOT_APPLIED: ItemState.NOT_APPLIED,
    Verdict.UNKNOWN: ItemState.UNKNOWN,
}
