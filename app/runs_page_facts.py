"""What is known of a run list beyond its rows: its length, anchors to jump by, counts by status, the engine's now.

One slow question at a time, so that pages never queue behind them in the session's threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject

from app.context import Source
from engine_bridge.bridge import Capability, Facets
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.runs.clauses import without_status, without_time
from widgets.table.blocks import HOP, PAGE

if TYPE_CHECKING:
    from app.runs_page import RunsPage

_BUCKETS: Final = 120
_FINE: Final = 100_000  # rows up to which anchors stand at every page
_COARSE: Final = 1_000
_DAY_NS: Final = 86_400_000_000_000


class Facts(QObject):
    """Asks, one after the other, and shows each answer when it arrives. GUI thread."""

    def __init__(self, page: RunsPage) -> None:
        super().__init__(page)
        self._page = page
        self._jobs = page.jobs
        self._steps: list[Callable[[], None]] = []
        self._clock_gap_ns = 0
        self.total: int | None = None
        self.facets: Facets | None = None

    @property
    def now_ns(self) -> int:
        """The engine's now, nanoseconds UTC."""
        return time.time_ns() + self._clock_gap_ns

    def load(self, source: Source, session: Session, *, scanned: bool) -> None:
        """Asks everything about the list that has just opened. ``scanned``: counting would read every payload."""
        self.total, self.facets = None, None
        node = self._page.node
        self._steps = [lambda: self._clock(session)]
        if not scanned and not source.can(Capability.FACETS):
            self._steps.append(lambda: self._count(source, session, node))
        if not source.can(Capability.FACETS):
            self._steps.append(lambda: self._facets(session, node))
        self._next()

    def _next(self) -> None:
        if self._steps:
            self._steps.pop(0)()

    def _skip(self, _: PlayheadError) -> None:
        # The list is usable without this fact; the next one may still come.
        self._next()

    def _clock(self, session: Session) -> None:
        def got(now_ns: int) -> None:
            self._clock_gap_ns = now_ns - time.time_ns()
            self._page.live.tick()
            self._next()

        self._jobs.run("fact", session, "now_ns", on_result=got, on_error=self._skip)

    def _count(self, source: Source, session: Session, node: Node | None) -> None:
        def got(total: int) -> None:
            self.total = total
            self._page.view.model.set_count(total)
            if total > HOP and not source.can(Capability.ANCHORS):
                self._steps.insert(0, lambda: self._anchors(session, node, total))
            self._page.show_status()
            self._next()

        self._jobs.run("fact", session, "count", node, on_result=got, on_error=self._skip)

    def _anchors(self, session: Session, node: Node | None, total: int) -> None:
        every = PAGE if total <= _FINE else _COARSE

        def got(cursors: list[bytes]) -> None:
            self._page.view.model.set_anchors(cursors, every, self._page.live.above)
            self._next()

        self._jobs.run(
            "fact", session, "anchors", node, self._page.sort, every, on_result=got, on_error=self._skip
        )

    def _facets(self, session: Session, node: Node | None) -> None:
        chips, charts = without_status(node), without_time(node)

        def got_chips(facets: Facets) -> None:
            self._show_chips(facets)
            if charts == chips:
                self._show_charts(facets)
            else:
                self._steps.append(lambda: self._ask_facets(session, charts, self._show_charts))
            self._next()

        self._ask_facets(session, chips, got_chips)

    def _ask_facets(self, session: Session, node: Node | None, got: Callable[[Facets], None]) -> None:
        self._jobs.run("fact", session, "facets", node, _BUCKETS, on_result=got, on_error=self._skip)

    def _show_chips(self, facets: Facets) -> None:
        self._page.view.chips.set_counts(facets.by_status, exact=facets.exact)

    def _show_charts(self, facets: Facets) -> None:
        self.facets = facets
        self._page.view.charts.set_data(facets, self._page.context.settings.zone())
        self._page.show_status()

    def summary(self) -> str:
        """ "1 284 runs in 14 days", as far as it is known."""
        if self.total is None:
            return ""
        span = _span(self.facets)
        noun = "run" if self.total == 1 else "runs"
        return f"{count(self.total)} {noun}" + (f" in {span}" if span else "")


def _span(facets: Facets | None) -> str:
    if facets is None or not facets.buckets:
        return ""
    length = facets.buckets[-1].start_ns + facets.bucket_ns - facets.buckets[0].start_ns
    days = round(length / _DAY_NS)
    if days >= 2:
        return f"{days} days"
    from engine_bridge.format import duration

    return duration(length)
