"""Playback: a run's state at the playhead, from its recorded events. Pure functions over History columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME, NONE, STATUSES, STEP_STATUSES, code
from engine_bridge.history import Columns, History
from engine_bridge.model import Status, StepKind, StepStatus

_PENDING = code(StepStatus.PENDING)
_STAY = code(StepKind.STATUS)


@dataclass(frozen=True, slots=True)
class State:
    """A run at a position: the run's status (None before it is known), and each step's status code by row."""

    position: int
    time_ns: int | None
    run_status: Status | None
    step_status: NDArray[np.uint8]


def state_at(history: History, position: int | None) -> State:
    """The state after the event at ``position`` (None: LIVE, the end of the record).

    Steps without any event up to there are PENDING; a stay in a status is over once a later one has begun.
    Cost: one pass over the events, O(events + steps).
    """
    events = history.events
    rows = len(history) if position is None else history.row_of(position) + 1
    status = np.full(history.n_steps, _PENDING, np.uint8)
    if position is None:
        status[:] = history.steps["status"]
    else:
        _apply(status, events, rows)
        if rows:
            _leave(status, history.steps, int(events["position"][rows - 1]))
    return State(
        position=int(events["position"][rows - 1]) if rows else 0,
        time_ns=time_at(history, rows - 1),
        run_status=_run_status(history, rows, position),
        step_status=status,
    )


def _apply(status: NDArray[np.uint8], events: dict[str, NDArray[Any]], rows: int) -> None:
    step, new = events["step"][:rows], events["step_status"][:rows]
    touched = (step >= 0) & (new != NONE)
    # numpy assigns repeated indices in order, so the last event of a step wins.
    status[step[touched]] = new[touched]


def _leave(status: NDArray[np.uint8], steps: Columns, position: int) -> None:
    """Stays in a status end where the next one begins: an entity stands on one status at a time."""
    stays = np.flatnonzero((steps["kind"] == _STAY) & (steps["first"] > 0) & (steps["first"] <= position))
    if len(stays):
        newest = stays[np.argmax(steps["first"][stays])]
        left = stays[stays != newest]
        status[left] = steps["status"][left]


def _run_status(history: History, rows: int, position: int | None) -> Status | None:
    if position is None and history.run is not None:
        return history.run.status
    known = np.flatnonzero(history.events["run_status"][:rows] != NONE)
    return STATUSES[int(history.events["run_status"][known[-1]])] if len(known) else None


def time_at(history: History, row: int) -> int | None:
    """The time at an event row: its own, else that of the nearest earlier event that has one."""
    times = history.events["time_ns"][: row + 1]
    known = np.flatnonzero(times != NO_TIME)
    return int(times[known[-1]]) if len(known) else None


def position_at_time(history: History, time_ns: int) -> int | None:
    """The last position whose event is not later than a time; None when all are later.

    Events without a time, and out-of-order times (clock skew), never hide later positions: the answer is the
    highest position whose time is known and not after ``time_ns``.
    """
    times = history.events["time_ns"]
    rows = np.flatnonzero((times != NO_TIME) & (times <= time_ns))
    return int(history.events["position"][rows[-1]]) if len(rows) else None


def neighbour(
    history: History, position: int | None, direction: int, *, failures_only: bool = False
) -> int | None:
    """The next (+1) or previous (-1) position, of any event or only of failures; None at the end.

    From LIVE, the previous event is the one before the newest.
    """
    positions = history.events["position"]
    if failures_only:
        positions = positions[failure_rows(history)]
    if not len(positions):
        return None
    here = history.last_position if position is None else position
    if direction > 0:
        i = int(np.searchsorted(positions, here, side="right"))
    else:
        i = int(np.searchsorted(positions, here, side="left")) - 1
    return int(positions[i]) if 0 <= i < len(positions) else None


def failure_rows(history: History) -> NDArray[np.intp]:
    """Rows of events that are failures of a step or of the run."""
    bad_steps = [i for i, s in enumerate(STEP_STATUSES) if s.bad]
    bad_runs = [i for i, s in enumerate(STATUSES) if s.bad]
    events = history.events
    return np.flatnonzero(np.isin(events["step_status"], bad_steps) | np.isin(events["run_status"], bad_runs))
