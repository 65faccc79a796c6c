"""What open runs wait on: known runs of the sample, and rules over hand-made rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine_bridge.bridge import Sort
from engine_bridge.engines.dbos import infer, infer_page, runs
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history_read import read_story
from engine_bridge.engines.dbos.history_rows import RawChild, RawMessage, RawRun, RawStep, Story, run_ref
from engine_bridge.engines.dbos.infer_context import Context, QueueFacts
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.model import Blocked, Provenance, StepKind, StepStatus
from tests.engines.dbos.story_data import (
    CANCEL,
    NOW_MS,
    history_of,
    ms,
    opened,
    read_at,
    steps,
    tale_of,
    unpack,
)

PENDING = RawRun(id="r", status="PENDING", name="w", created_ms=1_000, dispatches=1)


def step(id_: int, name: str = "work", start: int = 0, end: int = 0, **more: object) -> RawStep:
    return RawStep(id_, name, 1_000 + start, 1_000 + end, **more)


def sleep(id_: int, start: int, end: int, *, timeout: bool = False) -> RawStep:
    small = str((1_000 + end) / 1000)
    done = start if timeout else end
    return step(id_, "DBOS.sleep", start, done, small=small, encoding="portable_json")


def blocked(story: Story, context: Context | None = None) -> Blocked:
    found = infer.blocked(Index(story), context or Context())
    assert found is not None
    return found


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = opened(unpack("orders", tmp_path))
    yield db
    db.close()


def test_a_run_waits_for_a_signal_until_its_time_out(db: Database) -> None:
    history = read_at(db, "order-00022")
    found = history.run and history.run.blocked_on
    assert found is not None
    assert (found.kind, found.what, found.step_id) == ("signal", "signal approval (likely)", "8")
    assert (ms(found.since_ns), ms(found.until_ns)) == (1795144686129, 1795148286129)
    facts = [fact for evidence in found.evidence for fact in evidence.facts]
    assert "order-00006 received topic approval at step 8" in facts
    assert "a message with support is not consumed" in facts
    assert "the latest registered version is v2" in facts and "version v1" in found.hint
    wait = steps(history)["8"]
    assert (wait.status, wait.provenance, wait.kind) == (
        StepStatus.WAITING, Provenance.INFERRED, StepKind.SIGNAL_WAIT,
    )  # fmt: skip
    assert (wait.name, wait.fields["name"]) == ("approval", Provenance.INFERRED)
    assert wait.end_ns is None and ms(wait.planned_end_ns) == 1795148286129
    assert "9" in steps(history) and "10" not in steps(history)
    assert history.run is not None and "times out in 58 m 19 s" in history.run.now


def test_a_run_killed_in_mid_step_says_since_when_not_that_it_is_stuck(db: Database) -> None:
    history = read_at(db, "stuck-1")
    found = history.run and history.run.blocked_on
    assert found is not None
    assert (found.kind, found.step_id, ms(found.since_ns)) == ("version", "2", 1795144686687)
    assert found.what == "step 2 has not ended; version v1: only its workers take this up, the latest is v2"
    assert found.provenance is Provenance.INFERRED
    running = steps(history)["2"]
    assert (running.status, running.provenance, running.name) == (
        StepStatus.RUNNING, Provenance.INFERRED, "step 2",
    )  # fmt: skip
    assert running.end_ns is None and ms(running.start_ns) == 1795144686687


def test_the_same_run_before_the_new_version_was_there(tmp_path: Path) -> None:
    db = opened(unpack("orders_after_kill", tmp_path))
    found = (history := read_at(db, "stuck-1", 1795144693000)).run and history.run and history.run.blocked_on
    assert found is not None and history.run is not None
    assert (found.kind, found.what) == ("step", "step 2 running")
    assert history.run.now == "step 2 running, nothing recorded for 6.3 s"
    db.close()


def test_a_given_up_run_says_so(db: Database) -> None:
    history = read_at(db, "poison-1")
    found = history.run and history.run.blocked_on
    assert found is not None and found.what == "given up after 3 dispatches"
    assert steps(history)["2"].status is StepStatus.UNKNOWN


def test_queued_and_delayed_runs(db: Database) -> None:
    queued = read_at(db, "report-2026-03").run
    assert queued is not None and queued.blocked_on is not None
    assert queued.blocked_on.kind == "version"
    assert "0 ahead in reports" in queued.blocked_on.evidence[0].facts
    delayed = read_at(db, "coupon-later").run
    assert delayed is not None and delayed.blocked_on is not None
    assert (delayed.blocked_on.kind, ms(delayed.blocked_on.until_ns)) == ("delay", 1795231086933)
    assert delayed.blocked_on.provenance is Provenance.RECORDED


def test_the_list_tells_the_same_as_the_run_page(db: Database) -> None:
    page = runs.Lister(db).page(None, Sort(), None, "forward", 200, CANCEL)
    listed = list(page.items)
    texts = infer_page.now_texts(db, listed, NOW_MS * 1_000_000, CANCEL)
    opened_runs = {run.id for run in listed if not run.status.closed}
    assert set(texts) == opened_runs and len(opened_runs) == 6
    for run_id, (text, found) in texts.items():
        header = read_at(db, run_id).run
        assert header is not None and header.blocked_on is not None and found is not None
        own = header.blocked_on
        assert (found.kind, found.step_id, found.since_ns, found.until_ns) == (
            own.kind, own.step_id, own.since_ns, own.until_ns,
        )  # fmt: skip
        assert text


def test_a_long_record_gives_the_list_the_same_answer(db: Database) -> None:
    """The list reads the last rows only."""
    story = read_story(db, "report-2026-02", CANCEL)
    whole = infer.blocked(Index(replace(story, now_ms=NOW_MS)), Context())
    last = replace(story, now_ms=NOW_MS, steps=story.steps[-3:])
    assert infer.blocked(Index(last, floor=last.steps[0].id), Context()) == whole


def test_sleeping() -> None:
    story = Story(PENDING, 2_000, [step(1), sleep(2, 10, 5_000)])
    found = blocked(story)
    assert (found.kind, ms(found.since_ns), ms(found.until_ns)) == ("timer", 1_010, 6_000)
    timer = tale_of(story).steps[1]
    assert (timer.status, timer.end_ns, ms(timer.planned_end_ns)) == (StepStatus.WAITING, None, 6_000)
    assert len(tale_of(story).steps) == 2


def test_a_sleep_that_is_over_is_inferred_until_something_follows() -> None:
    story = Story(PENDING, 20_000, [step(1), sleep(2, 10, 5_000)])
    timer, running = tale_of(story).steps[1:]
    assert (timer.status, timer.fields["end_ns"]) == (StepStatus.COMPLETED, Provenance.INFERRED)
    assert (running.id, ms(running.start_ns)) == ("3", 6_000)
    assert blocked(story).kind == "step"
    story.steps.append(step(3, start=5_001, end=5_002))
    assert tale_of(story).steps[1].fields["end_ns"] is Provenance.REBUILT


def test_a_sleep_is_cut_short_by_a_cancellation() -> None:
    run = replace(PENDING, status="CANCELLED", completed_ms=3_000)
    timer = tale_of(Story(run, 20_000, [sleep(1, 10, 5_000)])).steps[0]
    assert (timer.status, ms(timer.end_ns), ms(timer.planned_end_ns)) == (StepStatus.CANCELLED, 3_000, 6_000)
    assert timer.fields == {"status": Provenance.INFERRED, "end_ns": Provenance.INFERRED}


def test_waiting_for_a_child_and_not_once_it_has_ended() -> None:
    launch = step(2, "ship", 10, 12, child="r-2")
    child = RawChild("r-2", "ship", "ENQUEUED", created_ms=1_011, queue="q")
    story = Story(PENDING, 2_000, [step(1), launch], children={"r-2": child})
    found = blocked(story)
    assert (found.kind, found.ref, found.step_id) == ("child", run_ref("r-2"), "2")
    assert found.what == "child ship r-2, queued on q"
    assert tale_of(story).steps[1].status is StepStatus.SCHEDULED
    story.children["r-2"] = replace(child, status="SUCCESS", completed_ms=1_500)
    assert blocked(story).kind == "step"
    assert ms(tale_of(story).steps[1].end_ns) == 1_500


def test_a_gathered_step_in_flight_is_the_gap() -> None:
    story = Story(PENDING, 2_000, [step(1, end=5), step(2, start=6, end=50), step(4, start=6, end=40)])
    assert [(s.id, s.status) for s in tale_of(story).steps][2] == ("3", StepStatus.RUNNING)
    assert "5" not in {s.id for s in tale_of(story).steps}
    assert blocked(story).what == "step 3 running"


def test_a_gap_that_later_steps_passed_is_not_called_running() -> None:
    story = Story(PENDING, 2_000, [step(1), step(3, start=6, end=7), step(4, start=8, end=9)])
    found = {s.id: s.status for s in tale_of(story).steps}
    assert found["2"] is StepStatus.UNKNOWN and found["5"] is StepStatus.RUNNING


def test_a_wait_beside_a_sleep_is_not_taken_for_its_time_out() -> None:
    story = Story(PENDING, 2_000, [step(1), sleep(3, 10, 60_000)])
    assert {s.id: s.kind for s in tale_of(story).steps}["2"] is StepKind.STEP
    story = Story(PENDING, 2_000, [step(1), sleep(3, 10, 60_000, timeout=True)])
    assert {s.id: s.kind for s in tale_of(story).steps}["2"] is StepKind.SIGNAL_WAIT


def test_a_cancelled_wait_does_not_stay_open() -> None:
    run = replace(PENDING, status="CANCELLED", completed_ms=5_000)
    tale = tale_of(Story(run, 9_000, [step(1), sleep(3, 10, 60_000, timeout=True)]))
    assert [s.status for s in tale.steps] == [
        StepStatus.COMPLETED, StepStatus.CANCELLED, StepStatus.CANCELLED,
    ]  # fmt: skip
    assert tale.run.blocked_on is None
    history = history_of(tale)
    assert [e.kind.value for e in history.all_events()][-1] == "run cancelled"


def test_messages_on_other_topics_are_named() -> None:
    story = Story(PENDING, 2_000, [sleep(2, 10, 60_000, timeout=True)])
    story.messages = [RawMessage("m", "other", 1_500, consumed=False)]
    assert blocked(story).evidence[-1].facts == ("a message with other is not consumed",)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (QueueFacts("q", True, queued=3, running=2, ahead=1, concurrency=2), "q, 1 ahead (2 of 2 running)"),
        (QueueFacts("q", True, concurrency=0), "q (paused: concurrency 0)"),
        (QueueFacts("q", True, queued=1, running=1, concurrency=4), "q"),
        (QueueFacts("q", False, queued=1), "q"),
    ],
)
def test_a_queued_run_names_the_limit_that_holds_it(facts: QueueFacts, words: str) -> None:
    run = RawRun(id="r", status="ENQUEUED", created_ms=1_000, queue="q", version="v1")
    found = blocked(Story(run, 5_000), Context("v1", 500, facts))
    assert (found.kind, found.what) == ("queue", words)
    assert infer.now_text(found, 5_000_000_000) == f"queued on {words}, for 4 s"


def test_the_one_run_that_holds_a_queue_is_named_and_can_be_opened() -> None:
    run = RawRun(id="r", status="ENQUEUED", created_ms=1_000, queue="q", version="v1")
    queue = QueueFacts("q", True, queued=1, running=1, ahead=0, concurrency=1, holders=("r-0",))
    found = blocked(Story(run, 5_000), Context("v1", 500, queue))
    assert (found.what, found.ref) == ("q, 0 ahead (1 of 1 running: r-0)", run_ref("r-0"))
    assert "running there: r-0" in found.evidence[0].facts
    several = replace(queue, running=2, holders=("r-0", "r-1"))
    assert blocked(Story(run, 5_000), Context("v1", 500, several)).ref is None
