"""Child runs opened in place in the timeline. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine_bridge.errors import PlayheadError
from engine_bridge.history import Batch, History
from engine_bridge.model import RunRef

if TYPE_CHECKING:
    from app.run_page import RunPage


class Children(QObject):
    """Loads a child's history on request, and shows it under its step; a request for an open one closes it."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self._loading: set[str] = set()

    def clear(self) -> None:
        """Another run is shown."""
        for step_id in self._loading:
            self._page.jobs.cancel(_slot(step_id))
        self._loading.clear()

    def toggle(self, step_id: str) -> None:
        """Opens or closes the child of a step."""
        timeline = self._page.view.timeline
        if any(track.key == step_id for track in timeline.state.tracks):
            timeline.set_child(step_id, None)
            return
        child = self.child_of(step_id)
        source = self._page.source()
        if child is None or source is None or source.session is None:
            self._page.context.notify("This step has no child run.")
            return
        self._loading.add(step_id)
        loaded = source.session.empty_history()
        self._page.jobs.run(
            _slot(step_id),
            source.session,
            "history",
            child,
            on_item=lambda item: loaded.append(item) if isinstance(item, Batch) else None,
            on_result=lambda _: self._loaded(step_id, loaded),
            on_error=lambda error: self._failed(step_id, error),
        )

    def child_of(self, step_id: str) -> RunRef | None:
        """The run that a step started or waits for."""
        history = self._page.feed.history
        row = history.step_row(step_id)
        return history.step(row).child if row >= 0 else None

    def _loaded(self, step_id: str, history: History) -> None:
        self._loading.discard(step_id)
        self._page.view.timeline.set_child(step_id, history)

    def _failed(self, step_id: str, error: PlayheadError) -> None:
        self._loading.discard(step_id)
        self._page.context.notify(f"The child cannot be opened here: {error}")


def _slot(step_id: str) -> str:
    return f"child {step_id}"
