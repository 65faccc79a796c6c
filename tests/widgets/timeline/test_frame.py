"""Level of detail: at any zoom, what is there is seen, and no failure is ever lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError
from tests.bench.histories import make_history
from widgets.timeline import lod, tones
from widgets.timeline.build import Snapshot, build
from widgets.timeline.frame import RASTER_ONLY, Frame, make_frame
from widgets.timeline.layout import Layout, arrange
from widgets.timeline.lod import Columns, Index, ranges
from widgets.timeline.scale import Axis, Scale
from widgets.timeline.tracks import Track

WIDTH = 700


def built_track(steps: int, **options: object) -> Track:
    """A track with its full index, as after a background build."""
    track = Track(make_history(steps, **options))
    track.adopt(build(Snapshot.of(track.history)))
    return track


@pytest.fixture(scope="module", params=["even", "burst"])
def big(request: pytest.FixtureRequest) -> tuple[Track, Layout]:
    track = built_track(40_000, failures=0.001, burst=request.param == "burst")
    assert track.index.pyramid is not None
    return track, arrange([track])


def whole_scale(track: Track) -> Scale:
    first, last = track.bounds(None)
    return Scale(Axis(track.origin_ns), 0.0, 1.0, WIDTH).framed(
        first - track.origin_ns, last - track.origin_ns
    )


def frame_of(
    track: Track, layout: Layout, scale: Scale, ratio: float = 1.0, least: float = RASTER_ONLY
) -> Frame:
    return make_frame([track], layout, scale, (0, len(layout)), ratio, None, least)


@settings(max_examples=60, deadline=None)
@given(zoom=st.floats(1, 1e6), share=st.floats(0, 1), ratio=st.sampled_from([1.0, 1.5, 2.0]))
def test_no_failure_is_ever_lost(big: tuple[Track, Layout], zoom: float, share: float, ratio: float) -> None:
    track, layout = big
    scale = whole_scale(track).zoomed(zoom, share * WIDTH)
    frame = frame_of(track, layout, scale, ratio)
    spans = track.index.spans
    failed = np.flatnonzero(spans.tone == tones.FAILED)
    x0, x1 = scale.x(spans.start[failed]) * ratio, scale.x(spans.end[failed]) * ratio
    row_of = {int(lane): row for row, lane in enumerate(layout.lane)}
    for lane, a, b in zip(spans.lane[failed].tolist(), x0.tolist(), x1.tolist(), strict=True):
        if a < 0 or b >= frame.worst.shape[1] - 2:
            continue
        near = frame.worst[row_of[lane], max(int(a) - 1, 0) : int(b) + 3]
        assert near.max() == tones.FAILED


@settings(max_examples=40, deadline=None)
@given(zoom=st.floats(1, 1e6), share=st.floats(0, 1))
def test_an_empty_place_stays_empty(big: tuple[Track, Layout], zoom: float, share: float) -> None:
    """A cell with a tone has a span within eight px: the raster's bins are coarser than pixels beside a burst."""
    track, layout = big
    scale = whole_scale(track).zoomed(zoom, share * WIDTH)
    frame = frame_of(track, layout, scale)
    spans = track.index.spans
    for row in range(0, len(layout), 7):
        mine = spans.pick(np.flatnonzero(spans.lane == layout.lane[row]))
        x0, x1 = scale.x(mine.start), scale.x(mine.end)
        for px in np.flatnonzero(frame.worst[row])[::50].tolist():
            assert ((x0 <= px + 8) & (x1 >= px - 8)).any()


def test_bars_and_cells_share_the_spans(big: tuple[Track, Layout]) -> None:
    track, layout = big
    scale = whole_scale(track).zoomed(3_000, WIDTH / 3)
    frame = frame_of(track, layout, scale, least=5.0)
    spans = track.index.spans
    x0, x1 = scale.x(spans.start), scale.x(spans.end)
    wide = np.flatnonzero((x1 >= 0) & (x0 <= WIDTH) & (x1 - x0 >= 5.0))
    assert sorted(frame.bars.row.tolist()) == sorted(spans.row[wide].tolist())


def test_the_worst_tone_wins_a_pixel_and_the_dominant_one_fills_it() -> None:
    rng = np.random.default_rng(3)
    start = np.sort(rng.integers(0, 10**9, 60_000))
    tone = np.full(60_000, tones.TONES.index("completed"), np.uint8)
    tone[30_000] = tones.FAILED
    zeros = np.zeros(60_000, np.int32)
    index = Index(Columns(start, start + 1_000, zeros, tone, zeros, tone * 0), 1)
    dominant, worst = index.rows(np.array([0], np.int32), np.linspace(0, 10**9, 301).astype(np.int64))
    px = int(start[30_000] / 10**9 * 300)
    assert worst[0, px] == tones.FAILED
    assert dominant[0, px] == tones.TONES.index("completed")
    assert (worst[0] == tones.FAILED).sum() <= 4


def test_a_lane_of_overlapping_spans_is_searched_whole() -> None:
    """A span that began long ago is found under thousands that began since."""
    start = np.concatenate([[0], np.arange(1, 5_001) * 10])
    end = np.concatenate([[10**6], start[1:] + 5])
    zeros = np.zeros(5_001, np.int32)
    rows = np.arange(5_001, dtype=np.int32)
    tone = np.ones(5_001, np.uint8)
    index = Index(Columns(start, end, zeros, tone, rows, tone * 0), 1)
    found = index.at(0, 40_007, 0)
    assert index.spans.row[found] == 0
    assert 0 in index.spans.row[index.visible(np.array([0], np.int32), 40_000, 40_020)]


def test_the_hit_is_the_span_under_the_point(big: tuple[Track, Layout]) -> None:
    track, _ = big
    spans = track.index.spans
    for k in range(0, len(spans), 997):
        middle = (int(spans.start[k]) + int(spans.end[k])) // 2
        assert track.at(int(spans.lane[k]), middle + track.origin_ns, 0, None) == spans.row[k]
    assert track.at(int(spans.lane[0]), int(spans.start.min()) + track.origin_ns - 10**12, 0, None) == -1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-3, 9)), max_size=20))
def test_ranges_are_joined(parts: list[tuple[int, int]]) -> None:
    first = np.array([a for a, _ in parts], np.int64)
    last = np.array([a + n for a, n in parts], np.int64)
    expected = [value for a, n in parts for value in range(a, a + n)]
    assert ranges(first, last).tolist() == expected


def test_a_build_stops_when_it_is_told_to() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        build(Snapshot.of(make_history(30_000)), token)


def test_many_lanes_and_days_fit_into_keys() -> None:
    """Two hundred thousand lanes over a year: times are compared more coarsely, nothing overflows."""
    count = 2_000
    lane = np.linspace(0, 200_000, count).astype(np.int32)
    start = np.arange(count) * (365 * 86_400 * 10**9 // count)
    ones = np.ones(count, np.uint8)
    index = Index(
        Columns(start, start + 10**9, lane, ones, np.arange(count, dtype=np.int32), ones * 0), 200_001
    )
    assert (np.diff(index.key) > 0).all()
    assert index.visible(lane[5:6], 0, 365 * 86_400 * 10**9).tolist() == [5]


def test_the_bins_follow_a_burst() -> None:
    track = built_track(60_000, burst=True)
    pyramid = track.index.pyramid
    assert pyramid is not None
    starts = track.index.spans.start
    per_bin = np.histogram(starts, np.unique(pyramid.edges))[0]
    assert per_bin.max() <= 40 * lod._SPANS_PER_BIN
