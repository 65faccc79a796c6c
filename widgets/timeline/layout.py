"""Rows of the timeline from top to bottom: lanes of the run, and under an opened child its own lanes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from widgets.timeline.markers import RUN_LANE
from widgets.timeline.tracks import Track

ROW: Final = 26
SLIM: Final = 13
"""Height of a sub-lane in a group that has many."""
_MANY: Final = 4
BAR: Final = 16
SLIM_BAR: Final = 9


@dataclass(frozen=True)
class Layout:
    """Rows by arrays: which track and lane, top in px, height. ``y`` has one more entry: the total height."""

    track: NDArray[np.int32]
    lane: NDArray[np.int32]
    y: NDArray[np.int64]
    slim: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.lane)

    @property
    def height(self) -> int:
        return int(self.y[-1])

    def visible(self, top: int, height: int) -> tuple[int, int]:
        """First row and one past the last that show in ``top .. top + height``."""
        first = int(np.searchsorted(self.y, top, "right")) - 1
        last = int(np.searchsorted(self.y, top + height, "left"))
        return max(first, 0), min(max(last, 0), len(self))

    def row_at(self, y: int) -> int:
        """The row at a height in px; -1 beside all."""
        row = int(np.searchsorted(self.y, y, "right")) - 1
        return row if 0 <= row < len(self) else -1

    def row_of(self, track: int, lane: int) -> int:
        """The row of a track's lane; -1 for none."""
        found = np.flatnonzero((self.track == track) & (self.lane == lane))
        return int(found[0]) if len(found) else -1

    def bar_y(self, row: int) -> tuple[int, int]:
        """Top and height of a row's bars, in px of the whole layout."""
        height = SLIM_BAR if self.slim[row] else BAR
        return int(self.y[row]) + (int(self.y[row + 1] - self.y[row]) - height) // 2, height


def arrange(tracks: list[Track]) -> Layout:
    """Lays out the first track, with the others under the lanes of the steps that they belong to."""
    rows: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]] = []
    if not tracks:
        return _layout(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool))
    main = tracks[0]
    lane, slim = _rows(main)
    at = 0
    for place, number in sorted((_place(main, lane, child), i) for i, child in enumerate(tracks[1:], 1)):
        rows.append((np.zeros(place - at, np.int32), lane[at:place], slim[at:place]))
        child_lane, child_slim = _rows(tracks[number])
        rows.append((np.full(len(child_lane), number, np.int32), child_lane, child_slim))
        at = place
    rows.append((np.zeros(len(lane) - at, np.int32), lane[at:], slim[at:]))
    return _layout(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _rows(track: Track) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    lanes = track.lanes
    order = np.array(lanes.order, np.int32)
    sub = np.array(lanes.sub, np.int32)
    name = np.array(lanes.name, np.int64)
    depth = np.bincount(name, minlength=1) if len(name) else np.zeros(1, np.int64)
    slim = (sub[order] > 0) & (depth[name[order]] >= _MANY) if len(order) else np.zeros(0, bool)
    if track.has_run_lane:
        order, slim = np.append(np.int32(RUN_LANE), order), np.append(False, slim)
    return order.astype(np.int32), slim


def _place(main: Track, lane: NDArray[np.int32], child: Track) -> int:
    """One past the row under which a child's lanes go."""
    row = -1 if child.key is None else child.parent_row
    found = np.flatnonzero(lane == main.lane_of(row))
    return int(found[0]) + 1 if len(found) else len(lane)


def _layout(track: NDArray[np.int32], lane: NDArray[np.int32], slim: NDArray[np.bool_]) -> Layout:
    heights = np.where(slim, SLIM, ROW)
    return Layout(track, lane, np.concatenate([[0], np.cumsum(heights)]).astype(np.int64), slim)
