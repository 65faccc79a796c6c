"""Time to px and back, zoom at the cursor, squeezed axes, ticks."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.timeline.scale import Axis, Scale, active_axis, idle_share
from widgets.timeline.ticks import Mode, digits_for, elapsed, step_for, stretches, ticks

S = 1_000_000_000
T0 = 1_800_000_000 * S

spans = st.tuples(st.floats(-1e15, 1e15), st.floats(1e3, 1e15))
widths = st.floats(10, 5_000)


def scale_of(low: float, length: float, width: float = 1000.0, axis: Axis | None = None) -> Scale:
    return Scale(axis or Axis(T0), low, low + length, width)


@given(spans, widths, st.floats(0, 1))
def test_px_and_time_are_inverse(span: tuple[float, float], width: float, share: float) -> None:
    scale = scale_of(*span, width)
    x = share * width
    assert scale.x(scale.offset(x)) == pytest.approx(x, abs=0.5)  # doubles: 0.1 ns after weeks


@given(spans, st.floats(0, 1), st.floats(0.01, 100))
def test_zoom_keeps_the_time_under_the_cursor(span: tuple[float, float], share: float, factor: float) -> None:
    scale = scale_of(*span)
    x = share * scale.width
    zoomed = scale.zoomed(factor, x)
    # Times of weeks in doubles are exact to less than a ns; a view of a microsecond shows that as some px at most.
    assert zoomed.offset(x) == pytest.approx(scale.offset(x), abs=1.0, rel=1e-12)


@given(spans, st.floats(-2_000, 2_000))
def test_a_pan_and_its_opposite_cancel(span: tuple[float, float], dx: float) -> None:
    scale = scale_of(*span)
    back = scale.panned(dx).panned(-dx)
    assert back.u0 == pytest.approx(scale.u0, abs=scale.per_px * 1e-3 + 1)


def test_the_narrowest_view_is_a_microsecond() -> None:
    scale = scale_of(0, 1e9)
    for _ in range(200):
        scale = scale.zoomed(2, 500)
    assert scale.u1 - scale.u0 == pytest.approx(1_000.0)


@given(spans, spans)
def test_the_view_never_leaves_the_run_behind(span: tuple[float, float], whole: tuple[float, float]) -> None:
    kept = scale_of(*span).kept_within(whole[0], sum(whole))
    centre = (kept.u0 + kept.u1) / 2
    assert whole[0] - 1 <= centre <= sum(whole) + 1 or centre == pytest.approx(whole[0], rel=1e-9)


moments = st.lists(st.integers(0, 10**15), min_size=2, max_size=60, unique=True)


@given(moments, st.floats(0, 1))
def test_a_squeezed_axis_is_monotone_and_invertible(times: list[int], share: float) -> None:
    axis = active_axis(T0, np.array(times, np.int64))
    offset = min(times) + share * (max(times) - min(times))
    assert axis.to_offset(axis.to_u(offset)) == pytest.approx(offset, rel=1e-6, abs=10)
    places = axis.to_u(np.sort(np.array(times, np.float64)))
    assert (np.diff(places) > 0).all()


def test_three_days_of_nothing_take_a_tenth() -> None:
    busy = np.arange(0, 100 * S, S)
    times = np.concatenate([busy, busy + 3 * 86_400 * S])
    axis = active_axis(T0, times)
    assert axis.squeezed and idle_share(axis) > 0.99
    gap = axis.to_u(float(3 * 86_400 * S)) - axis.to_u(float(99 * S))
    assert gap / (axis.to_u(float(times[-1])) - axis.to_u(0.0)) == pytest.approx(0.1, abs=0.01)


def test_a_busy_run_is_not_squeezed() -> None:
    assert not active_axis(T0, np.arange(0, 100 * S, S)).squeezed
    assert not active_axis(T0, np.array([0, S])).squeezed


@pytest.mark.parametrize(
    ("ns_per_px", "step"),
    [(1e3, 100_000), (1e6, 100_000_000), (1e7, S), (1e9, 120 * S), (1e12, 2 * 86_400 * S)],
)
def test_ticks_stand_at_nice_steps(ns_per_px: float, step: int) -> None:
    assert step_for(ns_per_px) == step


@given(spans, st.sampled_from([Mode.CLOCK, Mode.ELAPSED]))
def test_ticks_rise_and_do_not_crowd(span: tuple[float, float], mode: Mode) -> None:
    found = ticks(scale_of(*span, 1600.0), mode, UTC, T0)
    x = np.array([tick.x for tick in found])
    assert len(x) <= 35
    assert (np.diff(x) >= 47).all()
    assert all(tick.label for tick in found)


def test_clock_ticks_follow_the_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    labels = [tick.label for tick in ticks(scale_of(0, 86_400e9), Mode.CLOCK, zone, T0)]
    assert any(label.endswith("18:00") for label in labels)


def test_a_new_day_is_named() -> None:
    found = ticks(scale_of(0, 3 * 86_400e9, 1600.0), Mode.CLOCK, UTC, T0)
    assert any(tick.major and "Jan" in tick.label for tick in found)


def test_elapsed_ticks_count_from_the_start() -> None:
    labels = [tick.label for tick in ticks(scale_of(0, 100e9), Mode.ELAPSED, UTC, T0)]
    assert labels[:3] == ["+0 s", "+10 s", "+20 s"]


@pytest.mark.parametrize(
    ("ns", "step", "words"),
    [
        (65 * S, S, "+1:05"),
        (-5 * S, S, "−5 s"),
        (90_000 * S, 3_600 * S, "+1 d 01:00:00"),
        (1_500_000_000, 500_000_000, "+1.500 s"),
    ],
)
def test_elapsed_words(ns: int, step: int, words: str) -> None:
    assert elapsed(ns, step) == words


def test_ordinal_axes_count_events() -> None:
    labels = [t.label for t in ticks(Scale(Axis(0), 0, 10 * S, 1000), Mode.CLOCK, None, 0, ordinal=True)]
    assert labels[:3] == ["event 0", "event 1", "event 2"]


def test_a_squeezed_axis_has_ticks_only_where_it_is_to_scale() -> None:
    busy = np.arange(0, 100 * S, S)
    axis = active_axis(T0, np.concatenate([busy, busy + 3 * 86_400 * S]))
    scale = Scale(axis, 0.0, 1.0, 1400.0).framed(0, 3 * 86_400 * S + 99 * S)
    parts = stretches(scale)
    assert len(parts) == 2
    for tick in ticks(scale, Mode.CLOCK, UTC, T0):
        at = scale.offset(tick.x)
        assert any(low - 1 <= at <= high + 1 for low, high in parts)


def test_labels_have_the_decimals_that_their_step_needs() -> None:
    assert [digits_for(step) for step in (S, 1_000_000, 1_000, 1)] == [0, 3, 6, 9]
