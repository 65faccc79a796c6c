"""Axes of runs that wait: long waits are squeezed, planned and past ones, until somebody chooses."""

from __future__ import annotations

import msgspec

from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Step, StepKind, StepStatus
from tests.fakes import T0, S, make_run
from tests.widgets.timeline.conftest import MakeView


def test_the_wait_for_a_next_try_does_not_dwarf_the_past(make_view: MakeView) -> None:
    """Milliseconds of work, minutes of tries, the next one in four seconds."""
    start, ms, later = make_run(2).started_ns or T0, S // 1_000, 180 * S
    done = [
        Step(
            str(i),
            "check",
            StepKind.STEP,
            StepStatus.COMPLETED,
            start_ns=start + i * ms,
            end_ns=start + i * ms,
        )
        for i in range(9)
    ]
    tried = Step("pay", "pay", StepKind.STEP, StepStatus.RETRYING, start_ns=start + 9 * ms)
    tried = msgspec.structs.replace(tried, planned_end_ns=start + later + 4 * S)
    history = History()
    history.append(BatchBuilder().build(make_run(2), [], [*done, tried], engine_now_ns=start + later))
    state = make_view(history).state
    assert state.active and state.now_ns == start + later
    assert 0.8 * state.scale.width < state.scale.x_of(start + later)
    assert state.scale.x_of(start + later + 4 * S) <= state.scale.width


def test_a_run_that_goes_on_after_a_long_wait_is_squeezed_then(make_view: MakeView) -> None:
    start, history, builder = make_run(2).started_ns or T0, History(), BatchBuilder()
    history.append(builder.build(make_run(2), [], [], engine_now_ns=start))
    view = make_view(history)
    assert not view.state.active

    def go_on(first: int, later: int) -> None:
        steps = [
            Step(
                str(i),
                "pay",
                StepKind.STEP,
                StepStatus.COMPLETED,
                start_ns=start + later + i,
                end_ns=start + later + 9,
            )
            for i in range(first, first + 9)
        ]
        history.append(builder.build(None, [], steps, engine_now_ns=start + later + S))
        view.refresh()

    go_on(0, 0)
    go_on(10, 900 * S)
    assert view.state.active and view.tools.active.isChecked()
    view.tools.active.click()
    go_on(20, 1_800 * S)
    assert not view.state.active, "somebody chose"
