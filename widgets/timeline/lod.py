"""Level of detail: an immutable index of closed spans that answers any view in O(pixels). Pure; any thread.

Spans are sorted by (lane, start). *Buckets* by duration find the spans that are wide enough to be drawn one
by one, and all spans of a narrow view, however they overlap. For the rest a *pyramid* over time bins holds the
dominant and the worst tone of each lane; its bins follow the data (half of them even, half of them
quantiles), so that a burst gets as many bins as it has spans, and a view never shows more than some bins a px.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.cancel import CancelToken
from engine_bridge.history import distinct

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

DENSE: Final = 128
"""Lanes with fewer spans than this need no pyramid."""
DIRECT: Final = 20_000
"""As many spans as this in sight are drawn from the columns themselves."""
_SPANS_PER_BIN: Final = 8
_MAX_BINS: Final = 1 << 18
_MAX_CELLS: Final = 24_000_000
_CHUNK: Final = 1 << 19
_FOUR: Final = 2


def ranges(first: NDArray[Any], last: NDArray[Any]) -> NDArray[np.int64]:
    """The integers of all half-open ranges ``first[i] .. last[i]``, one after the other."""
    count = last - first
    some = count > 0
    first, count = first[some], count[some]
    if not len(first):
        return np.zeros(0, np.int64)
    ends = np.cumsum(count)
    steps = np.ones(int(ends[-1]), np.int64)
    steps[0] = first[0]
    steps[ends[:-1]] = first[1:] - (first[:-1] + count[:-1] - 1)
    return np.cumsum(steps)


@dataclass(frozen=True, slots=True)
class Columns:
    """Spans: offsets from the origin in ns (``end >= start``), lane id, tone, step row, Flag bits."""

    start: Ints
    end: Ints
    lane: NDArray[np.int32]
    tone: Bytes
    row: NDArray[np.int32]
    flags: Bytes

    def __len__(self) -> int:
        return len(self.row)

    def pick(self, index: Any) -> Columns:
        """Some rows, by any numpy index."""
        return Columns(*(getattr(self, field.name)[index] for field in fields(self)))

    def plus(self, other: Columns) -> Columns:
        """These rows and then the other's."""
        names = [field.name for field in fields(self)]
        return Columns(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Spans whose duration is below ``4 ** exponent`` and at least a quarter of it."""

    longest: int
    index: NDArray[np.int32]
    key: Ints


@dataclass(frozen=True, slots=True)
class Pyramid:
    """``dominant`` and ``worst`` tones, (dense lanes, all levels side by side); bins are bounded by ``edges``."""

    edges: Ints
    level_at: Ints
    slot: NDArray[np.int32]  # lane id -> row of the tables, -1
    dominant: Bytes
    worst: Bytes


class Index:
    """See the module. ``spans`` are the columns in (lane, start) order; building raises CancelledError."""

    def __init__(self, columns: Columns, lanes: int, cancel: CancelToken | None = None) -> None:
        self._cancel = cancel or CancelToken()
        self.lanes = lanes
        self.low = int(columns.start.min()) if len(columns) else 0
        self.high = int(columns.end.max()) if len(columns) else 1
        width = self.high - self.low + 2
        # Keys must fit into 63 bits: with many lanes and days, times are compared in units of 2**shift ns.
        self._shift = max(0, (width * (lanes + 1)).bit_length() - 62)
        self._lane_width = (width >> self._shift) + 2
        order = np.argsort(self._key(columns.lane, columns.start), kind="stable")
        self.spans = columns.pick(order)
        self._cancel.raise_if_cancelled()
        self.key = self._key(self.spans.lane, self.spans.start)
        self.bounds = np.searchsorted(self.spans.lane, np.arange(lanes + 1))
        self._buckets = self._make_buckets()
        self.pyramid = self._make_pyramid()

    def __len__(self) -> int:
        return len(self.spans)

    def _key(self, lane: NDArray[Any], offset: Any) -> Ints:
        clipped = np.clip(offset, self.low, self.high) - self.low
        key: Ints = lane.astype(np.int64) * self._lane_width + (clipped >> self._shift)
        return key

    def _make_buckets(self) -> list[_Bucket]:
        if not len(self):
            return []
        _, exponent = np.frexp((self.spans.end - self.spans.start).astype(np.float64))
        group = ((exponent + _FOUR - 1) // _FOUR).astype(np.int8)
        self._cancel.raise_if_cancelled()
        order = np.argsort(group, kind="stable").astype(np.int32)
        found = distinct(group)
        first = np.searchsorted(group[order], found)
        self._cancel.raise_if_cancelled()
        cuts = np.append(first, len(order))
        return [
            _Bucket(1 << (_FOUR * max(int(g), 0)), order[a:b], self.key[order[a:b]])
            for g, a, b in zip(found.tolist(), cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
        ]

    def count(self, lanes: NDArray[np.int32], first: int, last: int, shortest: int = 0) -> int:
        """How many spans :meth:`visible` would look at."""
        return sum(int((j - i).sum()) for _, i, j in self._windows(lanes, first, last, shortest))

    def visible(
        self, lanes: NDArray[np.int32], first: int, last: int, shortest: int = 0
    ) -> NDArray[np.int64]:
        """Places in ``spans`` of what overlaps ``first .. last`` on some lanes and lasts at least ``shortest`` ns."""
        parts = [bucket.index[ranges(i, j)] for bucket, i, j in self._windows(lanes, first, last, shortest)]
        if not parts:
            return np.zeros(0, np.int64)
        found = np.concatenate(parts).astype(np.int64)
        end, start = self.spans.end[found], self.spans.start[found]
        return found[(end >= first) & (start <= last) & (end - start >= shortest)]

    def _windows(self, lanes: NDArray[np.int32], first: int, last: int, shortest: int) -> list[Any]:
        if last < self.low or first > self.high:
            return []
        result = []
        for bucket in self._buckets:
            if bucket.longest > shortest:
                i = np.searchsorted(bucket.key, self._key(lanes, first - bucket.longest), "left")
                j = np.searchsorted(bucket.key, self._key(lanes, last), "right")
                result.append((bucket, i, j))
        return result

    def at(self, lane: int, offset: int, slack: int) -> int:
        """The place of the span under a point, else of the nearest within ``slack`` ns; -1 for none."""
        low, high = int(self.bounds[lane]), int(self.bounds[lane + 1])
        start, end = self.spans.start, self.spans.end
        i = low + int(start[low:high].searchsorted(offset, "right"))
        best, distance = -1, slack + 1
        for k in range(max(low, i - 8), min(high, i + 1)):
            gap = max(int(start[k]) - offset, offset - int(end[k]), 0)
            if gap <= distance:
                best, distance = k, gap
        if best >= 0 and distance <= slack:
            return best
        return self._covering(lane, offset) if high - low > 8 else -1

    def _covering(self, lane: int, offset: int) -> int:
        """The latest span of a crowded lane that covers a point although newer ones began after it."""
        found = self.visible(np.array([lane], np.int32), offset, offset)
        return int(found.max()) if len(found) else -1

    def _make_pyramid(self) -> Pyramid | None:
        sizes = np.diff(self.bounds)
        dense = np.flatnonzero(sizes > DENSE)
        if not len(dense) or len(self) <= DIRECT:
            return None
        wanted = min(_MAX_BINS, _MAX_CELLS // len(dense), len(self) // _SPANS_PER_BIN)
        edges = self._edges(1 << max(8, wanted.bit_length() - 1))
        bins = len(edges) - 1
        slot = np.full(self.lanes, -1, np.int32)
        slot[dense] = np.arange(len(dense))
        # Down to a single cell: in a burst, one px may cover nearly all bins.
        sizes = bins >> np.arange(bins.bit_length())
        level_at = np.cumsum(sizes) - sizes
        shape = (len(dense), int(sizes.sum()))
        pyramid = Pyramid(edges, level_at, slot, np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
        per_chunk = max(1, _CHUNK // bins)
        for at in range(0, len(dense), per_chunk):
            self._cancel.raise_if_cancelled()
            self._fill(pyramid, dense[at : at + per_chunk], at, bins)
        return pyramid

    def _edges(self, bins: int) -> Ints:
        """``bins + 1`` rising edges: half of them even in time, half of them quantiles of the starts."""
        even = np.linspace(self.low, self.high + 1, bins // 2 + 1).astype(np.int64)
        stride = max(1, len(self) // (bins * 8))
        sample = np.sort(self.spans.start[::stride])
        picks = np.linspace(0, len(sample) - 1, bins // 2).astype(np.int64)
        edges = np.sort(np.concatenate([even, sample[picks]]))
        return edges[: bins + 1] if len(edges) > bins else np.append(edges, self.high + 1)

    def _fill(self, pyramid: Pyramid, lanes: NDArray[np.intp], at: int, bins: int) -> None:
        """The rows of some dense lanes, level by level."""
        pick = ranges(self.bounds[lanes], self.bounds[lanes + 1])
        row = np.repeat(np.arange(len(lanes)), self.bounds[lanes + 1] - self.bounds[lanes])
        a, b = self._bins_of(pyramid.edges, self.spans.start[pick], self.spans.end[pick], bins)
        tone = self.spans.tone[pick]
        counts = {
            t: _cover(row, a, b, tone == t, len(lanes), bins)
            for t in np.flatnonzero(np.bincount(tone)).tolist()
        }
        for level, offset in enumerate(pyramid.level_at.tolist()):
            self._cancel.raise_if_cancelled()
            where = (slice(at, at + len(lanes)), slice(offset, offset + (bins >> level)))
            pyramid.worst[where], pyramid.dominant[where] = _judge(counts)
            counts = {t: count[:, 0::2] + count[:, 1::2] for t, count in counts.items()}

    @staticmethod
    def _bins_of(edges: Ints, start: Ints, end: Ints, bins: int) -> tuple[Ints, Ints]:
        a = np.searchsorted(edges, start, "right") - 1
        b = np.searchsorted(edges, end, "right") - 1
        return a.clip(0, bins - 1), b.clip(0, bins - 1)

    def rows(self, lanes: NDArray[np.int32], edges: Ints) -> tuple[Bytes, Bytes]:
        """Dominant and worst tone of each (lane, px), px being bounded by the offsets ``edges``.

        Lanes without a pyramid come out empty. A px shows at least everything that it covers, and at most its
        own width beside it.
        """
        shape = (len(lanes), len(edges) - 1)
        dominant, worst = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        pyramid = self.pyramid
        if pyramid is None:
            return dominant, worst
        dense = np.flatnonzero(pyramid.slot[lanes] >= 0)
        if not len(dense):
            return dominant, worst
        slots = pyramid.slot[lanes[dense]]
        cells, inside = _cells(pyramid, edges)
        seen = _taken(pyramid.worst, slots, cells[0])
        for column in cells[1:]:
            np.maximum(seen, _taken(pyramid.worst, slots, column), out=seen)
        main = _taken(pyramid.dominant, slots, cells[1])
        np.copyto(main, seen, where=main == 0)
        if not inside.all():
            seen[:, ~inside] = 0
            main[:, ~inside] = 0
        worst[dense], dominant[dense] = seen, main
        return dominant, worst


def _taken(table: Bytes, rows: NDArray[np.int32], columns: Ints) -> Bytes:
    """Cells of some rows; without a copy of the rows where they follow each other."""
    if int(rows[-1]) - int(rows[0]) == len(rows) - 1 and (np.diff(rows) == 1).all():
        return table[int(rows[0]) : int(rows[-1]) + 1].take(columns, 1)
    cells = rows[:, None].astype(np.int64) * table.shape[1] + columns
    taken: Bytes = table.reshape(-1).take(cells)
    return taken


def _cells(pyramid: Pyramid, edges: Ints) -> tuple[list[Ints], NDArray[np.bool_]]:
    """Three table columns that together cover each px, and which px lie within the data."""
    bins = len(pyramid.edges) - 1
    first = np.searchsorted(pyramid.edges, edges[:-1], "right") - 1
    last = np.searchsorted(pyramid.edges, edges[1:], "left") - 1
    inside = (last >= 0) & (first < bins)
    first, last = first.clip(0, bins - 1), last.clip(0, bins - 1)
    last = np.maximum(last, first)
    _, level = np.frexp((last - first).astype(np.float64))
    level = np.clip(level - 1, 0, len(pyramid.level_at) - 1)
    a, b = first >> level, last >> level
    base = pyramid.level_at[level]
    return [base + a, base + ((a + b) >> 1), base + b], inside


def _cover(
    row: NDArray[Any], a: Ints, b: Ints, mask: NDArray[np.bool_], lanes: int, bins: int
) -> NDArray[np.int32]:
    """1 in each (lane, bin) that a masked span touches."""
    size = lanes * (bins + 1)
    base = row[mask] * (bins + 1)
    edge = np.bincount(base + a[mask], minlength=size)
    edge -= np.bincount(base + b[mask] + 1, minlength=size)
    return (np.cumsum(edge.reshape(lanes, bins + 1), axis=1)[:, :bins] > 0).astype(np.int32)


def _judge(counts: dict[int, NDArray[np.int32]]) -> tuple[Bytes, Bytes]:
    """The worst tone present in each cell, and the one that covers most of it."""
    shape = next(iter(counts.values())).shape
    worst, dominant = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    most = np.zeros(shape, np.int32)
    for tone, count in sorted(counts.items()):
        worst[count > 0] = tone
        more = count > most
        dominant[more] = tone
        np.copyto(most, count, where=more)
    return worst, dominant
