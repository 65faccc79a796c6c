"""The Queries tab of the run page: asks the run's code what the user asks, and nothing by itself. GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject

from engine_bridge import format as fmt
from engine_bridge.bridge import Capability
from engine_bridge.queries import Handlers, Reply
from widgets.run.panes import Pane
from widgets.run.queries import QueriesPane

if TYPE_CHECKING:
    from app.run_page import RunPage

PANE: Final = "queries"


class Queries(QObject):
    """Only for sources whose runs answer queries."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self.pane = QueriesPane()
        view = page.view
        view.right.add(Pane(PANE, "Queries", self.pane))
        view.right.set_shown(PANE, False)
        self.pane.asked.connect(lambda asked: self._ask(*asked))
        self.pane.listing_requested.connect(self.list)
        self.pane.stack_requested.connect(self.stack)
        self.pane.stop_requested.connect(self._stop)
        page.jobs.given_up.connect(self._on_given_up)

    def why_not(self) -> str:
        """Why nothing can be asked now, "" when it can."""
        source = self._page.source()
        missing = "no source is open" if source is None else source.can(Capability.QUERIES)
        return missing or self._page.why_not()

    def why_no_stack(self) -> str:
        """Why the run cannot be asked where its code stands; "" when it can."""
        return self.why_not() or ("" if self._stack_query else "this source's runs do not tell")

    @property
    def _stack_query(self) -> str:
        source = self._page.source()
        return source.info.stack_query if source is not None and source.info is not None else ""

    def forget(self) -> None:
        """Another run comes."""
        self._page.jobs.cancel(PANE)
        source = self._page.source()
        self._page.view.right.set_shown(PANE, source is not None and not source.can(Capability.QUERIES))
        self.pane.set_stack(bool(self._stack_query))
        self.pane.forget()

    def list(self) -> None:
        """Asks which queries there are."""
        self._call("which queries there are", "queries", (), self._listed)

    def stack(self) -> None:
        """Asks where the run's code stands."""
        if self._stack_query:
            self._ask(self._stack_query, "", "where the code stands")

    def show(self, ask: Callable[[], None]) -> None:
        """Brings the tab to the front, and asks."""
        self._page.show_pane(self._page.view.right, PANE)
        ask()

    def _ask(self, name: str, args: str, what: str = "") -> None:
        began = time.monotonic()

        def arrived(reply: Reply) -> None:
            took = fmt.duration(int((time.monotonic() - began) * 1e9))
            at = fmt.moment(time.time_ns(), self._page.context.settings.zone())
            when = f" at {at:%H:%M:%S}" if at is not None else ""
            self.pane.show_reply(reply, f"{what or fmt.plain(name, 120)}: answered{when}, in {took}")

        self._call(what or f"the query {name}", "ask", (name, args), arrived)

    def _call(self, what: str, method: str, args: tuple[Any, ...], arrived: Callable[[Any], None]) -> None:
        source, run = self._page.source(), self._page.feed.history.run
        if self.why_not() or source is None or source.session is None or run is None:
            return
        self.pane.show_waiting(what)
        self._page.jobs.run(
            PANE, source.session, method, run.ref, *args, on_result=arrived, on_error=self.pane.show_error
        )

    def _listed(self, found: Handlers) -> None:
        self.pane.show_handlers(found)

    def _stop(self) -> None:
        self._page.jobs.cancel(PANE)
        self.pane.show_stopped()

    def _on_given_up(self, slot: str) -> None:
        if slot == PANE:
            self.pane.show_stopped()
