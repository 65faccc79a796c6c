"""A replay under the user's own debugger: where it waits, and what an IDE wants to know. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from app.replay_recording import ANY_PORT, Extra, Recording
from widgets.code.debug import DebugPage

if TYPE_CHECKING:
    from app.replay_page import RunReplay


class Debugging(QObject):
    """The page in the Code pane while a runner waits."""

    def __init__(self, replay: RunReplay) -> None:
        super().__init__(replay)
        self._replay = replay
        self.view: DebugPage | None = None

    def start(self) -> None:
        """Replays what is on show once more, up to where a debugger attaches."""
        edits = self._replay.extra().edits
        self._replay.replay(extra=Extra(edits, debug=ANY_PORT))

    def show(self, recording: Recording) -> None:
        """Where a debugger may attach, while the runner waits for one."""
        pane, debug = self._replay.pane, recording.debug
        waits = debug is not None and not debug.attached and recording.running
        if waits and debug is not None:
            if self.view is None:
                self.view = DebugPage()
                self.view.copied.connect(self._copy)
                self.view.cancelled.connect(self._replay.cancel)
            self.view.show_port(debug.port, debug.debugpy)
            pane.show_page(self.view)
        elif self.view is not None and pane.pages.currentWidget() is self.view:
            pane.show_code()

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._replay.page.context.notify("Copied.")
