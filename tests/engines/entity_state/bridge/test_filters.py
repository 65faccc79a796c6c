"""Filters find exactly the entities that their fields say, on both databases, pushed or scanned, page by page."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Bridge, Capability, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import anchors, store_connect
from engine_bridge.engines.entity_state.filters import Where
from engine_bridge.model import Run
from engine_bridge.query import parse
from tests.engines.entity_state import sample
from tests.engines.entity_state.fixtures import OpenBridge, Sample

NEVER = CancelToken()
LEAVES = (
    "status == running", "status != completed", "status in (failed, unknown)", "state == sent", "state != sent",
    "state ~ 's*'", "state contains 'APP'", "type == invoice", "type != invoice", "id == 'inv-005'", "id == '105'",
    "id ~ 'inv-01*'", "id ~ '10*'", "id > 'inv-010'", "id contains 'NV-0'", "tenant == acme", "tenant != acme",
    "label contains 'GLOBEX'", "label exists", "attributes.tenant == 'acme'", "version == 3", "version > 2",
    "version <= 0", "created > 3h ago", "created < 3h ago", "created == today", "updated > 100m ago",
    "here_for > 1h", "here_for < 35m", "claimed_by == 'worker-3'", "claimed_by exists", "stuck == true",
    "stuck == false", "drift == true", "drift == false", "unknown == true", "unknown == false", "failures > 0",
    "failures == 0", "failures >= 3", "failures < 2", "error contains 'funds'", "error exists", "ended exists",
    "ended > 95m ago", "duration > 5h", "age > 200m", "started < 100m ago",
)  # fmt: skip
PAIRS = (
    "stuck == true or failures > 0",
    "not (drift == true or unknown == true) and status == running",
    "type == registration and state == video_call or id == 'inv-001'",
    "not (type == invoice) or failures > 0",
    "(drift == true and tenant == acme) or (stuck == true and tenant == globex)",
    "'inv-02' or 'example'",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, open_entities: OpenBridge) -> Bridge:
    made: Sample = request.getfixturevalue("entity_file" if request.param == "sqlite" else "entity_server")
    return open_entities(made.url)


def walk(bridge: Bridge, text: str, sort: Sort, limit: int) -> list[str]:
    query = parse(text, bridge.fields(NEVER)) if text else None
    found: list[str] = []
    cursor: bytes | None = None
    while True:
        page: Page = bridge.runs(query, sort, cursor, "forward", limit, NEVER)
        found += [run.id for run in page.items]
        cursor = page.after
        if cursor is None:
            return found


def everyone(bridge: Bridge) -> list[Run]:
    return list(bridge.runs(None, Sort(), None, "forward", 1_000, NEVER).items)


def test_a_filter_finds_what_the_entities_say(bridge: Bridge) -> None:
    for text in (*LEAVES, *PAIRS):
        query = parse(text, bridge.fields(NEVER))
        said = Where(residual=query).predicate(bridge.now_ns(NEVER))
        expected = [run.id for run in everyone(bridge) if said(run)]
        assert walk(bridge, text, Sort(), 4) == expected, text
        assert bridge.count(query, NEVER) == len(expected), text


def test_what_is_odd_is_found(bridge: Bridge) -> None:
    for text, ids in (
        ("stuck == true", {"inv-005", "inv-019"}),
        ("drift == true", {"inv-015", "inv-016", "inv-017"}),
        ("unknown == true", {"inv-017", "110"}),
        ("failures > 0", {"inv-003", "inv-013", "109"}),
        ("failures == 3", {"inv-003"}),
        ("correlation_id == 'corr-inv-005-1'", {"inv-005"}),  # of a move that is not its newest
        ("correlation_id == 'corr-inv-013-f'", {"inv-013"}),  # of a failure
        ("correlation_id ~ 'corr-inv-01[!]*'", set()),
        ("correlation_id contains 'INV-009'", {"inv-009"}),
        ("correlation_id in ('corr-inv-007-0', 'corr-inv-008-0')", {"inv-007", "inv-008"}),
        ("correlation_id == 'corr-inv-007-0' or here_for > 1000d", {"inv-007"}),  # scanned
        ("not correlation_id exists", {"inv-001", "inv-002", "101", "102"}),
        ("type == invoice and not correlation_id exists", {"inv-001", "inv-002"}),
    ):
        assert set(walk(bridge, text, Sort(), 3)) == ids, text


def test_a_status_means_what_the_config_of_the_tenant_says(bridge: Bridge) -> None:
    found = {run.id: run.status.value for run in everyone(bridge) if run.engine_status == "video_call"}
    assert found == {"106": "running", "110": "unknown"}


@pytest.mark.parametrize("field", ["created", "updated", "id", "type", "state", "version", "tenant", "label"])
def test_two_workflows_are_one_list_in_every_order(
    bridge: Bridge, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_SLOW_S", 60.0)  # a busy machine is no missing index
    for down in (True, False):
        sort = Sort(field=field, descending=down)
        whole = walk(bridge, "", sort, 1_000)
        assert sorted(whole) == sorted(run.id for run in everyone(bridge))
        assert walk(bridge, "", sort, 3) == whole
        places = bridge.anchors(None, sort, 7, NEVER)
        starts = [bridge.runs(None, sort, at, "forward", 1, NEVER).items[0].id for at in places]
        assert starts == whole[::7]


@pytest.mark.parametrize(
    "field", ["created", "updated", "id", "state", "version", "tenant", "label", "claimed_by"]
)
def test_an_order_that_no_index_serves_is_sorted_once(
    bridge: Bridge, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_SLOW_S", -1.0)
    monkeypatch.setattr(anchors, "_TRIED_S", -1.0)
    query = parse("type == invoice", bridge.fields(NEVER))
    for down in (True, False):
        sort = Sort(field=field, descending=down)
        whole = walk(bridge, "type == invoice", sort, 1_000)
        found = bridge.anchors(query, sort, 4, NEVER)
        starts = [bridge.runs(query, sort, at, "forward", 1, NEVER).items[0].id for at in found]
        assert starts == whole[::4]
        assert bridge.anchors(None, sort, 4, NEVER) == found[:1]
    # A file without a write-ahead log: nothing that takes long is asked in one read.
    monkeypatch.setattr(store_connect, "_STEPS", 0)
    monkeypatch.setattr(store_connect, "_TICK", 1)
    assert bridge.anchors(query, sort, 4, NEVER) == found


def test_scanning_says_how_far_it_got(bridge: Bridge) -> None:
    page = bridge.runs(parse("drift == true", bridge.fields(NEVER)), Sort(), None, "forward", 50, NEVER)
    assert page.searched == page.of == len(sample.INVOICES) + len(sample.USERS) and page.complete


def test_a_type_that_is_asked_for_is_the_only_one_looked_at(bridge: Bridge) -> None:
    query = parse("type == registration and drift == true", bridge.fields(NEVER))
    assert bridge.runs(query, Sort(), None, "forward", 50, NEVER).of == len(sample.USERS)


def test_everything_of_the_seam_is_offered(bridge: Bridge) -> None:
    offered = bridge.open(NEVER).capabilities
    assert offered >= {Capability.POPULATION, Capability.CONFIG, Capability.FAILURES, Capability.ACTIONS}
