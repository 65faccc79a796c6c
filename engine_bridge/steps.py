"""Steps as spans on lanes: what a timeline draws. Pure functions over History columns; any thread.

A *group* is all steps of one name. Its steps share a lane while they do not overlap; overlapping ones get
sub-lanes, at most :data:`MAX_SUB`, the last of which takes whatever is left. Groups are ordered by first start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME, STEP_KINDS, STEP_STATUSES, code
from engine_bridge.history import Columns, History
from engine_bridge.model import Provenance, Run, StepKind

Ints = NDArray[np.int64]

MAX_SUB: Final = 8
OPEN_END: Final = np.iinfo(np.int64).max
ORDINAL_NS: Final = 1_000_000_000
"""Width of one position on an axis of positions, used where a history has no time at all."""
GRACE_NS: Final = 5_000_000_000
"""What is due may be under way for as long before its engine is asked again: it is not late yet."""

_BLOCK: Final = 1 << 14

_CLOSED: Final = np.array([status.closed for status in STEP_STATUSES] + [False] * (256 - len(STEP_STATUSES)))
_MARKERS: Final = np.array(
    [
        kind in (StepKind.EVENT_SET, StepKind.STREAM, StepKind.PATCH, StepKind.SIGNAL_SEND, StepKind.SIGNAL)
        for kind in STEP_KINDS
    ]
    + [False] * (256 - len(STEP_KINDS))
)
_INFERRED: Final = code(Provenance.INFERRED)
_STAY: Final = code(StepKind.STATUS)


class Flag(IntFlag):
    """What is special about a span."""

    OPEN = 1  # no end yet: reaches to now
    INFERRED = 2  # the step itself is a guess
    SKEW = 4  # its end was recorded before its start; the span is drawn between the two
    UNTIMED = 8  # start not recorded: placed by order
    PLANNED = 16  # has a planned end
    MARKER = 32  # a moment rather than a stretch
    NO_END = 64  # closed, but nobody recorded when


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of some step rows, in the order asked for. Times in ns; ``end`` is OPEN_END while open.

    ``ordinal``: no time is recorded at all, so ``start`` and ``end`` are positions times ORDINAL_NS.
    """

    row: NDArray[np.int32]
    start: Ints
    end: Ints
    planned: Ints
    status: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    name: NDArray[np.int32]
    ordinal: bool = False

    def __len__(self) -> int:
        return len(self.row)


def spans(history: History, rows: NDArray[Any] | None = None) -> Spans:
    """The spans of all steps, or of some rows; every row gets one.

    Cost O(rows), and O(events) where a start is missing.
    """
    return spans_of(history.steps, history.events, history.run, rows)


def spans_of(steps: Columns, events: Columns, run: Run | None, rows: NDArray[Any] | None = None) -> Spans:
    """As :func:`spans`, from columns that were taken earlier: for a builder in another thread."""
    pick = slice(None) if rows is None else rows
    start, end = steps["start_ns"][pick].copy(), steps["end_ns"][pick].copy()
    status, planned = steps["status"][pick].copy(), steps["planned_end_ns"][pick].copy()
    kind = steps["kind"][pick].copy()
    flags = np.zeros(len(start), np.uint8)
    flags[steps["provenance"][pick] == _INFERRED] |= np.uint8(Flag.INFERRED)
    flags[planned != NO_TIME] |= np.uint8(Flag.PLANNED)
    flags[_MARKERS[kind]] |= np.uint8(Flag.MARKER)
    ordinal = _place_untimed(steps["first"][pick], start, end, flags, lambda: _clock(events, run))
    # An entity may stand on a status in which something failed for good: it stands there until it leaves.
    _close(start, end, _CLOSED[status] & (kind != _STAY), flags)
    row = np.arange(len(start), dtype=np.int32) if rows is None else np.asarray(rows, np.int32)
    return Spans(row, start, end, planned, status, kind, flags, steps["name"][pick].copy(), ordinal)


