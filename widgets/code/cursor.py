"""Where the code is: at a step of the trace, or at a line between two steps. Pure; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from engine_bridge.replay.model import Frame, LineHit, Picture, TraceStep
from engine_bridge.replay.trace import Trace

AT_STEP: Final = -1


@dataclass(frozen=True, slots=True)
class Cursor:
    """``step`` is the index of the step in force; ``line`` an index into the lines on the way to the *next* one, or
    AT_STEP."""

    step: int
    line: int = AT_STEP


@dataclass(frozen=True, slots=True)
class Missing:
    """The lines on the way to step ``n`` have not been recorded yet."""

    n: int


def next_line(trace: Trace, at: Cursor, *, over: bool = False) -> Cursor | Missing | None:
    """The next executed line; ``over`` stays out of functions that are called on the way. None: the end."""
    n = at.step + 1
    if n >= len(trace.steps):
        return None
    if n not in trace.lines:
        return Missing(n)
    hits = trace.lines[n]
    stays = _staying(trace, at, hits) if over else None
    for line in range(at.line + 1, len(hits)):
        if stays is None or _function(hits[line]) in stays:
            # The last line on the way is the one that the next step is called from: that is the step itself.
            return (
                Cursor(n) if line == len(hits) - 1 and _calls(trace, n, hits[line]) else Cursor(at.step, line)
            )
    return Cursor(n)


def previous_line(trace: Trace, at: Cursor, *, over: bool = False) -> Cursor | Missing | None:
    """The line before; None before the first."""
    n = at.step if at.line == AT_STEP else at.step + 1
    if n not in trace.lines:
        return Missing(n) if 0 <= n < len(trace.steps) else None
    hits = trace.lines[n]
    start = at.line
    if at.line == AT_STEP:
        start = len(hits) - 1 if hits and _calls(trace, n, hits[-1]) else len(hits)
    stays = _staying(trace, at, hits) if over else None
    for line in range(start - 1, -1, -1):
        if stays is None or _function(hits[line]) in stays:
            return Cursor(n - 1, line)
    return Cursor(n - 1) if n > 0 else None


def hit_of(trace: Trace, at: Cursor) -> LineHit | None:
    """The executed line under a cursor; None at a step."""
    hits = trace.lines.get(at.step + 1, ())
    return hits[at.line] if 0 <= at.line < len(hits) else None


def locals_at(trace: Trace, at: Cursor) -> tuple[dict[str, Picture], dict[str, Picture] | None]:
    """Locals at a line between two steps, and those one line of the same function before (None: not known)."""
    here = hit_of(trace, at)
    if here is None:
        return {}, None
    now = _start(trace, at.step, here)
    before: dict[str, Picture] | None = dict(now) if now else None
    for hit in trace.lines[at.step + 1][: at.line + 1]:
        if _function(hit) == _function(here):
            before = dict(now) if now else before
            now.update(hit.changed)
    return now, before


def stack_at(step: TraceStep, hit: LineHit | None) -> TraceStep:
    """The step with the stack as it is at a line after it: the functions called there have returned."""
    if hit is None:
        return step
    here = Frame(file=hit.file, line=hit.line, function=hit.function)
    users = [i for i, frame in enumerate(step.stack) if frame.kind == "user"]
    same = next((i for i in users if _name(step.stack[i]) == _function(hit)), None)
    callers = step.stack[same + 1 :] if same is not None else step.stack[users[0] :] if users else ()
    return msgspec.structs.replace(step, stack=(here, *callers))


def _start(trace: Trace, step: int, hit: LineHit) -> dict[str, Picture]:
    """The locals that a function had at the step before, where it was on the stack."""
    frames = trace.steps[step].stack if 0 <= step < len(trace.steps) else ()
    frame = next((f for f in frames if f.kind == "user" and _name(f) == _function(hit)), None)
    return dict(frame.locals) if frame is not None else {}


def _function(hit: LineHit) -> tuple[str, str]:
    return hit.file, hit.function


def _name(frame: Frame) -> tuple[str, str]:
    return frame.file, frame.function


def _calls(trace: Trace, n: int, hit: LineHit) -> bool:
    frame = trace.frame(n)
    return frame is not None and (frame.file, frame.line) == (hit.file, hit.line)


def _staying(trace: Trace, at: Cursor, hits: tuple[LineHit, ...]) -> set[tuple[str, str]]:
    """The functions that count as "here and outwards": that of the cursor and its callers."""
    here = hit_of(trace, at)
    frame = trace.frame(at.step)
    current = _function(here) if here is not None else _name(frame) if frame is not None else None
    step = trace.steps[at.step] if 0 <= at.step < len(trace.steps) else None
    callers = [_name(f) for f in step.stack if f.kind == "user"] if step is not None else []
    if current in callers:
        return set(callers[callers.index(current) :])
    return {*callers, *([current] if current else [])} or {_function(hit) for hit in hits}
