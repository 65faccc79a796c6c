"""Reads again by itself what a lock or a lost server refused, as the error promises. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer

from engine_bridge.errors import BusyError, ConnectError, PlayheadError

_AFTER_MS: Final = 1_500


def passes(error: PlayheadError) -> bool:
    """Whether asking again may help: locks and lost servers pass; refused credentials, damage, missing tables stay."""
    return type(error) in (BusyError, ConnectError)


class Again:
    """One retry at a time. ``repeat`` runs a while after a passing error, unless ``stop`` came first."""

    def __init__(self, repeat: Callable[[], None], parent: QObject) -> None:
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(repeat)

    def failed(self, error: PlayheadError) -> None:
        """Something could not be read: it is read again if that may help."""
        if passes(error):
            self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
