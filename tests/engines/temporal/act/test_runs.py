"""Actions on runs of a real server, through the action core: plan, execute, read back, settle, lose a race."""

from __future__ import annotations

from typing import Any

import pytest

from engine_bridge.actions.model import Danger, Target, Verdict, new_request_id
from engine_bridge.errors import RejectedError
from engine_bridge.model import RunRef, Status, StepKind, StepStatus
from tests.engines.temporal.act.acting import REASON, Operator
from tests.engines.temporal.server.conftest import NEVER, newest


def test_a_signal_reaches_the_code_and_names_its_sender(operator: Operator) -> None:
    run = operator.order()
    item = operator.plan(run, "signal", name="approve_order", args='["ann"]')
    assert "approve_order" in item.calls[0] and item.dedupes and not item.refused
    assert item.copy_as["CLI"].startswith(f"temporal workflow signal --workflow-id {run.id} --run-id ")
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    operator.until(lambda: not operator.look(item, receipt.request_id).pending)
    [event] = operator.events(run, "WorkflowExecutionSignaled")
    assert event.attributes["identity"].startswith("playhead:")
    assert event.attributes["requestId"] == receipt.request_id
    operator.until(lambda: operator.run(run).status is Status.COMPLETED)


def test_what_the_server_keeps_back_is_applied_and_never_called_not_applied(operator: Operator) -> None:
    run = operator.start("new_release", "broken")  # its workflow task fails, and is at its worker again
    item = operator.plan(run, "signal", name="approve")
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and "mend the code" in receipt.outcome.pending
    left = operator.look(item, receipt.request_id)
    assert left.verdict is not Verdict.NOT_APPLIED and left.pending
    operator.shop.worker.ask("terminate", run.id)
    over = operator.follow(item, receipt)
    assert (
        over.verdict is Verdict.APPLIED
        and not over.pending
        and "carries this request's id" in over.evidence[0]
    )


def test_the_same_request_twice_is_one_signal(operator: Operator) -> None:
    run = operator.start()
    item, id_ = operator.plan(run, "signal", name="nobody_listens"), new_request_id()
    # What was planned still holds after the first: the server drops the second.
    first, second = (operator.execute(item, id_) for _ in range(2))
    assert first.outcome.verdict is second.outcome.verdict is Verdict.APPLIED
    assert len(operator.events(run, "WorkflowExecutionSignaled")) == 1


def test_cancelling_asks_the_code(operator: Operator) -> None:
    run = operator.start()
    receipt = operator.act(run, "cancel")
    assert receipt.outcome.verdict is Verdict.APPLIED
    [event] = operator.events(run, "WorkflowExecutionCancelRequested")
    assert REASON in event.attributes["cause"] and receipt.request_id in event.attributes["cause"]
    operator.until(lambda: operator.run(run).status is Status.CANCELLED)
    specs = operator.specs(run)
    assert "The run is over (Canceled)" in specs["cancel"].disabled
    assert not specs["reset"].disabled and not specs["delete"].disabled


def test_terminating_ends_it_at_once_with_reason_and_identity(operator: Operator) -> None:
    run = operator.start("send_invoice", queue="nobody")
    item = operator.plan(run, "terminate")
    assert "not told" in item.side_effects[0] and item.irreversible
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert ("status", "Running", "Terminated") in [(c.what, c.before, c.after) for c in receipt.changes]
    [event] = operator.events(run, "WorkflowExecutionTerminated")
    assert event.attributes["reason"] == REASON and event.attributes["identity"].startswith("playhead:")


def test_no_worker_is_said_before(operator: Operator) -> None:
    run = operator.start("send_invoice", queue="nobody")
    assert "when a worker polls task queue nobody" in operator.specs(run)["signal"].effect
    item = operator.plan(run, "signal", name="send_to", args='"x"')
    assert any("No worker polls task queue nobody" in one for one in item.warnings)
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and "no worker" in receipt.outcome.pending


def test_a_run_that_ended_meanwhile_is_left_alone_and_says_who_won(operator: Operator) -> None:
    run = operator.start()
    item = operator.plan(run, "signal", name="send_to", args='"x"')
    operator.shop.worker.ask("terminate", run.id)
    receipt = operator.execute(item)
    assert receipt.outcome.stale and receipt.outcome.verdict is Verdict.NOT_APPLIED
    told = "\n".join(receipt.outcome.evidence)
    assert "status was Running when it was planned, and is Terminated" in told
    assert "WorkflowExecutionTerminated by shop-worker" in told
    assert not operator.events(run, "WorkflowExecutionSignaled")


