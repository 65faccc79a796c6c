"""Child runs opened in place in the timeline. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine_bridge.errors import PlayheadError
from engine_bridge.history import Batch, History

if TYPE_CHECKING:
    from app.run_page import RunPage


class Children(QObject):
    """Loads a child's history on request, and shows it under its step; a second request closes it."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self._open: set[str] = set()

    def clear(self) -> None:
        """Another run is shown."""
        for step_id in self._open:
            self._page.jobs.cancel(f"child {step_id}")
        self._open.clear()

    def toggle(self, step_id: str) -> None:
        """Opens or closes the child of a step."""
        if step_id in self._open:
            self._close(step_id)
            return
        page, history = self._page, self._page.feed.history
        row = history.step_row(step_id)
        child = history.step(row).child if row >= 0 else None
        source = page.source()
        if child is None or source is None or source.session is None:
            page.context.notify("This step has no child run.")
            return
        self._open.add(step_id)
        loaded = History()
        page.jobs.run(
            f"child {step_id}",
            source.session,
            "history",
            child,
            on_item=lambda item: loaded.append(item) if isinstance(item, Batch) else None,
            on_result=lambda _: page.view.timeline.set_child(step_id, loaded),
            on_error=lambda error: self._failed(step_id, error),
        )

    def _close(self, step_id: str) -> None:
        self._open.discard(step_id)
        self._page.jobs.cancel(f"child {step_id}")
        self._page.view.timeline.set_child(step_id, None)

    def _failed(self, step_id: str, error: PlayheadError) -> None:
        self._open.discard(step_id)
        self._page.context.notify(f"The child cannot be opened here: {error}")
