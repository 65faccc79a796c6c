"""What bars, tooltips and the screen reader say."""

from __future__ import annotations

from datetime import UTC

import pytest

from engine_bridge.model import (
    Event,
    EventKind,
    Evidence,
    Failure,
    Provenance,
    RunRef,
    Step,
    StepKind,
    StepStatus,
)
from engine_bridge.steps import Flag
from tests.fakes import T0, S
from widgets.timeline import text


def step(**more: object) -> Step:
    values: dict[str, object] = {
        "id": "1",
        "name": "charge_card",
        "kind": StepKind.STEP,
        "status": StepStatus.COMPLETED,
        "start_ns": T0,
        "end_ns": T0 + 3 * S,
        **more,
    }
    return Step(**values)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (step(), "3 s"),
        (step(detail="txn_8f31"), "txn_8f31"),
        (step(end_ns=T0 - S), "skew -1 s"),
        (step(child=RunRef("w", "fraud-7c1", "fraud-7c1")), "fraud-7c1 · completed · 3 s"),
        (
            step(
                status=StepStatus.FAILED,
                attempts=4,
                failure=Failure(type="acme.errors.Declined", message="no funds"),
            ),
            "4 attempts · Declined: no funds",
        ),
        (
            step(
                status=StepStatus.WAITING,
                end_ns=None,
                planned_end_ns=T0 + 2_520 * S,
                detail="waiting for approve_order",
            ),
            "waiting for approve_order · expires in 41 m",
        ),
        (
            step(status=StepStatus.WAITING, kind=StepKind.TIMER, end_ns=None, planned_end_ns=T0 + 70 * S),
            "waiting · fires in 10 s",
        ),
        (
            step(status=StepStatus.WAITING, end_ns=None, planned_end_ns=T0 + 30 * S),
            "waiting · overdue by 30 s",
        ),
        (
            step(status=StepStatus.RETRYING, end_ns=None, planned_end_ns=T0 + 58 * S),
            "retrying · due now",
        ),
    ],
)
def test_labels(given: Step, words: str) -> None:
    assert text.label(given, T0 + 60 * S, given.status) == words


def test_a_tooltip_says_where_each_thing_comes_from() -> None:
    given = step(
        provenance=Provenance.INFERRED,
        fields={"start_ns": Provenance.REBUILT},
        evidence=(Evidence(rule="a time-out row without a result", facts=("step 9 has no row",)),),
    )
    words = text.tooltip(given, int(Flag.UNTIMED | Flag.SKEW | Flag.NO_END), T0, UTC)
    for part in (
        "attempts  not recorded",
        "took   3.000000000 s",
        "this step is inferred",
        "start_ns: rebuilt",
        "evidence: a time-out row without a result; step 9 has no row",
        "start not recorded: placed by order",
        "clock skew",
        "end not recorded",
    ):
        assert part in words


def test_an_open_step_says_for_how_long() -> None:
    words = text.tooltip(
        step(status=StepStatus.RUNNING, end_ns=None, attempts=1), int(Flag.OPEN), T0 + 90 * S, UTC
    )
    assert "running for 1 m 30 s" in words and "attempts  1" in words


def test_hostile_text_is_one_safe_line() -> None:
    words = text.spoken(step(name="a\n\x1b[31m\u202eb"), 0, "lane 1 of 2")
    assert "\n" not in words and "\x1b" not in words and "\u202e" not in words
    assert words.endswith("took 3 s, lane 1 of 2")


def test_events_say_how_many_share_their_glyph() -> None:
    event = Event(
        position=7, kind=EventKind.SIGNAL_RECEIVED, name="signal received", time_ns=T0, detail="from anna"
    )
    words = text.event_tooltip(event, 3, UTC)
    assert words.splitlines()[0] == "signal received" and "event 7" in words and "and 2 more here" in words
