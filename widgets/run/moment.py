"""What every pane of the run page needs to know at one position. Pure; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from engine_bridge.codes import NO_TIME, STEP_KINDS, STEP_STATUSES, code, time_or_none
from engine_bridge.format import day
from engine_bridge.history import History
from engine_bridge.model import Blocked, Event, Provenance, Run, Status, Step, StepKind, StepStatus
from engine_bridge.playback import State, state_at

_WAITS = {
    StepKind.TIMER: "timer",
    StepKind.CHILD: "child",
    StepKind.SIGNAL_WAIT: "signal",
    StepKind.RESULT_WAIT: "child",
}
_WAITING = (StepStatus.WAITING, StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Moment:
    """A run at the playhead. ``now_ns`` is the engine's clock, ``position`` None when LIVE."""

    history: History
    position: int | None
    state: State
    now_ns: int | None = None
    zone: tzinfo | None = None

    @property
    def live(self) -> bool:
        return self.position is None

    @property
    def run(self) -> Run | None:
        return self.history.run

    @property
    def time_ns(self) -> int | None:
        """The time that "now" means here: the engine's when LIVE, that of the playhead otherwise."""
        return self.now_ns if self.live else self.state.time_ns

    @property
    def run_status(self) -> Status | None:
        return self.state.run_status

    def step_status(self, row: int) -> StepStatus:
        return STEP_STATUSES[int(self.state.step_status[row])]

    def event(self) -> Event | None:
        """The event at the playhead; None when LIVE or before the first."""
        if self.position is None:
            return None
        row = self.history.row_of(self.position)
        return self.history.event(row) if row >= 0 else None


def moment_at(
    history: History, position: int | None, now_ns: int | None = None, zone: tzinfo | None = None
) -> Moment:
    """The moment at a position (None: LIVE). O(events + steps)."""
    return Moment(history, position, state_at(history, position), now_ns, zone)


def blocked_at(moment: Moment) -> Blocked | None:
    """What the run waits on at the playhead: the bridge's word when LIVE, the open waits before that."""
    run = moment.run
    if run is None:
        return None
    if moment.live:
        return None if run.status.closed else run.blocked_on
    return _recorded_wait(run.blocked_on, moment) or _open_wait(moment)


def _recorded_wait(blocked: Blocked | None, moment: Moment) -> Blocked | None:
    at = moment.time_ns
    if blocked is None or blocked.since_ns is None or at is None or at < blocked.since_ns:
        return None
    return blocked


def _open_wait(moment: Moment) -> Blocked | None:
    if moment.run_status is not None and moment.run_status.closed:
        return None
    kinds = moment.history.steps["kind"]
    waits = np.isin(kinds, [code(kind) for kind in _WAITS])
    waits &= np.isin(moment.state.step_status, [code(status) for status in _WAITING])
    rows = np.flatnonzero(waits)
    if not len(rows):
        return None
    return _wait_of(moment.history.step(int(rows[-1])), STEP_KINDS[int(kinds[rows[-1]])])


def _wait_of(step: Step, kind: StepKind) -> Blocked:
    word = _WAITS[kind]
    return Blocked(
        kind=word,
        what=f"{word} {step.detail if step.name == word else step.name}".rstrip(),
        since_ns=step.start_ns,
        until_ns=step.planned_end_ns,
        ref=step.child,
        step_id=step.id,
        provenance=Provenance.REBUILT,
        evidence=step.evidence,
    )


def spans_days(history: History, zone: tzinfo | None) -> bool:
    """Whether times of this history need their day to be told apart."""
    times = history.events["time_ns"]
    known = times[times != NO_TIME]
    if not len(known):
        return False
    return day(time_or_none(known.min()), zone) != day(time_or_none(known.max()), zone)
