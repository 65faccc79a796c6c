"""Steps on lanes: no step is lost, no two steps of a clean lane overlap, lanes stay where they are while steps come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.codes import NO_TIME, code
from engine_bridge.history import STEP_COLUMNS, Batch, BatchBuilder, History, empty_columns
from engine_bridge.model import Event, EventKind, Run, RunRef, Status, Step, StepKind, StepStatus
from engine_bridge.steps import MAX_SUB, OPEN_END, ORDINAL_NS, Flag, lanes, spans
from tests.bench.histories import make_history as make_big
from tests.fakes import T0, S, make_history, make_run


def history_of(*steps: Step, events: tuple[Event, ...] = (), run: Run | None = None) -> History:
    history = History()
    history.append(BatchBuilder().build(run, [(event, 255) for event in events], steps))
    return history


def step(id: str, name: str, start: float | None, end: float | None, **more: object) -> Step:
    values: dict[str, object] = {"kind": StepKind.STEP, "status": StepStatus.COMPLETED, **more}
    return Step(
        id=id,
        name=name,
        start_ns=None if start is None else T0 + int(start * S),
        end_ns=None if end is None else T0 + int(end * S),
        **values,
    )


def run_at(start: float) -> Run:
    return Run(
        ref=RunRef("w", "r", "r"),
        id="r",
        type="t",
        status=Status.RUNNING,
        engine_status="PENDING",
        engine="fake",
        started_ns=T0 + int(start * S),
    )


def test_lanes_stand_in_the_order_of_first_starts_and_fold_repeats() -> None:
    history = history_of(
        step("1", "pack", 5, 6), step("2", "validate", 0, 1), step("3", "pack", 6, 7), step("4", "pack", 8, 9)
    )
    result = lanes(history)
    assert result.titles == ["validate", "pack × 3"]
    assert result.lane.tolist() == [1, 0, 1, 1]


def test_overlapping_steps_of_one_name_get_lanes_below_each_other() -> None:
    history = history_of(
        step("1", "pack", 0, 9), step("2", "pack", 1, 2), step("3", "pack", 3, 4), step("4", "ship", 5, 6)
    )
    result = lanes(history)
    assert result.titles == ["pack × 3", "", "ship"]
    assert result.lane.tolist() == [0, 1, 1, 2]


def test_a_crowd_is_bounded_and_loses_nobody() -> None:
    history = history_of(*(step(str(i), "fan", 0, 10 + i) for i in range(30)))
    result = lanes(history)
    assert len(result) == MAX_SUB
    assert result.titles[0] == "fan × 30"
    assert np.bincount(result.lane).sum() == 30


def test_an_open_step_keeps_its_lane_to_itself() -> None:
    history = history_of(step("1", "a", 0, None, status=StepStatus.RUNNING), step("2", "a", 100, 101))
    assert lanes(history).lane.tolist() == [0, 1]
    assert spans(history).end[0] == OPEN_END


def test_a_step_without_times_is_placed_between_its_neighbours() -> None:
    def event(position: int, at: float | None, id: str) -> Event:
        time = None if at is None else T0 + int(at * S)
        return Event(position=position, kind=EventKind.STEP_COMPLETED, name="e", time_ns=time, step_id=id)

    history = history_of(
        step("1", "a", 0, 10),
        step("2", "lost", None, None),
        step("3", "b", 20, 30),
        events=(event(1, 10, "1"), event(2, None, "2"), event(3, 30, "3")),
        run=run_at(0),
    )
    found = spans(history)
    assert found.start[1] == T0 + 20 * S
    assert found.flags[1] & Flag.UNTIMED and found.flags[1] & Flag.NO_END
    assert lanes(history).titles == ["a", "lost", "b"]


def test_a_history_without_any_time_is_drawn_by_position() -> None:
    events = tuple(
        Event(position=i, kind=EventKind.STEP_COMPLETED, name="e", step_id=str(i)) for i in (1, 2, 3)
    )
    history = history_of(*(step(str(i), "abc"[i - 1], None, None) for i in (1, 2, 3)), events=events)
    found = spans(history)
    assert found.ordinal
    assert found.start.tolist() == [1 * ORDINAL_NS, 2 * ORDINAL_NS, 3 * ORDINAL_NS]


def test_skew_is_flagged_and_drawn_between_the_two_times() -> None:
    found = spans(history_of(step("1", "a", 10, 4)))
    assert found.flags[0] & Flag.SKEW
    assert (found.start[0], found.end[0]) == (T0 + 4 * S, T0 + 10 * S)


def test_moments_waits_and_plans_are_flagged() -> None:
    found = spans(
        history_of(
            step("1", "status", 1, 1, kind=StepKind.EVENT_SET),
            step(
                "2",
                "sleep",
                1,
                None,
                kind=StepKind.TIMER,
                status=StepStatus.WAITING,
                planned_end_ns=T0 + 9 * S,
            ),
        )
    )
    assert found.flags.tolist() == [Flag.MARKER, Flag.OPEN | Flag.PLANNED]


def test_the_fakes_have_a_lane_a_name() -> None:
    history = History()
    events, steps = make_history(make_run(1))
    history.append(BatchBuilder().build(make_run(1), events, steps))
    assert lanes(history).titles == ["validate_order", "charge_card", "fraud_check", "create_shipment"]


def test_nothing_gives_nothing() -> None:
    assert lanes(History()).titles == []
    assert len(spans(History())) == 0


many = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60), st.one_of(st.none(), st.integers(0, 20))),
    min_size=1,
    max_size=60,
)


def columns_of(rows: list[tuple[int, int, int | None]]) -> History:
    columns = empty_columns(STEP_COLUMNS, len(rows))
    for i, (name, start, length) in enumerate(rows):
        columns["start_ns"][i], columns["name"][i] = T0 + start, name
        columns["end_ns"][i] = NO_TIME if length is None else T0 + start + length
        columns["planned_end_ns"][i], columns["parent"][i] = NO_TIME, -1
        columns["status"][i] = code(StepStatus.RUNNING if length is None else StepStatus.COMPLETED)
    history = History()
    names = ["a", "b", "c", "d"]
    history.append(
        Batch(steps=columns, step_rows=np.arange(len(rows)), step_records=[b""] * len(rows), names=names)
    )
    return history


@given(many)
@settings(max_examples=150, deadline=None)
def test_lanes_partition_the_steps(rows: list[tuple[int, int, int | None]]) -> None:
    history = columns_of(rows)
    result, found = lanes(history), spans(history)
    assert len(result.lane) == len(rows) and (result.lane >= 0).all()
    assert sorted(result.order) == list(range(len(result)))
    for lane in result.order:
        mine = np.flatnonzero(result.lane == lane)
        assert (found.name[mine] == result.name[lane]).all()
        if result.sub[lane] < MAX_SUB - 1:
            order = mine[np.argsort(found.start[mine], kind="stable")]
            assert (found.start[order][1:] >= found.end[order][:-1]).all()


@given(many, many)
@settings(max_examples=80, deadline=None)
def test_new_steps_do_not_move_the_lanes_of_old_ones(
    rows: list[tuple[int, int, int | None]], later: list[tuple[int, int, int | None]]
) -> None:
    history = columns_of(rows)
    result = lanes(history)
    before = result.lane[: len(rows)].tolist()
    whole = columns_of(rows + later)
    result.names = whole.names
    fresh = np.arange(len(rows), len(rows) + len(later))
    result.place(spans(whole, fresh))
    assert result.lane[: len(rows)].tolist() == before
    placed = result.lane[len(rows) : len(rows) + len(later)]
    names = spans(whole).name[fresh]
    assert [result.name[lane] for lane in placed.tolist()] == names.tolist()
    assert sorted(result.order) == list(range(len(result.name)))
    for name in set(names.tolist()):
        assert [result.sub[lane] for lane in result.order if result.name[lane] == name] == list(
            range(sum(n == name for n in result.name))
        )


def test_big_histories_keep_their_lanes() -> None:
    assert len(lanes(make_big(20_000))) == 40


def test_the_history_tells_which_steps_changed() -> None:
    history, builder = History(), BatchBuilder()
    history.append(builder.build(None, [], [step("1", "a", 0, None, status=StepStatus.RUNNING)]))
    seen = history.version
    history.append(builder.build(None, [], [step("2", "b", 1, 2), step("1", "a", 0, 1)]))
    assert history.changed_steps(seen).tolist() == [0, 1]
    assert history.changed_steps(history.version).tolist() == []
    epoch = history.epoch
    history.clear()
    assert history.epoch == epoch + 1 and history.changed_steps(0).tolist() == []


def test_a_step_is_found_by_its_id() -> None:
    history = history_of(step("x", "a", 0, 1), step("y", "b", 1, 2))
    assert (history.step_row("y"), history.step_row("x"), history.step_row("z")) == (1, 0, -1)


def test_an_entity_stands_on_a_status_in_which_something_failed() -> None:
    stay = Step(id="1", name="pending", kind=StepKind.STATUS, status=StepStatus.FAILED, start_ns=5)
    history = History()
    history.append(BatchBuilder().build(None, [], [stay]))
    found = spans(history)
    assert found.end.tolist() == [OPEN_END]
    assert found.flags.tolist() == [int(Flag.OPEN)]
