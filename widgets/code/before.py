"""Finds the same frame at the step before, to tell what changed since. Pure; no Qt."""

from __future__ import annotations

from typing import Final

from engine_bridge.replay.model import Frame, Picture
from engine_bridge.replay.trace import Trace

_BACK: Final = 50  # steps looked back: other tasks may have been at work in between


def locals_before(trace: Trace, index: int, frame: Frame) -> dict[str, Picture] | None:
    """The locals of the same function when they were last seen before a step; None when they were not."""
    for i in range(index - 1, max(-1, index - 1 - _BACK), -1):
        for other in trace.steps[i].stack:
            same = other.kind == "user" and other.file == frame.file and other.function == frame.function
            if same and other.locals:
                return dict(other.locals)
    return None
