"""Lists and headers of entities: why they stand there, how they are found, what changed."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.model import Provenance, Run, RunRef
from tests.engines.entity_state import sample
from tests.engines.entity_state.fixtures import OpenBridge, Sample, grow, make_file

NEVER = CancelToken()


def entity(id: str, type: str = "invoice") -> RunRef:
    return RunRef("entity", type, id)


@pytest.fixture
def bridge(entity_file: Sample, open_entities: OpenBridge) -> Bridge:
    return open_entities(entity_file.url)


@pytest.fixture
def runs(bridge: Bridge) -> dict[str, Run]:
    return {run.id: run for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items}


@pytest.mark.parametrize(
    ("id", "now"),
    [
        ("inv-001", "waits for approve (user, admin)"),
        ("inv-003", "MailDown: no route to host · 3 failures"),
        ("inv-005", "claimed by worker-3 for 31 m, dead since 21 m"),
        ("inv-006", "claimed by worker-1 for 2 m"),
        ("inv-007", "remind is due in 59 m"),
        ("inv-010", ""),
        ("inv-013", "PaymentRefused: insufficient funds"),
        ("inv-014", "PaymentRefused: insufficient funds · resolved"),
        ("inv-015", "history says sent · changed by raw SQL"),
        ("inv-017", "“archived” is in no config · history says sent · changed by raw SQL"),
        ("106", "waits for call (admin)"),
        ("110", "“video_call” is in no config"),
    ],
)
def test_it_is_said_why_an_entity_stands_there(runs: dict[str, Run], id: str, now: str) -> None:
    said = re.sub(r" \d+ s\b", "", runs[id].now)
    assert re.match(about(now), said) and bool(said) == bool(now)


def about(now: str) -> str:
    """A pattern: a minute goes by before a busy machine comes to look."""
    return re.sub(r"(\d+)\\ m\b", lambda m: f"(?:{int(m[1]) - 1}|{m[1]}|{int(m[1]) + 1}) m", re.escape(now))


def test_a_header_tells_the_row(bridge: Bridge) -> None:
    run = bridge.run(entity("inv-005"), NEVER)
    assert (run.engine_status, run.version, run.worker) == ("sending", "2", "worker-3")
    assert run.attributes == {"tenant": "acme", "label": "2026-005", "correlation_id": "corr-inv-005-1"}
    assert run.extra["stuck"] is True and run.extra["dead_ns"] < bridge.now_ns(NEVER)
    assert run.blocked_on is not None and run.blocked_on.until_ns == run.extra["dead_ns"]
    assert run.provenance["now"] is Provenance.INFERRED and run.evidence
    assert run.input is not None and b"order of inv-005" in bridge.payload(run.input.key, 0, -1, NEVER)


def test_where_an_entity_stands_since(runs: dict[str, Run], bridge: Bridge) -> None:
    minutes = {id: (bridge.now_ns(NEVER) - runs[id].extra["since_ns"]) // 60_000_000_000 for id in runs}
    ages = [minutes[id] for id in ("inv-009", "inv-001", "inv-020")]
    assert ages in ([100, 400, 110], [101, 401, 111])


def test_an_entity_is_found_by_id_and_by_type_and_id(bridge: Bridge) -> None:
    assert [run.ref for run in bridge.find("inv-005", 5, NEVER)] == [entity("inv-005")]
    assert [run.ref for run in bridge.find("invoice/inv-005", 5, NEVER)] == [entity("inv-005")]
    assert [run.ref for run in bridge.find("registration/105", 5, NEVER)] == [entity("105", "registration")]
    assert len(bridge.find("inv-0", 99, NEVER)) == 20 and len(bridge.find("inv-0", 3, NEVER)) == 3
    assert [run.id for run in bridge.find("10", 99, NEVER)] == [str(n) for n in range(101, 110)]
    assert (
        bridge.find("invoice/105", 5, NEVER)
        == bridge.find("", 5, NEVER)
        == bridge.find("1' OR 1=1", 5, NEVER)
        == []
    )


@pytest.mark.parametrize(
    "ref",
    [
        entity("nope"),
        entity("x", "registration"),
        entity("9" * 30, "registration"),
        RunRef("workflow", "a", "b"),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(bridge: Bridge, ref: RunRef) -> None:
    with pytest.raises(NotFoundError):
        bridge.run(ref, NEVER)


def test_a_cursor_of_another_order_is_refused(bridge: Bridge) -> None:
    page = bridge.runs(None, Sort(), None, "forward", 3, NEVER)
    for cursor in (page.after, b"nonsense", b"[1]"):
        with pytest.raises(UsageError):
            bridge.runs(None, Sort(field="state"), cursor, "forward", 3, NEVER)
    with pytest.raises(UsageError):
        bridge.runs(None, Sort(field="drift"), None, "forward", 3, NEVER)


def test_changes_tell_moves_and_what_raw_sql_did_to_visible_rows(bridge: Bridge, entity_file: Sample) -> None:
    visible = (entity("inv-001"), entity("inv-002"))
    start = bridge.changes(None, visible, NEVER)
    assert not bridge.changes(start.mark, visible, NEVER).moved
    first = bridge.changes(start.mark, visible, NEVER)
    engine = entity_file.engine()
    invoices, _ = sample.tables()
    with engine.begin() as connection:
        connection.execute(invoices.update().where(invoices.c.id == "inv-001").values(status="paid"))
        connection.execute(
            sa.text(
                "INSERT INTO workflow_history (entity_type, entity_id, workflow_type, step_key, from_status, "
                "to_status, changed_at) "
                "VALUES ('Invoice', 'inv-009', 'invoice', 'pay_late', 'overdue', 'paid', '2026-01-01 00:00')"
            )
        )
    engine.dispose()
    after = bridge.changes(first.mark, visible, NEVER)
    changed = {run.id: run.engine_status for run in after.changed}
    assert after.moved and changed["inv-001"] == "paid" and "inv-009" in changed and after.new == 0
    grow(entity_file)
    last = bridge.changes(after.mark, visible, NEVER)
    assert last.new == 1 and {run.id for run in last.changed} == {"grown", "inv-001", "inv-002"}


def test_a_plain_column_is_a_list_too(
    tmp_path_factory: pytest.TempPathFactory, open_entities: OpenBridge
) -> None:
    bridge = open_entities(make_file("plain", tmp_path_factory.mktemp("plain")).url)
    page = bridge.runs(None, Sort(), None, "forward", 99, NEVER)
    assert [run.id for run in page.items] == [str(n) for n in range(16, 0, -1)]
    assert {run.engine_status for run in page.items} == {"waiting", "done"}
    assert {run.status.value for run in page.items} == {"running"}
    history = list(bridge.history(page.items[0].ref, NEVER))
    assert history and bridge.facets(None, 9, NEVER).total == 16


def test_statuses_that_a_mapping_does_not_list_whole_are_not_unknown(
    tmp_path_factory: pytest.TempPathFactory, open_entities: OpenBridge
) -> None:
    bridge = open_entities(make_file("statesman", tmp_path_factory.mktemp("statesman")).url)
    found = {
        run.engine_status: run.status.value
        for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items
    }
    assert found == {
        "paid": "running", "delivered": "completed", "failed": "failed", "cancelled": "cancelled", "pending": "running",
    }  # fmt: skip
