"""Tracks follow their history: small ones at once, big ones by loose rows until a build; children hang in place."""

from __future__ import annotations

import numpy as np

from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Event, EventKind, Status, Step, StepKind, StepStatus
from tests.bench.histories import make_batches, make_history
from tests.fakes import NOW, T0, S, make_run
from tests.fakes import make_history as make_small
from widgets.timeline.build import Snapshot, build
from widgets.timeline.layout import ROW, SLIM, arrange
from widgets.timeline.markers import RUN_LANE
from widgets.timeline.tracks import Track


def small(i: int = 1) -> History:
    history = History()
    events, steps = make_small(make_run(i))
    history.append(BatchBuilder().build(make_run(i), events, steps, engine_now_ns=NOW))
    return history


def test_a_small_history_is_ready_at_once_and_follows_appends() -> None:
    history, builder = History(), BatchBuilder()
    running = Step(id="1", name="a", kind=StepKind.STEP, status=StepStatus.RUNNING, start_ns=T0)
    history.append(builder.build(make_run(2), [], [running], engine_now_ns=T0 + 5 * S))
    track = Track(history)
    assert track.loose_columns(None).end.tolist() == [5 * S]
    done = Step(
        id="1", name="a", kind=StepKind.STEP, status=StepStatus.COMPLETED, start_ns=T0, end_ns=T0 + 3 * S
    )
    later = Step(
        id="2", name="b", kind=StepKind.STEP, status=StepStatus.FAILED, start_ns=T0 + 4 * S, end_ns=T0 + 6 * S
    )
    history.append(builder.build(None, [], [done, later]))
    track.refresh()
    assert not len(track.loose) and len(track.index) == 2
    assert track.failures().tolist() == [4 * S]


def test_open_bars_reach_to_now_and_not_beyond_the_end_of_the_run() -> None:
    history = small(2)
    track = Track(history)
    assert track.now_ns(None) == NOW
    assert track.now_ns(NOW + S) == NOW + S
    closed = make_run(0)
    assert closed.status is Status.COMPLETED
    history.run = closed
    assert track.now_ns(NOW + S) == closed.ended_ns


def test_a_big_history_is_coarse_first_then_whole() -> None:
    history = make_history(30_000)
    track = Track(history)
    assert track.built.coarse and track.wants_build
    assert 1_000 < len(track.index) < 4_000
    track.adopt(build(Snapshot.of(history)))
    assert len(track.index) == 30_000 and not track.wants_build


def test_appends_to_a_big_history_are_loose_until_a_build_pays() -> None:
    batches = make_batches(26_000, size=1_000)
    history = History()
    for batch in batches[:20]:
        history.append(batch)
    track = Track(history)
    track.adopt(build(Snapshot.of(history)))
    lanes = list(track.lanes.order)
    for batch in batches[20:]:
        history.append(batch)
        track.refresh()
    assert len(track.loose) == 6_000 and track.wants_build
    assert track.lanes.order == lanes
    expected = build(Snapshot.of(history))
    assert (track.lanes.lane[:26_000] == expected.lanes.lane).all()


def test_rows_that_change_after_the_build_are_not_drawn_twice() -> None:
    history = make_history(1_000)
    track = Track(history)
    rows = np.array([3])
    from engine_bridge.history import Batch

    history.append(
        Batch(
            steps={name: column[rows].copy() for name, column in history.steps.items()},
            step_rows=rows,
            step_records=[history._step_records[3]],
        )
    )
    track.refresh()
    lane = track.lane_of(3)
    assert track.outdated.tolist() == [3] and track.wants_build
    assert track.on_lane(lane, None).row.tolist().count(3) == 1


def test_a_history_that_begins_again_is_stale() -> None:
    history = small()
    track = Track(history)
    history.clear()
    assert track.stale


def test_signals_of_the_run_get_a_lane_of_their_own() -> None:
    history = History()
    signal = Event(position=1, kind=EventKind.SIGNAL_RECEIVED, name="signal received", time_ns=T0)
    step = Step(id="1", name="a", kind=StepKind.STEP, status=StepStatus.COMPLETED, start_ns=T0, end_ns=T0 + S)
    history.append(BatchBuilder().build(make_run(0), [(signal, 255)], [step]))
    layout = arrange([Track(history)])
    assert layout.lane.tolist() == [RUN_LANE, 0]


def test_a_childs_lanes_hang_under_its_step() -> None:
    parent, child = Track(small(1)), Track(small(2), "3", 2)
    layout = arrange([parent, child])
    assert layout.track.tolist() == [0, 0, 0, 1, 1, 1, 1, 0]
    assert layout.row_of(1, 0) == 3
    assert layout.height == 8 * ROW


def test_rows_are_found_by_height() -> None:
    layout = arrange([Track(small(1))])
    assert [layout.row_at(y) for y in (0, ROW - 1, ROW, 4 * ROW - 1, 4 * ROW, -1)] == [0, 0, 1, 3, -1, -1]
    assert layout.visible(ROW + 1, ROW) == (1, 3)
    y, height = layout.bar_y(1)
    assert y > ROW and y + height < 2 * ROW


def test_sub_lanes_of_a_crowd_are_slim() -> None:
    history = History()
    steps = [
        Step(
            id=str(i),
            name="fan",
            kind=StepKind.STEP,
            status=StepStatus.COMPLETED,
            start_ns=T0,
            end_ns=T0 + S + i,
        )
        for i in range(6)
    ]
    history.append(BatchBuilder().build(make_run(0), [], steps))
    layout = arrange([Track(history)])
    assert np.diff(layout.y).tolist() == [ROW, SLIM, SLIM, SLIM, SLIM, SLIM]


def test_attempts_come_in_their_order() -> None:
    track = Track(small(1))
    assert track.retried(np.array([0, 1, 2], np.int32)).tolist() == [False, True, False]
    tries = track.attempts_of(1)
    assert tries["number"].tolist() == [1, 2]
    assert len(track.attempts_of(0)["step"]) == 0