def reset_one(operator: Operator) -> tuple[Target, Any]:
    """An order that waits for its approval, signalled in vain, and the plan of its reset to its second activity."""
    run = operator.order()
    operator.shop.worker.ask("signal", run.id, "approve_order", "")
    operator.until(
        lambda: (
            len(operator.events(run, "WorkflowTaskCompleted"))
            == len(operator.events(run, "WorkflowTaskScheduled"))
        )
    )
    charge = operator.events(run, "ActivityTaskScheduled")[1]
    return run, operator.plan(run, "reset", step=charge.step_id)


def test_a_reset_shows_what_it_keeps_applies_and_does_again(operator: Operator) -> None:
    run, item = reset_one(operator)
    assert not item.refused and item.new_run and not item.dedupes
    words = {change.what: change.after for change in item.changes}
    assert words["this run"] == "Terminated, when the new run begins"
    assert words["activity charge_card"] == "executed again"
    assert "activity validate_order" not in words
    assert words["local activity"] == "executed again"  # it began in the same workflow task
    assert words["child fraud_check"] == "started again"
    assert words["signal approve_order"] == "applied again"
    assert words["kept"].startswith("events 1 to ")
    assert "2 activities are executed again" in item.side_effects[0]
    assert item.cut == item.staged.args["event"]
    marked = {mark.words: mark.kind for mark in item.marks}
    assert marked["activity charge_card: executed again"] == "again"
    assert marked["signal approve_order: applied again"] == "applied"
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED and receipt.outcome.new_ref is not None
    assert operator.run(run).status is Status.TERMINATED
    new = Target(kind="run", id=run.id, ref=receipt.outcome.new_ref)
    assert operator.run(new).status is Status.RUNNING
    [failed] = operator.events(new, "WorkflowTaskFailed")
    assert failed.position == item.staged.args["event"]
    assert operator.look(item, receipt.request_id).new_ref == receipt.outcome.new_ref


def begun_after(operator: Operator, run: Target, position: int) -> set[str]:
    """What a run's history shows to have begun after an event, as the plan of a reset words it."""
    kinds = {StepKind.STEP: "activity", StepKind.CHILD: "child", StepKind.LOCAL: "local activity"}
    history = operator.history(run)
    steps = (step for step in history.all_steps() if int(step.id) > position and step.kind in kinds)
    return {f"{kinds[s.kind]} {s.name if s.kind is not StepKind.LOCAL else ''}".strip() for s in steps}


def test_the_server_does_what_a_reset_was_said_to_do(operator: Operator) -> None:
    run, item = reset_one(operator)
    point = item.staged.args["event"]
    before = operator.history(run).all_events()
    new = Target(kind="run", id=run.id, ref=operator.execute(item).outcome.new_ref)
    operator.until(lambda: operator.events(new, "TimerStarted"))
    after = operator.history(new).all_events()
    told = [(e.name, e.time_ns, e.attributes) for e in before[: point - 1]]
    assert [(e.name, e.time_ns, e.attributes) for e in after[: point - 1]] == told
    assert after[point - 1].name == "WorkflowTaskFailed"
    applied = [f"signal {e.step_name}" for e in after[point:] if e.name == "WorkflowExecutionSignaled"]
    assert applied == [c.what for c in item.changes if c.after == "applied again"]
    again = {c.what for c in item.changes if c.after in ("executed again", "started again")} - {"timers"}
    assert begun_after(operator, new, point) == again


def test_what_was_under_way_at_the_point_of_a_reset_is_done_again_as_was_said(operator: Operator) -> None:
    run = operator.start("two_at_once")
    operator.until(lambda: len(operator.events(run, "WorkflowTaskCompleted")) == 2)
    point = operator.events(run, "WorkflowTaskCompleted")[1].position
    operator.until(
        lambda: operator.act(run, "complete_activity", result='"paid"').outcome.verdict is Verdict.APPLIED
    )
    operator.until(lambda: operator.run(run).status is Status.COMPLETED)
    item = operator.plan(run, "reset", event=point)
    assert any("1 activity that began before that point" in one for one in item.warnings)
    assert [mark.words for mark in item.marks] == ["activity await_bank: executed again"]
    new = Target(kind="run", id=run.id, ref=operator.execute(item).outcome.new_ref)
    operator.until(lambda: any(a.status is StepStatus.RUNNING for a in operator.history(new).all_steps()))
    steps = {
        step.name: step.status for step in operator.history(new).all_steps() if step.kind is StepKind.STEP
    }
    assert steps == {"validate_order": StepStatus.COMPLETED, "await_bank": StepStatus.RUNNING}


