"""Histories of entities beside plain SQL, and what is inferred where the record is silent."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.codes import STEP_STATUSES
from engine_bridge.engines.entity_state import payloads
from engine_bridge.engines.entity_state.history_read import read_story
from engine_bridge.engines.entity_state.history_tale import positions, tell
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import CancelledError, NotFoundError
from engine_bridge.graph import observed
from engine_bridge.history import History
from engine_bridge.model import Event, EventKind, Provenance, RunRef, Status, Step, StepKind, StepStatus
from engine_bridge.playback import failure_rows, state_at
from tests.engines.entity_state.story.conftest import NEVER, OpenStore, invoice, whole
from tests.engines.entity_state.story.data import MAPPING, Sample, at, ns


def steps(history: History) -> list[Step]:
    return history.all_steps()


def stays(history: History) -> list[tuple[str, StepStatus]]:
    return [(step.name, step.status) for step in steps(history) if step.kind is StepKind.STATUS]


def drifts(history: History) -> list[Event]:
    return [event for event in history.all_events() if event.attributes.get("drift")]


def test_every_history_row_is_an_event(store: Store, sample: Sample) -> None:
    for (entity,) in sample.rows("SELECT id FROM invoices"):
        history = whole(store, invoice(entity))
        rows = sample.rows(f"SELECT * FROM workflow_history WHERE entity_id = '{entity}' ORDER BY id")
        moves = [event for event in history.all_events() if event.kind is EventKind.STATUS_CHANGED]
        recorded = [event for event in moves if event.provenance is Provenance.RECORDED]
        assert len(recorded) == len(rows)
        for event, row in zip(recorded, rows, strict=True):
            assert event.name == row.step_key and event.detail == f"{row.from_status} → {row.to_status}"
            facts = event.attributes
            for name, column in (("actor", "actor"), ("requester", "requester_type"), ("tenant", "tenant_id"),
                                 ("correlation_id", "correlation_id"), ("execution_ms", "execution_ms")):  # fmt: skip
                assert facts[name] == getattr(row, column)
            (metadata,) = event.payloads
            stored = json.loads(payloads.read(store, metadata.key, 0, -1, NEVER))
            assert stored == (json.loads(row.metadata) if isinstance(row.metadata, str) else row.metadata)


def test_a_straight_life(store: Store) -> None:
    history = whole(store, invoice(1))
    assert stays(history) == [
        ("draft", StepStatus.COMPLETED), ("approved", StepStatus.COMPLETED),
        ("sending", StepStatus.COMPLETED), ("sent", StepStatus.WAITING),
    ]  # fmt: skip
    spans = [(step.start_ns, step.end_ns) for step in steps(history)]
    assert spans == [(ns(0), ns(1)), (ns(1), ns(2)), (ns(2), ns(3)), (ns(3), None)]
    claim = steps(history)[2]
    assert claim.planned_end_ns == ns(2) + 60 * 10**9
    assert steps(history)[0].provenance is Provenance.REBUILT and claim.provenance is Provenance.RECORDED
    assert history.run is not None and history.run.engine_status == "sent" and history.notes == ()
    assert [event.time_ns for event in history.all_events()] == [ns(0), ns(1), ns(2), ns(3)]


def test_the_playhead_stands_on_one_status_at_a_time(store: Store) -> None:
    history = whole(store, invoice(7))
    for position in range(1, history.last_position + 1):
        state = state_at(history, position)
        here = [i for i, step in enumerate(steps(history)) if step.kind is StepKind.STATUS]
        begun = [i for i in here if 0 < history.steps["first"][i] <= position]
        codes = [StepStatus.COMPLETED, StepStatus.FAILED]
        assert all(STEP_STATUSES[state.step_status[i]] in codes for i in begun[:-1])
    graph = observed(history)
    names = [node.name for node in graph.nodes]
    edges = {(names[a], names[b]) for a, b in graph.graph.edges}
    life = ["draft", "approved", "sending", "sent", "reminded", "lost"]
    assert edges == set(pairwise(life))


def test_a_bad_end_comes_with_its_failure(store: Store) -> None:
    history = whole(store, invoice(7))
    events = history.all_events()
    failure, end = events[-2:]
    assert failure.kind is EventKind.STEP_FAILED and failure.step_name == "reminded"
    assert failure.failure is not None and failure.failure.type == "Unpaid"
    assert end.detail == "reminded → lost" and end.time_ns == ns(7)
    assert stays(history)[-2:] == [("reminded", StepStatus.FAILED), ("lost", StepStatus.FAILED)]
    assert state_at(history, history.last_position).run_status is Status.FAILED
    last = steps(history)[-1]
    assert (last.start_ns, last.end_ns) == (ns(7), ns(7))
    assert len(failure_rows(history)) == 2


def test_open_and_resolved_failures(store: Store) -> None:
    history = whole(store, invoice(8))
    told = [(event.kind, event.time_ns) for event in history.all_events()][2:]
    assert told == [
        (EventKind.STEP_FAILED, ns(3)), (EventKind.OPERATOR, ns(4)), (EventKind.STEP_FAILED, ns(5)),
    ]  # fmt: skip
    assert stays(history)[-1] == ("approved", StepStatus.FAILED)
    after_resolved = state_at(history, history.all_events()[3].position)
    assert STEP_STATUSES[after_resolved.step_status[1]] is StepStatus.WAITING


def test_drift_is_inferred_with_its_evidence(store: Store) -> None:
    history = whole(store, invoice(4))
    (drift,) = drifts(history)
    assert drift.provenance is Provenance.INFERRED and drift.detail == "approved → sent"
    assert drift.position == history.last_position
    assert drift.time_ns == ns(60) and drift.fields == {"time_ns": Provenance.INFERRED}
    assert (
        "history says approved" in drift.evidence[0].facts and "the row says sent" in drift.evidence[0].facts
    )
    here = steps(history)[-1]
    assert here.name == "sent" and here.provenance is Provenance.INFERRED
    assert steps(history)[-2].fields["end_ns"] is Provenance.INFERRED
    assert state_at(history, None).run_status is Status.RUNNING


def test_a_broken_link_is_a_change_without_a_row(store: Store) -> None:
    history = whole(store, invoice(5))
    (gap,) = drifts(history)
    assert gap.detail == "approved → sent" and gap.time_ns is None
    assert [name for name, _ in stays(history)] == ["draft", "approved", "sent", "paid"]
    assert state_at(history, history.last_position).run_status is Status.COMPLETED
    missing = steps(history)[2]
    assert missing.start_ns is None and missing.end_ns == ns(9)


def test_an_unknown_status(store: Store) -> None:
    history = whole(store, invoice(6))
    assert stays(history)[-1] == ("limbo", StepStatus.UNKNOWN)
    assert state_at(history, history.last_position).run_status is Status.UNKNOWN


def test_claims_say_who_holds_them(store: Store) -> None:
    held = steps(whole(store, invoice(2)))[-1]
    assert held.name == "sending" and held.status is StepStatus.RUNNING
    assert held.attributes["claimed_by"] == "worker-3" and "worker-3" in held.detail
    assert held.planned_end_ns == ns(2) + 60 * 10**9 and held.end_ns is None


def test_delayed_steps_are_waits_with_planned_ends(store: Store) -> None:
    history = whole(store, invoice(11))
    waits = {step.name: step for step in steps(history) if step.kind is StepKind.TIMER}
    remind, pay = waits["remind"], waits["pay"]
    assert remind.status is StepStatus.WAITING and remind.end_ns is None
    assert remind.planned_end_ns == ns(60 * 24 * 3650) and remind.start_ns == ns(3)
    assert pay.status is StepStatus.FAILED and (pay.planned_end_ns, pay.end_ns) == (ns(6), ns(8))
    assert pay.failure is not None and pay.failure.type == "BankError"
    assert pay.attempts is None and pay.attributes["leases"] == 10  # hand-outs are not attempts
    kinds = [event.kind for event in history.all_events()][-3:]
    assert kinds == [EventKind.TIMER_STARTED, EventKind.TIMER_STARTED, EventKind.STEP_FAILED]
    assert remind.id != pay.id


def test_entities_without_history_rows(store: Store) -> None:
    fresh = whole(store, invoice(9))
    assert stays(fresh) == [("draft", StepStatus.WAITING)] and steps(fresh)[0].start_ns == ns(0)
    assert fresh.notes == ()
    odd = whole(store, invoice(10))
    assert stays(odd) == [("approved", StepStatus.WAITING)]
    assert steps(odd)[0].fields == {"start_ns": Provenance.INFERRED} and steps(odd)[0].start_ns == ns(60)
    assert "No history row" in odd.notes[0]


def test_reasons_come_from_the_metadata_where_no_column_has_them(store: Store) -> None:
    back = whole(store, invoice(12)).all_events()[-1]
    assert back.attributes["reason"] == "wrong address" and back.attributes["kind"] == "moved"


def test_rows_of_django_fsm_log(store: Store) -> None:
    history = whole(store, RunRef("entity", "order", "1"))
    assert stays(history) == [
        ("new", StepStatus.COMPLETED), ("picked", StepStatus.COMPLETED), ("done", StepStatus.COMPLETED),
    ]  # fmt: skip
    picked = history.all_events()[1]
    assert picked.attributes["actor"] == "bea" and picked.attributes["reason"] == "by hand"
    assert history.all_events()[0].time_ns is None  # nothing records when it was created
    assert steps(history)[0].end_ns == ns(1)


def test_a_history_that_is_the_state(store: Store) -> None:
    history = whole(store, RunRef("entity", "parcel", "1"))
    assert [name for name, _ in stays(history)] == ["pending", "collected", "delivered"]
    created, collected, _ = history.all_events()
    assert created.fields["detail"] is Provenance.INFERRED and created.time_ns == ns(0)
    assert collected.detail == "pending → collected"  # Statesman's older tables name no from_state
    assert collected.fields == {"detail": Provenance.REBUILT}
    assert state_at(history, None).run_status is Status.COMPLETED
    untouched = whole(store, RunRef("entity", "parcel", "2"))
    assert stays(untouched) == [("pending", StepStatus.WAITING)]
    assert steps(untouched)[0].provenance is Provenance.INFERRED


def test_a_plain_column_has_one_rebuilt_stay(store: Store) -> None:
    history = whole(store, RunRef("entity", "ticket", "2"))
    (stay,) = steps(history)
    assert stay.name == "closed" and stay.status is StepStatus.COMPLETED
    assert stay.provenance is Provenance.REBUILT and stay.fields == {"start_ns": Provenance.INFERRED}
    assert "no history table" in history.notes[0]


def test_a_claim_that_is_no_status(open_store: OpenStore, sample: Sample) -> None:
    mapping = MAPPING.replace('config = ["invoice.json"]', 'states = { initial = ["draft"] }')
    mapping = mapping.replace('label = "number"', 'table = "invoices"\nname = "Invoice"')
    history = whole(open_store(mapping=mapping), invoice(2))
    claim = steps(history)[-1]
    assert claim.name == "claim of worker-3" and claim.start_ns == ns(2)
    assert history.all_events()[-1].name == "claimed"


def test_an_unknown_entity_is_not_found(store: Store) -> None:
    for missing in ("4711", "x"):
        with pytest.raises(NotFoundError):
            whole(store, RunRef("entity", "invoice", missing))


def test_other_tenants_are_not_found(open_store: OpenStore) -> None:
    other = open_store("t2")
    assert len(whole(other, invoice(12))) == 5
    with pytest.raises(NotFoundError):
        whole(other, invoice(1))


def test_positions_of_history_rows(store: Store) -> None:
    tale = tell(read_story(store, invoice(8), NEVER))
    assert [position for _, position in positions(tale)] == [2]


def test_reading_can_be_cancelled(store: Store) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        read_story(store, invoice(1), token)


def test_long_lives_come_in_batches(store: Store, sample: Sample) -> None:
    sample.invoice(50, "draft")
    ways = [("draft", "approved"), ("approved", "draft")] * 4_500
    known = {"entity_type": "Invoice", "entity_id": "50", "workflow_type": "invoice", "step_key": "flip"}
    rows = [
        known | {"from_status": source, "to_status": target, "changed_at": at(number)}
        for number, (source, target) in enumerate(ways)
    ]
    with sample.db.begin() as connection:
        connection.execute(sample.own.history.insert(), rows)
    history = whole(store, invoice(50))
    assert len(history) == 9_001 and history.version > 1 and history.n_steps == 9_001
    assert (np.diff(history.events["position"]) == 1).all()
    assert not drifts(history)
