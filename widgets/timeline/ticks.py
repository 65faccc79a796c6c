"""Ticks of the time axis: where they stand and what they say. Pure; any thread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final

from engine_bridge import format as fmt
from engine_bridge.steps import ORDINAL_NS
from widgets.timeline.scale import Scale

SECOND: Final = 1_000_000_000
_STEPS: Final = (
    *(m * 10**e for e in range(9) for m in (1, 2, 5)),
    *(m * SECOND for m in (1, 2, 5, 10, 15, 30)),
    *(m * 60 * SECOND for m in (1, 2, 5, 10, 15, 30)),
    *(m * 3_600 * SECOND for m in (1, 2, 3, 6, 12)),
    *(m * 86_400 * SECOND for m in (1, 2, 7, 14, 30, 91, 365, 3_650)),
)
MIN_GAP_PX: Final = 96


class Mode(StrEnum):
    """What the axis counts."""

    CLOCK = "clock"  # time of day
    ELAPSED = "elapsed"  # since the run's start


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick at ``x`` px; ``major`` where a new day begins or the label changes its kind."""

    x: float
    label: str
    major: bool = False


def step_for(ns_per_px: float, min_gap_px: float = MIN_GAP_PX) -> int:
    """The smallest nice step (ns) whose ticks stand at least ``min_gap_px`` apart."""
    wanted = ns_per_px * min_gap_px
    found: int = next((step for step in _STEPS if step >= wanted), _STEPS[-1])
    return found


def digits_for(step: int) -> int:
    """Decimals of a second that a label needs at a step."""
    return 0 if step >= SECOND else 3 if step >= 1_000_000 else 6 if step >= 1_000 else 9


def ticks(
    scale: Scale, mode: Mode, zone: tzinfo | None, start_ns: int, *, ordinal: bool = False
) -> list[Tick]:
    """Ticks from left to right. ``start_ns`` is zero of elapsed time; ordinal axes count positions.

    Where the axis is squeezed there are none.
    """
    step = max(step_for(scale.per_px), ORDINAL_NS if ordinal else 0)
    origin = scale.axis.origin_ns
    zero = start_ns if mode is Mode.ELAPSED and not ordinal else -_zone_offset(origin, zone)
    result: list[Tick] = []
    last, free = "", -1.0
    for low, high in stretches(scale):
        for i in range(-(-(origin + low - zero) // step), (origin + high - zero) // step + 1):
            at = zero + i * step
            x = scale.x_of(at)
            if x >= free:
                label, last = _label(at, step, mode, zone, start_ns, last, ordinal)
                result.append(Tick(x, *label))
                free = x + MIN_GAP_PX / 2
    return result


def stretches(scale: Scale) -> list[tuple[int, int]]:
    """The visible parts of the axis that are to scale, as offsets in ns."""
    low, high = math.ceil(float(scale.offset(0.0))), math.floor(float(scale.offset(scale.width)))
    axis = scale.axis
    if axis.knots_t is None or axis.breaks is None:
        return [(low, high)]
    edges = axis.knots_t.tolist()
    starts = [float(low), *(edges[i + 1] for i in axis.breaks.tolist())]
    ends = [*(edges[i] for i in axis.breaks.tolist()), float(high)]
    parts = [(math.ceil(max(a, low)), math.floor(min(b, high))) for a, b in zip(starts, ends, strict=True)]
    return [(a, b) for a, b in parts if b >= a]


def _label(
    at: int, step: int, mode: Mode, zone: tzinfo | None, start_ns: int, last: str, ordinal: bool
) -> tuple[tuple[str, bool], str]:
    if ordinal:
        return (f"event {at // ORDINAL_NS}", False), last
    if mode is Mode.ELAPSED:
        return (elapsed(at - start_ns, step), at == start_ns), last
    day, text = _clock_words(at, step, zone)
    new_day = day != last and bool(last) and step < 86_400 * SECOND
    return (f"{day} {text}" if new_day else text, new_day), day


@lru_cache(maxsize=1024)
def _clock_words(at: int, step: int, zone: tzinfo | None) -> tuple[str, str]:
    """Day, and time of day with what the step needs."""
    day = fmt.day(at, zone)
    if step >= 86_400 * SECOND:
        return day, day
    text = fmt.clock(at, zone, digits=digits_for(step))
    return day, text[:5] if step >= 3_600 * SECOND else text


def elapsed(ns: int, step: int) -> str:
    """Elapsed time with the decimals that a step needs ("+1:05", "+2 d 03:00:00")."""
    sign, ns = ("−", -ns) if ns < 0 else ("+", ns)
    seconds, rest = divmod(ns, SECOND)
    digits = digits_for(step)
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    days, seconds = divmod(seconds, 86_400)
    hours, minutes = seconds // 3_600, seconds // 60 % 60
    prefix = f"{days} d " if days else ""
    if days or hours:
        return f"{sign}{prefix}{hours:02d}:{minutes:02d}:{seconds % 60:02d}{fraction}"
    return (
        f"{sign}{minutes}:{seconds % 60:02d}{fraction}" if minutes else f"{sign}{seconds}{fraction or ''} s"
    )


def _zone_offset(time_ns: int, zone: tzinfo | None) -> int:
    at = fmt.moment(time_ns, zone)
    offset = at.utcoffset() if at is not None else None
    return int(offset.total_seconds()) * SECOND if offset is not None else 0
