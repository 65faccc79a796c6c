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


def fingerprint(message: str) -> str:
    """A message with everything that varies between occurrences (numbers, ids, quoted values) as ``#``."""
    line = message[:_LONGEST].strip()
    return _VARIES.sub("#", _QUOTED.sub("#", line))


@dataclass(slots=True)
class FailureGroup:
    """Failures with one fingerprint. ``sample`` is the newest of them; ``places`` where they happened."""

    type: str
    message: str
    sample: FailureRow
    count: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    places: list[str] = field(default_factory=list)
    refs: set[RunRef] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str]:
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
        place = f"{row.run_type}.{row.step_name}" if row.step_name else row.run_type
        if place not in self.places:
            self.places.append(place)
        if row.time_ns is not None:
            self.first_ns = row.time_ns if self.first_ns is None else min(self.first_ns, row.time_ns)
            self.last_ns = row.time_ns if self.last_ns is None else max(self.last_ns, row.time_ns)


def group(rows: Iterable[FailureRow]) -> list[FailureGroup]:
    """Groups of failures, most frequent first; rows come newest first."""
    found: dict[tuple[str, str], FailureGroup] = {}
    for row in rows:
        last, _ = root(row.failure)
        key = (last.type, fingerprint(last.message))
        if key not in found:
            found[key] = FailureGroup(*key, sample=row)
        found[key].add(row)
    return sorted(found.values(), key=lambda g: -g.count)
