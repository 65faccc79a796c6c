"""Populations beside plain SQL, and hand-written expectations of drift, broken links and unknown statuses."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state import population, population_checks
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.populations import Flow, Population, StatusNode
from tests.engines.entity_state.engine.shop import INVOICE, changed
from tests.engines.entity_state.story.conftest import NEVER, OpenStore
from tests.engines.entity_state.story.data import MAPPING, Sample, at, ns


def read(store: Store, type: str = "invoice") -> Population:
    return population.read(store, type, None, NEVER)


def node(found: Population, status: str) -> StatusNode:
    return next(node for node in found.nodes if node.status == status)


def flow(found: Population, source: str, target: str) -> Flow:
    return next(flow for flow in found.flows if (flow.source, flow.target) == (source, target))


def test_counts_are_those_of_plain_sql(store: Store, sample: Sample) -> None:
    found = read(store)
    rows = dict(sample.rows("SELECT status, count(*) FROM invoices GROUP BY status"))
    assert {node.status: node.count for node in found.nodes if node.count} == rows
    assert found.total == sum(rows.values()) == 12 and found.table == "invoices"
    declared = INVOICE["status_types"]
    assert [node.status for node in found.nodes] == [*declared, "limbo"]
    assert found.config == "invoice.json" and found.exact and found.checked == 12


def test_moves_are_those_of_plain_sql(store: Store, sample: Sample) -> None:
    found = read(store)
    rows = sample.rows("SELECT from_status, to_status, count(*) FROM workflow_history GROUP BY 1, 2")
    observed = {(flow.source, flow.target): flow.count for flow in found.flows if flow.count}
    assert observed == {(source, target): number for source, target, number in rows}
    left = Counter({source: 0 for source, _, _ in rows})
    for source, _, number in rows:
        left[source] += number
    for one in found.flows:
        assert one.share == (one.count / left[one.source] if left[one.source] else None)


def test_undeclared_moves_say_who_made_them(store: Store) -> None:
    found = read(store)
    back = flow(found, "sent", "draft")
    assert not back.declared and back.steps == ("send_back",) and back.requesters == ("admin",)
    late = flow(found, "sent", "reminded")
    assert late.declared and late.steps == ("remind",) and late.requesters == ("cron",) and late.count == 1
    assert flow(found, "approved", "sending").declared and flow(found, "reminded", "paid").count == 0


def test_what_is_wrong_is_counted_exactly(store: Store) -> None:
    found = read(store)
    # 4 stands on sent where its history says approved; 5 jumped from approved to sent without a row.
    assert found.drift == 1 and node(found, "sent").drift == 1
    assert found.broken == 1
    assert found.unknown == 1 and node(found, "limbo").role == "unknown" and not node(found, "limbo").declared
    # 2 is held since 2026 by a worker that may hold it for a minute; 3 was claimed just now.
    assert found.stuck == 1 and node(found, "sending").stuck == 1 and node(found, "sending").count == 2
    # 7 is lost for good, 8 stands on approved with one open failure and a resolved one.
    assert found.failures == 2
    assert (node(found, "lost").failures, node(found, "approved").failures) == (1, 1)
    assert found.filters["drift"] == 'type == "invoice" and drift == true'


def test_times_on_a_status(store: Store) -> None:
    found = read(store)
    assert node(found, "sending").oldest_ns == ns(2)
    assert node(found, "approved").oldest_ns == ns(1)
    assert node(found, "paid").oldest_ns is None  # its life ended there
    assert node(found, "approved").dwell_ns == ns(2) - ns(1)
    assert node(found, "sent").dwell_ns == ns(4.5) - ns(3)  # 1 and 2 minutes
    assert node(found, "draft").dwell_ns is None  # nothing records when they became drafts


def test_a_large_population_is_compared_by_a_sample(
    store: Store, monkeypatch: pytest.MonkeyPatch, sample: Sample
) -> None:
    for name, value in (("EXACT", 10), ("SAMPLE", 8), ("_BLOCKS", 4)):
        monkeypatch.setattr(population_checks, name, value)
    found = read(store)
    assert not found.exact and found.checked == 8 and found.total == 12
    assert any("8 of 12 entities" in notice for notice in found.notices)
    assert found.drift <= 1 and node(found, "approved").oldest_ns is None
    assert node(found, "sending").oldest_ns == ns(2)


def test_a_middling_population_is_compared_by_the_database(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = read(store)
    monkeypatch.setattr(population_checks, "SAMPLE", 5)
    found = read(store)
    assert found.exact and found.checked == 12
    assert (found.drift, found.broken) == (small.drift, small.broken) == (1, 1)
    assert [n.drift for n in found.nodes] == [n.drift for n in small.nodes]
    assert [n.oldest_ns for n in found.nodes] == [n.oldest_ns for n in small.nodes]


def test_later_moves_are_added_to_what_was_counted(store: Store, sample: Sample) -> None:
    before = flow(read(store), "draft", "approved").count
    sample.moves(9, ("draft", "approved", "approve", 30))
    assert flow(read(store), "draft", "approved").count == before + 1


def test_findings_stand_on_their_statuses(open_store: OpenStore) -> None:
    config = changed(INVOICE, status_types=[*INVOICE["status_types"], "orphan"])
    found = read(open_store(configs=(config,)))
    assert any("orphan" in text for text in node(found, "orphan").findings)
    assert found.errors >= 1


def test_a_tenant_is_counted_alone(open_store: OpenStore) -> None:
    found = read(open_store("t2"))
    assert found.total == 1 and node(found, "draft").count == 1 and found.tenant == "t2"
    assert flow(found, "sent", "draft").count == 1 and flow(found, "draft", "approved").count == 1
    assert (found.drift, found.broken, found.unknown, found.stuck, found.failures) == (0, 0, 0, 0, 0)


def test_a_status_column_with_rows_beside_it(store: Store) -> None:
    found = read(store, "order")
    assert {node.status: node.count for node in found.nodes} == {
        "new": 1, "picked": 1, "done": 1, "failed": 0, "dropped": 0,
    }  # fmt: skip
    assert flow(found, "new", "picked").count == 2 and flow(found, "picked", "failed").count == 0
    assert flow(found, "new", "picked").steps == ("pick",)
    assert node(found, "dropped").findings == () or "initial" in node(found, "dropped").findings[0]
    assert found.drift == found.broken == 0


def test_a_history_that_is_the_state(store: Store) -> None:
    found = read(store, "parcel")
    assert {n.status: n.count for n in found.nodes if n.count} == {"delivered": 1, "pending": 1}
    assert flow(found, "collected", "delivered").count == 1
    assert "drift" not in found.filters


def test_a_column_without_history(store: Store) -> None:
    found = read(store, "ticket")
    assert {n.status: n.count for n in found.nodes} == {"open": 1, "closed": 1}
    assert found.flows == () and any("no history table" in notice for notice in found.notices)


def test_nothing_declared_is_observed(open_store: OpenStore) -> None:
    mapping = MAPPING.replace('config = ["invoice.json"]', "")
    mapping = mapping.replace('label = "number"', 'table = "invoices"\nname = "Invoice"')
    found = read(open_store(mapping=mapping))
    assert found.total == 12 and found.unknown == 0 and found.config == ""
    assert all(not flow.declared for flow in found.flows) and flow(found, "draft", "limbo").count == 1


def test_claims_without_a_column_are_dated_by_the_history(sample: Sample, open_store: OpenStore) -> None:
    mapping = MAPPING.replace('label = "number"', 'label = "number"\nclaimed_at = ""\nclaimed_by = ""')
    found = read(open_store(mapping=mapping))
    assert found.stuck == 1 and node(found, "sending").oldest_ns == ns(2)


def test_row_level_security_without_a_tenant_is_said(db: sa.Engine, store: Store) -> None:
    if db.dialect.name != "postgresql":
        return
    store.workflow("invoice").hidden = True
    found = read(store)
    assert found.total is None and "no tenant" in found.problem and found.nodes == ()


def test_a_fresh_claim_is_not_stuck(store: Store, sample: Sample) -> None:
    late = at(2) + timedelta(days=20_000)
    sample.run(sa.update(sample.invoices).where(sample.invoices.c.id == 2).values(claimed_at=late))
    assert read(store).stuck == 0


def test_what_overlays_add_is_declared(open_store: OpenStore, sample: Sample) -> None:
    statuses = [*INVOICE["status_types"], "returned"]
    back = {"key": "send_back", "status": "sent", "requesters": ["admin"], "successful_state": "draft"}
    again = {"key": "return", "status": "sent", "requesters": ["user"], "successful_state": "returned"}
    gone = {"key": "bin", "status": "returned", "requesters": ["user"], "successful_state": "void"}
    overlay = {
        "workflow_type": "invoice",
        "tenant": "t2",
        "status_types": statuses,
        "steps": [back, again, gone],
    }
    mapping = MAPPING.replace('["invoice.json"]', '["invoice.json", "overlay.json"]')
    sample.invoice(40, "returned", "t2")
    store = open_store(mapping=mapping, configs=(INVOICE, overlay), names=("invoice.json", "overlay.json"))
    found = read(store)
    assert flow(found, "sent", "draft").declared and flow(found, "sent", "draft").count == 1
    assert node(found, "returned").declared and node(found, "returned").role == "waiting"
    assert found.unknown == 1  # limbo alone: returned is known to whom it belongs
    sample.invoice(41, "returned", "t1")
    assert read(store).unknown == 2
