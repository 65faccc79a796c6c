"""Related entities, search, payloads, and what applies now."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state import payloads, population, related, resolution, runs, search
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.model import RunRef
from engine_bridge.populations import Candidate, Resolution
from tests.engines.entity_state.engine.shop import INVOICE
from tests.engines.entity_state.story.conftest import NEVER, OpenStore, invoice, whole
from tests.engines.entity_state.story.data import MAPPING, Sample, at


def test_entities_of_the_same_request_are_related(store: Store, sample: Sample) -> None:
    (found,) = related.read(store, invoice(1), None, 10, NEVER).items
    assert found.ref == invoice(12) and found.role == "same request" and "c-shared" in found.note
    assert found.run is not None and found.run.engine_status == "draft"
    for id in range(20, 27):
        sample.invoice(id, "approved")
        sample.moves(id, ("draft", "approved", "approve", 1), correlation_id="c-shared")
    whole = [item.ref.run for item in related.read(store, invoice(1), None, 100, NEVER).items]
    assert whole == ["12", *map(str, range(20, 27))]
    paged: list[str] = []
    cursor = None
    while True:
        page = related.read(store, invoice(1), cursor, 3, NEVER)
        paged += [item.ref.run for item in page.items]
        cursor = page.after
        if cursor is None:
            break
    assert paged == whole


def test_relations_stay_within_a_tenant(open_store: OpenStore) -> None:
    assert related.read(open_store("t1"), invoice(1), None, 10, NEVER).items == ()
    with pytest.raises(NotFoundError):
        related.read(open_store("t1"), invoice(12), None, 10, NEVER)


def test_no_relations_without_correlation_ids(store: Store) -> None:
    assert related.read(store, RunRef("entity", "order", "1"), None, 10, NEVER).items == ()
    assert related.read(store, invoice(9), None, 10, NEVER).items == ()


@pytest.mark.parametrize(
    ("text", "scope", "expected"),
    [
        ("xylophon", "all", {("1", "note")}),
        ("xylophon", "steps", set()),
        ("wrong address", "steps", {("12", "metadata in the history")}),
        ("550 no such user", "errors", {("7", "details in the failures"), ("8", "details in the failures")}),
        ("smtperror", "errors", {("8", "error_type in the failures"), ("8", "message in the failures")}),
        ("bankerror", "outputs", {("11", "last_error in the delayed")}),
        ("nowhere at all", "all", set()),
    ],
)
def test_text_is_found_where_it_stands(
    store: Store, text: str, scope: str, expected: set[tuple[str, str]]
) -> None:
    found = list(search.find(store, text, scope, 100, NEVER))
    assert {(hit.ref.run, hit.where) for hit in found} == expected
    assert all(text in hit.excerpt.casefold() for hit in found)


def test_search_stops_at_its_limit_and_knows_its_scopes(store: Store) -> None:
    assert len(list(search.find(store, "c-", "all", 2, NEVER))) == 2
    with pytest.raises(UsageError):
        search.find(store, "x", "nonsense", 1, NEVER)


def test_escaped_text_is_found_as_it_is_shown(store: Store, sample: Sample) -> None:
    sample.invoice(30, "draft", note='{"name": "Zo\\u00eb"}')
    assert [hit.ref.run for hit in search.find(store, "zoë", "inputs", 5, NEVER)] == ["30"]


def test_search_stays_within_a_tenant(open_store: OpenStore) -> None:
    assert list(search.find(open_store("t2"), "xylophon", "all", 5, NEVER)) == []


def test_payloads_are_read_in_slices(store: Store) -> None:
    header = runs.read_run(store, invoice(1), NEVER)
    assert header.input is not None
    whole = payloads.read(store, header.input.key, 0, -1, NEVER)
    assert whole == b'{"to": "Ann", "secret_word": "Xylophon"}' and header.input.size == len(whole)
    assert payloads.read(store, header.input.key, 3, 4, NEVER) == whole[3:7]


@pytest.mark.parametrize("key", ["", "[]", '["entity", "invoice", "1", "status"]', '["history", "invoice", "1", "x"]',
                                 '["entity", "nothing", "1", "note"]', '["failure", "ticket", "1", "1"]'])  # fmt: skip
def test_wrong_payload_keys_are_not_found(store: Store, key: str) -> None:
    with pytest.raises(NotFoundError):
        payloads.read(store, key, 0, -1, NEVER)


def test_payloads_stay_within_a_tenant(open_store: OpenStore, store: Store, sample: Sample) -> None:
    header = runs.read_run(store, invoice(1), NEVER)
    (row,) = sample.rows("SELECT id FROM workflow_history WHERE entity_id = '1' AND step_key = 'approve'")
    keys = [
        header.input.key if header.input else "",
        payloads.ref("history", "invoice", 1, row.id, label="m").key,
    ]
    for key in keys:
        assert payloads.read(store, key, 0, -1, NEVER)
        with pytest.raises(NotFoundError):
            payloads.read(open_store("t2"), key, 0, -1, NEVER)


def ask(store: Store, id: int, requester: str = "", **data: object) -> Resolution:
    return resolution.next_steps(store, invoice(id), requester, data, NEVER)


def candidate(found: Resolution, step: str) -> Candidate:
    return next(one for one in found.candidates if one.step == step)


def test_the_step_that_applies_is_named_with_its_reasons(store: Store) -> None:
    found = ask(store, 9)
    assert (found.status, found.requester, found.step, found.problem) == ("draft", "user", "approve", "")
    approve, send = candidate(found, "approve"), candidate(found, "send")
    assert approve.applies and "it is for the status draft" in approve.reasons
    assert approve.targets == ("approved", "void")
    assert not send.applies and send.reasons == ("it is for the status approved",) and send.claim == "sending"
    assert found.requesters == ("user", "admin", "system", "cron") and found.config == "invoice.json"
    assert candidate(ask(store, 9, "admin"), "approve").targets == ("approved", "lost")


def test_data_decide(store: Store) -> None:
    without = ask(store, 1, "system")
    assert without.step == "" and "No step applies" in without.problem
    assert "which the data lack" in candidate(without, "pay").reasons[0]
    assert without.fields == {"kind": ("bank", "card")}
    assert ask(store, 1, "system", kind="bank").step == "pay"


def test_claims_ends_and_strange_statuses_say_why_nothing_applies(store: Store) -> None:
    assert "claim of send" in ask(store, 2).problem
    assert "terminal" in ask(store, 7).problem
    assert "does not know the status limbo" in ask(store, 6).problem
    assert "no requester type" in ask(store, 9, "nobody").problem
    with pytest.raises(NotFoundError):
        ask(store, 4711)


def test_a_tenants_overlay_is_in_force_for_its_entities(open_store: OpenStore) -> None:
    overlay = {
        "workflow_type": "invoice",
        "tenant": "t2",
        "steps": [{"key": "approve", "requesters": ["admin"]}],
    }
    store = open_store(
        mapping=MAPPING.replace('["invoice.json"]', '["invoice.json", "overlay.json"]'),
        configs=(INVOICE, overlay),
        names=("invoice.json", "overlay.json"),
    )
    assert ask(store, 9).step == "approve"
    refused = ask(store, 12)
    assert refused.step == "" and "it is for the requesters admin" in candidate(refused, "approve").reasons


def test_transitions_of_the_mapping_apply_to_everybody(store: Store) -> None:
    found = resolution.next_steps(store, RunRef("entity", "order", "2"), "", {}, NEVER)
    assert found.step == "" and "ship, lose" in found.problem
    new = resolution.next_steps(store, RunRef("entity", "order", "3"), "", {}, NEVER)
    assert new.step == "pick" and candidate(new, "pick").targets == ("picked",)
    assert (
        "Nothing declares"
        in resolution.next_steps(store, RunRef("entity", "ticket", "1"), "", {}, NEVER).problem
    )


def test_ids_of_other_kinds_are_tied_to_text(open_store: OpenStore, sample: Sample) -> None:
    """An entity table by UUID beside a history that keeps ids as text, and one of texts beside integers."""
    orders = sa.Table(
        "jobs", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True), sa.Column("status", sa.Text)
    )
    codes = sa.Table(
        "codes", sa.MetaData(), sa.Column("id", sa.Text, primary_key=True), sa.Column("status", sa.Text)
    )
    for table in (orders, codes):
        table.metadata.create_all(sample.db)
    key = uuid.UUID("6f1c2b0e-0d5a-4c3b-9b8e-2f4f5f6a7b8c")
    sample.put(orders, {"id": key, "status": "done"})
    sample.put(codes, {"id": "7", "status": "b"}, {"id": "seven", "status": "a"})
    row = {"entity_type": "job", "workflow_type": "job", "step_key": "go", "changed_at": at(1)}
    stored = str(key) if sample.db.dialect.name == "postgresql" else key.hex
    sample.put(sample.own.history, row | {"entity_id": stored, "from_status": "new", "to_status": "done"})
    sample.put(
        sample.statelog,
        {"object_id": 7, "content_type_id": 9, "source_state": "a", "state": "b", "timestamp": at(1)},
    )
    mapping = """
version = 1
name = "odd"
[[workflow]]
type = "job"
profile = "own"
entity = { table = "jobs", name = "job" }
[[workflow]]
type = "code"
profile = "django_fsm_log"
entity = { table = "codes", status = "status" }
history = { discriminator = { content_type_id = 9 } }
"""
    store = open_store(mapping=mapping, configs=(), names=())
    for type, id, length in (("job", stored, 2), ("code", "7", 2), ("code", "seven", 1)):
        assert len(whole(store, RunRef("entity", type, id))) == length
    for type, total in (("job", 1), ("code", 2)):
        found = population.read(store, type, None, NEVER)
        assert found.total == total and sum(flow.count for flow in found.flows) == 1 and found.drift == 0
