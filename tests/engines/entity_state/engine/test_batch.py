"""Batch steps: few statements, losers by entity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from engine_bridge.engines.entity_state.engine import Call, failure, success
from tests.engines.entity_state.engine.shop import CHAIN, Shop, changed


@contextmanager
def counted(engine: sa.Engine) -> Iterator[list[str]]:
    """Every statement sent meanwhile, begins and ends aside: as SQLite traces them, or by psycopg's cursors."""
    sent: list[str] = []

    class Counting(psycopg.Cursor[Any]):
        """A cursor that is watched; it has no executemany, which is one statement for each row."""

        executemany = None  # type: ignore[assignment]

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            sent.append(str(query))
            return super().execute(query, *args, **kwargs)

    def trace(statement: str) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            sent.append(statement)

    def watch(connection: Any, _record: Any, _proxy: Any) -> None:
        if engine.dialect.name == "sqlite":
            connection.set_trace_callback(trace)
        else:
            connection.cursor_factory = Counting

    event.listen(engine, "checkout", watch)
    yield sent
    event.remove(engine, "checkout", watch)


def claiming(**fields: Any) -> dict[str, Any]:
    """The chain with a claim on its batch step."""
    config = changed(CHAIN)
    config["steps"][1] |= {
        "auto_advance": False,
        "claim": {"status": "held", "ttl_s": 9, "release": "b"},
    } | fields
    config["status_types"].append("held")
    return config


def test_a_batch_of_100_needs_at_most_10_statements(shop: Shop) -> None:
    ids = shop.add_chains(100, "b")
    flow = shop.engine(claiming()).workflow("chain")
    flow.attempt("user", {})
    with counted(shop.db) as sent:
        outcome = flow.execute_batch(ids, "user")
    assert (len(outcome.moved), len(outcome.rejected)) == (50, 50)
    # The claim, and the context of its transaction, come on top of what every batch needs.
    assert 8 <= len([s for s in sent if "set_config" not in s]) <= 10, [s[:40] for s in sent]
    assert len(sent) <= 11
    assert [name for name, _ in shop.calls] == ["batch_odd", "batch_note"]
    assert len(shop.history) == 50 * 2 + 50
    assert (len(shop.rows(shop.tables.failures)), len(shop.rows(shop.tables.outbox))) == (50, 100)


def test_a_plain_batch_of_100_needs_at_most_10_statements_with_everything(shop: Shop) -> None:
    ids = shop.add_chains(100, "b")
    config = changed(CHAIN)
    config["steps"][1]["auto_advance"] = False
    flow = shop.engine(config).workflow("chain")
    flow.attempt("user", {})
    with counted(shop.db) as sent:
        assert len(flow.execute_batch(ids, "user").moved) == 50
    assert 6 <= len(sent) <= 10, [s[:40] for s in sent]


def test_a_batch_advances_through_batch_steps_only(shop: Shop) -> None:
    ids = shop.add_chains(4)
    outcome = shop.engine().workflow("chain").execute_batch(ids, "user")
    assert (outcome.moved, outcome.rejected) == ({1: "c", 2: "b", 3: "c", 4: "b"}, {2: "bad", 4: "bad"})
    assert {r.id: r.status for r in shop.rows(shop.chains)} == {1: "c", 2: "bad", 3: "c", 4: "bad"}


def test_losers_are_named_and_nothing_is_written_for_them(shop: Shop) -> None:
    ids = shop.add_chains(6, "b")
    shop.answers["batch_odd"] = lambda _call: success()

    def overtaken(point: str) -> None:
        if point == "acted":
            with shop.db.begin() as connection:
                connection.execute(
                    sa.update(shop.chains).where(shop.chains.c.id.in_([2, 5])).values(version=7)
                )

    outcome = shop.engine(at=overtaken).workflow("chain").execute_batch(ids, "user")
    assert (set(outcome.moved), sorted(outcome.lost)) == ({1, 3, 4, 6}, [2, 5])
    assert {row[0] for row in shop.history} == {"1", "3", "4", "6"}


def test_a_batch_acts_only_for_those_it_could_claim(shop: Shop) -> None:
    ids = shop.add_chains(3, "b")

    def overtaken(point: str) -> None:
        if point == "validated":
            with shop.db.begin() as connection:
                connection.execute(sa.update(shop.chains).where(shop.chains.c.id == 3).values(version=7))

    outcome = shop.engine(claiming(), at=overtaken).workflow("chain").execute_batch(ids, "user")
    assert (outcome.moved, outcome.rejected, outcome.lost) == ({1: "c"}, {2: "bad"}, [3])
    assert ("batch_note", 1) in shop.calls


def test_what_cannot_be_tried_is_skipped_with_the_reason(shop: Shop) -> None:
    shop.add_chains(3, "c")
    with shop.db.begin() as connection:
        connection.execute(sa.update(shop.chains).where(shop.chains.c.id == 3).values(status="end"))
    outcome = shop.engine().workflow("chain").execute_batch([1, 3, 99], "user")
    assert outcome.moved == {}
    assert outcome.skipped[1] == "The step cd is no batch step."
    assert "terminal" in outcome.skipped[3]
    assert "no Chain 99" in outcome.skipped[99]


def test_failures_of_the_action_release_their_claims(shop: Shop) -> None:
    ids = shop.add_chains(3, "b")
    shop.answers["batch_odd"] = lambda _call: success()
    shop.answers["batch_note"] = lambda call: {
        row.id: success() if row.id != 2 else failure("Busy") for row in call.rows
    }
    outcome = shop.engine(claiming()).workflow("chain").execute_batch(ids, "user")
    assert (set(outcome.moved), {i: r.error_type for i, r in outcome.stopped.items()}) == (
        {1, 3},
        {2: "Busy"},
    )
    assert [r for r in shop.history if r[0] == "2"] == [
        ("2", "b", "held", "claim"),
        ("2", "held", "b", "released"),
    ]


@pytest.mark.parametrize("refused", [False, True])
def test_a_transactional_batch_is_all_or_nothing(shop: Shop, refused: bool) -> None:
    config = changed(CHAIN)
    config["steps"][1] |= {"transactional": True, "auto_advance": False}
    shop.answers["batch_odd"] = lambda _call: success()

    def book(call: Call) -> Any:
        assert call.connection is not None
        call.connection.execute(sa.insert(shop.ledger), [{"invoice": row.id} for row in call.rows])
        return {row.id: failure("No") if refused and row.id == 2 else success() for row in call.rows}

    shop.answers["batch_note"] = book
    outcome = shop.engine(config).workflow("chain").execute_batch(shop.add_chains(3, "b"), "user")
    assert len(outcome.moved) == (0 if refused else 3)
    assert len(shop.rows(shop.ledger)) == len(shop.history) == (0 if refused else 3)
