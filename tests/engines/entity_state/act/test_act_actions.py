"""Every action end to end: what can be done and why not, the plan, the rows that are written, the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine_bridge.actions.model import Target, Verdict
from engine_bridge.engines.entity_state import impact, lint
from engine_bridge.engines.entity_state.engine import Context, Engine, Janitors, Poller, UseCases, load
from engine_bridge.engines.entity_state.engine import Verdict as DeadVerdict
from engine_bridge.engines.entity_state.engine.database import prepare_sqlite
from tests.engines.entity_state.act.tools import NEVER, Place, target_of


def test_a_move_writes_status_version_history_and_event(own: Place) -> None:
    ann = own.operator("ann", "the customer called")
    assert ann.specs("inv-001")["move"].params[0].choices == ("approved", "cancelled")
    item = ann.plan("inv-001", "move", to="approved")
    assert any(change.what == "version" and change.after == "1" for change in item.changes)
    assert (
        item.calls[0].startswith("UPDATE invoices SET status='approved'") and "version = 0" in item.calls[0]
    )
    assert any("callbacks do not run" in text for text in item.side_effects)
    receipt = ann.execute(item, request := "8a6e0804-2bd0-4672-b79d-d97027f9071a")
    assert receipt.outcome.verdict is Verdict.APPLIED
    assert own.status("inv-001") == ("approved", 1)
    assert own.history("inv-001") == [("operator_move", "draft", "approved", "ann")]
    meta = own.metadata("inv-001")
    assert meta["reason"] == "the customer called" and meta["request_id"] == request and meta["version"] == 1
    [row] = own.sql(
        "SELECT correlation_id, tenant_id, workflow_type FROM workflow_history WHERE entity_id = 'inv-001'"
    )
    assert tuple(row) == (request, "acme", "invoice")
    [event] = own.sql("SELECT event_type, published_at FROM workflow_outbox WHERE entity_id = 'inv-001'")
    assert tuple(event) == ("invoice.approved", None)
    assert "ann moved it draft → approved" in receipt.outcome.evidence[0]


def test_a_move_into_a_bad_end_enters_the_failure_log(own: Place) -> None:
    ann = own.operator(reason="uncollectable")
    ann.act("inv-009", "move", to="lost")
    rows = own.sql(
        "SELECT status, step_key, message FROM workflow_permanent_failure_log WHERE entity_id = 'inv-009'"
    )
    assert [tuple(row) for row in rows] == [("lost", "operator_move", "uncollectable")]


def test_undo_leads_back_until_somebody_else_moves_it(own: Place) -> None:
    ann, bob = own.operator("ann"), own.operator("bob")
    receipt = ann.act("inv-001", "move", to="approved")
    back = ann.undo(receipt)
    assert not back.refused and back.changes[0].after == "draft"
    assert ann.execute(back).outcome.verdict is Verdict.APPLIED
    assert own.status("inv-001") == ("draft", 2)
    assert ann.plan("inv-001", "undo_move").refused == "The last move was undone already."
    again = ann.act("inv-001", "move", to="approved")
    bob.act("inv-001", "mark_observed", to="sent")
    refused = ann.undo(again).refused
    assert "bob moved it approved → sent" in refused


def test_an_undeclared_target_needs_to_be_allowed_and_is_warned_of(own: Place) -> None:
    ann = own.operator()
    assert "No declared step leads from draft to paid" in ann.plan("inv-001", "move", to="paid").refused
    own.write('[writes]\nmode = "sql"\nallow = "any"\n')
    ann = own.operator()
    assert ann.specs("inv-001")["move"].params[0].choices[:2] == ("approved", "cancelled")
    item = ann.plan("inv-001", "move", to="paid")
    assert not item.refused and "No declared step leads from draft to paid." in item.warnings
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED


def test_the_loser_is_told_who_won(own: Place) -> None:
    ann, bob = own.operator("ann"), own.operator("bob", "paid by phone")
    item = ann.plan("inv-007", "move", to="overdue")
    bob.act("inv-007", "move", to="paid")
    outcome = ann.execute(item).outcome
    assert outcome.stale and outcome.verdict is Verdict.NOT_APPLIED
    assert "bob moved it sent → paid" in outcome.evidence[1] and "paid by phone" in outcome.evidence[1]
    assert "status was sent, is paid" in outcome.evidence


def test_raw_sql_past_the_history_is_told_too(own: Place) -> None:
    ann = own.operator()
    item = ann.plan("inv-007", "move", to="overdue")
    own.sql("UPDATE invoices SET status = 'paid', version = version + 1 WHERE id = 'inv-007'")
    outcome = ann.execute(item).outcome
    assert outcome.stale and "raw SQL" in outcome.evidence[1]
    own.sql("DELETE FROM invoices WHERE id = 'inv-007'")
    assert ann.execute(item).outcome.stale


def test_a_dead_claim_is_released_to_where_it_came_from(own: Place) -> None:
    ann = own.operator()
    spec = ann.specs("inv-005")["release_claim"]
    assert "approved" in spec.effect and spec.params[0].default == "approved"
    item = ann.plan("inv-005", "release_claim")
    assert any("worker-3 claimed it" in text and "over" in text for text in item.warnings)
    alive = ann.plan("inv-006", "release_claim")
    assert any("may be at work" in text for text in alive.warnings)
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED
    [row] = own.sql("SELECT status, version, claimed_by, claimed_at FROM invoices WHERE id = 'inv-005'")
    assert tuple(row) == ("approved", 3, None, None)
    assert own.history("inv-005")[-1] == ("send", "sending", "approved", "ann")
    assert own.metadata("inv-005")["kind"] == "released"
    assert "not claimed" in ann.specs("inv-001")["release_claim"].disabled
    by_resource = ann.plan(Target(kind="claims", id="invoice/inv-006"), "release_claim")
    assert ann.execute(by_resource).outcome.verdict is Verdict.APPLIED


def test_a_step_is_retried_by_the_applications_worker(own: Place) -> None:
    ann = own.operator()
    params = {param.name: param for param in ann.specs("inv-003")["retry_step"].params}
    assert params["step"].default == "send" and "MailDown" in params["step"].source
    item = ann.plan("inv-003", "retry_step", data='{"kind": "bank"}', requester="user")
    receipt = ann.execute(item, request := "6d6eb0d3-17fd-4b24-93ab-4ff3f8bc9bd0")
    assert receipt.outcome.verdict is Verdict.APPLIED and receipt.outcome.pending
    [row] = own.sql(
        "SELECT step_key, requester_type, expected_status, data, envelope, tenant_id, done_at FROM workflow_delayed "
        "WHERE request_id = :r",
        r=request,
    )
    data, envelope = (json.loads(v) if isinstance(v, str) else v for v in row[3:5])
    assert tuple(row[:3]) == ("send", "user", "approved") and data == {"kind": "bank"} and row[6] is None
    assert envelope == {
        "correlation_id": request,
        "requester_type": "user",
        "tenant_id": "acme",
        "user_id": "ann",
    }
    assert own.status("inv-003") == ("approved", 1)
    assert ann.execute(item, request).outcome.evidence[-1].startswith("It was done before")
    assert own.value("SELECT count(*) FROM workflow_delayed WHERE entity_id = 'inv-003'") == 1
    assert "for system, user" in ann.plan("inv-003", "retry_step", requester="cron").refused
    assert "no JSON object" in ann.plan("inv-003", "retry_step", data="[1]").refused
    assert "No declared step applies" in ann.specs("inv-013")["retry_step"].disabled


def test_an_observed_transition_is_recorded_once(own: Place) -> None:
    ann = own.operator()
    item = ann.plan("inv-007", "mark_observed", to="paid", observation="bank-77")
    assert any("neither its validation nor its action runs" in text for text in item.side_effects)
    assert any("After-effects" in text for text in item.side_effects)
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED
    assert own.history("inv-007")[-1] == ("pay", "sent", "paid", "ann")
    assert own.metadata("inv-007")["observation"] == "bank-77"
    assert "stands on paid already" in ann.execute(item).outcome.evidence[0]
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED
    assert own.status("inv-007") == ("paid", 4)
    own.sql("UPDATE invoices SET status = 'sent' WHERE id = 'inv-007'")
    assert (
        "recorded before" in ann.plan("inv-007", "mark_observed", to="overdue", observation="bank-77").refused
    )
    assert "No declared step" in ann.plan("inv-007", "mark_observed", to="draft").refused


def test_failures_are_resolved_with_the_reason_and_opened_again(own: Place) -> None:
    ann = own.operator(reason="the mail server is up")
    receipt = ann.act("inv-003", "resolve_failure")
    assert receipt.outcome.verdict is Verdict.APPLIED
    rows = own.sql(
        "SELECT resolved_at, details FROM workflow_permanent_failure_log WHERE entity_id = 'inv-003'"
    )
    details = [json.loads(row[1]) if isinstance(row[1], str) else row[1] for row in rows]
    assert all(row[0] is not None for row in rows) and len(rows) == 3
    assert {d["resolution"]["reason"] for d in details} == {"the mail server is up"}
    assert {d["gateway"] for d in details} == {"bank-1"}
    assert own.status("inv-003") == ("approved", 1)
    assert ann.specs("inv-003")["resolve_failure"].disabled == "No failure of it is open."
    assert ann.execute(ann.undo(receipt)).outcome.verdict is Verdict.APPLIED
    number = own.value("SELECT min(id) FROM workflow_permanent_failure_log WHERE entity_id = 'inv-003'")
    one = ann.plan(Target(kind="failures", id=f"invoice/{number}"), "resolve_failure")
    stale = ann.plan("inv-003", "resolve_failure")
    assert ann.execute(one).outcome.verdict is Verdict.APPLIED
    still = "SELECT count(*) FROM workflow_permanent_failure_log WHERE entity_id = 'inv-003' AND resolved_at IS NULL"
    assert own.value(still) == 2
    assert ann.execute(stale).outcome.stale and own.value(still) == 2


def test_a_stranded_entity_is_degraded(own: Place) -> None:
    ann = own.operator()
    assert "does not know archived" in ann.specs("inv-017")["degrade"].effect
    item = ann.plan("inv-017", "degrade", to="sent")
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED
    assert own.history("inv-017")[-1] == ("operator_degrade", "archived", "sent", "ann")
    assert "does not know" in ann.plan("inv-017", "degrade", to="nowhere").refused
    assert "not stranded" in ann.plan("inv-009", "degrade", to="sent").refused


def test_a_new_config_that_lost_a_status_allows_to_degrade(own: Place) -> None:
    old = json.loads((own.sample.mapping.parent / "invoice.json").read_text())
    new = own.sample.mapping.parent / "new.json"
    steps = [s for s in old["steps"] if "overdue" not in (s["status"], s["successful_state"])]
    statuses = [s for s in old["status_types"] if s != "overdue"]
    new.write_text(json.dumps(old | {"status_types": statuses, "steps": steps}))
    ann = own.operator()
    item = ann.plan("inv-009", "degrade", to="sent", config=str(new))
    assert not item.refused
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED and own.status("inv-009")[0] == "sent"


def test_what_the_impact_of_a_config_proposes_can_be_done(own: Place) -> None:
    folder = own.sample.mapping.parent
    old = json.loads((folder / "invoice.json").read_text())
    steps = [s for s in old["steps"] if "overdue" not in (s["status"], s["successful_state"])]
    new = old | {"status_types": [s for s in old["status_types"] if s != "overdue"], "steps": steps}
    (folder / "new.json").write_text(json.dumps(new))
    places = [lint.loaded((str(folder / name),), NEVER) for name in ("invoice.json", "new.json")]
    (item,) = impact.compare(*places, {("invoice", ""): {"overdue": 1}}, NEVER).items
    (found,) = item.stranded
    assert found.action is not None
    ann = own.operator()
    plan = ann.plan("inv-009", found.action.action, **found.action.args)
    assert not plan.refused and ann.execute(plan).outcome.verdict is Verdict.APPLIED
    assert own.status("inv-009")[0] == found.target
    assert "not stranded" in ann.plan("inv-007", found.action.action, **found.action.args).refused


def test_the_applications_own_worker_takes_a_retried_step(own: Place) -> None:
    """The reference engine's poller, on the row that an operator entered."""
    ann = own.operator()
    ann.act("inv-017", "degrade", to="sent")
    item = ann.plan("inv-009", "retry_step", step="pay_late", requester="user")
    ann.execute(item, request := "1c1e3f7a-4a3c-4d1e-9a55-5b7b6f0f7d01")
    janitors, database = Janitors(), own.sample.engine()
    janitors.register("billing")(lambda dead: DeadVerdict("back", "never sent"))
    if own.dialect == "sqlite":
        prepare_sqlite(database)
    catalogue = load([own.sample.mapping.parent / "invoice.json"])
    engine = Engine(database, catalogue, UseCases(), janitors=janitors)
    assert Poller(engine).poll(Context("tick", "cron", tenant_id="acme")) == 1
    database.dispose()
    assert own.status("inv-009")[0] == "paid"
    assert own.history("inv-009")[-1] == ("pay_late", "overdue", "paid", "ann")
    settled = ann.settle(item, request)
    assert settled.verdict is Verdict.APPLIED and not settled.pending
    assert "ann moved it overdue → paid" in settled.evidence[0]


