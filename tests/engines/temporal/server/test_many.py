"""Lists longer than one answer of the server: in order of creation, both ways, counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.bridge import Page, Sort
from engine_bridge.model import RunRef
from engine_bridge.query import parse
from tests.engines.temporal.local import LocalServer, LocalWorker
from tests.engines.temporal.server.conftest import NEVER
from tests.engines.temporal.shop import Shop


@pytest.mark.long
@pytest.mark.parametrize("count", [1_300, 12_000])
def test_long_lists_are_walked_both_ways_and_counted(shop: Shop, tmp_path: Path, count: int) -> None:
    # Without waiting for a disk: the runs are made in minutes otherwise.
    server = LocalServer(
        tmp_path, "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=OFF"
    )
    server.start()
    worker = LocalWorker(server)
    bridge = shop.child.bridge(server.url)
    try:
        worker.ask("many", count)
        bridge.open(NEVER)

        def walk(sort: Sort, direction: str, limit: int) -> list[RunRef]:
            found: list[RunRef] = []
            cursor = None
            while True:
                page: Page = bridge.runs(None, sort, cursor, direction, limit, NEVER)
                times = [run.created_ns or 0 for run in page.items]
                assert times == sorted(times, reverse=sort.descending)
                refs = [run.ref for run in page.items]
                found = found + refs if direction == "forward" else refs + found
                cursor = page.after if direction == "forward" else page.before
                if cursor is None:
                    return found

        whole = walk(Sort(), "forward", 200)
        assert len(whole) == len(set(whole)) == count
        assert walk(Sort(), "backward", 333) == whole
        assert walk(Sort(descending=False), "forward", 1_000) == whole[::-1]
        facets = bridge.facets(None, 30, NEVER)
        assert facets.total == bridge.count(None, NEVER) == count and facets.exact
        assert facets.by_status == bridge.facets(None, 0, NEVER).by_status
        assert sum(facets.by_type.values()) == (count if count < 2_000 else 0)
        assert sum(sum(bucket.counts.values()) for bucket in facets.buckets) == count
        query = parse("attributes.memo.number == 7", bridge.fields(NEVER))
        page = bridge.runs(query, Sort(), None, "forward", 10, NEVER)
        found = [run.id for run in page.items]
        while not page.complete:
            page = bridge.runs(query, Sort(), page.after, "forward", 10, NEVER)
            found += [run.id for run in page.items]
        assert found == ["many-000007"] and page.of == count
    finally:
        bridge.close()
        worker.close()
        server.stop()
