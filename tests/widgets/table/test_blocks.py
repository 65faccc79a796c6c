"""Blocks of a paged list: what is at hand, what must be read, and that rows never end up in a wrong place."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.bridge import Page
from widgets.table.blocks import HOP, Blocks, Fetch


@dataclass
class Numbers:
    """A keyset source of the numbers 0, 1, 2 …; cursors are the next number."""

    total: int
    read: list[Fetch] = field(default_factory=list)

    def page(self, fetch: Fetch) -> Page:
        self.read.append(fetch)
        if fetch.direction == "backward":
            end = self.total if fetch.cursor is None else int(fetch.cursor)
            start = max(0, end - fetch.limit)
        else:
            start = int(fetch.cursor or 0)
            end = min(self.total, start + fetch.limit)
        after = str(end).encode() if end < self.total else None
        return Page(items=tuple(range(start, end)), after=after)

    def anchors(self, every: int) -> list[bytes]:
        return [str(row).encode() for row in range(0, self.total, every)]


def opened(source: Numbers, *, size: int = 20, keep: int = 60) -> Blocks:
    blocks = Blocks(lambda item: item, size=size, keep=keep)
    fetch = blocks.first()
    blocks.put(fetch, source.page(fetch))
    return blocks


def show(blocks: Blocks, source: Numbers, first: int, last: int) -> list[object]:
    for fetch in blocks.plan(first, last):
        blocks.put(fetch, source.page(fetch))
    return [blocks.item(row) for row in range(first, min(last, len(blocks) - 1) + 1)]


def test_before_the_count_arrives_a_page_of_placeholders_follows() -> None:
    blocks = opened(Numbers(1_000))
    assert len(blocks) == 40
    assert blocks.item(19) == 19
    assert blocks.item(20) is None


def test_the_count_gives_the_list_its_true_length() -> None:
    blocks = opened(Numbers(1_000))
    blocks.set_count(1_000)
    assert len(blocks) == 1_000


def test_a_short_list_is_whole_after_one_page() -> None:
    blocks = opened(Numbers(7))
    assert len(blocks) == 7
    assert blocks.plan(0, 100) == []


def test_a_page_is_asked_for_once() -> None:
    blocks = opened(Numbers(1_000))
    assert len(blocks.plan(20, 39)) == 1
    assert blocks.plan(20, 39) == []


def test_a_page_given_up_is_asked_for_again() -> None:
    blocks = opened(Numbers(1_000))
    [fetch] = blocks.plan(20, 39)
    blocks.give_up(fetch)
    assert blocks.plan(20, 39) == [fetch]


def test_a_jump_reads_one_page_near_its_goal() -> None:
    source = Numbers(100_000)
    blocks = opened(source)
    blocks.set_count(100_000)
    blocks.set_anchors(source.anchors(1_000), 1_000)
    source.read.clear()
    assert show(blocks, source, 50_500, 50_519) == list(range(50_500, 50_520))
    assert len(source.read) == 1
    assert source.read[0].limit <= 520


def test_a_block_just_before_a_known_place_is_read_upwards() -> None:
    source = Numbers(100_000)
    blocks = opened(source)
    blocks.set_count(100_000)
    blocks.set_anchors(source.anchors(1_000), 1_000)
    source.read.clear()
    assert show(blocks, source, 50_980, 50_999) == list(range(50_980, 51_000))
    assert source.read == [Fetch(50_980, b"51000", "backward", 20)]


def test_the_end_is_reached_without_anchors() -> None:
    source = Numbers(1_990)
    blocks = opened(source)
    blocks.set_count(1_990)
    assert show(blocks, source, 1_980, 1_989) == list(range(1_980, 1_990))


def test_a_wrong_count_is_mended_by_the_last_page() -> None:
    source = Numbers(95)
    blocks = opened(source)
    blocks.set_count(200)
    for first in range(0, 200, 20):
        show(blocks, source, first, first + 19)
    assert len(blocks) == 95


def test_new_rows_above_shift_rows_and_keep_them_findable() -> None:
    blocks = opened(Numbers(100))
    blocks.prepend([-2, -1])
    assert [blocks.item(row) for row in range(4)] == [-2, -1, 0, 1]
    assert blocks.row_of(5) == 7
    assert blocks.row_of(-1) == 1


def test_anchors_taken_after_new_rows_still_name_the_right_rows() -> None:
    source = Numbers(10_000)
    blocks = opened(source)
    blocks.set_count(10_000)
    # Three rows appeared above before the anchors were read: each anchor stands three rows higher.
    late = [str(max(0, row - 3)).encode() for row in range(0, 10_003, 1_000)]
    blocks.set_anchors(late, 1_000, shift=3)
    assert show(blocks, source, 4_000, 4_019) == list(range(4_000, 4_020))


def test_a_replaced_item_stays_in_its_row() -> None:
    blocks = Blocks(lambda item: item[0], size=10)
    fetch = blocks.first()
    blocks.put(fetch, Page(items=tuple((n, "old") for n in range(5))))
    assert blocks.replace((3, "new")) == 3
    assert blocks.item(3) == (3, "new")
    assert blocks.replace((9, "unknown")) is None


def test_a_scan_that_stopped_early_waits_to_be_continued() -> None:
    blocks = Blocks(lambda item: item, size=20)
    first = blocks.first()
    blocks.put(first, Page(items=(1, 2), after=b"x", searched=1_000, of=5_000, complete=False))
    assert len(blocks) == 2
    assert blocks.plan(0, 50) == []
    more = blocks.continued()
    assert more is not None
    assert (more.row, more.cursor) == (2, b"x")
    blocks.put(more, Page(items=(3,), searched=4_000, of=5_000))
    assert [blocks.item(row) for row in range(3)] == [1, 2, 3]
    assert blocks.continued() is None


def test_a_continued_scan_that_was_cancelled_can_go_on() -> None:
    blocks = Blocks(lambda item: item, size=20)
    blocks.put(blocks.first(), Page(items=(), after=b"x", searched=10, of=50, complete=False))
    assert blocks.continued() is not None
    blocks.forget_pending()
    again = blocks.continued()
    assert again is not None
    assert again.cursor == b"x"


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(0, 6_000),
    every=st.sampled_from([20, 100, 1_000]),
    looks=st.lists(st.integers(0, 6_000), max_size=25),
    keep=st.integers(110, 140),
)
def test_whatever_is_looked_at_shows_the_right_rows(
    total: int, every: int, looks: list[int], keep: int
) -> None:
    source = Numbers(total)
    blocks = opened(source, keep=keep)
    blocks.set_count(total)
    blocks.set_anchors(source.anchors(every), every)
    for look in looks:
        first = min(look, max(0, total - 1))
        rows = show(blocks, source, first, first + 30)
        assert rows == list(range(first, min(total, first + 31)))
    assert len(blocks) == total
    assert all(fetch.limit <= HOP + blocks.size for fetch in source.read)


@pytest.mark.parametrize("row", [0, 199, 200, 9_999_999])
def test_ten_million_rows_are_reached_in_one_read(row: int) -> None:
    source = Numbers(10_000_000)
    blocks = opened(source, size=200)
    blocks.set_count(source.total)
    blocks.set_anchors(source.anchors(1_000), 1_000)
    assert show(blocks, source, row, row)[0] == row
    assert len(source.read) <= 2
