"""The failures tab: this run's failed events and attempts, in the run's order. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.codes import STEP_STATUSES, code, time_or_none
from engine_bridge.history import History
from engine_bridge.model import Failure, Provenance
from engine_bridge.playback import failure_rows
from widgets.run.event_model import decoded, detail_of
from widgets.run.facts import failure_line
from widgets.run.list_table import Cell, ListTable
from widgets.run.moment import Moment

_BAD = [code(status) for status in STEP_STATUSES if status.bad]


@dataclass(frozen=True, slots=True)
class FailureKey:
    """Names one failure: an event's row, or an attempt of a step that has no event of its own (row -1)."""

    position: int
    event_row: int
    step_row: int
    number: int


def failures_of(history: History) -> list[FailureKey]:
    """All failures of a run, by position: failed events, then failed attempts that no failed event tells of.

    An attempt after the first says that the one before it failed, also where nothing else is recorded of that.
    """
    events, attempts = history.events, history.attempts
    rows = failure_rows(history)
    keys = [
        FailureKey(int(events["position"][r]), int(r), int(events["step"][r]), int(events["attempt"][r]))
        for r in rows
    ]
    told = {(key.step_row, key.number) for key in keys}
    whole = {key.step_row for key in keys if key.number == 0}
    last = _last_attempts(history)
    for i in np.flatnonzero(np.isin(attempts["status"], _BAD)).tolist():
        step, number = int(attempts["step"][i]), int(attempts["number"][i])
        if (step, number) in told or (step in whole and number == last[step]):
            continue
        keys.append(FailureKey(int(history.steps["first"][step]), -1, step, number))
    untold = _attempts_before(history, last)
    keys += [
        FailureKey(int(history.steps["first"][step]), -1, step, number)
        for step, number in untold
        if (step, number) not in told
    ]
    return sorted(keys, key=lambda key: (key.position, key.number))


def _last_attempts(history: History) -> NDArray[np.int64]:
    """The number of each step's last known attempt, by row; 0 where none is known."""
    last = np.zeros(history.n_steps, np.int64)
    np.maximum.at(last, history.attempts["step"], history.attempts["number"])
    return last


def _attempts_before(history: History, last: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(step row, number) of the attempts before the last ones that are not recorded themselves."""
    attempts = history.attempts
    steps = np.flatnonzero(last > 1)
    factor = int(last.max(initial=0)) + 1
    known = attempts["step"].astype(np.int64) * factor + attempts["number"]
    steps = steps[~np.isin(steps * factor + last[steps] - 1, known)]
    return list(zip(steps.tolist(), (last[steps] - 1).tolist(), strict=True))


class FailuresPane(QWidget):
    """``failure_picked`` carries (position, step id or None) of a chosen row."""

    failure_picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[FailureKey] = []
        self._moment: Moment | None = None
        self.table = ListTable(
            "Failures", ("#", "time", "step", "attempt", "error"), (56, 112, 160, 70), firm=(0, 3)
        )
        self.table.chosen.connect(self._on_chosen)
        self.table.opened.connect(self._on_chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table, 1)

    @property
    def count(self) -> int:
        return len(self._keys)

    def show_history(self, moment: Moment) -> None:
        """Takes the failures of a history that is new or has grown."""
        self._moment = moment
        self._keys = failures_of(moment.history)
        self.table.list_model.set_rows(len(self._keys), self._cells)
        self.table.set_placeholder("Nothing failed in this run.")

    def _cells(self, row: int) -> tuple[Cell, ...]:
        key, moment = self._keys[row], self._moment
        if moment is None:
            return ()
        history, zone = moment.history, moment.zone
        time_ns, error = self._time(key, history), self._error(key, history) + self._source(key, history)
        step = (
            fmt.plain(history.names[int(history.steps["name"][key.step_row])]) if key.step_row >= 0 else "run"
        )
        return (
            Cell(str(key.position), code=True, tone="muted"),
            Cell(fmt.clock(time_ns, zone), code=True, tone="muted", tooltip=fmt.timestamp(time_ns, zone)),
            Cell(step, status="failed"),
            Cell(str(key.number) if key.number else ""),
            Cell(error, code=True),
        )

    def _time(self, key: FailureKey, history: History) -> int | None:
        if key.event_row >= 0:
            return time_or_none(history.events["time_ns"][key.event_row])
        attempts = history.attempts
        found = np.flatnonzero((attempts["step"] == key.step_row) & (attempts["number"] == key.number))
        if not len(found):
            return None
        end, start = attempts["end_ns"][found[0]], attempts["start_ns"][found[0]]
        known = time_or_none(end)
        return known if known is not None else time_or_none(start)

    def _error(self, key: FailureKey, history: History) -> str:
        if key.event_row >= 0:
            event = decoded(history, key.event_row)
            failure = event.failure or self._of_step(key, history)
            return failure_line(failure) if failure is not None else detail_of(event)
        failure = self._of_step(key, history)
        return failure_line(failure) if failure is not None else "no error recorded"

    def _source(self, key: FailureKey, history: History) -> str:
        """Where an attempt without an event of its own is known from, "" when it is recorded."""
        if key.event_row >= 0:
            return ""
        found = next((a for a in history.step(key.step_row).attempt_list if a.number == key.number), None)
        return "" if found is None or found.provenance is Provenance.RECORDED else f" ({found.provenance})"

    def _of_step(self, key: FailureKey, history: History) -> Failure | None:
        if key.step_row < 0:
            return history.run.failure if history.run is not None else None
        step = history.step(key.step_row)
        tries = {attempt.number: attempt.failure for attempt in step.attempt_list}
        return tries.get(key.number) if key.number else step.failure

    def _on_chosen(self, row: int) -> None:
        if self._moment is None or not 0 <= row < len(self._keys):
            return
        key = self._keys[row]
        step_id = self._moment.history.step(key.step_row).id if key.step_row >= 0 else None
        self.failure_picked.emit((key.position, step_id))
