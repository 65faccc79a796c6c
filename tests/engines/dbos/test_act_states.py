"""Every action in every state: what is offered agrees with what the engine does, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dbos import DBOSClient

from engine_bridge.actions.model import Target, Verdict
from engine_bridge.errors import NotFoundError
from tests.engines.dbos.act_tools import ACTIONS, ARGS, NEVER, STATES, Operator, Place

OPEN = ("PENDING", "ENQUEUED", "DELAYED")
STOPPED = ("CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
OFFERED: dict[str, tuple[str, ...]] = {
    "signal": (*OPEN, *STOPPED),
    "cancel": (*OPEN, "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
    "resume": (*OPEN, *STOPPED),
    "rewind": ("SUCCESS", "ERROR", *STOPPED),
    "fork": tuple(STATES),
    "delete": tuple(STATES),
    "set_delay": ("DELAYED",),
    "enqueue_like": tuple(STATES),
}


def done(place: Place, action: str, run_id: str, before: dict[str, Any], new_id: str) -> None:
    """Asserts what the engine's tables show after an action."""
    after = place.row(run_id)
    if action == "delete":
        assert after is None and place.count("operation_outputs", run_id) == 0
        return
    assert after is not None
    if action == "signal":
        [row] = place.sql(
            "SELECT topic, message FROM {s}notifications WHERE destination_uuid = :id", id=run_id
        )
        assert tuple(row) == ("approval", '{"ok":true}')
    elif action == "cancel":
        assert after["status"] == "CANCELLED" and after["queue_name"] is None
    elif action in ("resume", "rewind"):
        assert (after["status"], after["queue_name"]) == ("ENQUEUED", "_dbos_internal_queue")
        assert after["recovery_attempts"] == 0
    elif action == "set_delay":
        assert after["delay_until_epoch_ms"] == 1_900_000_000_123
    else:
        fresh = place.row(new_id)
        assert fresh is not None and fresh["name"] == before["name"] and fresh["status"] == "ENQUEUED"
        assert after["status"] == before["status"]
    if action == "rewind":
        [row] = place.sql(
            "SELECT count(*) FROM {s}operation_outputs WHERE workflow_uuid = :id AND function_id >= 2",
            id=run_id,
        )
        assert row[0] == 0


@pytest.mark.parametrize("state", STATES)
def test_what_is_offered_is_done(place: Place, operator: Operator, state: str) -> None:
    for action in ACTIONS:
        run_id = place.in_state(state, f"{state}-{action}")
        spec = operator.specs(run_id)[action]
        assert bool(spec.disabled) != bool(spec.effect)
        assert (spec.disabled == "") is (state in OFFERED[action]), (action, spec)
        before = place.row(run_id)
        assert before is not None
        item = operator.plan(run_id, action, **ARGS.get(action, {}))
        assert item.refused == spec.disabled
        if item.refused:
            continue
        receipt = operator.execute(item)
        assert receipt.outcome.verdict is Verdict.APPLIED, receipt
        done(place, action, run_id, before, str(receipt.outcome.new_ref or ""))
        assert item.new_run == (receipt.outcome.new_ref is not None)
        assert item.inverse or item.irreversible
        assert item.race and item.calls and item.preconditions


def client_call(client: DBOSClient, action: str, run_id: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "signal": lambda: client.send(run_id, "late", "approval"),
        "cancel": lambda: client.cancel_workflow(run_id),
        "resume": lambda: client.resume_workflow(run_id),
        "rewind": lambda: client.rewind_workflow(run_id),
        "set_delay": lambda: client.set_workflow_delay(run_id, delay_seconds=1.0),
    }
    calls[action]()


@pytest.mark.parametrize("state", STATES)
def test_what_is_disabled_would_do_nothing(place: Place, operator: Operator, state: str) -> None:
    client = DBOSClient(system_database_engine=place.engine, lazy=True, retry_connection_errors=False)
    for action in ACTIONS:
        if state in OFFERED[action]:
            continue
        run_id = place.in_state(state, f"{state}-{action}")
        assert operator.specs(run_id)[action].disabled
        before = place.row(run_id)
        assert before is not None
        if action == "rewind":
            with pytest.raises(Exception, match="terminal state"):
                client_call(client, action, run_id)
        else:
            client_call(client, action, run_id)
        after = place.row(run_id)
        assert after is not None
        changed = {name for name in after if after[name] != before[name]}
        # Cancelling twice moves the end; nothing else ever moves.
        assert changed <= ({"updated_at", "completed_at"} if action == "cancel" else set()), (action, changed)


def test_resuming_what_waits_for_recovery_changes_nothing(place: Place, operator: Operator) -> None:
    run_id = place.in_state("CANCELLED", "twice")
    operator.act(run_id, "resume")
    assert "already" in operator.specs(run_id)["resume"].disabled


def test_a_run_that_is_not_there(operator: Operator) -> None:
    with pytest.raises(NotFoundError):
        operator.specs("nobody")
    assert operator.plan("nobody", "cancel").refused


def test_steps_offer_fork_and_rewind_from_there(operator: Operator) -> None:
    step = Target(
        kind="step", id="order-001/3", ref=operator.bridge.find("order-001", 1, NEVER)[0].ref, step_id="3"
    )
    specs = operator.specs(step)
    assert set(specs) == {"fork", "rewind"}
    assert specs["fork"].params[0].default == "3"
    assert operator.plan(step, "fork").staged.args == {"start_step": "3"}


