"""A failure log counted: by week, by cause, by tenant. Knows no Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from engine_bridge.bridge import FailureRow
from engine_bridge.format import moment
from widgets.failures.groups import Cause, FailureGroup, cause_of, merged
from widgets.failures.sieve import FIELDS, Sieve, Span

FACETS: Final = ("tenant", "type", "error", "step", "status")
_TIMELESS: Final = date.min
_MOST_WEEKS: Final = 160


@dataclass(slots=True)
class Week:
    """One week, Monday to Sunday in the chosen zone. ``other`` failures are of a log that does not keep resolutions."""

    span: Span
    open: int = 0
    resolved: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        return self.open + self.resolved + self.other


class Tally:
    """Counts failures, newest first, that pass a sieve whatever its span and resolution.

    ``whole`` is False while, or because, older failures were not read.
    """

    def __init__(self, sieve: Sieve, zone: tzinfo | None) -> None:
        self.sieve = Sieve(conditions=sieve.conditions)
        self.zone = zone
        self.whole = False
        self.read = 0
        self.open = self.resolved = self.other = 0
        self._weeks: dict[date, Week] = {}
        self._groups: dict[tuple[date, bool], dict[Cause, FailureGroup]] = {}
        self._values: dict[str, Counter[Any]] = {name: Counter() for name in FACETS}

    def add(self, rows: Iterable[FailureRow]) -> None:
        """Counts further rows."""
        for row in rows:
            self.read += 1
            for name, counter in self._values.items():
                counter[FIELDS[name](row)] += 1
            if self.sieve.keeps(row):
                self._add(row)

    def _add(self, row: FailureRow) -> None:
        monday = _monday(row.time_ns, self.zone)
        if row.resolved is None:
            self.other += 1
        elif row.resolved:
            self.resolved += 1
        else:
            self.open += 1
        if monday is not _TIMELESS:
            week = self._weeks.setdefault(monday, Week(week_of(monday, self.zone)))
            week.open += row.resolved is False
            week.resolved += row.resolved is True
            week.other += row.resolved is None
        groups = self._groups.setdefault((monday, bool(row.resolved)), {})
        cause = cause_of(row)
        if cause not in groups:
            groups[cause] = FailureGroup(*cause, sample=row)
        groups[cause].add(row)

    @property
    def total(self) -> int:
        return self.open + self.resolved + self.other

    @property
    def keeps_resolutions(self) -> bool:
        """Whether the log tells open failures from resolved ones."""
        return bool(self.open or self.resolved)

    def values(self, name: str) -> list[tuple[Any, int]]:
        """Values of a field with how many failures have them, most frequent first; empty where none has any."""
        return [(value, number) for value, number in self._values[name].most_common() if value is not None]

    def weeks(self) -> list[Week]:
        """Every week from the first failure to the last, empty ones too; the newest ones of very long logs."""
        if not self._weeks:
            return []
        last = max(self._weeks)
        first = max(min(self._weeks), last - timedelta(weeks=_MOST_WEEKS - 1))
        days = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
        return [self._weeks.get(day) or Week(week_of(day, self.zone)) for day in days]

    def groups(self, sieve: Sieve) -> list[FailureGroup]:
        """Causes of the failures in a sieve's weeks, open or resolved as it says; most frequent first."""
        return merged(
            group
            for (monday, resolved), groups in self._groups.items()
            if self._within(monday, sieve.span) and sieve.resolved in (None, resolved)
            for group in groups.values()
        )

    def _within(self, monday: date, span: Span | None) -> bool:
        if span is None:
            return True
        return monday is not _TIMELESS and span[0] <= week_of(monday, self.zone)[0] < span[1]


def _monday(time_ns: int | None, zone: tzinfo | None) -> date:
    at = moment(time_ns, zone)
    if at is None or at.year < 2:
        return _TIMELESS
    day = at.date()
    return day - timedelta(days=day.weekday())


@lru_cache(maxsize=1_024)
def week_of(monday: date, zone: tzinfo | None) -> Span:
    """The week that begins with a Monday; it may be an hour shorter or longer where clocks are changed."""
    return _midnight_ns(monday, zone), _midnight_ns(monday + timedelta(weeks=1), zone)


def _midnight_ns(day: date, zone: tzinfo | None) -> int:
    naive = datetime.combine(day, datetime.min.time())
    aware = naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
    return int(aware.timestamp()) * 1_000_000_000
