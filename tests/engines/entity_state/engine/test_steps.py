"""Executing a step: the order, what is written, and what is not."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import bound, failure, success
from engine_bridge.engines.entity_state.engine.errors import (
    ClaimHeldError,
    EntityNotFoundError,
    MissingContextError,
    SelectionError,
    StaleError,
    TenantRequiredError,
    UseCaseError,
    ValidationFailedError,
)
from tests.engines.entity_state.engine.shop import CHAIN, INVOICE, Shop, changed, user


def test_a_step_selects_validates_acts_and_moves_in_this_order(shop: Shop) -> None:
    points: list[str] = []
    invoice = shop.add()
    outcome = shop.engine(at=points.append).workflow("invoice").execute_step(invoice, "user", {})
    assert (outcome.kind, outcome.from_status, outcome.to_status, outcome.version) == (
        "moved",
        "draft",
        "approved",
        2,
    )
    assert points == [
        "selected", "validated", "acted", "swapped", "recorded", "written", "committed", "after_effects"
    ]  # fmt: skip
    assert shop.calls == [("amount_is_positive", invoice), ("note", invoice)]
    row = shop.rows(shop.tables.history)[0]
    assert (row.entity_type, row.entity_id, row.workflow_type, row.step_key) == (
        "Invoice",
        "1",
        "invoice",
        "approve",
    )
    assert (row.requester_type, row.actor, row.correlation_id, row.tenant_id) == (
        "user",
        "ann",
        "c-ann",
        "t1",
    )
    assert row.metadata == {"kind": "step", "version": 2}
    assert row.execution_ms > 0
    assert row.changed_at.tzinfo is not None
    event = shop.rows(shop.tables.outbox)[0]
    assert (event.event_type, event.payload["to"]) == ("invoice.approved", "approved")
    assert event.envelope == {
        "correlation_id": "c-ann",
        "requester_type": "user",
        "tenant_id": "t1",
        "user_id": "ann",
    }
    assert (shop.rows(shop.invoices)[0].version, shop.rows(shop.tables.failures)) == (2, [])


def test_the_action_is_the_requesters_own(shop: Shop) -> None:
    shop.engine().workflow("invoice").execute_step(shop.add(), "admin")
    assert shop.called("note_admin") == 1
    assert shop.called("note") == 0


def test_a_failed_validation_without_rejection_state_raises_and_writes_nothing(shop: Shop) -> None:
    config = changed(INVOICE)
    del config["steps"][0]["rejection_state"], config["steps"][0]["rejection_action"]
    config["status_types"].remove("void")
    config["terminal"]["good"].remove("void")
    invoice = shop.add(amount=0)
    with pytest.raises(ValidationFailedError, match="NotPositive: the amount must be positive"):
        shop.engine(config).workflow("invoice").execute_step(invoice)
    assert (shop.status(invoice), shop.history, shop.rows(shop.tables.outbox)) == ("draft", [], [])
    assert shop.called("note") == 0


def test_a_rejection_runs_its_action_and_moves(shop: Shop) -> None:
    invoice = shop.add(amount=0)
    outcome = shop.engine().workflow("invoice").execute_step(invoice)
    assert (outcome.kind, outcome.to_status, outcome.result and outcome.result.error_type) == (
        "rejected", "void", "NotPositive",
    )  # fmt: skip
    assert shop.history == [("1", "draft", "void", "rejected")]
    assert shop.rows(shop.tables.history)[0].metadata["reason"] == "the amount must be positive"
    assert shop.calls == [("amount_is_positive", invoice), ("note", invoice)]


def test_entering_a_bad_terminal_writes_the_failure_log(shop: Shop) -> None:
    shop.answers["amount_is_positive"] = lambda _call: failure(
        "Fraud", "blocked", details={"rule": 7}, attempts=3
    )
    invoice = shop.add()
    shop.engine().workflow("invoice").execute_step(invoice, "admin")
    (row,) = shop.rows(shop.tables.failures)
    assert (row.entity_id, row.step_key, row.status, row.error_type, row.message) == (
        "1", "approve", "lost", "Fraud", "blocked",
    )  # fmt: skip
    assert (row.details, row.attempts, row.correlation_id, row.resolved_at) == ({"rule": 7}, 3, "c-ann", None)


def test_a_refusing_rejection_action_stops(shop: Shop) -> None:
    shop.answers["note"] = lambda _call: failure("Busy")
    invoice = shop.add(amount=0)
    assert shop.engine().workflow("invoice").execute_step(invoice).kind == "stopped"
    assert shop.history == []


def test_a_failure_result_of_the_action_stops_and_the_next_call_is_the_retry(shop: Shop) -> None:
    shop.answers["note"] = lambda _call: failure("Busy")
    invoice = shop.add()
    flow = shop.engine().workflow("invoice")
    outcome = flow.execute_step(invoice)
    assert (outcome.kind, outcome.to_status, shop.status(invoice), shop.history) == (
        "stopped",
        "draft",
        "draft",
        [],
    )
    shop.answers.clear()
    assert flow.execute_step(invoice).kind == "moved"


def test_what_a_use_case_raises_passes_and_writes_nothing(shop: Shop) -> None:
    def crash(_call: object) -> object:
        raise ZeroDivisionError

    shop.answers["note"] = crash
    invoice = shop.add()
    with pytest.raises(ZeroDivisionError):
        shop.engine().workflow("invoice").execute_step(invoice)
    assert shop.history == []
    shop.answers["note"] = lambda _call: None
    with pytest.raises(UseCaseError, match="not a Result"):
        shop.engine().workflow("invoice").execute_step(invoice)


def test_a_transactional_step_writes_to_two_modules_or_to_none(shop: Shop) -> None:
    invoice = shop.add("sent")
    flow = shop.engine().workflow("invoice")
    outcome = flow.execute_step(invoice, "user", {"kind": "bank", "refuse": True})
    assert (outcome.kind, shop.rows(shop.ledger), shop.history) == ("stopped", [], [])
    assert outcome.result is not None
    assert outcome.result.error_type == "Refused"
    outcome = flow.execute_step(invoice, "user", {"kind": "bank"})
    assert (outcome.to_status, len(shop.rows(shop.ledger)), len(shop.history)) == ("paid", 1, 1)
    assert [e.event_type for e in shop.rows(shop.tables.outbox)] == ["invoice.paid", "money.booked"]


def test_a_transactional_step_that_lost_the_race_takes_its_writes_back(shop: Shop) -> None:
    invoice = shop.add("sent")

    def overtaken(point: str) -> None:
        if point == "validated":
            with shop.db.begin() as connection:
                connection.execute(sa.update(shop.invoices).values(version=9))

    with pytest.raises(StaleError):
        shop.engine(at=overtaken).workflow("invoice").execute_step(invoice, "user", {"kind": "card"})
    assert (shop.rows(shop.ledger), shop.history, shop.rows(shop.tables.outbox)) == ([], [], [])


def test_the_loser_of_a_race_is_told_who_won_and_what_changed(shop: Shop) -> None:
    invoice = shop.add()
    other = shop.engine().workflow("invoice")

    def overtaken(point: str) -> None:
        if point == "acted":
            with bound(user(name="bob")):
                other.execute_step(invoice, "user")

    with pytest.raises(
        StaleError, match=r"Invoice 1 was draft \(version 1\).*now approved \(version 2\) by bob"
    ) as lost:
        shop.engine(at=overtaken).workflow("invoice").execute_step(invoice, "user")
    assert lost.value.winner is not None
    assert lost.value.winner["correlation_id"] == "c-bob"
    assert (lost.value.acted, len(shop.history)) == (True, 1)


def test_version_alone_or_status_alone_is_not_enough(shop: Shop) -> None:
    flow = shop.engine().workflow("invoice")
    invoice = shop.add()
    for seen in (("draft", 7), ("approved", 1)):
        with pytest.raises(StaleError):
            flow.move(invoice, "void", "test", seen=seen)
    assert flow.move(invoice, "void", "asked to", seen=("draft", 1)).to_status == "void"
    assert shop.rows(shop.tables.history)[0].metadata["reason"] == "asked to"


def test_after_effects_run_and_never_fail_the_step(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    def crash(_call: object) -> object:
        raise RuntimeError("secret payload")

    shop.answers["tell_boss"] = crash
    invoice = shop.add("approved")
    assert shop.engine().workflow("invoice").execute_step(invoice, "system").to_status == "sent"
    assert shop.called("tell_boss") == 1
    assert "after_effect_failed" in caplog.text
    assert "secret" not in caplog.text
    caplog.clear()


def test_auto_advance_goes_on_while_steps_say_so(shop: Shop) -> None:
    (chain,) = shop.add_chains(1)
    config = changed(CHAIN)
    config["steps"][1] |= {"validation": None, "rejection_state": None, "action": None}
    config["status_types"].remove("bad")
    config["terminal"].pop("bad")
    outcome = shop.engine(config).workflow("chain").execute_step(chain, "user")
    assert (outcome.to_status, [o.to_status for o in outcome.next], outcome.halted) == ("b", ["c", "d"], "")
    assert outcome.final.version == 4


def test_auto_advance_has_a_bound_and_says_why_it_stopped(shop: Shop) -> None:
    shop.answers["batch_odd"] = lambda _call: success()
    (chain,) = shop.add_chains(1)
    outcome = shop.engine(max_advance=1).workflow("chain").execute_step(chain, "user")
    assert ([o.to_status for o in outcome.next], outcome.halted) == (["c"], "stopped after 1 steps")


def test_auto_advance_that_fails_keeps_what_was_done(shop: Shop) -> None:
    config = changed(CHAIN)
    config["steps"][1] |= {"rejection_state": None}
    config["steps"].append({"key": "bad", "status": "c", "requesters": ["admin"], "successful_state": "bad"})
    shop.answers["batch_odd"] = lambda _call: failure("Nope")
    (chain,) = shop.add_chains(1)
    outcome = shop.engine(config).workflow("chain").execute_step(chain, "user")
    assert (outcome.to_status, outcome.next) == ("b", ())
    assert "Nope" in outcome.halted


def test_none_or_several_steps_are_refused_with_the_reason_of_each(shop: Shop) -> None:
    flow = shop.engine().workflow("invoice")
    invoice = shop.add("sent")
    with pytest.raises(SelectionError, match="No step applies to sent for user") as refused:
        flow.execute_step(invoice, "user", {"kind": "cash"})
    reasons = {c.step: c.reasons for c in refused.value.selection.candidates}
    assert reasons["pay"] == ("it asks for kind = bank or card, which the data contradict",)
    assert reasons["remind"] == ("it is for the requesters cron",)
    with pytest.raises(SelectionError, match="“robot” is no requester type"):
        flow.execute_step(invoice, "robot")
    with pytest.raises(SelectionError, match="terminal"):
        flow.execute_step(shop.add("paid"))
    with shop.db.begin() as connection:
        # Somebody's raw SQL, after the engine has started.
        connection.execute(sa.update(shop.invoices).values(status="elsewhere"))
    with pytest.raises(SelectionError, match="does not know the status"):
        flow.execute_step(invoice)


def test_ids_tenants_and_contexts_are_checked(shop: Shop) -> None:
    flow = shop.engine().workflow("invoice")
    invoice = shop.add()
    for wrong in (99, "abc"):
        with pytest.raises(EntityNotFoundError):
            flow.execute_step(wrong)
    with bound(user("t2")), pytest.raises(EntityNotFoundError):
        flow.execute_step(invoice)
    with bound(user(None)), pytest.raises(TenantRequiredError, match="no tenant is set"):
        flow.execute_step(invoice)
    with bound(None), pytest.raises(MissingContextError):
        flow.execute_step(invoice)
    assert flow.execute_step(str(invoice)).kind == "moved"


def test_a_claimed_entity_is_left_alone(shop: Shop) -> None:
    invoice = shop.add("sending")
    with pytest.raises(ClaimHeldError, match="Invoice 1 is claimed"):
        shop.engine().workflow("invoice").execute_step(invoice, "user")
