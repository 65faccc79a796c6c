"""Observed transitions, delayed steps, envelopes and the outbox."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import (
    Context,
    Event,
    Later,
    Poller,
    Publisher,
    bound,
    failure,
    new_context,
    seal,
    unseal,
)
from engine_bridge.engines.entity_state.engine.errors import MissingEnvelopeError
from engine_bridge.engines.entity_state.engine.logs import JsonLines, log
from engine_bridge.engines.entity_state.engine.manual import UndeclaredError
from tests.engines.entity_state.engine.shop import Shop, user

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TICK = new_context("cron", "t1")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_an_observed_transition_calls_neither_validation_nor_action(shop: Shop) -> None:
    invoice = shop.add("approved")
    flow = shop.engine().workflow("invoice")
    assert flow.observe(invoice, "sent", "system").kind == "observed"
    assert shop.calls == [("tell_boss", invoice)]
    assert shop.history == [("1", "approved", "sent", "observed")]
    assert flow.observe(invoice, "sent", "system").kind == "already"
    assert len(shop.history) == 1
    with pytest.raises(UndeclaredError, match="No step leads from sent to draft"):
        flow.observe(invoice, "draft")


def test_an_observation_is_recorded_once_also_after_the_entity_moved_on(shop: Shop) -> None:
    invoice = shop.add("sent")
    flow = shop.engine().workflow("invoice")
    flow.observe(invoice, "reminded", observation="bank-17")
    flow.move(invoice, "sent", "back", seen=("reminded", 2))
    assert flow.observe(invoice, "reminded", observation="bank-17").kind == "already"
    assert flow.observe(invoice, "reminded", observation="bank-18").kind == "observed"


def test_a_claimed_step_can_be_observed(shop: Shop) -> None:
    invoice = shop.add("sending")
    assert shop.engine().workflow("invoice").observe(invoice, "sent").to_status == "sent"


def test_a_result_schedules_a_step_with_its_transition(shop: Shop) -> None:
    clock = Clock()
    engine = shop.engine(clock=clock)
    invoice = shop.add("reminded")
    engine.workflow("invoice").execute_step(invoice, "user", {"later": True})
    (row,) = shop.rows(shop.tables.delayed)
    assert (row.due_at, row.requester_type, row.expected_status) == (
        NOW + timedelta(seconds=60),
        "cron",
        "reminded",
    )
    assert Poller(engine).poll(TICK) == 0
    clock.forward(61)
    assert Poller(engine).poll(TICK) == 1
    assert shop.rows(shop.tables.delayed)[0].outcome == "superseded"


def test_a_delayed_step_runs_in_the_context_it_was_sealed_in(shop: Shop) -> None:
    clock = Clock()
    engine = shop.engine(clock=clock)
    flow = engine.workflow("invoice")
    invoice = shop.add("sent")
    asked = flow.schedule(invoice, Later(5, "cron"), request_id="r-1")
    assert flow.schedule(invoice, Later(5, "cron"), request_id=asked) == "r-1"
    clock.forward(6)
    assert Poller(engine).poll(TICK) == 1
    assert Poller(engine).poll(TICK) == 0
    row = shop.rows(shop.tables.history)[0]
    assert (row.to_status, row.actor, row.correlation_id, row.requester_type) == (
        "reminded",
        "ann",
        "c-ann",
        "cron",
    )
    assert shop.rows(shop.tables.delayed)[0].outcome == "moved"


def test_a_delayed_step_is_tried_again_and_given_up(shop: Shop) -> None:
    clock = Clock()
    engine = shop.engine(clock=clock)
    shop.answers["note"] = lambda _call: failure("Busy")
    engine.workflow("invoice").schedule(shop.add("sent"), Later(0, "cron"))
    poller = Poller(engine, max_attempts=2, retry_s=10)
    for wait, tried in ((0, 1), (5, 0), (10, 1), (100, 0)):
        clock.forward(wait)
        assert poller.poll(TICK) == tried
    row = shop.rows(shop.tables.delayed)[0]
    assert (row.attempts, row.outcome, row.last_error) == (2, "gave_up", "the action said no")


def test_a_row_without_an_envelope_is_refused(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    engine = shop.engine()
    engine.workflow("invoice").schedule(shop.add("sent"), Later(0, "cron"))
    with shop.db.begin() as connection:
        connection.execute(sa.update(shop.tables.delayed).values(envelope=None))
    Poller(engine).poll(TICK)
    row = shop.rows(shop.tables.delayed)[0]
    assert (row.outcome, row.last_error, shop.history) == ("refused", "MissingEnvelopeError", [])
    caplog.clear()


@pytest.mark.parametrize(
    "envelope",
    [None, [], {}, {"correlation_id": "c", "requester_type": "user"},
     seal(new_context("user")) | {"correlation_id": ""}, seal(new_context("user")) | {"tenant_id": 7}],
)  # fmt: skip
def test_incomplete_envelopes_are_refused(envelope: Any) -> None:
    with pytest.raises(MissingEnvelopeError):
        unseal(envelope)


def test_a_context_survives_its_envelope() -> None:
    context = Context("c", "admin", "t", "u")
    assert unseal(json.loads(json.dumps(seal(context)))) == context


def test_events_are_sent_after_commit_in_order_and_once(shop: Shop) -> None:
    engine = shop.engine()
    sent: list[Event] = []
    invoice = shop.add()
    engine.workflow("invoice").execute_step(invoice)
    engine.workflow("invoice").execute_step(invoice, "system")
    publisher = Publisher(engine.database, engine.tables, sent.append, engine.clock)
    assert [publisher.publish(TICK), publisher.publish(TICK)] == [2, 0]
    assert [event.type for event in sent] == ["invoice.approved", "invoice.sent"]
    assert sent[0].context == user()
    assert len({event.id for event in sent}) == 2


def test_an_event_that_cannot_be_sent_comes_again(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    engine = shop.engine(clock=clock)
    engine.workflow("invoice").execute_step(shop.add())
    sent: list[str] = []
    down = True

    def send(event: Event) -> None:
        if down:
            raise ConnectionError
        sent.append(event.id)

    publisher = Publisher(engine.database, engine.tables, send, clock)
    assert publisher.publish(TICK) == 0
    caplog.clear()
    down = False
    assert publisher.publish(TICK) == 0
    clock.forward(6)
    assert publisher.publish(TICK) == 1
    assert shop.rows(shop.tables.outbox)[0].attempts == 2


def test_the_log_has_one_json_line_for_each_step_and_no_payload(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "entity_state")
    invoice = shop.add("sent")
    shop.engine().workflow("invoice").execute_step(invoice, "user", {"kind": "bank", "iban": "SECRET"})
    lines = [
        json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "entity_state"
    ]
    (line,) = lines
    assert list(line)[:3] == ["when", "level", "event"]
    assert (line["workflow"], line["step"], line["entity"], line["from"], line["to"], line["outcome"]) == (
        "invoice", "pay", 1, "sent", "paid", "moved",
    )  # fmt: skip
    assert line["correlation_id"] == "c-ann"
    assert line["duration_ms"] > 0
    assert "SECRET" not in json.dumps(line)
    with pytest.raises(ValueError, match="not a field of the log: data"):
        log("step", data={})


def test_contexts_nest(shop: Shop) -> None:
    flow = shop.engine().workflow("invoice")
    with bound(user(name="bob")):
        flow.execute_step(shop.add())
    flow.execute_step(shop.add())
    assert [row.actor for row in shop.rows(shop.tables.history)] == ["bob", "ann"]