def test_through_journal_and_child_process(own: Place, run_journal: Any) -> None:
    ann = own.operator()
    items = [ann.plan("inv-001", "move", to="approved"), ann.plan("inv-005", "release_claim")]
    receipts, journal = run_journal(own.url, *items, reason="clean-up")
    assert [r.outcome.verdict for r in receipts] == [Verdict.APPLIED] * 2
    assert own.metadata("inv-001")["reason"] == "clean-up"
    assert own.history("inv-001")[0][3] == journal.rows()[0].who
    assert journal.verify() is None and {row.reason for row in journal.rows() if row.kind == "intent"} == {
        "clean-up"
    }


def test_writing_is_off_unless_the_mapping_turns_it_on(own: Place) -> None:
    own.write("")
    ann = own.operator()
    specs = ann.specs("inv-001")
    assert set(specs) >= {
        "move",
        "release_claim",
        "retry_step",
        "mark_observed",
        "resolve_failure",
        "degrade",
    }
    assert all('mode = "sql"' in spec.disabled and "billing.toml" in spec.disabled for spec in specs.values())
    assert "Writing is off" in ann.plan("inv-001", "move", to="approved").refused


def test_a_plan_of_writes_that_were_turned_off_meanwhile_is_not_sent(own: Place) -> None:
    item = own.operator().plan("inv-001", "move", to="approved")
    own.write("")
    with pytest.raises(Exception, match="Writing is off"):
        own.operator().execute(item)
    assert own.status("inv-001") == ("draft", 0)


