"""Lines of a file that stand out: divergence, drift, blocked effects, and where the run is now. Pure; no Qt."""

from __future__ import annotations

from engine_bridge.replay.trace import Trace
from widgets.code.index import TraceIndex


def marks_of(trace: Trace | None, index: TraceIndex, file: str) -> dict[int, tuple[str, str]]:
    """Line to kind (of widgets.code.view's MARKS) and words."""
    marks = {line: ("drift", words) for line, words in index.drifts.get(file, {}).items()}
    end = trace.end if trace is not None else None
    if end is None:
        return marks
    if end.now is not None and end.now.at.file == file:
        marks[end.now.at.line] = ("now", f"the run is here now: {end.now.what}")
    for blocked in end.blocked:
        if blocked.at.file == file:
            marks[blocked.at.line] = ("blocked", f"a side effect was stopped: {blocked.what}")
    if end.divergence is not None and end.divergence.at.file == file:
        found = end.divergence
        marks[found.at.line] = ("divergence", f"expected {found.expected}, got {found.actual}")
    marks.pop(0, None)
    return marks
