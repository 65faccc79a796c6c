"""Time <-> x of the timeline: wall time, or active time with long idle gaps squeezed. Pure; any thread.

Axis units ("u") are nanoseconds from the axis' origin, after squeezing. Pixels are device-independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import NO_TIME
from engine_bridge.history import distinct
from engine_bridge.steps import Spans

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_SPAN_NS: Final = 1_000.0
"""The narrowest view: one microsecond."""
_LONG: Final = 10
_WORTH: Final = 0.5
_AHEAD: Final = 0.125


@dataclass(frozen=True)
class Axis:
    """Maps ns from ``origin_ns`` to axis units; the same without knots, piecewise linear with them.

    ``knots_t`` and ``knots_u`` rise strictly; ``breaks`` are the knots after which time is squeezed.
    """

    origin_ns: int
    knots_t: Floats | None = None
    knots_u: Floats | None = None
    breaks: NDArray[np.intp] | None = None

    def to_u(self, offset: Any) -> Any:
        """Axis units of ns since the origin (a number or an array)."""
        if self.knots_t is None or self.knots_u is None:
            return offset
        inside = np.interp(offset, self.knots_t, self.knots_u)
        before = np.minimum(offset - self.knots_t[0], 0)
        return inside + before + np.maximum(offset - self.knots_t[-1], 0)

    def to_offset(self, u: Any) -> Any:
        """The inverse of :meth:`to_u`."""
        if self.knots_t is None or self.knots_u is None:
            return u
        inside = np.interp(u, self.knots_u, self.knots_t)
        before = np.minimum(u - self.knots_u[0], 0)
        return inside + before + np.maximum(u - self.knots_u[-1], 0)

    @property
    def squeezed(self) -> bool:
        return self.breaks is not None and len(self.breaks) > 0


@dataclass(frozen=True)
class Scale:
    """The visible part ``u0 .. u1`` of an axis, drawn ``width`` px wide."""

    axis: Axis
    u0: float
    u1: float
    width: float

    @property
    def per_px(self) -> float:
        """Axis units of one px."""
        return (self.u1 - self.u0) / self.width

    def x(self, offset: Any) -> Any:
        """Px from the left edge, of ns since the origin (a number or an array)."""
        return (self.axis.to_u(offset) - self.u0) * (self.width / (self.u1 - self.u0))

    def x_of(self, time_ns: int) -> float:
        return float(self.x(time_ns - self.axis.origin_ns))

    def offset(self, x: Any) -> Any:
        """Ns since the origin at px (a number or an array)."""
        return self.axis.to_offset(self.u0 + x * ((self.u1 - self.u0) / self.width))

    def time_ns(self, x: float) -> int:
        return self.axis.origin_ns + round(float(self.offset(x)))

    def zoomed(self, factor: float, x: float) -> Scale:
        """Zoomed in by ``factor`` (> 1) or out, the time under ``x`` staying where it is."""
        width = self.u1 - self.u0
        new = max(width / factor, MIN_SPAN_NS)
        share = x / self.width
        u0 = self.u0 + (width - new) * share
        return replace(self, u0=u0, u1=u0 + new)

    def panned(self, dx: float) -> Scale:
        """Shifted so that what was at ``x + dx`` comes to ``x``."""
        shift = dx * self.per_px
        return replace(self, u0=self.u0 + shift, u1=self.u1 + shift)

    def framed(self, first: float, last: float, pad: float = 0.02) -> Scale:
        """Shows offsets ``first`` .. ``last`` (ns since the origin) with a margin on both sides."""
        u0, u1 = float(self.axis.to_u(first)), float(self.axis.to_u(last))
        margin = max((u1 - u0) * pad, MIN_SPAN_NS / 2)
        return replace(self, u0=u0 - margin, u1=u1 + margin)

    def kept_within(self, low: float, high: float) -> Scale:
        """Pushed back so that some of ``low .. high`` (axis units) stays in sight, and no wider than four times it."""
        width = min(self.u1 - self.u0, 4 * (high - low))
        centre = min(max((self.u0 + self.u1) / 2, low), high)
        if width == self.u1 - self.u0 and centre == (self.u0 + self.u1) / 2:
            return self
        return replace(self, u0=centre - width / 2, u1=centre + width / 2)


def active_axis(origin_ns: int, moments: Ints) -> Axis:
    """An axis on which long stretches without any moment (ns since the origin) are squeezed.

    Long is more than ten times the upper quartile of all gaps. A squeezed gap takes at most a tenth of the axis,
    all of them together about half. The plain axis comes back where that would not hide half of the time.
    """
    moments = distinct(moments)
    gaps = np.diff(moments).astype(np.float64)
    if len(gaps) < 2:
        return Axis(origin_ns)
    usual = float(np.quantile(gaps, 0.75))
    long = gaps > _LONG * usual
    limit = _squeezed_width(gaps, min(0.1, 0.5 / max(int(long.sum()), 1)), usual)
    long &= gaps > 2 * limit
    if np.where(long, limit, gaps).sum() > _WORTH * gaps.sum():
        return Axis(origin_ns)
    edges = distinct(np.concatenate([[0], np.flatnonzero(long), np.flatnonzero(long) + 1, [len(gaps)]]))
    knots_t = moments[edges].astype(np.float64)
    widths = np.diff(knots_t)
    cut = long[edges[:-1]]
    widths[cut] = np.minimum(widths[cut], limit)
    return Axis(origin_ns, knots_t, np.concatenate([[0.0], np.cumsum(widths)]), np.flatnonzero(cut))


def with_plan(axis: Axis, planned: int) -> Axis:
    """The axis with what is planned beyond its end (ns since the origin) in an eighth of its width.

    To scale, seconds until a next try would dwarf a past whose minutes are squeezed. A plain axis stays as it is.
    """
    if axis.knots_t is None or axis.knots_u is None or axis.breaks is None:
        return axis
    room = (axis.knots_u[-1] - axis.knots_u[0]) * _AHEAD
    if planned - axis.knots_t[-1] <= room:
        return axis
    return Axis(
        axis.origin_ns,
        np.append(axis.knots_t, float(planned)),
        np.append(axis.knots_u, axis.knots_u[-1] + room),
        np.append(axis.breaks, len(axis.knots_t) - 1),
    )


def _squeezed_width(gaps: Floats, share: float, least: float) -> float:
    """The width at which a long gap takes ``share`` of the squeezed total, by iteration."""
    ordered = np.sort(gaps)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    width = float(ordered[-1])
    for _ in range(60):
        longer = int(np.searchsorted(ordered, width, side="right"))
        width = max(share * (float(sums[longer]) + width * (len(ordered) - longer)), least)
    return width


def idle_share(axis: Axis) -> float:
    """How much of the time an active axis hides, 0 to 1."""
    if axis.knots_t is None or axis.knots_u is None:
        return 0.0
    return 1.0 - float((axis.knots_u[-1] - axis.knots_u[0]) / (axis.knots_t[-1] - axis.knots_t[0]))


def planned_bound(spans: Spans, first: int, last: int) -> int:
    """``last``, moved on to planned ends that lie near enough (a quarter of the range) to be shown at once."""
    planned = spans.planned[(spans.planned != NO_TIME) & (spans.planned <= last + (last - first) // 4)]
    return max(last, int(planned.max())) if len(planned) else last
