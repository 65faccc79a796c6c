"""What is true at a position: status, waits, facts, failures. No window."""

from __future__ import annotations

from datetime import UTC

from engine_bridge.model import Evidence, Failure, Provenance, Run, Step, StepKind, StepStatus
from tests.fakes import NOW, S
from tests.widgets.run.histories import T0, fake_history, retried_history
from widgets.run.blocked import evidence_text, since_text
from widgets.run.facts import Fact, run_facts, step_facts
from widgets.run.failure_view import failure_text
from widgets.run.failures import failures_of
from widgets.run.header import status_words, summary
from widgets.run.moment import Moment, _wait_of, blocked_at, moment_at, spans_days


def facts_of(moment: Moment, row: int) -> dict[str, str]:
    columns = moment.history.steps
    rows: list[Fact] = step_facts(
        moment.history.step(row),
        moment.step_status(row),
        int(columns["first"][row]),
        int(columns["last"][row]),
        moment,
    )
    return {fact.name: fact.value for fact in rows}


def test_the_bridge_says_what_a_live_run_waits_for() -> None:
    _, history = fake_history(2)
    moment = moment_at(history, None, NOW, UTC)
    blocked = blocked_at(moment)
    assert blocked is not None
    assert blocked.what == "signal approve_order"
    assert since_text(blocked, moment) == "since 08:00:25 (59 m 35 s), expires 09:00:25"


def test_an_overdue_wait_is_called_due() -> None:
    _, history = fake_history(2)
    moment = moment_at(history, None, NOW + 60 * S, UTC)
    blocked = blocked_at(moment)
    assert blocked is not None
    assert since_text(blocked, moment).endswith("was due 09:00:25")


def test_before_its_wait_began_a_run_is_not_blocked_on_it() -> None:
    _, history = fake_history(2)
    assert blocked_at(moment_at(history, 3, NOW)) is None


def test_at_the_playhead_an_open_child_is_what_a_run_waits_for() -> None:
    _, history = fake_history(0)
    moment = moment_at(history, 6, NOW, UTC)
    blocked = blocked_at(moment)
    assert blocked is not None
    assert (blocked.what, blocked.provenance) == ("child fraud_check", Provenance.REBUILT)
    assert blocked_at(moment_at(history, None)) is None


def test_what_is_called_as_its_kind_is_not_named_twice() -> None:
    timer = Step("7", "timer", StepKind.TIMER, StepStatus.WAITING, detail="for 3 s")
    assert _wait_of(timer, StepKind.TIMER).what == "timer for 3 s"
    named = Step("8", "back-off", StepKind.TIMER, StepStatus.WAITING, detail="for 3 s")
    assert _wait_of(named, StepKind.TIMER).what == "timer back-off"


def test_status_and_duration_follow_the_playhead() -> None:
    run, history = fake_history(1)
    live, past = moment_at(history, None, NOW, UTC), moment_at(history, 5, NOW, UTC)
    assert status_words(live) == ("failed", "failed")
    assert status_words(past) == ("running", "running at this event")
    assert summary(run, past).startswith("started 08:00:11 · 2.5 s of 2 s")


def test_a_queued_run_says_that_it_has_not_started() -> None:
    run, history = fake_history(4)
    assert summary(run, moment_at(history, None, NOW, UTC)) == "created 08:00:40, not started · version v1"


def test_a_step_after_the_playhead_has_not_started() -> None:
    _, history = fake_history(0)
    facts = facts_of(moment_at(history, 3, NOW, UTC), 3)
    assert facts["status here"] == "not started yet at event 3"
    assert facts["in the end"] == "completed"
    assert "ended (later)" in facts


def test_a_step_counts_the_attempts_that_the_playhead_has_seen() -> None:
    _, history = retried_history()
    facts = facts_of(moment_at(history, 2, NOW, UTC), 0)
    assert facts["attempts"] == "1 so far, 3 in the end"
    assert facts["  attempt 1"].startswith("running")
    assert "error" not in facts
    live = facts_of(moment_at(history, None, NOW, UTC), 0)
    assert live["attempts"] == "3"
    assert live["  attempt 3"] == "failed · 08:00:03.000 · 500 ms · Timeout: after 5 s"


def test_unknown_attempts_are_not_one() -> None:
    _, history = fake_history(0)
    assert facts_of(moment_at(history, None, NOW, UTC), 0)["attempts"] == "not recorded"


def test_facts_carry_provenance_and_evidence() -> None:
    step = Step(
        id="1",
        name="a",
        kind=StepKind.STEP,
        status=StepStatus.COMPLETED,
        start_ns=T0,
        fields={"start_ns": Provenance.INFERRED},
        evidence=(Evidence(rule="the previous step's end", facts=("step 0 ended then",)),),
    )
    moment = moment_at(fake_history(0)[1], None, NOW, UTC)
    started = next(f for f in step_facts(step, step.status, 1, 2, moment) if f.name == "started")
    assert started.provenance is Provenance.INFERRED
    assert evidence_text(started.evidence) == "the previous step's end\n  • step 0 ended then"
    assert started.value == "2027-01-15 08:00:00.000000000+0000"


def test_secrets_in_attributes_and_errors_are_masked() -> None:
    run, history = fake_history(1)
    noisy = Run(
        ref=run.ref,
        id=run.id,
        type=run.type,
        status=run.status,
        engine_status="ERROR",
        engine="fake",
        error="login failed: password=hunter2hunter2",
        attributes={"api_key": "abcdefgh12345678", "tenant": "acme"},
    )
    text = " ".join(fact.value for fact in run_facts(noisy, moment_at(history, None, NOW)))
    assert "hunter2" not in text
    assert "abcdefgh" not in text
    assert "acme" in text


def test_failures_are_told_once() -> None:
    _, history = retried_history()
    assert [(key.position, key.number) for key in failures_of(history)] == [(2, 1), (2, 2), (3, 0), (4, 0)]


def test_a_failure_chain_is_nested_text() -> None:
    root = Failure(type="OSError", message="reset")
    inner = Failure(type="ReadTimeout", message="no answer", attempt=2, causes=(root,))
    outer = Failure(type="ChargeFailed", message="twice", stack="Traceback:\n  x", causes=(inner,))
    assert failure_text(outer).split("\n") == [
        "ChargeFailed: twice",
        "Traceback:",
        "  x",
        "",
        "attempt 2",
        "  ReadTimeout: no answer",
        "",
        "  caused by",
        "    OSError: reset",
    ]


def test_a_bottomless_chain_is_cut() -> None:
    failure = Failure(type="E0")
    for i in range(1, 60):
        failure = Failure(type=f"E{i}", causes=(failure,))
    assert "deeper causes are not shown" in failure_text(failure)


def test_days_are_shown_when_there_is_more_than_one() -> None:
    assert not spans_days(fake_history(0)[1], UTC)
    _, history = retried_history()
    history.events["time_ns"][-1] += 86_400 * S
    assert spans_days(history, UTC)
