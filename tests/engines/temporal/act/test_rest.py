"""Actions on activities, schedules and batches of a real server, and runs started like another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine_bridge.actions import confirm
from engine_bridge.actions.model import PlanItem, Target, Verdict
from engine_bridge.model import Status, Step
from tests.engines.temporal.act.acting import Operator, plan_of
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.server.conftest import NEVER

SPACE = Target(kind="namespaces", id=NAMESPACE)


def stuck(operator: Operator) -> Target:
    """A run whose activity fails, and waits for its next attempt."""
    run = operator.start("nightly_export")
    operator.until(lambda: any((step.attempts or 0) > 2 for step in operator.history(run).all_steps()))
    return run


def undone(operator: Operator, item: PlanItem) -> PlanItem:
    assert item.inverse is not None
    [back] = operator.bridge.plan((item.inverse,), NEVER)
    assert not back.refused, back.refused
    found: PlanItem = back
    return found


def test_an_activity_is_paused_and_unpaused(operator: Operator) -> None:
    run = stuck(operator)
    specs = operator.specs(run)
    assert "paused" in specs["unpause_activity"].disabled
    step = specs["pause_activity"].params[0]
    assert step.default == next(s.id for s in operator.history(run).all_steps() if s.name == "export_ledger")
    item = operator.plan(run, "pause_activity", step=step.default)
    assert item.copy_as["CLI"].startswith("temporal activity pause --activity-id 1 ")
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and "playhead:" in receipt.outcome.evidence[0]
    assert operator.look(item, receipt.request_id).verdict is Verdict.APPLIED
    again = operator.plan(run, "pause_activity", step=step.default)
    assert "paused" in again.refused
    shown = next(s for s in operator.history(run).all_steps() if s.name == "export_ledger").detail
    assert shown.startswith("paused by playhead:") and receipt.request_id not in shown
    back = operator.execute(undone(operator, item))
    assert back.outcome.verdict is Verdict.APPLIED
    assert operator.specs(run)["unpause_activity"].disabled


def test_an_activity_is_tried_again_at_once(operator: Operator) -> None:
    run = stuck(operator)
    receipt = operator.act(run, "reset_activity")
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert "attempt" in receipt.outcome.evidence[0]


def test_an_activity_is_completed_by_hand(operator: Operator) -> None:
    run = stuck(operator)
    assert "Give the result" in operator.plan(run, "complete_activity").refused
    item = operator.plan(run, "complete_activity", result='"exported"')
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    operator.until(lambda: operator.run(run).status is Status.COMPLETED)
    assert operator.look(item, receipt.request_id).verdict is Verdict.APPLIED
    late = operator.execute(item)
    assert late.outcome.stale and "Completed" in late.outcome.evidence[1]


def test_an_activity_is_failed_by_hand(operator: Operator) -> None:
    assert "No attempt is under way" in operator.specs(stuck(operator))["fail_activity"].disabled
    run = operator.start("bank_transfer")
    operator.until(lambda: not operator.specs(run)["fail_activity"].disabled)
    receipt = operator.act(run, "fail_activity", message="the bank is gone", type="Gone")
    assert receipt.outcome.verdict is Verdict.APPLIED, receipt.outcome.evidence
    operator.until(lambda: operator.run(run).status is Status.FAILED)
    [event] = operator.events(run, "ActivityTaskFailed")
    assert event.failure is not None and "the bank is gone" in event.failure.message


def test_options_of_an_activity_are_changed_and_given_back(operator: Operator) -> None:
    run = stuck(operator)
    docs = {param.name: param.doc for param in operator.specs(run)["update_options"].params}
    assert (
        "Now 9." in docs["attempts"]
        and "Now 10 s." in docs["start_to_close"]
        and "Now none." in docs["schedule_to_start"]
    )
    assert "Give the options" in operator.plan(run, "update_options").refused
    assert "already" in operator.plan(run, "update_options", attempts=9).refused
    assert "no duration" in operator.plan(run, "update_options", heartbeat="soon").refused
    item = operator.plan(run, "update_options", attempts=20, start_to_close="1m30s", coefficient="2.5")
    told = [(change.what, change.before, change.after) for change in item.changes]
    assert ("attempts at most", "9", "20") in told and ("one attempt may take", "10 s", "1 m 30 s") in told
    assert (
        "--retry-maximum-attempts 20" in item.copy_as["CLI"]
        and "retryPolicy.maximumAttempts" in item.calls[0]
    )
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED, receipt.outcome.evidence
    assert _step(operator, run).max_attempts == 20
    assert operator.look(item, receipt.request_id).verdict is Verdict.APPLIED
    assert operator.execute(undone(operator, item)).outcome.verdict is Verdict.APPLIED
    assert _step(operator, run).max_attempts == 9
    assert operator.look(item).verdict is Verdict.NOT_APPLIED
    operator.act(run, "update_options", attempts=30)
    assert operator.act(run, "update_options", restore=True).outcome.verdict is Verdict.APPLIED
    assert _step(operator, run).max_attempts == 9


def _step(operator: Operator, run: Target) -> Step:
    return next(s for s in operator.history(run).all_steps() if s.name == "export_ledger")


def test_one_like_another_starts_with_the_same_input(operator: Operator) -> None:
    run = operator.start("bank_transfer", tenant="globex")
    item = operator.plan(run, "start_like")
    assert item.new_run and item.dedupes
    receipt = operator.execute(item)
    new = receipt.outcome.new_ref
    assert (
        receipt.outcome.verdict is Verdict.APPLIED and new is not None and new.group.startswith(f"{run.id}-")
    )
    made = Target(kind="run", id=new.group, ref=new)
    assert operator.run(made).attributes["tenant"] == "globex"
    assert operator.run(made).type == "bank_transfer" and operator.run(made).status is Status.RUNNING
    assert operator.look(item, receipt.request_id).new_ref == new
    assert operator.look(item).verdict is Verdict.NOT_APPLIED


def test_one_like_another_starts_with_edited_input_under_a_given_id(operator: Operator) -> None:
    run = operator.start("send_invoice")
    args = operator.specs(run)["start_like"].params[1]
    assert args.default == [run.id] and run.ref is not None and args.source == f"run {run.ref.run}"
    receipt = operator.act(run, "start_like", id=f"{run.id}-mine", args=["other"])
    assert receipt.outcome.new_ref is not None and receipt.outcome.new_ref.group == f"{run.id}-mine"
    taken = operator.act(run, "start_like", id=f"{run.id}-mine")
    assert taken.outcome.verdict is Verdict.NOT_APPLIED and "refused" in taken.outcome.evidence[0]


def test_a_workflow_is_started_from_nothing(operator: Operator) -> None:
    nothing = operator.plan(SPACE, "start", queue="nobody")
    assert "Give the workflow's type" in nothing.refused
    wrong = operator.plan(SPACE, "start", type="send_invoice", queue="nobody", attributes={"nope": 1})
    assert "no search attribute 'nope'" in wrong.refused
    item = operator.plan(
        SPACE, "start", type="it's new", queue="nobody", args=["a", {"b": 1}], memo={"note": "by hand"},
        attributes='{"tenant": "fresh", "items": 3, "tags": ["x", "y"]}', run_timeout="90s", start_delay="1h",
    )  # fmt: skip
    assert not item.refused and item.new_run and item.dedupes and len(item.warnings) == 2
    receipt = operator.execute(item)
    new = receipt.outcome.new_ref
    assert (
        receipt.outcome.verdict is Verdict.APPLIED and new is not None and new.group.startswith("it's new-")
    )
    run = operator.run(Target(kind="run", id=new.group, ref=new))
    assert (run.type, run.queue, run.status) == ("it's new", "nobody", Status.DELAYED)
    told = {"tenant": "fresh", "items": 3, "tags": ["x", "y"], "memo": {"note": "by hand"}}
    assert run.attributes == told and run.extra["run_timeout_dur_ns"] == 90 * 10**9
    [first, *_] = operator.events(Target(kind="run", id=new.group, ref=new), "WorkflowExecutionStarted")
    assert str(first.attributes["identity"]).startswith("playhead:")
    assert operator.look(item, receipt.request_id).new_ref == new
    assert operator.look(item).verdict is Verdict.NOT_APPLIED


def test_a_workflow_of_an_id_that_is_taken_is_refused_or_replaces_the_open_run(operator: Operator) -> None:
    old = operator.start(queue="nobody")
    asked = {"type": "send_invoice", "queue": "nobody", "id": old.id}
    assert "is open" in operator.plan(SPACE, "start", **asked).refused
    item = operator.plan(SPACE, "start", **asked, conflict="terminate the open one")
    assert [change.after for change in item.changes][1] == "terminated by the server"
    operator.shop.worker.ask("terminate", old.id)
    late = operator.execute(item)
    assert late.outcome.stale and "and is none" in " ".join(late.outcome.evidence)
    assert "already: Terminated" in operator.plan(SPACE, "start", **asked, reuse="refuse").refused
    first = operator.act(SPACE, "start", **asked)
    second = operator.act(SPACE, "start", **asked, conflict="terminate the open one")
    assert second.outcome.verdict is Verdict.APPLIED and first.outcome.new_ref is not None
    gone = Target(kind="run", id=old.id, ref=first.outcome.new_ref)
    assert operator.run(gone).status is Status.TERMINATED


@pytest.fixture
def schedule(operator: Operator) -> Target:
    return Target(kind="schedules", id="nightly")


def test_a_schedule_is_paused_triggered_and_resumed(operator: Operator, schedule: Target) -> None:
    assert operator.specs(schedule)["resume_schedule"].disabled == "It is not paused."
    item = operator.plan(schedule, "pause_schedule")
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and "the customer called" in receipt.outcome.evidence[0]
    assert operator.look(item, receipt.request_id).verdict is Verdict.APPLIED
    assert "paused already: the customer called" in operator.specs(schedule)["pause_schedule"].disabled
    triggered = operator.act(schedule, "trigger_schedule", overlap="allow all")
    assert triggered.outcome.verdict is Verdict.APPLIED, triggered.outcome.evidence
    assert operator.execute(undone(operator, item)).outcome.verdict is Verdict.APPLIED


def test_a_schedule_starts_the_runs_of_a_span_of_time(operator: Operator) -> None:
    operator.shop.worker.ask("schedule", "acted-backfill", True)
    schedule = Target(kind="schedules", id="acted-backfill")
    assert (
        "no time"
        in operator.plan(schedule, "backfill_schedule", **{"from": "then", "until": "today"}).refused
    )
    asked = {"from": "2026-01-01", "until": "2026-04-05"}
    nothing = operator.plan(schedule, "backfill_schedule", **{**asked, "until": "2026-01-01T00:00:01Z"})
    assert "No time of the schedule lies between" in nothing.refused
    item = operator.plan(schedule, "backfill_schedule", **asked)
    assert not item.refused, item.refused
    count = int(item.staged.args["times"])
    assert 3 <= count <= 4 and item.changes[0].after == str(count) and item.new_run
    began = datetime(2026, 1, 1).astimezone(UTC)  # a day begins here
    assert f"--start-time {began:%Y-%m-%dT%H:%M:%S}" in item.copy_as["CLI"]
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    operator.until(lambda: not operator.follow(item, receipt).pending)
    assert f"has started {count} runs" in operator.follow(item, receipt).evidence[1]
    assert "no event" not in operator.look(item, receipt.request_id).evidence[0]


def test_a_batch_tells_how_far_it_is_and_is_stopped(operator: Operator) -> None:
    runs = [operator.start("send_invoice", tenant="batched-slowly", queue="nobody") for _ in range(40)]
    asked = {"query": "tenant = 'batched-slowly'", "operation": "cancel", "rate": 1}
    operator.until(lambda: "40 runs" in operator.plan(SPACE, "batch", **asked).title)
    item = operator.plan(SPACE, "batch", **asked)
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and "under way" in receipt.outcome.pending
    operator.until(lambda: "of 40 done" in operator.look(item, receipt.request_id).pending)
    job = next(
        b for b in operator.bridge.resources("batch operations", NEVER) if b.cells["state"] == "running"
    )
    batch = Target(kind="batch operations", id=job.id)
    stopped = operator.act(batch, "stop_batch")
    assert stopped.outcome.verdict is Verdict.APPLIED, stopped.outcome.evidence
    outcome = operator.look(item, receipt.request_id)
    assert outcome.verdict is Verdict.APPLIED and "was stopped" in outcome.evidence[0] and not outcome.pending
    assert "It is" in operator.specs(batch)["stop_batch"].disabled
    [over] = [b for b in operator.bridge.resources("batch operations", NEVER) if b.id == job.id]
    assert over.warning and "of 40" in over.cells["done"]
    assert 0 < sum(bool(operator.run(run).extra.get("cancel_requested")) for run in runs) < len(runs)


def test_a_batch_hits_what_matches_and_tells_how_far_it_is(operator: Operator) -> None:
    runs = [operator.start("send_invoice", tenant="batched", queue="nobody") for _ in range(6)]
    query = "tenant = 'batched'"
    operator.until(
        lambda: "6 runs" in operator.plan(SPACE, "batch", query=query, operation="terminate").title
    )
    item = operator.plan(SPACE, "batch", query=query, operation="terminate")
    assert item.changes[0].after == "terminated" and "ExecutionStatus" in item.calls[0]
    assert confirm.needed(plan_of("s", item)) == "6"
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    operator.until(lambda: not operator.look(item, receipt.request_id).pending)
    assert "6 of 6 done, 0 failed" in operator.look(item, receipt.request_id).evidence[0]
    shown = next(
        b for b in operator.bridge.resources("batch operations", NEVER) if "batched" in b.cells["query"]
    )
    assert (shown.cells["operation"], shown.cells["done"], shown.warning) == (
        "terminate",
        "6 of 6",
        "",
    )
    assert "playhead:" in shown.cells["by"] and receipt.request_id not in shown.cells["reason"]
    assert all(operator.run(run).status is Status.TERMINATED for run in runs)
    [event] = operator.events(runs[0], "WorkflowExecutionTerminated")
    assert receipt.request_id in event.attributes["reason"]
    operator.until(
        lambda: "No run matches" in operator.plan(SPACE, "batch", query=query, operation="cancel").refused
    )
    assert (
        "does not take this question"
        in operator.plan(SPACE, "batch", query="nope ~", operation="cancel").refused
    )


def test_a_batch_that_would_hit_more_than_was_confirmed_is_not_sent(operator: Operator) -> None:
    operator.start("send_invoice", tenant="batched-2", queue="nobody")
    query = "tenant = 'batched-2'"
    operator.until(lambda: "1 run" in operator.plan(SPACE, "batch", query=query, operation="cancel").title)
    item = operator.plan(SPACE, "batch", query=query, operation="cancel")
    operator.start("send_invoice", tenant="batched-2", queue="nobody")
    operator.until(lambda: "2 runs" in operator.plan(SPACE, "batch", query=query, operation="cancel").title)
    receipt = operator.execute(item)
    assert receipt.outcome.stale and "1 when it was planned, and is 2" in receipt.outcome.evidence[1]
