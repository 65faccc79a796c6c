"""New rows wait above the list until the user wants them, or is not looking at anything in particular."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer

from app.runs_page_feed import Feed
from engine_bridge.bridge import Page
from widgets.table.bars import NewAbove
from widgets.table.model import PagedModel
from widgets.table.view import PagedView

_LOOK_MS: Final = 1_000  # between two looks at the first page
_HEAD: Final = 1_000  # rows kept above a list before it is read anew


class Fresh(QObject):
    """Finds what is new at the top of one list, and brings it in without moving what is being read. GUI thread."""

    def __init__(
        self, feed: Feed, model: PagedModel, table: PagedView, pill: NewAbove, reload: Callable[[], None]
    ) -> None:
        super().__init__(feed)
        self._feed = feed
        self._model = model
        self._table = table
        self._pill = pill
        self._reload = reload
        self._waiting: list[Any] = []
        self._flood = False
        self._looked_s = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look_now)
        feed.started.connect(self.forget)
        pill.clicked.connect(self.show_new)

    @property
    def waiting(self) -> int:
        """How many new rows wait to be shown."""
        return len(self._waiting)

    @property
    def above(self) -> int:
        """How many new rows are known to stand above the list as it was loaded."""
        return len(self._waiting) + len(self._model.blocks.head)

    def forget(self) -> None:
        """Nothing waits any more."""
        self._waiting, self._flood = [], False
        self._pill.show_count(0)

    def stop(self) -> None:
        """The page is hidden, or closed."""
        self._timer.stop()

    def update(self, items: Iterable[Any]) -> None:
        """Newer versions of rows, shown or waiting, take their place."""
        newer = {self._model.key(item): item for item in self._feed.decoded.rows(items)}
        self._model.update_items(newer.values())
        self._waiting = [newer.get(self._model.key(item), item) for item in self._waiting]

    def look(self) -> None:
        """Reads the first page again: only the source can tell which new rows belong to the list, and where."""
        if not self._timer.isActive():
            wait = _LOOK_MS - int((time.monotonic() - self._looked_s) * 1000)
            self._timer.start(max(0, wait))

    def _look_now(self) -> None:
        self._looked_s = time.monotonic()
        if not self._feed.opening:
            self._feed.peek(self._on_peek)

    def _on_peek(self, page: Page) -> None:
        self._model.update_items(page.items)
        top = self._model.item(0)
        if top is None:
            if page.items:
                self._reload()
            return
        keys = [self._model.key(item) for item in page.items]
        first = self._model.key(top)
        self._flood = first not in keys
        if self._flood:
            self._waiting = [i for i in page.items if self._model.blocks.row_of(self._model.key(i)) is None]
        else:
            self._waiting = list(page.items[: keys.index(first)])
        if self._undisturbed():
            self.show_new()
        else:
            self._pill.show_count(len(self._waiting), at_least=self._flood)

    def _undisturbed(self) -> bool:
        table = self._table
        return (
            table.at_top and not table.selectionModel().hasSelection() and not table.viewport().underMouse()
        )

    def show_new(self) -> None:
        """Brings the new rows in, and goes to the top."""
        waiting, flood = self._waiting, self._flood
        self.forget()
        if not waiting:
            return
        if flood or len(self._model.blocks.head) + len(waiting) > _HEAD:
            self._reload()
        else:
            self._model.prepend(waiting)
        self._table.scrollToTop()
