"""A page that changed in all its parts is painted part by part: the first paint of each is dear. GUI thread."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget


class Unveiling(QObject):
    """Paints groups of widgets in turns of their own: Qt paints all that is new in a window in one turn otherwise."""

    def __init__(self, parent: QObject, groups: Iterable[Iterable[QWidget]]) -> None:
        super().__init__(parent)
        self._groups = [tuple(group) for group in groups]
        self._left: list[tuple[QWidget, ...]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(1)  # Qt may fire one of 0 several times in a turn
        self._timer.timeout.connect(self._turn)

    def start(self) -> None:
        """Holds back all groups; the first is painted when the event loop is next at rest."""
        self._left = list(self._groups)
        for group in self._groups:
            _let_paint(group, False)
        self._timer.start()

    def _turn(self) -> None:
        group = self._left.pop(0)
        if not self._left:
            self._timer.stop()  # before painting, which may run an event loop of its own or fail
        _let_paint(group, True)
        # Now: an update is painted some milliseconds later, together with those of the next turns.
        group[0].repaint()


def _let_paint(group: Iterable[QWidget], may: bool) -> None:
    for widget in group:
        widget.setUpdatesEnabled(may)