def _place_untimed(
    first: Ints, start: Ints, end: Ints, flags: NDArray[np.uint8], clock: Callable[[], tuple[Ints, Ints]]
) -> bool:
    """Gives each step without a start a place between its neighbours in the order."""
    missing = np.flatnonzero(start == NO_TIME)
    if not len(missing):
        return False
    flags[missing] |= np.uint8(Flag.UNTIMED)
    by_end = missing[end[missing] != NO_TIME]
    start[by_end] = end[by_end]
    lost = missing[end[missing] == NO_TIME]
    if not len(lost):
        return False
    positions, times = clock()
    if not len(times):
        start[lost] = first[lost] * ORDINAL_NS
        return len(lost) == len(start)
    offset = np.interp(first[lost], positions, (times - times[0]).astype(np.float64))
    start[lost] = times[0] + offset.astype(np.int64)
    return False


def _clock(events: Columns, run: Run | None) -> tuple[Ints, Ints]:
    """Positions with a known time and those times, made to rise; the run's start stands before the first."""
    known = np.flatnonzero(events["time_ns"] != NO_TIME)
    positions, times = events["position"][known], events["time_ns"][known]
    begin = None if run is None else run.started_ns or run.created_ns
    if begin is not None:
        positions, times = np.append([0], positions), np.append([begin], times)
    return positions, np.maximum.accumulate(times) if len(times) else times


def _close(start: Ints, end: Ints, closed: NDArray[np.bool_], flags: NDArray[np.uint8]) -> None:
    unknown = end == NO_TIME
    flags[unknown & closed] |= np.uint8(Flag.NO_END)
    flags[unknown & ~closed] |= np.uint8(Flag.OPEN)
    end[unknown & closed] = start[unknown & closed]
    end[unknown & ~closed] = OPEN_END
    skewed = end < start
    flags[skewed] |= np.uint8(Flag.SKEW)
    start[skewed], end[skewed] = end[skewed], start[skewed]


@dataclass(slots=True)
class Lanes:
    """The lane of each step row, and what each lane is. Lane ids are stable while steps are added.

    ``lane[row]`` is a lane id; ``order`` lists the lane ids from top to bottom; by lane id: ``name`` (an index
    into History.names), ``kind`` (of its first step), ``sub`` (0 for a group's first lane). ``count[name]`` is
    the number of steps of that name.
    """

    lane: NDArray[np.int32]
    order: list[int]
    name: list[int]
    kind: list[int]
    sub: list[int]
    count: dict[int, int]
    names: list[str]
    _busy: dict[int, int] = field(default_factory=dict)  # lane id -> end of its last span
    _of_name: dict[int, list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.order)

    def title(self, lane: int) -> str:
        """What the gutter says: "pack_items × 12"; empty for a sub-lane."""
        if self.sub[lane]:
            return ""
        count = self.count[self.name[lane]]
        name = self.names[self.name[lane]]
        return name if count < 2 else f"{name} × {count}"

    @property
    def titles(self) -> list[str]:
        """Titles from top to bottom."""
        return [self.title(lane) for lane in self.order]

    def place(self, fresh: Spans) -> None:
        """Gives lanes to new or changed rows. Cost O(rows), whatever the number of steps before."""
        grown = int(fresh.row.max(initial=-1)) + 1
        if grown > len(self.lane):
            spread = np.full(max(grown, 2 * len(self.lane)), -1, np.int32)
            spread[: len(self.lane)] = self.lane
            self.lane = spread
        columns = (fresh.row, fresh.name, fresh.kind, fresh.start, fresh.end)
        for row, name, kind, start, end in zip(*(c.tolist() for c in columns), strict=True):
            lane = int(self.lane[row])
            if lane < 0:
                self.count[name] = self.count.get(name, 0) + 1
                lane = self._free(name, kind, start)
                self.lane[row] = lane
            self._busy[lane] = max(end, start + 1)

    def _free(self, name: int, kind: int, start: int) -> int:
        lanes = self._of_name.setdefault(name, [])
        for lane in lanes:
            if self._busy.get(lane, 0) <= start:
                return lane
        if len(lanes) == MAX_SUB:
            return lanes[-1]
        lane = len(self.name)
        self.name.append(name)
        self.kind.append(kind)
        self.sub.append(len(lanes))
        self.order.insert(self.order.index(lanes[-1]) + 1 if lanes else len(self.order), lane)
        lanes.append(lane)
        return lane


def lanes(history: History) -> Lanes:
    """The lanes of a whole history. Cost O(n log n); about 0.4 s for 1 M steps."""
    return lanes_of(spans(history), history.names)