def test_a_reset_that_was_overtaken_is_not_sent(operator: Operator) -> None:
    run, item = reset_one(operator)
    operator.shop.worker.ask("signal", run.id, "approve_order", "bob")
    receipt = operator.execute(item)
    assert receipt.outcome.stale
    assert any(
        "WorkflowExecutionSignaled approve_order by shop-worker" in line for line in receipt.outcome.evidence
    )


def test_a_reset_leaves_signals_out_when_asked(operator: Operator) -> None:
    run, _ = reset_one(operator)
    item = operator.plan(run, "reset", to="first workflow task", signals=False)
    assert ("signal approve_order", "left out") in [(c.what, c.after) for c in item.changes]
    assert "--reapply-exclude Signal" in item.copy_as["CLI"]
    refused = operator.plan(run, "reset", event=5)
    assert "Event 5 is" in refused.refused and "Near it: 4" in refused.refused


def test_an_update_answers(operator: Operator) -> None:
    run = operator.order()
    receipt = operator.act(run, "update", name="change_address", args='"there"')
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert ("answer", '"here"') in [(c.what, c.after) for c in receipt.changes]
    rejected = operator.act(run, "update", name="change_address", args='""')
    assert rejected.outcome.verdict is Verdict.NOT_APPLIED
    assert any("an address is needed" in line for line in rejected.outcome.evidence)


def test_a_query_answers_and_changes_nothing(operator: Operator) -> None:
    run = operator.order()
    receipt = operator.act(run, "query", name="approval")
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert ("answer", '""') in [(c.what, c.after) for c in receipt.changes]
    unknown = operator.act(run, "query", name="nothing_like_it")
    assert unknown.outcome.verdict is Verdict.NOT_APPLIED and "nothing_like_it" in unknown.outcome.evidence[0]


def test_pausing_and_unpausing_undo_each_other(operator: Operator) -> None:
    run = operator.start()
    paused = operator.act(run, "pause")
    assert paused.outcome.verdict is Verdict.APPLIED and operator.run(run).status is Status.PAUSED
    specs = operator.specs(run)
    assert "paused already" in specs["pause"].disabled and "takes no updates" in specs["update"].disabled
    assert REASON in specs["pause"].disabled
    assert paused.inverse is not None and paused.inverse.action == "unpause"
    [item] = operator.bridge.plan((paused.inverse,), NEVER)
    assert operator.execute(item).outcome.verdict is Verdict.APPLIED
    assert operator.run(run).status is Status.RUNNING


def test_deleting_a_running_one_asks_twice(operator: Operator) -> None:
    run = operator.start()
    assert "terminates it" in operator.plan(run, "delete").refused
    item = operator.plan(run, "delete", terminate=True)
    assert item.danger is Danger.DESTROYS and item.title.startswith("Terminate and delete")
    receipt = operator.execute(item)
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert operator.look(item).verdict is Verdict.UNKNOWN


def test_settling_knows_by_the_requests_id(operator: Operator) -> None:
    run = operator.start()
    item = operator.plan(run, "signal", name="send_to", args='"x"')
    assert operator.look(item).verdict is Verdict.NOT_APPLIED
    receipt = operator.execute(item)
    assert operator.look(item, receipt.request_id).verdict is Verdict.APPLIED
    assert operator.look(item).verdict is Verdict.NOT_APPLIED


def test_a_refused_plan_is_not_sent(operator: Operator) -> None:
    over = newest(operator.bridge, "invoice-terminated")
    item = operator.plan(Target(kind="run", id=over.id, ref=over.ref), "terminate")
    assert item.refused == "The run is over (Terminated)."
    with pytest.raises(RejectedError):
        operator.execute(item)
    gone = operator.plan(Target(kind="run", id="x", ref=RunRef("workflow", "x", over.ref.run)), "cancel")
    assert "does not know the run" in gone.refused


def test_without_a_worker_an_update_waits_and_a_query_is_not_answered(operator: Operator) -> None:
    run = operator.start(queue="nobody")
    update = operator.act(run, "update", name="change_address", args='"x"')
    assert update.outcome.verdict is Verdict.UNKNOWN and "no worker" in update.outcome.pending
    query = operator.act(run, "query", name="approval")
    assert query.outcome.verdict is Verdict.NOT_APPLIED and "worker" in query.outcome.evidence[0]
