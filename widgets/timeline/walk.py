"""Moving the selection between bars and lanes. Pure."""

from __future__ import annotations

import numpy as np

from widgets.timeline.markers import RUN_LANE
from widgets.timeline.state import Key, TimelineState


def along(state: TimelineState, direction: int) -> Key | None:
    """The next (+1) or previous (-1) span of the selected lane; the first span of all without a selection."""
    if state.selected is None:
        return across(state, direction)
    number, row = state.selected
    track = state.tracks[number]
    spans = track.on_lane(track.lane_of(row), state.clock_ns)
    here = np.flatnonzero(spans.row == row)
    at = int(here[0]) + direction if len(here) else 0
    return (number, int(spans.row[at])) if 0 <= at < len(spans) else state.selected


def across(state: TimelineState, direction: int) -> Key | None:
    """The span nearest in time on the next lane that has any, down (+1) or up (-1)."""
    if state.empty:
        return None
    row = -1 if state.selected is None else state.row_of(state.selected)
    middle = None if state.selected is None else sum(state.span(state.selected)[:2]) // 2
    row = (row + direction) if row >= 0 else (0 if direction > 0 else len(state.layout) - 1)
    while 0 <= row < len(state.layout):
        found = _nearest(state, row, middle)
        if found is not None:
            return found
        row += direction
    return state.selected


def _nearest(state: TimelineState, row: int, middle: int | None) -> Key | None:
    number, lane = int(state.layout.track[row]), int(state.layout.lane[row])
    if lane == RUN_LANE:
        return None
    track = state.tracks[number]
    spans = track.on_lane(lane, state.clock_ns)
    if not len(spans):
        return None
    if middle is None:
        return number, int(spans.row[0])
    offset = middle - track.origin_ns
    gap = np.maximum(np.maximum(spans.start - offset, offset - spans.end), 0)
    return number, int(spans.row[int(gap.argmin())])
