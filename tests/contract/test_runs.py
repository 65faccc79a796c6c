"""Lists of runs: paging, anchors, filters, counts, changes. Every bridge passes; capabilities gate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine_bridge.bridge import Bridge, Capability, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import (
    CancelledError,
    ConnectError,
    NotFoundError,
    PlayheadError,
    RejectedError,
    UnsupportedError,
    UsageError,
)
from engine_bridge.model import Run, RunRef, Status
from engine_bridge.query import parse
from engine_bridge.query.ast import Node
from engine_bridge.query.predicate import predicate
from tests.contract.conftest import Opened
from tests.contract.sources import Source

NEVER = CancelToken()
FILTERS = (
    "status == failed",
    "status != completed",
    "status in (running, {waiting})",
    "type ~ '*e*'",
    "not type ~ '*e*'",
    "id ~ 'order-00*'",
    "error contains 'insufficient'",
    "not error contains 'insufficient'",
    "duration > 10ms",
    "duration <= 1s or status == {waiting}",
    "started > 1000d ago and not started exists",
    "created < 3h ago",  # nothing crosses this edge while the tests run
    "attributes.tenant == 'acme'",
    "attributes.tenant != 'acme'",
    "'acme' or 'order'",
    "error exists",
)


def walk(bridge: Bridge, query: Node | None, sort: Sort, limit: int, direction: str = "forward") -> list[Run]:
    """All runs by following cursors."""
    found: list[Run] = []
    cursor = None
    while True:
        page = bridge.runs(
            query, sort, cursor, "forward" if direction == "forward" else "backward", limit, NEVER
        )
        items = list(page.items)
        assert len(items) <= limit
        found = found + items if direction == "forward" else items + found
        cursor = page.after if direction == "forward" else page.before
        if cursor is None:
            return found


def sorts(opened: Opened) -> list[Sort]:
    names = [field.name for field in opened.bridge.fields(NEVER) if field.sortable]
    return [Sort(field=name, descending=down) for name in names for down in (True, False)]


def test_opening_tells_what_this_is(opened: Opened) -> None:
    info = opened.info
    assert info.engine and info.title and info.order and info.read_only
    assert Capability.RUNS in info.capabilities


def test_what_is_offered_is_there(opened: Opened) -> None:
    """A view is shown for each capability: one that does nothing must not be offered."""
    bridge, (run, *_) = opened.bridge, opened.bridge.runs(None, Sort(), None, "forward", 1, NEVER).items
    calls: dict[Capability, Callable[[], object]] = {
        Capability.DECODE: lambda: bridge.decode_payloads((), NEVER),
        Capability.QUERIES: lambda: bridge.queries(run.ref, NEVER),
        Capability.REPLAY: lambda: bridge.replayer(NEVER),
        Capability.WHAT_IF: lambda: bridge.edits(run.ref, None, NEVER),
        Capability.POPULATION: lambda: bridge.population(run.type, None, NEVER),
    }
    there = set()
    for capability, call in calls.items():
        with suppress(UnsupportedError):
            with suppress(ConnectError, RejectedError, UsageError):
                call()
            there.add(capability)
    assert opened.info.capabilities & calls.keys() <= there


def test_paging_forward_and_backward_equals_one_big_page(opened: Opened) -> None:
    for sort in sorts(opened):
        whole = [run.ref for run in opened.bridge.runs(None, sort, None, "forward", 10_000, NEVER).items]
        assert len(whole) == len(set(whole)) >= 12
        assert [run.ref for run in walk(opened.bridge, None, sort, 7)] == whole, sort
        assert [run.ref for run in walk(opened.bridge, None, sort, 5, "backward")] == whole, sort


def test_a_page_back_is_the_page_before(opened: Opened) -> None:
    first = opened.bridge.runs(None, Sort(), None, "forward", 4, NEVER)
    second = opened.bridge.runs(None, Sort(), first.after, "forward", 4, NEVER)
    back = opened.bridge.runs(None, Sort(), second.before, "backward", 4, NEVER)
    assert first.before is None
    assert [run.id for run in back.items] == [run.id for run in first.items]


def test_ends_of_the_list_have_no_cursor(opened: Opened) -> None:
    whole = opened.bridge.runs(None, Sort(), None, "forward", 10_000, NEVER)
    assert whole.before is None and whole.after is None
    last = opened.bridge.runs(None, Sort(), None, "backward", 3, NEVER)
    assert last.after is None and [r.id for r in last.items] == [r.id for r in whole.items[-3:]]


def test_new_runs_do_not_shift_pages(opened: Opened) -> None:
    if opened.source.grow is None:
        return
    before = [run.id for run in walk(opened.bridge, None, Sort(), 6)]
    first = opened.bridge.runs(None, Sort(), None, "forward", 6, NEVER)
    opened.source.grow()
    second = opened.bridge.runs(None, Sort(), first.after, "forward", 6, NEVER)
    assert [run.id for run in second.items] == before[6:12]
    assert opened.bridge.runs(None, Sort(), None, "forward", 1, NEVER).items[0].id == "grown"


def test_anchors_lead_to_every_nth_row(opened: Opened) -> None:
    if not opened.has(Capability.ANCHORS):
        return
    for sort in sorts(opened):
        whole = [run.id for run in walk(opened.bridge, None, sort, 50)]
        anchors = opened.bridge.anchors(None, sort, 5, NEVER)
        assert len(anchors) == -(-len(whole) // 5)
        for number, anchor in enumerate(anchors):
            page = opened.bridge.runs(None, sort, anchor, "forward", 2, NEVER)
            assert [run.id for run in page.items] == whole[number * 5 : number * 5 + 2], (sort, number)


def test_filters_find_what_the_predicate_finds(opened: Opened) -> None:
    fields = opened.bridge.fields(NEVER)
    statuses = next(field.values for field in fields if field.name == "status")
    waiting = next(status for status in (Status.QUEUED, Status.DELAYED) if status in statuses)
    for text in FILTERS:
        query = parse(text.format(waiting=waiting), fields)
        assert query is not None
        matches = predicate(query, opened.bridge.now_ns(NEVER))
        expected = [run.id for run in walk(opened.bridge, None, Sort(), 100) if matches(run)]
        assert [run.id for run in walk(opened.bridge, query, Sort(), 4)] == expected, text
        assert [run.id for run in walk(opened.bridge, query, Sort(), 4, "backward")] == expected, text
        if opened.has(Capability.FACETS):
            assert opened.bridge.count(query, NEVER) == len(expected), text
            facets = opened.bridge.facets(query, 90, NEVER)
            assert facets.total == len(expected) and facets.exact, text


def test_facets_sum_up(opened: Opened) -> None:
    if not opened.has(Capability.FACETS):
        return
    runs = walk(opened.bridge, None, Sort(), 100)
    facets = opened.bridge.facets(None, 90, NEVER)
    assert facets.total == opened.bridge.count(None, NEVER) == len(runs)
    assert facets.by_status == {s: sum(r.status == s for r in runs) for s in {r.status.value for r in runs}}
    soon = opened.bridge.facets(None, 0, NEVER)
    assert (soon.by_status, soon.total, soon.exact) == (facets.by_status, facets.total, facets.exact)
    assert facets.by_type == {t: sum(r.type == t for r in runs) for t in {r.type for r in runs}}
    assert sum(sum(bucket.counts.values()) for bucket in facets.buckets) == len(runs)
    starts = [bucket.start_ns for bucket in facets.buckets]
    assert starts == sorted(starts) and (starts[-1] - starts[0]) // facets.bucket_ns < 90
    assert {(p.ref, p.duration_ns) for p in facets.durations} == {
        (r.ref, r.duration_ns) for r in runs if r.duration_ns is not None
    }


def test_values_of_fields_fit_their_runs(opened: Opened) -> None:
    fields = {field.name: field for field in opened.bridge.fields(NEVER)}
    runs = walk(opened.bridge, None, Sort(), 100)
    assert {run.type for run in runs} <= set(fields["type"].values)
    assert {run.status.value for run in runs} <= set(fields["status"].values)


def test_runs_are_found_by_id_and_prefix(opened: Opened) -> None:
    run = opened.bridge.runs(None, Sort(), None, "forward", 3, NEVER).items[2]
    exact = opened.bridge.find(run.id, 50, NEVER)
    assert exact[0].id == run.id and run.ref in {found.ref for found in exact}
    assert run.ref in {found.ref for found in opened.bridge.find(run.id[:-1], 10_000, NEVER)}
    assert opened.bridge.find("no such run, surely", 5, NEVER) == []
    assert opened.bridge.run(run.ref, NEVER).id == run.id


def test_an_unknown_run_is_said_to_be_unknown(opened: Opened) -> None:
    with pytest.raises(NotFoundError):
        opened.bridge.run(RunRef("workflow", "nope", "nope"), NEVER)


def test_times_and_statuses_make_sense(opened: Opened) -> None:
    for run in walk(opened.bridge, None, Sort(), 100):
        assert run.engine and run.engine_status and run.ref.run
        assert run.status.closed == (run.ended_ns is not None)
        if run.status in (Status.QUEUED, Status.DELAYED):
            assert run.started_ns is None
        if run.status is Status.FAILED:
            assert run.failure is not None and run.now


def test_a_cancelled_call_stops(opened: Opened) -> None:
    token = CancelToken()
    token.cancel()
    query = parse("error contains 'x'", opened.bridge.fields(NEVER))
    with pytest.raises(CancelledError):
        opened.bridge.runs(query, Sort(), None, "forward", 5, token)


def test_changes_tell_what_is_new(opened: Opened) -> None:
    if not opened.has(Capability.CHANGES) or opened.source.grow is None:
        return
    visible = tuple(run.ref for run in opened.bridge.runs(None, Sort(), None, "forward", 3, NEVER).items)
    start = opened.bridge.changes(None, visible, NEVER)
    opened.source.grow()
    after = opened.bridge.changes(start.mark, visible, NEVER)
    assert after.moved and after.new == 1 and not after.reset
    assert "grown" in {run.id for run in after.changed}
    gone = RunRef("workflow", "nope", "nope")
    assert opened.bridge.changes(start.mark, (gone,), NEVER).removed == (gone,)


def test_every_caller_hears_of_every_change(opened: Opened) -> None:
    if not opened.has(Capability.CHANGES) or opened.source.grow is None:
        return
    panel, list_ = (opened.bridge.changes(None, (), NEVER).mark for _ in range(2))
    opened.source.grow()
    for mark in (panel, list_):
        assert "grown" in {run.id for run in opened.bridge.changes(mark, (), NEVER).changed}


def test_closing_twice_and_before_opening_is_fine(source: Source) -> None:
    bridge = source.make()
    bridge.close()
    bridge.open(NEVER)
    bridge.close()
    bridge.close()


def test_a_closed_bridge_says_so_or_is_empty(source: Source) -> None:
    bridge = source.make()
    bridge.open(NEVER)
    bridge.close()
    try:
        assert bridge.runs(None, Sort(), None, "forward", 1, NEVER).items == ()
    except PlayheadError as error:
        assert error.message


def _print_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_looking_writes_nothing(source: Source) -> None:
    if source.watched is None:
        return
    before = _print_of(source.watched)
    bridge = source.make()
    info = bridge.open(NEVER)
    look_at_everything(bridge, info.resource_kinds)
    assert _print_of(source.watched) == before
    bridge.close()
    assert _print_of(source.watched) == before


def look_at_everything(bridge: Bridge, kinds: tuple[str, ...] = ("queues", "versions")) -> None:
    """Every reading call once."""
    info_runs = bridge.runs(None, Sort(), None, "forward", 1000, NEVER).items
    bridge.fields(NEVER)
    bridge.facets(None, 90, NEVER)
    bridge.anchors(None, Sort(), 10, NEVER)
    bridge.changes(bridge.changes(None, (), NEVER).mark, (info_runs[0].ref,), NEVER)
    bridge.failures(None, "", None, 50, NEVER)
    list(bridge.search("order", "all", 20, NEVER))
    for run in info_runs[:10]:
        header = bridge.run(run.ref, NEVER)
        if header.input is not None:
            bridge.payload(header.input.key, 0, -1, NEVER)
        bridge.related(run.ref, None, 20, NEVER)
        list(bridge.history(run.ref, NEVER))
    for kind in kinds:
        bridge.resources(kind, NEVER)
