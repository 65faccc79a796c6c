"""The trace: which step of the code is in force at a position of the history."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.history import BatchBuilder, History
from engine_bridge.replay.model import End, Frame, Outcome, TraceStep
from engine_bridge.replay.trace import Trace
from tests.fakes import make_history, make_run


def trace(*positions: int | None) -> Trace:
    made = Trace("r1")
    for n, position in enumerate(positions):
        made.add(TraceStep(n=n, name=f"s{n}", step_id=f"id{n}", position=position), None)
    return made


def positions(made: Trace) -> list[int]:
    return [made.position(index) for index in range(len(made.steps))]


def test_the_last_step_reached_is_in_force() -> None:
    made = trace(2, 5, 9)
    assert [made.at(p) for p in (0, 1, 2, 4, 5, 8, 9, 99)] == [-1, -1, 0, 0, 1, 1, 2, 2]
    assert made.at(None) == 2
    assert trace().at(None) == trace().at(3) == -1


def test_of_steps_at_one_position_the_last_is_in_force() -> None:
    made = trace(3, 3, 3, 7)
    assert (made.at(2), made.at(3), made.at(7)) == (-1, 2, 3)
    assert positions(made) == [3, 3, 3, 7]


def test_concurrent_steps_were_all_called_before_the_first_was_recorded() -> None:
    made = trace(1, 10, 4, 7, 12)
    assert positions(made) == [1, 4, 4, 7, 12]
    assert (made.at(3), made.at(4), made.at(7)) == (0, 2, 3)


def test_a_step_that_is_not_recorded_is_where_the_one_before_it_is() -> None:
    assert positions(trace(None, 4, None, 8, None)) == [0, 4, 4, 8, 8]


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=40))
def test_positions_rise_and_agree_with_at(given_positions: list[int | None]) -> None:
    made = trace(*given_positions)
    found = positions(made)
    assert found == sorted(found)
    for position in range(32):
        assert made.at(position) == sum(p <= position for p in found) - 1
    for index, position in enumerate(given_positions):
        assert position is None or found[index] <= position


def test_steps_find_their_events_even_when_the_history_comes_later() -> None:
    history = History()
    history.append(BatchBuilder().build(make_run(2), *make_history(make_run(2))))
    rows = sorted(range(history.n_steps), key=lambda row: int(history.steps["first"][row]))
    ids = [history.step(row).id for row in rows]
    made = Trace("r1")
    for n, step_id in enumerate(ids):
        made.add(TraceStep(n=n, name="s", step_id=step_id), None)
    assert positions(made) == [0] * len(ids)
    assert not made.settle(History()) and len(made.unplaced) == len(ids)
    assert made.settle(history) and not made.unplaced
    settled = positions(made)
    made.relocate(history)
    assert settled == positions(made) == [int(history.steps["first"][row]) for row in rows]
    assert [made.of_step(step_id) for step_id in ids] == list(range(len(ids)))
    assert made.of_step("nobody") == -1


def test_there_is_no_position_of_a_step_that_is_not_there() -> None:
    for index in (-1, 1):
        with pytest.raises(IndexError):
            trace(4).position(index)


def test_lines_are_counted_from_stacks_until_the_runner_has_counted_them() -> None:
    made = Trace("r1")
    stack = (
        Frame(file="f.py", line=4, function="f"),
        Frame(file="lib.py", line=9, function="g", kind="library"),
    )
    for n in range(3):
        made.add(TraceStep(n=n, name="s", stack=stack), None)
    assert made.files() == ["f.py"]
    assert made.hits("f.py") == {4: 3}
    assert made.frame(0) == stack[0]
    assert made.frame(7) is None
    made.end = End(outcome=Outcome.SAME, coverage={"f.py": {"4": 3, "5": 30}})
    assert made.hits("f.py") == {4: 3, 5: 30}


def test_ten_thousand_steps_are_taken_and_found_at_once() -> None:
    stack = (Frame(file="f.py", line=4, function="f"),)
    # Backwards is the worst order there is.
    steps = [
        TraceStep(n=n, name="s", step_id=str(n), position=10_000 - n, stack=stack) for n in range(10_000)
    ]
    best = 1.0
    for _ in range(5):
        made = Trace("r1")
        began = time.perf_counter()
        for step in steps:
            made.add(step, None)
        best = min(best, time.perf_counter() - began)
    print(f"10,000 steps added in {best * 1e3:.1f} ms")
    assert best < 0.5, "quadratic"
    assert made.at(0) == -1
    assert made.at(1) == 9_999
