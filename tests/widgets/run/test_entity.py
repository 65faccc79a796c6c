"""The run view of an entity: its own status, the ladder of statuses, who moved it and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Blocked, Run
from tests.fakes import NOW
from tests.fakes_lives import entity_history, make_entity
from widgets.run.entity import move_words
from widgets.run.event_model import DETAIL, EVENT, STEP
from widgets.run.page import RunView

STUCK, DONE, AGAIN = 0, 1, 2


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[RunView]:
    view = RunView()
    qtbot.addWidget(view)
    view.set_zone(UTC)
    view.resize(1300, 900)
    view.show()
    yield view


def history_of(number: int, *, drift: bool = False) -> tuple[Run, History]:
    run, history = make_entity(number), History()
    events, steps = entity_history(run, drift=drift)
    history.append(BatchBuilder().build(run, events, steps, engine_now_ns=NOW))
    return run, history


def facts(view: RunView) -> dict[str, str]:
    return {fact.name: fact.value for fact in view.detail.facts}


def test_the_header_names_the_entity_s_own_status(view: RunView) -> None:
    view.show_run(*history_of(STUCK))
    assert view.header.text == (
        "registration 0 pending_documents created 12 Jan 03:00:00 · here for 18 h · tenant acme · version 3"
    )
    assert facts(view)["stands on"] == "pending_documents"


def test_at_the_playhead_it_is_the_status_it_stood_on(view: RunView) -> None:
    view.show_run(*history_of(DONE))
    view.set_position(2)
    assert "email_verified at this event" in view.header.text
    view.set_position(5)
    assert "active at this event" in view.header.text
    view.set_position(None)
    assert " active created" in view.header.text
    assert "lasted" in view.header.text


def test_statuses_make_a_ladder_and_a_return_keeps_its_rung(view: RunView) -> None:
    view.show_run(*history_of(AGAIN))
    titles = [title for title in view.timeline.state.tracks[0].lanes.titles if title]
    assert titles == ["pending_email × 3", "pending_documents × 2", "rejected"]


def test_a_move_tells_who_why_and_its_correlation_id(view: RunView) -> None:
    view.show_run(*history_of(STUCK))
    model = view.events.model
    assert [model.text(2, column) for column in (EVENT, STEP)] == ["step_3", "pending_documents"]
    assert model.text(2, DETAIL) == "“documents came by mail” · anna (admin) · req-3 · from email_verified"
    assert "req-3" in model.tooltip(2, DETAIL)
    view.show_run(*history_of(STUCK), position=3)
    assert facts(view)["correlation_id"] == "req-3"


def test_a_long_correlation_id_leaves_room() -> None:
    _, history = history_of(STUCK)
    event = msgspec.structs.replace(history.event(1), attributes={"correlation_id": "dded40d10247496abd40aa"})
    assert move_words(event) == ["dded40d1…"]
    assert move_words(event, whole=True) == ["dded40d10247496abd40aa"]


def test_a_move_can_be_filtered_by_its_correlation_id(view: RunView) -> None:
    view.set_filter_fields(frozenset({"correlation_id"}))
    view.show_run(*history_of(STUCK), position=3)
    fact = next(fact for fact in view.detail.facts if fact.name == "correlation_id")
    titles = [action.text() for action in view.detail.fields.menu(fact).actions()]
    assert "Filter runs by correlation_id req-3" in titles


def test_a_status_has_no_attempts(view: RunView) -> None:
    view.show_run(*history_of(STUCK), step_id="1")
    assert "attempts" not in facts(view)
    assert facts(view)["kind"] == "status"


def test_what_raw_sql_did_is_inferred_with_its_evidence(view: RunView) -> None:
    view.show_run(*history_of(STUCK, drift=True), position=3)
    assert view.events.model.text(2, DETAIL).endswith("(inferred)")
    shown = next(fact for fact in view.detail.facts if fact.name == "event")
    assert "raw SQL" in shown.evidence[0].facts[0]
    assert view.status_text() == "3 events · recorded 2 · inferred 1"


def test_the_graph_has_one_node_for_each_status(view: RunView) -> None:
    view.show_run(*history_of(AGAIN))
    view.right.show_pane("graph")
    assert "3 nodes" in view.graph.describe()


def test_why_it_stands_there_is_told_with_since_when(view: RunView) -> None:
    view.show_run(*history_of(STUCK))
    assert view.blocked.isVisible()
    assert view.blocked.text.startswith("Why retry limit in upload_documents · 3 failures since")
    view.set_position(2)
    assert not view.blocked.isVisible()


def test_what_it_waits_for_stays_when_nothing_else_is_to_be_told(view: RunView) -> None:
    run, history = history_of(STUCK)
    waits = Blocked(kind="signal", what="upload_documents", since_ns=run.updated_ns)
    history.run = msgspec.structs.replace(run, now="waits for upload_documents", blocked_on=waits)
    view.show_run(history.run, history)
    assert view.blocked.text.startswith("Blocked on upload_documents since")


def test_times_that_only_this_engine_has_are_shown_as_times(view: RunView) -> None:
    run, history = history_of(STUCK)
    history.run = msgspec.structs.replace(run, extra={"since_ns": run.updated_ns, "role": "waiting"})
    view.show_run(history.run, history)
    assert facts(view)["since"].startswith("2027-01-15 03:00:00")
