"""Lists of a database: search attributes of every type, orders, namespaces, relations, resources, search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.bridge import Capability, Relation, Sort
from engine_bridge.engines.temporal import dev_facets
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.errors import NotFoundError, RejectedError, UsageError
from engine_bridge.model import RunRef
from engine_bridge.query import parse
from engine_bridge.query.predicate import predicate
from engine_bridge.sqlite_library import sqlite3
from tests.engines.temporal.dev import databases
from tests.engines.temporal.dev.databases import NEVER, run_sql, runs

FILTERS = (
    "attributes.items == 3",
    "attributes.items != 3",
    "attributes.items > 3",
    "attributes.amount <= 9.5",
    "attributes.express == true",
    "attributes.express != true",
    "attributes.tags ~ 'red'",
    "attributes.tags ~ 're'",
    "attributes.tags contains 're'",
    "not attributes.tags ~ 'red'",
    "attributes.dueAt exists",
    "attributes.remark contains 'lea'",
    "attributes.tenant in ('acme', 'initech')",
    "attributes.memo.note contains 'globex'",
    "attributes.memo exists",
    "created >= '2026-11-20T09:43:40.04474Z' and created < 400d ago",
    "queue != shop",
    "id in ('agent', \"it's\", 'catalog')",
    'type != "it\'s"',
    "status in (continued, terminated)",
    "engine_status == Running",
    "ended exists and duration < 900ms",
    "parent exists",
    "schedule == nightly",
    "history_length > 20",
    "running_for > 1s",
    "'insufficient' or 'agent'",
)


def give_attributes(path: Path) -> None:
    """Gives runs search attributes of every type, under the columns that this namespace keeps them in."""
    with databases.changing(path) as client:
        _give(client)


def _give(client: Any) -> None:
    (data,) = client.execute("SELECT data FROM namespaces WHERE name = 'shop'").fetchone()
    columns = {name: column for column, name in databases.aliases(data).items()}
    rows = client.execute(
        "SELECT rowid, search_attributes FROM executions_visibility WHERE task_queue = 'shop' ORDER BY 1"
    ).fetchall()
    for number, (row, text) in enumerate(rows):
        own = {
            "items": number % 7,
            "amount": number / 2,
            "express": number % 2 == 0,
            "tags": "♡".join(("red", "reddish", "blue")[number % 3 :]),
            "dueAt": "2026-11-21T00:00:00Z",
            "remark": "leave it at the door",
        }
        kept = {columns[name]: value for name, value in own.items() if (number + len(name)) % 4}
        found = json.dumps(json.loads(text or "{}") | kept, ensure_ascii=False)
        client.execute("UPDATE executions_visibility SET search_attributes = ? WHERE rowid = ?", (found, row))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevBridge]:
    """The database with search attributes of every type, open for all filters."""
    path = databases.write(tmp_path_factory.mktemp("given") / "temporal.db")
    give_attributes(path)
    made = databases.bridge(path)
    made.open(NEVER)
    yield made
    made.close()


@pytest.mark.parametrize("text", FILTERS)
def test_filters_find_what_the_predicate_finds(given: DevBridge, text: str) -> None:
    query = parse(text, given.fields(NEVER))
    assert query is not None
    matches = predicate(query, given.now_ns(NEVER))
    every = given.runs(None, Sort(), None, "forward", 1_000, NEVER).items
    wanted = [run.ref for run in every if matches(run)]
    assert [run.ref for run in given.runs(query, Sort(), None, "forward", 1_000, NEVER).items] == wanted
    assert given.count(query, NEVER) == len(wanted)


def test_attributes_have_the_names_and_types_of_their_namespace(given: DevBridge) -> None:
    found = [run.attributes for run in given.runs(None, Sort(), None, "forward", 1_000, NEVER).items]
    assert {type(one["items"]) for one in found if "items" in one} == {int}
    assert {type(one["express"]) for one in found if "express" in one} == {bool}
    assert ["red", "reddish", "blue"] in [one.get("tags") for one in found]
    assert not any(name.startswith(("Keyword", "Int0")) for one in found for name in one)
    listed = {one.title: one.cells["type"] for one in given.resources("search attributes", NEVER)}
    assert listed == {
        "amount": "Double", "dueAt": "Datetime", "express": "Bool", "items": "Int", "remark": "Text",
        "tags": "KeywordList", "tenant": "Keyword",
    }  # fmt: skip


def test_a_list_is_sorted_with_the_missing_last(bridge: DevBridge) -> None:
    for down in (True, False):
        page = bridge.runs(None, Sort(field="ended", descending=down), None, "forward", 1_000, NEVER)
        ends = [run.ended_ns for run in page.items]
        known = [end for end in ends if end is not None]
        assert known == sorted(known, reverse=down) and ends[len(known) :] == [None] * (
            len(ends) - len(known)
        )
    with pytest.raises(UsageError):
        bridge.runs(None, Sort(field="error"), None, "forward", 10, NEVER)


def test_a_cursor_of_another_order_is_refused(bridge: DevBridge) -> None:
    cursor = bridge.runs(None, Sort(), None, "forward", 3, NEVER).after
    with pytest.raises(UsageError, match="another order"):
        bridge.runs(None, Sort(field="id"), cursor, "forward", 3, NEVER)


def test_large_lists_are_counted_as_small_ones(bridge: DevBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    small = bridge.facets(None, 40, NEVER)
    monkeypatch.setattr(dev_facets, "WHOLE", 0)
    large = bridge.facets(None, 40, NEVER)
    assert (
        large.by_status == small.by_status and large.by_type == small.by_type and large.total == small.total
    )
    assert sum(sum(bucket.counts.values()) for bucket in large.buckets) == small.total
    assert {(p.ref, p.duration_ns, p.status) for p in large.durations} == {
        (p.ref, p.duration_ns, p.status) for p in small.durations
    }
    for bucket in large.buckets:
        inside = [
            run
            for run in runs(bridge).values()
            if 0 <= (run.created_ns or 0) - bucket.start_ns < large.bucket_ns
        ]
        assert len(inside) <= sum(bucket.counts.values())


def test_the_namespace_with_runs_is_shown_and_others_are_named(file: Path) -> None:
    shown = databases.bridge(file)
    assert shown.open(NEVER).title == "temporal.db · shop"
    named = {one.title: one.cells for one in shown.resources("namespaces", NEVER)}
    assert named["shop"]["shown"] and named["shop"]["runs"] == 40 and named["default"]["runs"] == 0
    shown.close()
    empty = databases.bridge(file, "default")
    info = empty.open(NEVER)
    assert (
        "shop (40 runs)" in info.notices[0]
        and empty.runs(None, Sort(), None, "forward", 5, NEVER).items == ()
    )
    empty.close()
    with pytest.raises(NotFoundError, match="default, shop, temporal-system"):
        databases.bridge(file, "prod").open(NEVER)


def test_runs_of_the_scheduler_are_not_the_users(bridge: DevBridge, file: Path) -> None:
    assert not [id_ for id_ in runs(bridge) if id_.startswith("temporal-sys")]
    schedules = {one.title: one for one in bridge.resources("schedules", NEVER)}
    assert schedules["nightly"].cells["workflow"] == "fraud_check"
    assert schedules["paused-one"].cells["state"] == "paused"
    run_sql(file, _IN_CHASM, _chasm_memo(file))
    assert {one.title: one for one in bridge.resources("schedules", NEVER)} == schedules


def test_task_queues_show_what_waits_in_them(bridge: DevBridge) -> None:
    queues = {one.title: one for one in bridge.resources("task queues", NEVER)}
    assert queues["nobody"].cells["workflow_backlog"] == 1 and queues["nobody"].cells["open_runs"] == 1
    assert not [name for name in queues if name.startswith("/_sys/")]


def test_families_and_chains_are_told(bridge: DevBridge) -> None:
    found = runs(bridge)
    agent = bridge.related(found["agent"].ref, None, 50, NEVER).items
    assert sorted(one.ref.group for one in agent if one.role == "child") == [f"agent-{n}" for n in range(5)]
    last = bridge.related(found["catalog"].ref, None, 50, NEVER).items
    assert [one.role for one in last] == ["previous", "first"]
    reset = bridge.related(found["order-0001"].ref, None, 50, NEVER).items
    assert [one.role for one in reset] == ["reset from", "child"]
    paged: list[Relation] = []
    cursor = None
    while cursor is not None or not paged:
        page = bridge.related(found["agent"].ref, cursor, 2, NEVER)
        paged += page.items
        cursor = page.after
        if cursor is None:
            break
    assert [one.ref for one in paged] == [one.ref for one in agent]


def test_text_is_found_in_payloads_failures_and_names(bridge: DevBridge) -> None:
    found = list(bridge.search("insufficient", "all", 50, NEVER))
    assert {hit.ref.group for hit in found} == {"order-0007", "order-0008"}
    assert any("insufficient funds" in hit.excerpt for hit in found)
    assert {hit.ref.group for hit in bridge.search("poor-7", "inputs", 50, NEVER)} == {"order-0007"}
    assert {hit.ref.group for hit in bridge.search("reserve_stock", "steps", 99, NEVER)} >= {"order-0003"}
    assert len(list(bridge.search("order", "all", 3, NEVER))) == 3
    assert list(bridge.search("", "all", 3, NEVER)) == []


def test_what_takes_a_server_says_so(bridge: DevBridge, file: Path) -> None:
    info = bridge.open(NEVER)
    assert Capability.ACTIONS not in info.capabilities and "temporal://" in info.missing["actions"]
    with pytest.raises(RejectedError, match="running server"):
        bridge.ask(RunRef("workflow", "order-0009", ""), "__stack_trace", "", NEVER)


_IN_CHASM = """
UPDATE executions_visibility SET workflow_id = 'nightly', memo = ?,
search_attributes = json_set(search_attributes, '$.TemporalNamespaceDivision', '403648407')
WHERE workflow_id = 'temporal-sys-scheduler:nightly'
"""


def _chasm_memo(file: Path) -> bytes:
    """What the memo of a schedule is where its server keeps schedules as CHASM trees."""
    from google.protobuf.json_format import MessageToJson
    from temporalio.api.common.v1 import Memo
    from temporalio.api.schedule.v1 import ScheduleListInfo

    with closing(sqlite3.connect(file)) as client:
        (found,) = client.execute(
            "SELECT memo FROM executions_visibility WHERE workflow_id = 'temporal-sys-scheduler:nightly'"
        ).fetchone()
    info = ScheduleListInfo.FromString(Memo.FromString(found).fields["ScheduleInfo"].data)
    memo = Memo()
    memo.fields["__chasm__"].data = MessageToJson(info).encode()
    return memo.SerializeToString()
