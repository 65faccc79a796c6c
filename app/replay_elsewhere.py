"""What a replay says in the run page's other views, and the ways between them. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from engine_bridge.replay.model import Now
from widgets.code.ends import now_words
from widgets.timeline.state import Stamp

if TYPE_CHECKING:
    from app.replay_page import RunReplay


class Elsewhere(QObject):
    """Shows the findings of the recording on show."""

    def __init__(self, replay: RunReplay) -> None:
        super().__init__(replay)
        self._replay = replay
        self._page = replay.page

    def now(self) -> Now | None:
        """What the run is doing, by its replay; None where it does not say."""
        end = self._replay.record.trace.end if self._replay.record is not None else None
        return end.now if end is not None else None

    def show(self) -> None:
        """The line that waits beside what the run is blocked on; divergence and drift on the timeline."""
        now = self.now()
        self._page.view.blocked.show_place(now_words(now) if now is not None and now.at.line else "")
        self._page.view.timeline.set_findings(tuple(self._findings()))

    def _findings(self) -> list[Stamp]:
        recording = self._replay.record
        end = recording.trace.end if recording is not None else None
        found: list[Stamp | None] = [*self._replay.what_if.stamps()]
        if recording is None or end is None:
            return [stamp for stamp in found if stamp is not None]
        if end.divergence is not None:
            words = f"diverged: expected {end.divergence.expected}, got {end.divergence.actual}"
            at = self._time(end.divergence.step_id, end.divergence.position)
            found.append(Stamp(at, words, glyph="failed", tone="failed") if at is not None else None)
        for step in recording.trace.steps:
            if step.drift:
                at = self._time(step.step_id, step.position)
                words = "drift: another " + ", ".join(drift.what for drift in step.drift)
                found.append(Stamp(at, words, glyph="warning", tone="retrying") if at is not None else None)
        return [stamp for stamp in found if stamp is not None]

    def _time(self, step_id: str, position: int | None) -> int | None:
        history = self._page.feed.history
        if position is not None and (row := history.row_of(position)) >= 0:
            return history.event(row).time_ns
        row = history.step_row(step_id) if step_id else -1
        return history.step(row).start_ns if row >= 0 else None

    def show_now(self) -> None:
        now = self.now()
        if now is not None:
            self._page.view.right.show_pane("code")
            self._replay.pane.show_place(now.at)

    def add_step_action(self, menu: QMenu) -> None:
        recording, step = self._replay.recording, self._page.context.focus.current.step_id
        index = recording.trace.of_step(step) if recording is not None and step is not None else -1
        if recording is not None and index >= 0:
            position = recording.trace.position(index)
            menu.addAction("Show its line of code").triggered.connect(lambda: self._show_step(position))
        history = self._page.feed.history
        row = history.step_row(step) if step is not None else -1
        if row >= 0 and not self._replay.what_if.why_not():
            first = int(history.steps["first"][row])
            menu.addAction("What if …").triggered.connect(lambda: self._edit_step(first))

    def _edit_step(self, position: int) -> None:
        self._page.go_to(position)
        self._replay.what_if.open()

    def _show_step(self, position: int) -> None:
        self._page.view.right.show_pane("code")
        self._page.go_to(position)

    def open_step(self, step_id: str) -> None:
        self._page.context.focus.change(step_id=step_id)
        self._page.view.right.show_pane("detail")
