"""Builds what a track draws from: spans, lanes, index, markers. Pure; any thread, since it only reads columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.cancel import CancelToken
from engine_bridge.history import Columns as HistoryColumns
from engine_bridge.history import History, distinct
from engine_bridge.model import Run
from engine_bridge.steps import OPEN_END, Lanes, Spans, lanes_of, spans_of
from widgets.timeline import tones
from widgets.timeline.lod import Columns, Index
from widgets.timeline.markers import Markers, no_markers

_GOLDEN: Final = 0.6180339887498949

Ints = NDArray[np.int64]

SAMPLE: Final = 2_000
"""Steps of the coarse picture that is shown while all of them are prepared."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Columns of a history as they were at one version; safe to read elsewhere (changes come as loose rows)."""

    steps: HistoryColumns
    events: HistoryColumns
    run: Run | None
    names: list[str]
    version: int
    epoch: int

    @classmethod
    def of(cls, history: History) -> Snapshot:
        return cls(history.steps, history.events, history.run, history.names, history.version, history.epoch)


@dataclass(slots=True)
class Built:
    """What a build gives: spans of all step rows, their lanes, and the index of the closed ones."""

    spans: Spans
    lanes: Lanes
    index: Index
    open_rows: NDArray[np.int32]
    failed: Ints  # offsets of the closed spans that failed, rising
    markers: Markers
    origin_ns: int
    version: int
    epoch: int
    coarse: bool = False


def build(snapshot: Snapshot, cancel: CancelToken | None = None, sample: bool = False) -> Built:
    """Builds from a snapshot, or from a sample of its steps. Raises CancelledError."""
    rows = _sample(snapshot.steps) if sample else None
    spans = spans_of(snapshot.steps, snapshot.events, snapshot.run, rows)
    lanes = lanes_of(spans, snapshot.names)
    lane = lanes.lane
    closed = np.flatnonzero(spans.end != OPEN_END)
    origin = _origin(spans, snapshot.run)
    columns = Columns(
        spans.start[closed] - origin,
        spans.end[closed] - origin,
        lane[closed],
        tones.OF_STATUS[spans.status[closed]],
        spans.row[closed],
        spans.flags[closed],
    )
    index = Index(columns, len(lanes), cancel)
    open_rows = spans.row[spans.end == OPEN_END]
    if rows is not None:
        lanes.lane = np.full(len(snapshot.steps["name"]), -1, np.int32)
        lanes.lane[rows] = lane
    failed = np.sort(columns.start[columns.tone == tones.FAILED])
    markers = no_markers() if sample else no_markers().extended(snapshot.events, lanes.lane, origin)
    stamp = (origin, snapshot.version, snapshot.epoch, sample)
    return Built(spans, lanes, index, open_rows, failed, markers, *stamp)


def _sample(steps: HistoryColumns) -> Ints:
    """About SAMPLE rows and some failed ones, spread so that they do not keep step with the history's own rhythm."""
    total = len(steps["name"])
    chosen = (np.arange(SAMPLE) * _GOLDEN % 1.0 * total).astype(np.int64)
    failed = np.flatnonzero(tones.OF_STATUS[steps["status"]] == tones.FAILED)
    return distinct(np.concatenate([chosen, failed[:: max(1, len(failed) // 200)]]))


def _origin(spans: Spans, run: Run | None) -> int:
    if len(spans):
        return int(spans.start.min())
    return (run and (run.started_ns or run.created_ns)) or 0
