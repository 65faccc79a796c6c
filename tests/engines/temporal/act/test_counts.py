"""What the counts of a schedule say of a request: they go on by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from engine_bridge.actions.model import Outcome, PlanItem, Precondition, Staged, Target, Verdict
from engine_bridge.engines.temporal.act_trace import Trace
from engine_bridge.engines.temporal.act_traces_rest import backfilled, triggered
from engine_bridge.engines.temporal.actions_facts import LEFT_OUT, STARTED, ScheduleFacts, stale
from engine_bridge.engines.temporal.plan_base import Signer

NO_READS: Any = None  # what is there now is given


def facts(started: int, left_out: int, waiting: int) -> ScheduleFacts:
    return ScheduleFacts(
        id="nightly",
        paused=False,
        notes="",
        started=started,
        left_out=left_out,
        waiting=waiting,
        workflow="w",
    )


def item(**args: str) -> PlanItem:
    counted = (Precondition(what=STARTED, value=5), Precondition(what=LEFT_OUT, value=1))
    staged = Staged(target=Target(kind="schedules", id="nightly"), action="", args=args)
    return PlanItem(staged=staged, title="", preconditions=counted)


def told(look: Any, now: ScheduleFacts, *, taken: bool = True, **args: str) -> Outcome | None:
    found: Outcome | None = look(Trace(NO_READS, item(**args), Signer("id"), now, applied=taken))
    return found


@pytest.mark.parametrize(
    ("now", "verdict", "pending"),
    [
        (facts(6, 1, 0), Verdict.APPLIED, ""),
        (facts(5, 2, 0), Verdict.NOT_APPLIED, ""),
        (facts(5, 1, 1), Verdict.APPLIED, "it waits in the schedule's buffer for the end of another run"),
    ],
)
def test_a_trigger_started_was_left_out_or_waits(now: ScheduleFacts, verdict: Verdict, pending: str) -> None:
    outcome = told(triggered, now)
    assert outcome is not None and (outcome.verdict, outcome.pending) == (verdict, pending)
    assert told(triggered, now, taken=False) is None and told(triggered, facts(5, 1, 0)) is None


@pytest.mark.parametrize(
    ("now", "pending"),
    [
        (facts(5, 1, 4), "0 of 4 runs have been started so far"),
        (facts(8, 1, 1), "3 of 4 runs have been started so far"),
        (facts(8, 2, 0), ""),
        (facts(9, 1, 0), ""),
    ],
)
def test_a_backfill_is_over_when_all_were_started_or_left_out(now: ScheduleFacts, pending: str) -> None:
    outcome = told(backfilled, now, times="4")
    assert outcome is not None and (outcome.verdict, outcome.pending) == (Verdict.APPLIED, pending)


def test_a_schedule_that_went_on_makes_no_plan_stale() -> None:
    assert stale(item().preconditions, facts(7, 3, 0)) == []
    assert len(stale(item().preconditions, facts(7, 3, 0), grows=())) == 2
    assert stale(item().preconditions, facts(4, 1, 0)), "another schedule of that name"
