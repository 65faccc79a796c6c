"""What is hidden in the values of a source, decoded as they come into sight. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.bridge import Capability

if TYPE_CHECKING:
    from app.jobs import Jobs
    from engine_bridge.bridge import Decoding
    from engine_bridge.decoding import Overlay
    from engine_bridge.errors import PlayheadError
    from engine_bridge.session import Session

_GATHER_MS: Final = 60


class Decoder(QObject):
    """Keeps the Overlay of one session at a time, and asks for what is missing in it, a call at a time.

    ``told`` comes when something reads otherwise now. Where nothing can be decoded (no codec server, or it is away) it
    says so in ``note`` and asks no more.
    """

    told = Signal()
    _missing = Signal()

    def __init__(self, jobs: Jobs, slot: str, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs, self._slot = jobs, slot
        self._session: Session | None = None
        self.overlay: Overlay | None = None
        self.note = ""
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(_GATHER_MS)
        self._gather.timeout.connect(self._ask)
        # Some look in threads of their own.
        self._missing.connect(self._wait)

    def begin(self, session: Session) -> Overlay | None:
        """A new overlay for a session's values; None where the source has nothing to decode."""
        self.forget()
        if session.info is None or Capability.DECODE not in session.info.capabilities:
            return None
        from engine_bridge.decoding import Overlay

        self._session = session
        self.overlay = Overlay(self._missing.emit)
        return self.overlay

    def forget(self) -> None:
        """Asks no more."""
        self._jobs.cancel(self._slot)
        self._gather.stop()
        self._session = self.overlay = None
        self.note = ""

    def again(self, session: Session) -> None:
        """Something could be decoded after all: what could not before is asked for again."""
        if self.overlay is not None and self._session is None:
            self._session, self.note = session, ""
            self.overlay.forget_failures()
            self.told.emit()

    def _wait(self) -> None:
        if self._session is not None and not self._gather.isActive() and not self._jobs.running(self._slot):
            self._gather.start()

    def _ask(self) -> None:
        session, overlay = self._session, self.overlay
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

        self._jobs.run(
            self._slot, session, "decode_payloads", keys, on_result=arrived, on_error=self._on_error
        )

    def _stop(self, why: Decoding) -> None:
        self._session = None
        if not why.needs_codec:
            self.note = f"Encoded payloads are shown as they are stored. {why.error} {why.hint}".strip()
            self.told.emit()

    def _on_error(self, error: PlayheadError) -> None:
        self._session = None
