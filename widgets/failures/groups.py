"""Failures of one cause: same type, same message but for numbers and ids. Knows no Qt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine_bridge.bridge import FailureRow
from engine_bridge.model import RunRef
from engine_bridge.payloads import root

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_VARIES: Final = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b|\b\w*\d[\w-]*")
_LONGEST: Final = 300

Cause = tuple[str, str]
"""Type and fingerprint."""


def fingerprint(message: str) -> str:
    """A message with everything that varies between occurrences (numbers, ids, quoted values) as ``#``."""
    line = message[:_LONGEST].strip()
    return _VARIES.sub("#", _QUOTED.sub("#", line))


def cause_of(row: FailureRow) -> Cause:
    """What a failure is grouped by."""
    last, _ = root(row.failure)
    return last.type, fingerprint(last.message)


@dataclass(slots=True)
class FailureGroup:
    """Failures of one cause. ``sample`` is the newest of them; ``places`` where they happened.

    ``open`` counts those that the log knows to be unresolved.
    """

    type: str
    message: str
    sample: FailureRow
    count: int = 0
    open: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    places: list[str] = field(default_factory=list)
    refs: set[RunRef] = field(default_factory=set)

    @property
    def key(self) -> Cause:
        return self.type, self.message

    @property
    def ref(self) -> RunRef:
        return self.sample.ref

    @property
    def runs(self) -> int:
        """How many runs are affected."""
        return len(self.refs)

    def add(self, row: FailureRow) -> None:
        """Counts one more failure."""
        self.count += 1
        self.refs.add(row.ref)
        self.open += row.resolved is False
        self._place(f"{row.run_type}.{row.step_name}" if row.step_name else row.run_type)
        self._time(row.time_ns, row.time_ns)

    def absorb(self, other: FailureGroup) -> None:
        """Counts the failures of another group of the same cause."""
        if other.last_ns is not None and (self.last_ns is None or other.last_ns > self.last_ns):
            self.sample = other.sample
        self.count += other.count
        self.open += other.open
        self.refs |= other.refs
        for place in other.places:
            self._place(place)
        self._time(other.first_ns, other.last_ns)

    def _place(self, place: str) -> None:
        if place not in self.places:
            self.places.append(place)

    def _time(self, first_ns: int | None, last_ns: int | None) -> None:
        if first_ns is not None:
            self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        if last_ns is not None:
            self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)


def merged(groups: Iterable[FailureGroup]) -> list[FailureGroup]:
    """Groups of several stretches of the log as one of each cause; most frequent first."""
    found: dict[Cause, FailureGroup] = {}
    for one in groups:
        if one.key not in found:
            found[one.key] = FailureGroup(*one.key, sample=one.sample)
        found[one.key].absorb(one)
    return sorted(found.values(), key=lambda g: -g.count)
