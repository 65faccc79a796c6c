"""Rows of a list of unknown length, held as a few blocks around what is looked at. Knows no Qt.

Base rows count from 0 at the row that was first when the list was loaded; rows that appeared above
since then are the ``head``. Pages are keyset pages: a *start* is a row whose cursor is known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.bridge import Direction, Page

PAGE: Final = 200
KEEP: Final = 60  # blocks held at once
HOP: Final = 2_000  # rows read at most to reach a block from the nearest start


@dataclass(frozen=True, slots=True)
class Fetch:
    """One page to read: the ``limit`` base rows from ``row`` on.

    Backward pages end before the cursor, or at the list's end.
    """

    row: int
    cursor: bytes | None
    direction: Direction
    limit: int


class Blocks:
    """Which rows are at hand, and which pages must be read to show others. GUI thread."""

    def __init__(self, key: Callable[[Any], Hashable], size: int = PAGE, keep: int = KEEP) -> None:
        self._key = key
        self.size = size
        self._keep = keep
        self.clear()

    def clear(self) -> None:
        """Forgets everything; nothing is known of the list any more."""
        self.head: list[Any] = []
        self.end = 0
        self.more = True
        self.count: int | None = None
        self.resume: bytes | None = None
        self._blocks: OrderedDict[int, list[Any]] = OrderedDict()
        self._starts: list[int] = [0]
        self._cursors: dict[int, bytes | None] = {0: None}
        self._index: dict[Hashable, int] = {}
        self._pending: dict[int, Fetch] = {}
        self._anchored = False
        self._continuing: Fetch | None = None

    def fill(self, items: Sequence[Any]) -> None:
        """Holds a whole list that needs no paging."""
        self.clear()
        self.head = list(items)
        self.more, self.count = False, 0

    @property
    def jumpable(self) -> bool:
        """Whether any row can be reached without reading all rows before it."""
        return self._anchored

    def __len__(self) -> int:
        if self.resume is None and self.count is not None and (self._anchored or self.count <= HOP):
            base = max(self.end, self.count)
        else:
            base = self.end + (self.size if self.more and self.end and self.resume is None else 0)
        return len(self.head) + base

    def item(self, row: int) -> Any:
        """The item of a table row, None while it is not at hand."""
        head = self.head
        if row < len(head):
            return head[row]
        block, offset = divmod(row - len(head), self.size)
        items = self._blocks.get(block)
        return items[offset] if items is not None and offset < len(items) else None

    def row_of(self, key: Hashable) -> int | None:
        """The table row of a key, None when it is not at hand."""
        base = self._index.get(key)
        if base is not None:
            return base + len(self.head)
        return next((row for row, item in enumerate(self.head) if self._key(item) == key), None)

    def replace(self, item: Any) -> int | None:
        """Puts a newer version of an item in its place; its table row, None when it is not at hand."""
        row = self.row_of(self._key(item))
        if row is None:
            return None
        if row < len(self.head):
            self.head[row] = item
        else:
            block, offset = divmod(row - len(self.head), self.size)
            self._blocks[block][offset] = item
        return row

    def first(self) -> Fetch:
        """The page that opens the list."""
        return self._ask(0, Fetch(0, None, "forward", self.size))

    def continued(self) -> Fetch | None:
        """The page that goes on with a scan that stopped early."""
        if self.resume is None:
            return None
        fetch = Fetch(self.end, self.resume, "forward", self.size)
        self.resume = None
        self._continuing = fetch
        return self._ask(self.end // self.size, fetch)

    def plan(self, first: int, last: int) -> list[Fetch]:
        """Pages to read so that table rows ``first`` to ``last`` come to hand; each is asked for once."""
        top = max(0, first - len(self.head)) // self.size
        bottom = max(0, min(last, len(self) - 1) - len(self.head)) // self.size
        wanted: list[Fetch] = []
        for block in range(top, bottom + 1):
            if block in self._blocks:
                self._blocks.move_to_end(block)
            fetch = None if self._whole(block) or block in self._pending else self._reach(block)
            if fetch is not None:
                wanted.append(self._ask(block, fetch))
        return wanted

    def give_up(self, fetch: Fetch) -> None:
        """The page was not read: it may be asked for again."""
        if fetch is self._continuing:
            self.resume = fetch.cursor
        self._drop(fetch)

    def _drop(self, fetch: Fetch) -> None:
        self._pending = {block: f for block, f in self._pending.items() if f is not fetch}

    def forget_pending(self) -> None:
        """Nothing is being read any more; a scan that was under way can be continued."""
        for fetch in list(self._pending.values()):
            self.give_up(fetch)

    def far(self, first: int, last: int) -> list[Fetch]:
        """Asked pages that no longer touch the table rows ``first`` to ``last``."""
        low, high = (first - len(self.head)) // self.size, (last - len(self.head)) // self.size
        return [fetch for block, fetch in self._pending.items() if not low - 1 <= block <= high + 1]

    def put(self, fetch: Fetch, page: Page) -> tuple[int, int]:
        """Takes a page in; the table rows that it filled, end exclusive."""
        self._drop(fetch)
        self._continuing = None
        row = fetch.row
        if fetch.direction == "backward":
            row += fetch.limit - len(page.items)
        self._store(row, page.items)
        end = row + len(page.items)
        if fetch.direction == "forward":
            self._reached(end, page)
        self._evict()
        return row + len(self.head), end + len(self.head)

    def set_count(self, count: int) -> None:
        """The length of the list, as counted late; it may differ a little from what pages find."""
        if self.more:
            self.count = max(count, self.end)

    def set_anchors(self, cursors: Sequence[bytes], every: int, shift: int = 0) -> None:
        """Cursors of every ``every``-th row; ``shift`` rows appeared above since the list was loaded."""
        self._anchored = True
        for number, cursor in enumerate(cursors):
            row = number * every - shift
            if row > self.end and row not in self._cursors:
                self._learn(row, cursor)

    def prepend(self, items: Sequence[Any]) -> None:
        """New items above everything, in their order from top to bottom."""
        self.head[:0] = items

    def loaded(self) -> list[tuple[int, Any]]:
        """(table row, item) of everything at hand, in no particular order."""
        shift = len(self.head)
        held = [
            (shift + b * self.size + i, x) for b, items in self._blocks.items() for i, x in enumerate(items)
        ]
        return [*enumerate(self.head), *held]

    def _ask(self, block: int, fetch: Fetch) -> Fetch:
        self._pending[block] = fetch
        return fetch

    def _whole(self, block: int) -> bool:
        items = self._blocks.get(block)
        if items is None:
            return False
        return len(items) == self.size or (not self.more and block * self.size + len(items) >= self.end)

    def _reach(self, block: int) -> Fetch | None:
        """The shortest way to a block: down from a start above it, or up from one below it."""
        top, goal = block * self.size, (block + 1) * self.size
        at = bisect_right(self._starts, top + len(self._blocks.get(block, ()))) - 1
        start = self._starts[at]
        down = goal - start
        below = bisect_left(self._starts, goal)
        up = self._starts[below] - top if below < len(self._starts) else HOP * 2
        if up < down and up <= HOP:
            return Fetch(top, self._cursors[top + up], "backward", up)
        if down <= HOP + self.size:
            if start >= self.end and (not self.more or self.resume is not None):
                return None
            return Fetch(start, self._cursors[start], "forward", down)
        if self.count is not None and self.count - top <= HOP:
            return Fetch(top, None, "backward", self.count - top)
        return None

    def _store(self, row: int, items: Sequence[Any]) -> None:
        at = 0
        while at < len(items):
            block, offset = divmod(row + at, self.size)
            room = self.size - offset
            piece = list(items[at : at + room])
            held = self._blocks.setdefault(block, [])
            if offset <= len(held):
                held[offset : offset + len(piece)] = piece
                for number, item in enumerate(piece):
                    self._index[self._key(item)] = row + at + number
                self._blocks.move_to_end(block)
            elif not held:
                del self._blocks[block]
            at += len(piece)

    def _reached(self, end: int, page: Page) -> None:
        if page.after is None:
            self.end, self.more, self.count = end, False, end
            return
        self._learn(end, page.after)
        self.end = max(self.end, end)
        if self.count is not None:
            self.count = max(self.count, self.end)
        if not page.complete and len(page.items) < self.size:
            self.resume = page.after

    def _learn(self, row: int, cursor: bytes) -> None:
        if row not in self._cursors:
            insort(self._starts, row)
        self._cursors[row] = cursor

    def _evict(self) -> None:
        while len(self._blocks) > self._keep:
            block, items = self._blocks.popitem(last=False)
            base = block * self.size
            for number, item in enumerate(items):
                if self._index.get(self._key(item)) == base + number:
                    del self._index[self._key(item)]
