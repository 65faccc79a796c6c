"""Claims: one winner, dead ones to the janitor, late holders lose."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Call, Result, Verdict, bound, failure, success
from engine_bridge.engines.entity_state.engine.errors import ClaimHeldError, EngineError, StaleError
from engine_bridge.engines.entity_state.engine.manual import UndeclaredError
from tests.engines.entity_state.engine.shop import Shop, user

LATER = datetime.now(UTC) + timedelta(hours=1)


def fire(shop: Shop, rounds: int, callers: int = 50) -> None:
    """Lets many callers execute a claimed step of one entity at once, again and again."""
    flow = shop.engine().workflow("invoice")
    gate = threading.Barrier(callers)

    def call(invoice: int) -> str:
        with bound(user()):
            gate.wait(60)
            try:
                return flow.execute_step(invoice, "system").kind
            except EngineError as error:
                return type(error).__name__

    with ThreadPoolExecutor(callers) as pool:
        for _ in range(rounds):
            shop.calls.clear()
            invoice = shop.add("approved")
            answers = list(pool.map(call, [invoice] * callers))
            assert answers.count("moved") == 1
            assert shop.called("send_mail") == 1
            assert set(answers) <= {"moved", "StaleError", "ClaimHeldError", "SelectionError"}
            assert shop.status(invoice) == "sent"
    with shop.db.connect() as connection:
        history = shop.tables.history
        assert connection.execute(sa.select(sa.func.count()).select_from(history)).scalar() == 2 * rounds


def test_fifty_callers_fire_a_claimed_action_exactly_once(shop: Shop) -> None:
    fire(shop, 20)


@pytest.mark.long
def test_fifty_callers_fire_a_claimed_action_exactly_once_a_thousand_times(shop: Shop) -> None:
    fire(shop, 1_000)


def test_a_claim_is_a_transition_with_its_holder(shop: Shop) -> None:
    invoice = shop.add("approved")
    seen: list[tuple[str, str | None, bool]] = []

    def look(_call: Call) -> Result:
        row = shop.rows(shop.invoices)[0]
        seen.append((row.status, row.claimed_by, row.claimed_at is not None))
        return success()

    shop.answers["send_mail"] = look
    shop.engine().workflow("invoice").execute_step(invoice, "system")
    assert seen == [("sending", "ann", True)]
    assert shop.history == [("1", "approved", "sending", "claim"), ("1", "sending", "sent", "step")]
    row = shop.rows(shop.invoices)[0]
    assert (row.claimed_by, row.claimed_at, row.version) == (None, None, 3)
    assert [e.event_type for e in shop.rows(shop.tables.outbox)] == ["invoice.sent"]


def test_a_no_of_the_action_releases_the_claim(shop: Shop) -> None:
    shop.answers["send_mail"] = lambda _call: failure("MailDown", "no route")
    invoice = shop.add("approved")
    outcome = shop.engine().workflow("invoice").execute_step(invoice, "system")
    assert (outcome.kind, outcome.to_status, outcome.version) == ("stopped", "approved", 3)
    assert shop.history[-1] == ("1", "sending", "approved", "released")


@pytest.mark.parametrize(
    ("choice", "to"), [("back", "approved"), ("forward", "sent"), ("failed", "lost")], ids=str
)
def test_the_owning_modules_janitor_decides_about_a_dead_claim(shop: Shop, choice: str, to: str) -> None:
    invoice = _die_in_the_action(shop)
    shop.verdict = Verdict(choice, "looked at the mail log")
    assert shop.engine().workflow("invoice").sweep_claims() == []
    (swept,) = shop.engine(clock=lambda: LATER).workflow("invoice").sweep_claims()
    assert (swept.entity_id, swept.choice, swept.to, shop.status(invoice)) == (invoice, choice, to, to)
    row = shop.rows(shop.tables.history)[-1]
    assert (row.metadata["kind"], row.metadata["choice"], row.metadata["holder"]) == (
        "janitor",
        choice,
        "ann",
    )
    assert row.metadata["reason"] == "looked at the mail log"
    assert len(shop.rows(shop.tables.failures)) == (choice == "failed")
    (asked,) = [what for name, what in shop.calls if name == "janitor"]
    assert (asked.holder, asked.step.key, asked.claim.status) == ("ann", "send", "sending")


def _die_in_the_action(shop: Shop) -> int:
    def die(_call: object) -> object:
        raise KeyboardInterrupt

    invoice = shop.add("approved")
    shop.answers["send_mail"] = die
    with pytest.raises(KeyboardInterrupt):
        shop.engine().workflow("invoice").execute_step(invoice, "system")
    shop.answers.clear()
    assert shop.status(invoice) == "sending"
    return invoice


def test_the_late_holder_loses(shop: Shop) -> None:
    invoice = shop.add("approved")

    def slow(_call: Call) -> Result:
        shop.engine(clock=lambda: LATER).workflow("invoice").sweep_claims()
        return success()

    shop.answers["send_mail"] = slow
    with pytest.raises(StaleError, match=r"now approved.*The action had already run"):
        shop.engine().workflow("invoice").execute_step(invoice, "system")
    assert shop.status(invoice) == "approved"


def test_a_sweep_that_comes_too_late_says_so(shop: Shop) -> None:
    invoice = _die_in_the_action(shop)

    def overtaken(_dead: object) -> None:
        shop.engine().workflow("invoice").observe(invoice, "sent")

    shop.before_verdict = overtaken
    (swept,) = shop.engine(clock=lambda: LATER).workflow("invoice").sweep_claims()
    assert (swept.to, shop.status(invoice)) == (None, "sent")


def test_a_failing_janitor_keeps_nobody_elses_claim(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    first = _die_in_the_action(shop)
    second = _die_in_the_action(shop)
    shop.verdicts = {first: RuntimeError("mail log is gone")}
    swept = shop.engine(clock=lambda: LATER).workflow("invoice").sweep_claims()
    assert [s.problem for s in swept] == ["RuntimeError: mail log is gone", ""]
    assert (shop.status(first), shop.status(second)) == ("sending", "approved")
    caplog.clear()


def test_releasing_by_hand(shop: Shop) -> None:
    invoice = _die_in_the_action(shop)
    flow = shop.engine().workflow("invoice")
    with pytest.raises(ClaimHeldError):
        flow.release_claim(invoice, "stuck")
    assert flow.release_claim(invoice, "stuck", force=True).to_status == "approved"
    with pytest.raises(UndeclaredError, match="is not claimed"):
        flow.release_claim(invoice, "stuck")
    assert shop.rows(shop.tables.history)[-1].metadata["reason"] == "stuck"
