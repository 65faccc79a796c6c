"""Locks of others: waited for visibly, cancellable, and whoever held them may have won."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.actions.model import Receipt, Verdict, new_request_id
from engine_bridge.cancel import CancelToken
from tests.engines.entity_state.act.tools import Operator, Place, Places, target_of


def holding(place: Place) -> sa.Connection:
    """Somebody in the middle of a move of inv-001."""
    connection = place.engine.connect()
    connection.exec_driver_sql(
        "UPDATE invoices SET status = 'cancelled', version = version + 1 WHERE id = 'inv-001'"
    )
    return connection


def while_waiting(ann: Operator, place: Place, then: Callable[[sa.Connection, CancelToken], None]) -> Receipt:
    """Executes a planned move; once it says that it waits, ``then`` is called with who holds the lock."""
    item, heard = ann.plan("inv-001", "move", to="approved"), threading.Event()
    token = CancelToken(lambda done, total, text: heard.set() if text == "waiting for the lock" else None)
    found: list[Receipt] = []
    with holding(place) as other:
        thread = threading.Thread(target=lambda: found.append(ann.execute(item, new_request_id(), token)))
        thread.start()
        assert heard.wait(20)
        then(other, token)
        thread.join(30)
    return found[0]


def test_a_lock_that_goes_away_is_waited_out(own: Place) -> None:
    receipt = while_waiting(own.operator(), own, lambda other, token: other.rollback())
    assert receipt.outcome.verdict is Verdict.APPLIED and own.status("inv-001") == ("approved", 1)


def test_who_held_the_lock_may_have_won(own: Place) -> None:
    outcome = while_waiting(own.operator(), own, lambda other, token: other.commit()).outcome
    assert outcome.stale and "status was draft, is cancelled" in outcome.evidence
    assert own.status("inv-001") == ("cancelled", 1) and own.history("inv-001") == []


def test_waiting_can_be_cancelled_and_nothing_is_written(own: Place) -> None:
    outcome = while_waiting(own.operator(), own, lambda other, token: token.cancel()).outcome
    assert outcome.verdict is Verdict.NOT_APPLIED and "cancelled" in outcome.evidence[0]
    assert own.status("inv-001") == ("draft", 0)


def test_integer_ids_overlays_and_enums(places: Places) -> None:
    place = places("postgresql", "own")
    names = ", ".join(
        f"'{s}'" for s in ("new", "pending_documents", "review", "video_call", "active", "rejected")
    )
    place.sql(f"CREATE TYPE standing AS ENUM ({names})")
    place.sql("ALTER TABLE users ALTER status TYPE standing USING status::standing")
    place.sql("ALTER TABLE users ALTER status SET DEFAULT 'new'")
    ann = place.operator()
    ids = [
        place.value("SELECT id FROM users WHERE status = 'video_call' AND tenant_id = :t", t=t)
        for t in ("acme", "globex")
    ]
    acme, globex = (target_of(str(number), "registration") for number in ids)
    assert ann.specs(acme)["move"].params[0].choices == ("active",)
    assert "does not know video_call" in ann.specs(globex)["degrade"].effect
    item = ann.plan(acme, "move", to="active")
    assert ann.execute(item).outcome.verdict is Verdict.APPLIED
    degraded = ann.plan(globex, "degrade", to="review")
    with place.engine.begin() as connection:
        for statement in degraded.copy_as["SQL"].splitlines()[1:-1]:
            connection.exec_driver_sql(statement.rstrip(";"), execution_options={"no_parameters": True})
    standing = [place.value("SELECT status::text FROM users WHERE id = :id", id=number) for number in ids]
    assert standing == ["active", "review"]
    assert ann.execute(degraded).outcome.stale


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_copied_script_runs_as_it_is(places: Places, kind: str) -> None:
    place = places(kind, "own")
    item = place.operator().plan("inv-001", "move", to="approved")
    # The one SQLite library of this process.
    script = item.copy_as["Python"].replace("sqlalchemy.create_engine(", "make(")
    found: dict[str, Any] = {
        "make": lambda url: place.sample.engine() if kind == "sqlite" else sa.create_engine(url)
    }
    exec(script, found)
    found["engine"].dispose()
    assert place.status("inv-001") == ("approved", 1) and len(place.history("inv-001")) == 1
