"""Tones: the few colours a span can have, ordered by severity so that the largest is the worst. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from engine_bridge.codes import STEP_KINDS, STEP_STATUSES
from engine_bridge.model import StepKind, StepStatus

TONES: Final = (
    "none",
    "completed",
    "cancelled",
    "pending",
    "scheduled",
    "waiting",
    "running",
    "retrying",
    "failed",
)
"""Tone 0 is empty; the names are those of the theme's states."""
FAILED: Final = TONES.index("failed")
RUNNING: Final = TONES.index("running")
WAITING: Final = TONES.index("waiting")
RETRYING: Final = TONES.index("retrying")
CANCELLED: Final = TONES.index("cancelled")

_NAMES: Final[dict[StepStatus, str]] = {
    StepStatus.TIMED_OUT: "failed",
    StepStatus.UNKNOWN: "cancelled",
}
OF_STATUS: Final = np.full(256, CANCELLED, np.uint8)
for _code, _status in enumerate(STEP_STATUSES):
    OF_STATUS[_code] = TONES.index(_NAMES.get(_status, _status.value))

_WAITS: Final = (StepKind.TIMER, StepKind.SIGNAL_WAIT, StepKind.RESULT_WAIT, StepKind.STATUS)
WHILE_OPEN: Final = np.full(256, RUNNING, np.uint8)
"""The tone of a step of some kind that has begun and not ended at the playhead, by kind code."""
for _code, _kind in enumerate(STEP_KINDS):
    WHILE_OPEN[_code] = WAITING if _kind in _WAITS else RUNNING
