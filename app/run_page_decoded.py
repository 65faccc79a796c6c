"""What is hidden in a run's events and steps, decoded as they come into sight. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from app.jobs import Jobs
    from engine_bridge.bridge import Decoding
    from engine_bridge.decoding import Overlay
    from engine_bridge.history import History
    from engine_bridge.model import Run
    from engine_bridge.session import Session

_GATHER_MS: Final = 60
_SLOT: Final = "decode seen"


class Decoded(QObject):
    """Lays an Overlay over one history at a time. ``told`` comes when something in it reads otherwise now.

    Where nothing can be decoded (no codec server, or it is away) it says so in ``note`` and asks no more.
    """

    told = Signal()
    _missing = Signal()

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._session: Session | None = None
        self._overlay: Overlay | None = None
        self._run: Run | None = None
        self.note = ""
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(_GATHER_MS)
        self._gather.timeout.connect(self._ask)
        # A filter looks at events in a thread of its own.
        self._missing.connect(self._wait)

    def lay_over(self, history: History, session: Session) -> None:
        """From now on this history's events and steps are seen with what was decoded."""
        from engine_bridge.decoding import Overlay

        self.forget()
        self._session = session
        self._overlay = overlay = Overlay(self._missing.emit)
        history.look_through(overlay.event, overlay.step)

    def forget(self) -> None:
        """Asks no more."""
        self._jobs.cancel(_SLOT)
        self._gather.stop()
        self._session = self._overlay = self._run = None
        self.note = ""

    def header(self, history: History, run: Run | None) -> None:
        """Shows a new header of the history as far as it is decoded; None: the last one again."""
        self._run = run or self._run
        if self._overlay is not None and self._run is not None:
            history.run = self._overlay.run(self._run)

    def _wait(self) -> None:
        if self._session is not None and not self._gather.isActive() and not self._jobs.running(_SLOT):
            self._gather.start()

    def _ask(self) -> None:
        session, overlay = self._session, self._overlay
        keys = overlay.take() if overlay is not None else ()
        if session is None or overlay is None or not keys:
            return

        def arrived(found: tuple[Decoding, ...]) -> None:
            overlay.put(keys, found)
            if all(one.data is None for one in found):
                self._stop(found[0])
            else:
                self.told.emit()
                self._gather.start()  # what was looked at meanwhile

        self._jobs.run(_SLOT, session, "decode_payloads", keys, on_result=arrived, on_error=self._on_error)

    def _stop(self, why: Decoding) -> None:
        self._session = None
        if not why.needs_codec:
            self.note = f"Encoded payloads are shown as they are stored. {why.error} {why.hint}".strip()
            self.told.emit()

    def _on_error(self, error: PlayheadError) -> None:
        self._session = None
