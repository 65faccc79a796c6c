"""Builds big tracks in a thread of their own and brings them home. GUI thread, but for ``_work``."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError
from widgets.timeline.build import Built, Snapshot, build
from widgets.timeline.tracks import IN_PLACE, Track
from widgets.unveiling import in_turn


class Builder(QObject):
    """One build a track at a time; ``adopted`` carries the track after each."""

    adopted = Signal(object)
    _built = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: dict[int, tuple[Track, CancelToken]] = {}
        self._built.connect(self._came, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def ensure(self, track: Track) -> None:
        """Starts a build if it would pay; small ones are done at once."""
        if not track.wants_build:
            return
        if track.history.n_steps <= IN_PLACE:
            track.adopt(build(Snapshot.of(track.history)))
            self.adopted.emit(track)
            return
        track.building = True
        token = CancelToken()
        self._running[id(track)] = (track, token)
        job = (track, Snapshot.of(track.history), token)
        threading.Thread(target=self._work, args=job, name="timeline-build", daemon=True).start()

    def cancel_all(self) -> None:
        """Drops all builds; their threads end at the next check."""
        for track, token in self._running.values():
            track.building = False
            token.cancel()
        self._running.clear()

    def _work(self, track: Track, snapshot: Snapshot, token: CancelToken) -> None:
        result: Built | Exception
        try:
            result = build(snapshot, token)
        except CancelledError:
            return
        except Exception as error:  # noqa: BLE001  told in the GUI thread, where it is raised again
            result = error
        if token.cancelled:
            return
        try:
            self._built.emit((track, token, result))
        except RuntimeError:
            # The widget was destroyed between the check and the signal: nobody waits.
            return

    @Slot(object)
    def _came(self, message: tuple[Track, CancelToken, Built | Exception]) -> None:
        in_turn(self, lambda: self._adopt(message))

    def _adopt(self, message: tuple[Track, CancelToken, Built | Exception]) -> None:
        track, token, result = message
        if token.cancelled or self._running.pop(id(track), None) is None:
            return
        track.building = False
        if isinstance(result, Exception):
            raise result
        if result.epoch == track.history.epoch:
            track.adopt(result)
            self.adopted.emit(track)
