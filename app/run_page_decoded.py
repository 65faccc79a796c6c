"""What is hidden in a run's events and steps, decoded as they come into sight. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.decoding import Decoder

if TYPE_CHECKING:
    from app.jobs import Jobs
    from engine_bridge.history import History
    from engine_bridge.model import Run
    from engine_bridge.session import Session


class Decoded(Decoder):
    """Lays an overlay over one history at a time."""

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(jobs, "decode seen", parent)
        self._run: Run | None = None

    def lay_over(self, history: History, session: Session) -> None:
        """From now on this history's events and steps are seen with what was decoded, where the source can."""
        overlay = self.begin(session)
        if overlay is not None:
            history.look_through(overlay.event, overlay.step)

    def forget(self) -> None:
        super().forget()
        self._run = None

    def header(self, history: History, run: Run | None) -> None:
        """Shows a new header of the history as far as it is decoded; None: the last one again."""
        self._run = run or self._run
        if self.overlay is not None and self._run is not None:
            history.run = self.overlay.run(self._run)
