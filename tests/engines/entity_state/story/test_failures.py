"""The failure log beside plain SQL: order, pages, filters, text."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Field, FieldType, Page
from engine_bridge.engines.entity_state import facets, failures, payloads, resource_ids
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.model import EventKind
from engine_bridge.query import parse
from tests.engines.entity_state.story.conftest import NEVER, OpenStore, whole
from tests.engines.entity_state.story.data import Sample, ns

FIELDS = [
    *failures.FIELDS,
    Field(name="state", type=FieldType.TEXT),
    Field(name="id", type=FieldType.TEXT),
]


def read(
    store: Store, query: str = "", text: str = "", cursor: bytes | None = None, limit: int = 100
) -> Page:
    return failures.page(store, parse(query, FIELDS), text, cursor, limit, NEVER)


def test_rows_say_what_the_log_says(store: Store, sample: Sample) -> None:
    rows = sample.rows("SELECT * FROM workflow_permanent_failure_log ORDER BY failed_at DESC, id DESC")
    found = read(store).items
    assert [row.id for row in found] == [resource_ids.make("invoice", row.id) for row in rows]
    for row, plain in zip(found, rows, strict=True):
        assert row.ref.run == plain.entity_id and row.run_type == plain.workflow_type
        assert (row.failure.type, row.failure.message) == (plain.error_type, plain.message)
        assert row.step_name == plain.step_key and row.resolved == (plain.resolved_at is not None)
        facts = row.attributes
        assert (facts["correlation_id"], facts["tenant"]) == (plain.correlation_id, plain.tenant_id)
        assert (facts["attempts"], facts["status"]) == (plain.attempts, plain.status)
    assert [row.time_ns for row in found] == [ns(7), ns(5), ns(3)]
    assert found[2].attributes["resolved_ns"] == ns(4) and found[0].run_status == "failed"
    raw = found[0].failure.raw
    assert raw is not None and b"550" in payloads.read(store, raw.key, 0, -1, NEVER)


def test_rows_name_the_stay_that_the_history_tells_them_in(store: Store, sample: Sample) -> None:
    rows = read(store).items
    for row in rows:
        history = whole(store, row.ref)
        told = [event for event in history.all_events() if event.kind is EventKind.STEP_FAILED]
        same = next(
            event for event in told if event.time_ns == row.time_ns and row.failure.type in event.detail
        )
        assert row.step_id == same.step_id and history.step_row(row.step_id) >= 0
    assert len(rows) == 3


def test_unsettled_failures_are_counted_without_a_filter(store: Store, sample: Sample) -> None:
    unsettled = sample.rows("SELECT count(*) FROM workflow_permanent_failure_log WHERE resolved_at IS NULL")
    assert facets.read(store, None, 10, NEVER).failures == unsettled[0][0] > 0
    narrowed = facets.read(store, parse("state == approved", FIELDS), 10, NEVER)
    assert narrowed.failures is None


def test_pages_follow_each_other(store: Store, sample: Sample) -> None:
    for number in range(20):
        sample.failed(8, "Later", 100 + number // 3)
    whole = [row.id for row in read(store).items]
    assert len(whole) == 23
    paged: list[str] = []
    cursor = None
    while True:
        page = read(store, cursor=cursor, limit=4)
        paged += [row.id for row in page.items]
        cursor = page.after
        if cursor is None:
            break
    assert paged == whole


@pytest.mark.parametrize(
    ("query", "entities"),
    [
        ("resolved == false", ["7", "8"]),
        ("resolved == true", ["8"]),
        ("correlation_id == 'c-8'", ["8", "8"]),
        ("tenant == 't2'", []),
        ("error.type == 'SMTPError' and resolved == false", ["8"]),
        ("step == 'give_up'", ["7"]),
        ("state == 'approved'", ["8", "8"]),
        ("not state == 'approved'", ["7"]),
        ("id == '7' or resolved == true", ["7", "8"]),
    ],
)
def test_filters_speak_of_the_failure_and_of_its_entity(
    store: Store, query: str, entities: list[str]
) -> None:
    assert [row.ref.run for row in read(store, query).items] == entities
    assert [row.ref.run for row in read(store, query, limit=1).items] == entities[:1]


@pytest.mark.parametrize(
    ("text", "count"), [("smtperror", 2), ("c-7", 1), ("give_UP", 1), ("nowhere", 0), ("of 8", 2)]
)
def test_text_is_looked_for_in_what_is_shown(store: Store, text: str, count: int) -> None:
    found = read(store, text=text)
    assert len(found.items) == count and found.searched == 3 and found.after is None


def test_a_search_that_takes_too_long_goes_on_where_it_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "SCAN_S", -1.0)
    monkeypatch.setattr(failures, "BATCH", 1)
    found: list[str] = []
    cursor, rounds = None, 0
    while True:
        page = read(store, text="unpaid", cursor=cursor)
        found += [row.ref.run for row in page.items]
        rounds, cursor = rounds + 1, page.after
        if cursor is None:
            break
        assert not page.complete
    assert found == ["7"] and rounds == 4


def test_a_failure_of_a_deleted_entity_stays(store: Store, sample: Sample) -> None:
    sample.failed(99, "Gone", 50)
    found = read(store).items[0]
    assert found.ref.run == "99" and found.run_status == ""
    assert [row.ref.run for row in read(store, "error.type == 'Gone'").items] == ["99"]


def test_a_tenant_sees_its_own(open_store: OpenStore) -> None:
    assert read(open_store("t2")).items == ()
    assert len(read(open_store("t1")).items) == 3