def test_without_a_reason_nothing_is_written_where_one_is_asked_for(own: Place) -> None:
    item = own.operator().plan("inv-001", "move", to="approved")
    assert item.reason_required
    with pytest.raises(Exception, match="asks for a reason"):
        own.operator(reason=" ").execute(item)
    own.write('[writes]\nmode = "sql"\nrequire_reason = false\n')
    quiet = own.operator(reason="")
    item = quiet.plan("inv-001", "move", to="approved")
    assert not item.reason_required and quiet.execute(item).outcome.verdict is Verdict.APPLIED


@pytest.mark.parametrize("action", ["move", "mark_observed"])
def test_ids_and_statuses_of_hostile_people_are_quoted(own: Place, action: str) -> None:
    hostile = "x'; DROP TABLE invoices; --\n%s :id \\"
    own.sql("UPDATE invoices SET id = :id WHERE id = 'inv-001'", id=hostile)
    ann = own.operator("o'neil\n", "it's 100 % \\' :bad")
    item = ann.plan(target_of(hostile), action, to="approved")
    for statement in item.copy_as["SQL"].splitlines():
        assert statement.isprintable()
    with own.engine.begin() as connection:
        for statement in item.copy_as["SQL"].splitlines()[1:-1]:
            connection.exec_driver_sql(statement.rstrip(";"), execution_options={"no_parameters": True})
    assert own.status(hostile) == ("approved", 1) and len(own.history(hostile)) == 1
    late = item.copy_as["SQL"].splitlines()[1:-1]
    with own.engine.begin() as connection:
        for statement in late:
            connection.exec_driver_sql(statement.rstrip(";"), execution_options={"no_parameters": True})
    assert own.status(hostile) == ("approved", 1) and len(own.history(hostile)) == 1
    assert (
        ann.act(
            target_of(hostile),
            "undo_move" if action == "move" else "move",
            **({} if action == "move" else {"to": "sending"}),
        ).outcome.verdict
        is Verdict.APPLIED
    )
