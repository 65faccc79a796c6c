"""Ticks of the charts' axes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from widgets.runs.ticks import count_ticks, duration_ticks, log_position, time_ticks

PRAGUE = ZoneInfo("Europe/Prague")


def at(*args: int) -> float:
    return datetime(*args, tzinfo=UTC).timestamp()


def labels(ticks: list[tuple[float, str]]) -> list[str]:
    return [label for _, label in ticks]


def test_hours_are_round_in_the_zone() -> None:
    ticks = time_ticks(at(2026, 11, 20, 10, 10), at(2026, 11, 20, 13, 10), 4, UTC)
    assert labels(ticks) == ["11:00", "12:00", "13:00"]


def test_midnight_shows_the_day() -> None:
    ticks = time_ticks(at(2026, 11, 19, 21), at(2026, 11, 20, 3), 6, PRAGUE)
    assert "20 Nov" in labels(ticks)
    assert {label: x for x, label in ticks}["20 Nov"] == at(2026, 11, 19, 23)


def test_days_survive_a_change_of_clocks() -> None:
    ticks = time_ticks(at(2026, 10, 23, 12), at(2026, 10, 28, 12), 6, PRAGUE)
    assert labels(ticks) == ["24 Oct", "25 Oct", "26 Oct", "27 Oct", "28 Oct"]
    gaps = [b[0] - a[0] for a, b in pairwise(ticks)]
    assert gaps == [86_400, 90_000, 86_400, 86_400]


def test_what_began_within_a_second_has_ticks_too() -> None:
    second = at(2026, 11, 20, 10, 10)
    assert labels(time_ticks(second + 0.7335, second + 0.95, 4, UTC)) == ["10:10:00.800", "10:10:00.900"]
    assert labels(time_ticks(second + 0.733, second + 0.734, 4, UTC)) == ["10:10:00.733", "10:10:00.734"]


@given(st.integers(0, 4_000_000_000), st.integers(1, 3_000_000_000), st.integers(1, 20))
def test_any_range_has_a_bearable_number_of_ordered_ticks(start: int, length: int, most: int) -> None:
    ticks = time_ticks(start, start + length, most, UTC)
    places = [x for x, _ in ticks]
    assert places == sorted(places)
    assert all(start <= x <= start + length for x in places)
    assert len(ticks) <= 2 * most + 2


def test_durations_have_their_own_marks() -> None:
    ticks = duration_ticks(log_position(500_000_000), log_position(120_000_000_000))
    assert labels(ticks) == ["1 s", "10 s", "1 m"]


def test_nothing_is_shorter_than_the_axis() -> None:
    assert log_position(-5) == log_position(0) == log_position(1_000_000)


def test_counts_are_whole() -> None:
    assert labels(count_ticks(1.1, 4)) == ["0", "1"]
    assert labels(count_ticks(230, 5)) == ["0", "50", "100", "150", "200"]
