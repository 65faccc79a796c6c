"""Events that are drawn as glyphs, and the first and last time of all events. Pure; any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import EVENT_KINDS, NO_TIME
from engine_bridge.history import Columns as HistoryColumns
from engine_bridge.model import EventKind
from engine_bridge.steps import OPEN_END

RUN_LANE: Final = -1
"""The lane of what happens to the run itself: signals, operators, events set outside any step."""

_SIGNAL: Final = EVENT_KINDS.index(EventKind.SIGNAL_RECEIVED)
_MARKED: Final = np.zeros(256, bool)
for _kind in (
    EventKind.SIGNAL_RECEIVED,
    EventKind.SIGNAL_SENT,
    EventKind.EVENT_SET,
    EventKind.STREAM_WRITTEN,
    EventKind.PATCHED,
    EventKind.STATUS_CHANGED,
    EventKind.OPERATOR,
):
    _MARKED[EVENT_KINDS.index(_kind)] = True


@dataclass(frozen=True, slots=True)
class Markers:
    """Offsets, lane ids, event rows and kinds of marked events, in their order.

    ``seen`` events were looked at; ``first_ns`` and ``last_ns`` are the bounds of their times (OPEN_END and NO_TIME
    while none is known).
    """

    offset: NDArray[np.int64]
    lane: NDArray[np.int32]
    row: NDArray[np.int64]
    kind: NDArray[np.uint8]
    seen: int
    first_ns: int
    last_ns: int

    def extended(self, events: HistoryColumns, lanes: NDArray[np.int32], origin_ns: int) -> Markers:
        """With the events that came since; ``lanes`` gives the lane of each step row. Cost O(new events)."""
        times = events["time_ns"][self.seen :]
        fresh = self.seen + np.flatnonzero(_MARKED[events["kind"][self.seen :]])
        # A step's own moments are drawn as the step; a signal is what happened to its wait.
        told_by_step = (events["step"][fresh] >= 0) & (events["kind"][fresh] != _SIGNAL)
        fresh = fresh[(events["time_ns"][fresh] != NO_TIME) & ~told_by_step]
        step = events["step"][fresh]
        lane = np.full(len(fresh), RUN_LANE, np.int32)
        lane[step >= 0] = lanes[step[step >= 0]]
        return Markers(
            np.concatenate([self.offset, events["time_ns"][fresh] - origin_ns]),
            np.concatenate([self.lane, lane]),
            np.concatenate([self.row, fresh]),
            np.concatenate([self.kind, events["kind"][fresh]]),
            len(events["kind"]),
            int(times[times != NO_TIME].min(initial=self.first_ns)),
            int(times.max(initial=self.last_ns)),
        )


def no_markers() -> Markers:
    """Before any event."""
    ints = np.zeros(0, np.int64)
    return Markers(ints, np.zeros(0, np.int32), ints, np.zeros(0, np.uint8), 0, OPEN_END, NO_TIME)
