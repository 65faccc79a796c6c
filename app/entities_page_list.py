"""The list of the entities page: pages, length, sort order, live rows. It says what happened; the page decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from PySide6.QtCore import QObject

from app.context import Source
from app.runs_page_feed import Feed
from app.runs_page_fresh import Fresh
from app.runs_page_live import Live
from app.runs_page_scan import Scan
from engine_bridge.bridge import Capability, Changes, Field, Page, Sort
from engine_bridge.errors import PlayheadError
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.table.blocks import HOP, PAGE, Fetch

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage

_FINE: Final = 100_000  # rows up to which anchors stand at every page
_COARSE: Final = 1_000
_DEFAULTS: Final = ("created", "updated", "here_for", "id")
_NEWEST: Final = ("created", "updated")


def usual_sort(fields: list[Field]) -> Sort:
    """The order a list opens in: newest first where the source knows ages."""
    sortable = {field.name for field in fields if field.sortable}
    name = next((name for name in _DEFAULTS if name in sortable), "created")
    return Sort(field=name, descending=name in _NEWEST)


class EntityList(QObject):
    """Reads one list of entities. GUI thread."""

    def __init__(self, page: EntitiesPage) -> None:
        super().__init__(page)
        self._page = page
        self._jobs = page.jobs
        view = page.view
        self.sort = Sort()
        self.node: Node | None = None
        self.total: int | None = None
        self._clock_gap_ns = 0
        self.feed = Feed(page.jobs, view.model, "entities")
        self.scan = Scan(page.jobs, self.feed, view.model, view.scan)
        self.fresh = Fresh(self.feed, view.model, view.table, view.new_above, page.refresh)
        self.live = Live(page, view.table, lambda: self.now_ns)
        self.live.moved.connect(self._on_moved)

    @property
    def now_ns(self) -> int:
        """The engine's now, nanoseconds UTC."""
        return time.time_ns() + self._clock_gap_ns

    def set_now(self, now_ns: int) -> None:
        """The engine's clock, as just read."""
        self._clock_gap_ns = now_ns - time.time_ns()
        self.live.tick()

    def stop(self) -> None:
        """The page is hidden, or closed."""
        self.live.stop()
        self.fresh.stop()

    def open(self, session: Session, node: Node | None, *, keep: bool) -> None:
        """Reads the entities that match from the top; ``keep`` shows the old rows until then."""
        self.node, self.total = node, None
        sort = self.sort

        def arguments(fetch: Fetch) -> tuple[object, ...]:
            return node, sort, fetch.cursor, fetch.direction, fetch.limit

        self.live.begin(session)
        self.feed.open(session, "runs", arguments, keep=keep)

    def measure(self, source: Source, session: Session, first: Page) -> None:
        """Asks how long the list is, and how to jump in it; a list that is scanned tells by itself."""
        if first.searched is not None or source.can(Capability.FACETS):
            return
        if first.after is None and first.before is None:
            self._counted(source, session, len(first.items))
            return
        self._ask("count", lambda total: self._counted(source, session, total), session, self.node)

    def _counted(self, source: Source, session: Session, total: int) -> None:
        self.total = total
        self._page.view.model.set_count(total)
        self._page.show_status()
        if total > HOP and not source.can(Capability.ANCHORS):
            every = PAGE if total <= _FINE else _COARSE

            def got(cursors: list[bytes]) -> None:
                self._page.view.model.set_anchors(cursors, every, self.fresh.above)

            self._ask("anchors", got, session, self.node, self.sort, every)

    def _ask(self, method: str, got: Callable[[Any], None], session: Session, *arguments: Any) -> None:
        # The list is usable without its length: an error here is no news.
        self._jobs.run("measure", session, method, *arguments, on_result=got, on_error=self._skip)

    @staticmethod
    def _skip(_: PlayheadError) -> None:
        pass

    def _on_moved(self, changes: Changes) -> None:
        model = self._page.view.model
        gone = [model.find(ref) for ref in changes.removed]
        lost = [
            msgspec.structs.replace(run, now="no longer in the source") for run in gone if run is not None
        ]
        self.fresh.update([*changes.changed, *lost])
        if not self.scan.active and (changes.new or not model.rowCount()):
            self.fresh.look()
        self._page.moved()

    def turn(self, name: str) -> None:
        """Sorts by a field, or turns its order round."""
        turned = not self.sort.descending if self.sort.field == name else name in _NEWEST
        self.sort = Sort(field=name, descending=turned)