def test_queues_and_schedules(place: Place, operator: Operator) -> None:
    for name, before in (("reports", None), ("warehouse", 4)):
        queue = Target(kind="queues", id=name)
        assert "not paused" in operator.specs(queue)["resume_queue"].disabled
        paused = operator.act(queue, "pause_queue")
        assert place.sql("SELECT concurrency FROM {s}queues WHERE name = :n", n=name)[0][0] == 0
        assert operator.specs(queue)["pause_queue"].disabled
        assert paused.inverse is not None and paused.inverse.args == {"concurrency": before}
        operator.act(queue, paused.inverse.action, **paused.inverse.args)
        assert place.sql("SELECT concurrency FROM {s}queues WHERE name = :n", n=name)[0][0] == before
    schedule = Target(kind="schedules", id="drift-eu")
    assert operator.specs(schedule)["resume_schedule"].disabled
    operator.act(schedule, "pause_schedule")
    assert place.sql("SELECT status FROM {s}workflow_schedules")[0][0] == "PAUSED"
    assert operator.specs(schedule)["pause_schedule"].disabled
    operator.act(schedule, "resume_schedule")
    assert place.sql("SELECT status FROM {s}workflow_schedules")[0][0] == "ACTIVE"


def test_queues_declared_in_code_are_not_touched(operator: Operator) -> None:
    specs = operator.specs(Target(kind="queues", id="_dbos_internal_queue"))
    assert all("in code only" in spec.disabled for spec in specs.values())


def test_partitioned_queues_take_runs_with_a_key_only(place: Place, operator: Operator) -> None:
    plain = place.in_state("ERROR", "no key")
    for action in ("fork", "enqueue_like"):
        assert "no partition key" in operator.plan(plain, action, queue="warehouse").refused
    keyed = place.clone("order-002", "with key", queue_partition_key="ams")
    receipt = operator.act(keyed, "fork", start_step="1", queue="warehouse")
    assert receipt.outcome.new_ref is not None
    row = place.row(receipt.outcome.new_ref.run)
    assert row is not None and (row["queue_name"], row["queue_partition_key"]) == ("warehouse", "ams")


def test_arguments_that_do_not_fit_are_refused(place: Place, operator: Operator) -> None:
    run_id = place.in_state("PENDING", "args")
    for action, args, why in (
        ("signal", {}, "Give the message"),
        ("signal", {"message": "{"}, "not JSON"),
        ("signal", {"message": "NaN"}, "not JSON"),
        ("fork", {"start_step": "x"}, "not a whole number"),
        ("fork", {"start_step": 0}, "1 or more"),
        ("cancel", {"children": "perhaps"}, "true or false"),
        ("enqueue_like", {"input": "[1]"}, "positionalArgs"),
        ("explode", {}, "no action"),
    ):
        assert why in operator.plan(run_id, action, **args).refused
    later = place.in_state("DELAYED", "args")
    assert "either" in operator.plan(later, "set_delay").refused
    assert "either" in operator.plan(later, "set_delay", delay=1, until_ms=1).refused


def test_children_are_cancelled_and_deleted_with_their_parent(place: Place, operator: Operator) -> None:
    parent = place.in_state("PENDING", "parent")
    child = place.clone("held-1", f"{parent} child", parent_workflow_id=parent)
    grandchild = place.clone("later-1", f"{parent} grandchild", parent_workflow_id=child)
    item = operator.plan(parent, "cancel")
    assert any(child in warning and grandchild in warning for warning in item.warnings)
    receipt = operator.act(parent, "cancel", children=True)
    assert {place.status(one) for one in (parent, child, grandchild)} == {"CANCELLED"}
    assert "of 2 descendants 0 are open" in receipt.outcome.evidence
    operator.act(parent, "delete", children=True)
    assert {place.status(one) for one in (parent, child, grandchild)} == {None}


def test_another_operator_wins(place: Place, operator: Operator) -> None:
    """The preconditions are read in the transaction that writes: nothing is overwritten, nothing lost."""
    run_id = place.in_state("CANCELLED", "contested")
    first, second = operator.plan(run_id, "resume"), operator.plan(run_id, "resume")
    assert operator.execute(first).outcome.verdict is Verdict.APPLIED
    lost = operator.execute(second).outcome
    assert lost.stale and lost.verdict is Verdict.NOT_APPLIED
    assert "status was CANCELLED, is ENQUEUED" in lost.evidence


def test_what_a_rewind_deletes_is_listed(place: Place, operator: Operator) -> None:
    run_id = place.in_state("CANCELLED", "listed")
    operator.act(run_id, "signal", topic="approval", message="1")
    item = operator.plan(run_id, "rewind", start_step="1")
    changes = {change.what: change.before for change in item.changes}
    assert changes["1 messages not taken"] == "approval"
    assert any("Export the run first" in warning for warning in item.warnings)
    order = operator.plan(place.in_state("SUCCESS", "listed"), "rewind", start_step="4")
    changes = {change.what: change.before for change in order.changes}
    assert changes["3 steps kept"].startswith("1 DBOS.setEvent, 2 DBOS.writeStream, 3 validate")
    assert changes["events"] == "stage"
