"""What the entities page shows instead of rows, or of everything: each says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from app.again import Again
from app.context import Source
from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain
from engine_bridge.query.doubts import doubt
from widgets.entities.header import LINT
from widgets.table.empty import error_details

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage

_CLEAR = ("clear", "Clear filter")
_FIND_OUT = (("findings", "Show the findings"), ("first", "Show the first one"))


class Empties(QObject):
    """Shows them, and does what their buttons say. GUI thread. ``error`` is the one on show."""

    def __init__(self, page: EntitiesPage) -> None:
        super().__init__(page)
        self._page = page
        self.error: PlayheadError | None = None
        self._again = Again(page.load_again, self)
        page.view.empty.chosen.connect(self._on_button)
        page.view.problem.chosen.connect(self._on_button)

    def stop(self) -> None:
        """What failed is not tried again by itself."""
        self._again.stop()

    # -- instead of rows ------------------------------------------------------------------------------------

    def nothing(self) -> None:
        """The list is read, and empty."""
        page = self._page
        if page.context.focus.current.query:
            told = doubt(page.node, page.fields) or "It may be too narrow, or what it asks for is past."
            self._show("No entity matches this filter", plain(told, 400), _CLEAR)
            return
        shown = page.populations.shown
        table = plain(shown.table, 60) if shown is not None and shown.table else "The table"
        text = f"{table} has no row of this type. They appear here as soon as the application writes one."
        self._show("No entities yet", text, ("retry", "Look again"))

    def cancelled(self) -> None:
        """The user gave up on a search."""
        model = self._page.view.model
        if model.rowCount() == 0 and model.blocks.resume is None:
            self._show("Search cancelled", "Nothing was found until then.", ("retry", "Search again"), _CLEAR)

    def busy(self) -> None:
        """Something takes longer than a moment; until then an empty table is calmer than a notice."""
        view = self._page.view
        if self._page.rows.feed.opening and view.model.rowCount() == 0 and not view.scan.isVisible():
            view.empty.show_state("hourglass", "Reading entities …", "The source has not answered yet.")
            view.show_empty()

    def failed(self, error: PlayheadError) -> None:
        """Rows could not be read."""
        if self._page.problem:
            return
        if self._page.view.model.rowCount():
            self._page.context.report(error)
        else:
            self.show_error(error)

    def show_error(self, error: PlayheadError) -> None:
        """Shows an error instead of the rows; one that passes is tried again."""
        view, self.error = self._page.view, error
        view.model.clear()
        view.empty.show_error(error)
        view.show_empty()
        self._page.status_changed.emit(error.message)
        self._again.failed(error)

    def _show(self, title: str, text: str, *actions: tuple[str, str]) -> None:
        view = self._page.view
        view.empty.show_state("filter" if self._page.node else "entities", title, text, *actions)
        view.show_empty()

    # -- instead of everything ------------------------------------------------------------------------------

    def problem(self, problem: str) -> None:
        """Why no entity can be seen at all; never "0 entities"."""
        again = ("retry", "Look again")
        self._page.view.problem.show_state(
            "lock", "Nothing can be shown yet", problem, again, color="retrying"
        )
        self._instead(problem)

    def no_type(self, name: str) -> None:
        """The source has no such workflow type, it cannot be read, or there is none at all."""
        page, types = self._page, self._page.types
        known = ", ".join(plain(one, 60) for one in types)
        source = page.source()
        reason = source.info.missing.get(name) if source is not None and source.info is not None else None
        if reason:
            title, text = (
                f"{plain(name, 60)} cannot be read",
                f"{plain(reason, 400)}\nOther types can: {known}.",
            )
            page.view.problem.show_state("warning", title, text, *_FIND_OUT, color="retrying")
            self._rest()
            return
        title = (
            f"There is no workflow type {plain(name, 60)}" if name else "The mapping names no workflow type"
        )
        text = f"This source has {known}." if known else "Name one in the mapping and open the source again."
        first = (("first", "Show the first one"),) if known else ()
        self._page.view.problem.show_state("entities", title, text, *first)
        self._rest()

    def closed(self, source: Source | None) -> None:
        """There is no open source."""
        view = self._page.view.problem
        if source is not None and source.error is not None:
            self.error = source.error
            view.show_error(source.error)
        elif source is not None and source.state == "opening":
            view.show_state("database", f"Opening {plain(source.title, 60)} …")
        else:
            view.show_state("database", "No source is open", "Choose one in the sources panel, or connect.")
        self._rest()

    def _rest(self) -> None:
        self._page.jobs.cancel_all()
        self._page.populations.clear()
        self._page.view.model.clear()
        self._instead("")

    def _instead(self, status: str) -> None:
        self._page.view.header.set_population(None)
        self._page.view.show_problem()
        self._page.status_changed.emit(status)

    # -- buttons --------------------------------------------------------------------------------------------

    def _on_button(self, action: str) -> None:
        if action == "clear":
            self._page.apply_filter("")
        elif action == "findings":
            self._page.ways.go(LINT)
        elif action == "first":
            self._page.context.focus.change(type=None)
        elif action == "copy" and self.error is not None:
            QApplication.clipboard().setText(error_details(self.error))
        elif action == "retry":
            self._retry()

    def _retry(self) -> None:
        source = self._page.source()
        if source is not None and source.session is None:
            self._page.context.sources.retry(source.key)
        else:
            self._page.load_again()