def lanes_of(all_spans: Spans, names: list[str]) -> Lanes:
    """As :func:`lanes`, from the spans of all step rows."""
    if not len(all_spans):
        return Lanes(np.zeros(0, np.int32), [], [], [], [], {}, names)
    # Not np.unique, which keeps other threads waiting for 20 ms at 1 M steps.
    counts = np.bincount(all_spans.name)
    groups = np.flatnonzero(counts)
    counts = counts[groups]
    place = np.zeros(int(groups[-1]) + 1, np.int64)
    place[groups] = np.arange(len(groups))
    group = place[all_spans.name]
    order, key_start, key_end = _keys(group, all_spans.start, all_spans.end)
    heads = order[np.searchsorted(group[order], np.arange(len(groups)))]
    by_start = np.lexsort((heads, all_spans.start[heads]))
    sub = _sub_lanes(order, key_start, key_end)
    depth = np.zeros(len(groups), np.int64)
    for k in range(MAX_SUB):
        depth[group[sub == k]] = k + 1
    base = np.zeros(len(groups), np.int64)
    base[by_start] = np.cumsum(depth[by_start]) - depth[by_start]
    lane = (base[group] + sub).astype(np.int32)
    return _described(all_spans, names, lane, groups, counts, by_start, depth, heads)


def _described(
    all_spans: Spans,
    names: list[str],
    lane: NDArray[np.int32],
    groups: NDArray[Any],
    counts: NDArray[Any],
    by_start: NDArray[Any],
    depth: Ints,
    heads: NDArray[Any],
) -> Lanes:
    repeat = np.repeat(by_start, depth[by_start])
    total = len(repeat)
    starts = np.cumsum(depth[by_start]) - depth[by_start]
    sub = np.arange(total) - np.repeat(starts, depth[by_start])
    busy = np.zeros(total, np.int64)
    last = np.lexsort((all_spans.end, lane))
    ends = np.append(np.flatnonzero(np.diff(lane[last])), len(last) - 1)
    busy[lane[last[ends]]] = all_spans.end[last[ends]]
    of_name: dict[int, list[int]] = {}
    for at, name in enumerate(groups[repeat].tolist()):
        of_name.setdefault(name, []).append(at)
    return Lanes(
        lane,
        list(range(total)),
        groups[repeat].tolist(),
        all_spans.kind[heads[repeat]].tolist(),
        sub.tolist(),
        dict(zip(groups.tolist(), counts.tolist(), strict=True)),
        names,
        dict(enumerate(busy.tolist())),
        of_name,
    )


def _keys(group: NDArray[Any], start: Ints, end: Ints) -> tuple[NDArray[np.intp], Ints, Ints]:
    """Order by (group, start), and keys that compare times within a group and never across two."""
    origin = int(start.min())
    known = end[end != OPEN_END]
    width = max(int(start.max()), int(known.max()) if len(known) else 0) - origin + 2
    groups = int(group.max()) + 1
    # Ties closer than 2**shift ns are accepted where the key would not fit into 63 bits.
    shift = max(0, (width * groups).bit_length() - 62)
    width = (width >> shift) + 2
    base = group.astype(np.int64) * width
    key_start = base + ((start - origin) >> shift)
    key_end = base + np.minimum((np.minimum(end, origin + (width << shift)) - origin) >> shift, width - 1)
    np.maximum(key_end, key_start + 1, out=key_end)
    order = np.argsort(key_start, kind="stable")
    return order, key_start, key_end


def _sub_lanes(order: NDArray[np.intp], key_start: Ints, key_end: Ints) -> Ints:
    """Greedy interval partition of all groups at once: each sub-lane is a chain of spans that do not overlap."""
    sub = np.full(len(order), MAX_SUB - 1, np.int64)
    left = order
    for k in range(MAX_SUB - 1):
        if not len(left):
            break
        follows = np.searchsorted(key_start[left], key_end[left])
        taken = _chain(follows)
        sub[left[taken]] = k
        left = left[~taken]
    return sub


def _chain(follows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Marks 0, follows[0], follows[follows[0]] … until the end."""
    if (follows == np.arange(1, len(follows) + 1)).all():
        return np.ones(len(follows), bool)
    taken = np.zeros(len(follows), bool)
    at = 0
    # In blocks, so that no single conversion keeps other threads waiting.
    for first in range(0, len(follows), _BLOCK):
        jumps, path = follows[first : first + _BLOCK].tolist(), []
        while at < first + len(jumps):
            path.append(at)
            at = jumps[at - first]
        taken[path] = True
    return taken
