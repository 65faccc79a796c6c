"""Tables of other libraries: what the compare-and-swap is on there, what the rows look like, who won."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine_bridge.actions.model import Receipt, Verdict
from tests.engines.entity_state.act.tools import Place, Places, target_of

ANY = '[writes]\nmode = "sql"\nallow = "any"\n'
Make = Callable[[str], Place]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, places: Places) -> Make:
    return lambda shape: places(request.param, shape)


def applied(receipt: Receipt) -> bool:
    return receipt.outcome.verdict is Verdict.APPLIED


def test_a_table_without_version_names_its_strength_and_holds(make: Make) -> None:
    place = make("django")
    ann, bob, ticket = place.operator("ann"), place.operator("bob"), target_of("1", "ticket")
    item = ann.plan(ticket, "move", to="closed")
    assert ("xmin" if place.dialect == "postgresql" else "hash of the row") in item.race
    place.sql("UPDATE helpdesk_ticket SET title = 'changed' WHERE id = 1")
    assert (
        ann.execute(item).outcome.stale
        and place.value("SELECT state FROM helpdesk_ticket WHERE id = 1") == "open"
    )
    item, theirs = ann.plan(ticket, "move", to="closed"), bob.plan(ticket, "move", to="closed")
    assert applied(bob.execute(theirs))
    outcome = ann.execute(item).outcome
    assert outcome.stale and "bob moved it open → closed" in outcome.evidence[1]


def test_there_and_back_again_is_noticed_without_a_version(make: Make) -> None:
    place = make("django")
    ann, ticket = place.operator("ann"), target_of("1", "ticket")
    item = ann.plan(ticket, "move", to="closed")
    there = place.operator("bob").act(ticket, "move", to="closed")
    ann.execute(ann.undo(there))
    assert ann.execute(item).outcome.stale


def test_django_rows_name_the_user_or_carry_the_name_in_their_text(make: Make) -> None:
    place = make("django")
    place.operator("ann", "by phone").act(target_of("1", "ticket"), "move", to="closed")
    place.operator("eve", "by mail").act(target_of("5", "ticket"), "move", to="closed")
    rows = place.sql(
        "SELECT object_id, by_id, transition, description, content_type_id FROM django_fsm_log_statelog "
        "WHERE transition = 'operator_move' ORDER BY object_id"
    )
    assert [tuple(row)[:3] for row in rows] == [(1, 1, "operator_move"), (5, None, "operator_move")]
    assert rows[0][3].startswith("by phone [Playhead: ann, ") and rows[1][3].startswith(
        "by mail [Playhead: eve, "
    )
    assert {row[4] for row in rows} == {7}
    warned = place.operator("eve").plan(target_of("9", "ticket"), "move", to="closed").warnings
    # The plan is made by the user of this process, who is no user of the application either.
    assert any("auth_user knows no" in text for text in warned)


def test_django_moves_are_undone_and_settled_by_their_text(make: Make) -> None:
    place = make("django")
    ann, ticket = place.operator("ann"), target_of("1", "ticket")
    item = ann.plan(ticket, "move", to="closed")
    receipt = ann.execute(item, request := "3f0a3c53-46a5-4a92-9d58-0b8a0d2d55ab")
    assert ann.settle(item, request).verdict is Verdict.APPLIED
    assert ann.settle(item, "91dd04d5-6bd2-4c6e-a2a2-8d2b0c9f2e44").verdict is Verdict.NOT_APPLIED
    assert applied(ann.execute(ann.undo(receipt)))
    assert place.value("SELECT state FROM helpdesk_ticket WHERE id = 1") == "open"


def test_statesman_flips_the_latest_row_and_inserts_the_next(make: Make) -> None:
    place = make("statesman")
    place.write(ANY)
    ann = place.operator("ann", "left the warehouse")
    item = ann.plan(target_of("order-001", "order"), "move", to="shipped")
    assert "unique indexes" in item.race
    receipt = ann.execute(item)
    assert applied(receipt)
    rows = place.sql(
        "SELECT from_state, to_state, sort_key, most_recent, metadata, updated_at FROM order_transitions "
        "WHERE order_id = 'order-001' ORDER BY sort_key"
    )
    assert [(row[0], row[1], row[2], bool(row[3])) for row in rows] == [
        ("pending", "paid", 10, False),
        ("paid", "shipped", 20, True),
    ]
    meta = json.loads(rows[1][4])
    assert meta["actor"] == "ann" and meta["reason"] == "left the warehouse" and rows[1][5] is not None
    assert applied(ann.execute(ann.undo(receipt)))
    first = ann.plan(target_of("order-005", "order"), "move", to="paid")
    late = place.operator("bob").plan(target_of("order-005", "order"), "move", to="failed")
    assert applied(ann.execute(first))
    outcome = place.operator("bob").execute(late).outcome
    assert outcome.stale and any("ann moved it pending → paid" in text for text in outcome.evidence)


def test_without_a_unique_index_a_statesman_table_says_so(make: Make) -> None:
    place = make("statesman")
    place.write(ANY)
    place.sql("DROP INDEX order_sort")
    item = place.operator().plan(target_of("order-001", "order"), "move", to="shipped")
    assert "no unique index" in item.race


def test_a_plain_column_has_only_the_journal(make: Make) -> None:
    place = make("plain")
    place.write(ANY)
    ann, job = place.operator("ann"), target_of("2", "job")
    item = ann.plan(job, "move", to="done")
    assert any("journal is the only record" in text for text in item.warnings)
    receipt = ann.execute(item, request := "b04d4d78-41c6-4e74-a5a3-4c0b8f31d0c5")
    assert applied(receipt) and place.value("SELECT state FROM jobs WHERE id = 2") == "done"
    assert ann.settle(item, request).verdict is Verdict.UNKNOWN
    assert "no history that says who" in " ".join(ann.execute(item).outcome.evidence)
    back = ann.undo(receipt)
    assert applied(ann.execute(back)) and place.value("SELECT state FROM jobs WHERE id = 2") == "waiting"
    again = ann.execute(ann.plan(job, "move", to="done"))
    place.sql("UPDATE jobs SET state = 'failed' WHERE id = 2")
    assert "changed since that move" in ann.undo(again).refused


def test_a_plain_column_that_is_untouched_settles_as_not_applied(make: Make) -> None:
    place = make("plain")
    place.write(ANY)
    ann = place.operator()
    item = ann.plan(target_of("2", "job"), "move", to="done")
    assert ann.settle(item, "b04d4d78-41c6-4e74-a5a3-4c0b8f31d0c5").verdict is Verdict.NOT_APPLIED


def test_nothing_declared_allows_only_what_was_seen(make: Make) -> None:
    place = make("plain")
    disabled: dict[str, Any] = place.operator().specs(target_of("2", "job"))
    assert 'allow = "any"' in disabled["move"].disabled
    assert disabled["retry_step"].disabled.startswith("The mapping names neither")
    assert disabled["resolve_failure"].disabled == "The mapping names no failure log."
    assert "Nothing is declared" in disabled["degrade"].disabled


def test_a_version_column_that_is_no_integer_is_not_relied_on(make: Make) -> None:
    place = make("plain")
    place.sql("ALTER TABLE jobs ADD COLUMN rev TEXT")
    text = place.sample.mapping.read_text().replace('status = "state"', 'status = "state"\nversion = "rev"')
    place.sample.mapping.write_text(text)
    place.write(ANY)
    ann = place.operator()
    item = ann.plan(target_of("2", "job"), "move", to="done")
    assert "no version column" in item.race and applied(ann.execute(item))
