"""What is known of a run list beyond its rows: its length, anchors to jump by, counts by status, the engine's now.

One slow question at a time, so that pages never queue behind them in the session's threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QTimer

from app.context import Source
from engine_bridge.bridge import Capability, Facets
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.runs.clauses import type_of, without_status, without_time
from widgets.table.blocks import HOP, PAGE

if TYPE_CHECKING:
    from app.runs_page import RunsPage

_BUCKETS: Final = 120
_RECOUNT_MS: Final = 2_000
_FINE: Final = 100_000  # rows up to which anchors stand at every page
_COARSE: Final = 1_000
_DAY_NS: Final = 86_400_000_000_000
_INSTANT_NS: Final = 1_000_000


class Facts(QObject):
    """Asks, one after the other, and shows each answer when it arrives. GUI thread."""

    def __init__(self, page: RunsPage) -> None:
        super().__init__(page)
        self._page = page
        self._jobs = page.jobs
        self._steps: list[Callable[[], None]] = []
        self._step: Callable[[], None] | None = None
        self._clock_gap_ns = 0
        self._session: Session | None = None
        self._began_s = 0.0
        self._cost_s = 0.0
        self._counted = False
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._recount)
        self.total: int | None = None
        self.facets: Facets | None = None

    @property
    def now_ns(self) -> int:
        """The engine's now, nanoseconds UTC."""
        return time.time_ns() + self._clock_gap_ns

    def stop(self) -> None:
        """The page is hidden, or closed: nobody who looks at something else waits for what it asks."""
        self._again.stop()
        if self._step is not None and self._jobs.running("fact"):
            self._jobs.cancel("fact")
            self._steps.insert(0, self._step)

    def go_on(self) -> None:
        """The page is shown again: what was not answered is asked once more."""
        if self._steps and not self._jobs.running("fact"):
            self._began_s = time.perf_counter()
            self._next()

    def clear(self) -> None:
        """Another source: figures of the old one, perhaps another tenant's, are on the screen no longer."""
        self._forget()
        self._steps = []
        self._show_none()

    def _forget(self) -> None:
        self.total, self.facets, self._session = None, None, None
        self._again.stop()

    def _show_none(self) -> None:
        self._page.view.chips.set_counts(None)
        self._page.view.charts.set_data(None, None)
        self._page.view.types.set_counts({})

    def load(self, source: Source, session: Session, *, scanned: bool) -> None:
        """Asks everything about the list that has just opened. ``scanned``: counting would read every payload."""
        self._forget()
        self._steps = [lambda: self._clock(session)]
        if scanned or source.can(Capability.FACETS):
            self._show_none()
        else:
            self._session = session
            length = self._length(source, session, self._page.node)
            self._steps += [
                lambda: self._chips(session, self._page.node, length),
                lambda: self._count(session, self._page.node, length),
                lambda: self._charts(session, self._page.node),
            ]
        self._begin()

    def outdate(self) -> None:
        """Something moved: counts are asked anew, but never for more than a twentieth of the time."""
        if self._session is not None and not self._again.isActive() and not self._jobs.running("fact"):
            self._again.start(max(_RECOUNT_MS, int(self._cost_s * 20_000)))

    def _recount(self) -> None:
        session = self._session
        if session is not None:
            # Rows that wait above are counted too, so the table keeps the length it was loaded with.
            self._steps = [
                lambda: self._chips(session, self._page.node, self._show_total),
                lambda: self._count(session, self._page.node, self._show_total),
                lambda: self._charts(session, self._page.node),
            ]
            self._begin()

    def _begin(self) -> None:
        self._counted, self._began_s = False, time.perf_counter()
        self._next()

    def _show_total(self, total: int) -> None:
        self.total, self._counted = total, True
        self._page.show_status()

    def _next(self) -> None:
        self._cost_s = time.perf_counter() - self._began_s
        if self._steps:
            self._step = self._steps.pop(0)
            self._step()

    def _skip(self, _: PlayheadError) -> None:
        # The list is usable without this fact; the next one may still come.
        self._next()

    def _ask(self, method: str, got: Callable[[Any], None], session: Session, *arguments: Any) -> None:
        self._jobs.run("fact", session, method, *arguments, on_result=got, on_error=self._skip)

    def _clock(self, session: Session) -> None:
        def got(now_ns: int) -> None:
            self._clock_gap_ns = now_ns - time.time_ns()
            self._page.live.tick()
            self._next()

        self._ask("now_ns", got, session)

    def _length(self, source: Source, session: Session, node: Node | None) -> Callable[[int], None]:
        def got(total: int) -> None:
            self._page.view.model.set_count(total)
            if total > HOP and not source.can(Capability.ANCHORS):
                self._steps.insert(0, lambda: self._anchors(session, node, total))
            self._show_total(total)

        return got

    def _count(self, session: Session, node: Node | None, length: Callable[[int], None]) -> None:
        def got(total: int) -> None:
            length(total)
            self._next()

        if self._counted:
            self._next()
        else:
            self._ask("count", got, session, node)

    def _anchors(self, session: Session, node: Node | None, total: int) -> None:
        every = PAGE if total <= _FINE else _COARSE

        def got(cursors: list[bytes]) -> None:
            self._page.view.model.set_anchors(cursors, every, self._page.fresh.above)
            self._next()

        self._ask("anchors", got, session, node, self._page.sort, every)

    def _chips(self, session: Session, node: Node | None, length: Callable[[int], None]) -> None:
        """Counts by status, which are the length too where no status is chosen."""
        chips = without_status(node)

        def got(facets: Facets) -> None:
            self._page.view.chips.set_counts(facets.by_status, exact=facets.exact)
            if type_of(node) is None:
                self._page.view.types.set_counts(facets.by_type)
            if chips == node and facets.exact:
                length(facets.total)
            self._next()

        self._ask("facets", got, session, chips, 0)

    def _charts(self, session: Session, node: Node | None) -> None:
        def got(facets: Facets) -> None:
            self._show_charts(facets)
            self._next()

        self._ask("facets", got, session, without_time(node), _BUCKETS)

    def _show_charts(self, facets: Facets) -> None:
        self.facets = facets
        self._page.view.charts.set_data(facets, self._page.context.settings.zone())
        self._page.show_status()

    def summary(self) -> str:
        """ "1 284 runs over 14 days", as far as it is known."""
        if self.total is None:
            return ""
        if self.total == 1:
            return "1 run"
        span = _span(self.facets)
        return f"{count(self.total)} runs" + (f" over {span}" if span else "")


def _span(facets: Facets | None) -> str:
    if facets is None or not facets.buckets:
        return ""
    length = facets.buckets[-1].start_ns + facets.bucket_ns - facets.buckets[0].start_ns
    if length < _INSTANT_NS:
        return ""
    days = round(length / _DAY_NS)
    if days >= 2:
        return f"{days} days"
    from engine_bridge.format import duration

    return duration(length)
