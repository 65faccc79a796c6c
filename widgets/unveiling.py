"""Work of the GUI thread in turns of the event loop, a piece a turn; a page that changed is painted so. GUI thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

_Piece = tuple[QObject, Callable[[], object]]
_pieces: deque[_Piece] = deque()


def in_turn(owner: QObject, work: Callable[[], object]) -> None:
    """Does ``work`` after all that was put here before, in a turn that does nothing else from here; not if ``owner`` is
    gone by then. One queue for all: timers of their own would be due, and done, together."""
    _pieces.append((owner, work))
    if len(_pieces) == 1:
        _next()


def _next() -> None:
    # Not 0: Qt may fire such timers several times in a turn.
    QTimer.singleShot(1, _turn)


def _turn() -> None:
    owner, work = _pieces.popleft()
    if _pieces:
        _next()  # before the work, which may run an event loop of its own or fail
    if isValid(owner):
        work()


class Unveiling(QObject):
    """Paints groups of widgets in turns: Qt paints all that is new in a window in one turn otherwise."""

    def __init__(self, parent: QObject, groups: Iterable[Iterable[QWidget]]) -> None:
        super().__init__(parent)
        self._groups = [tuple(group) for group in groups]
        self._left: list[tuple[QWidget, ...]] = []

    def start(self) -> None:
        """Holds back all groups; the first is painted when the event loop is next at rest."""
        for group in self._groups:
            _let_paint(group, False)
        for _ in range(len(self._groups) - len(self._left)):
            in_turn(self, self._show)
        self._left = list(self._groups)

    def _show(self) -> None:
        group = self._left.pop(0)
        _let_paint(group, True)
        # Now: an update is painted later, together with those of the next turns.
        group[0].repaint()


def _let_paint(group: Iterable[QWidget], may: bool) -> None:
    for widget in group:
        widget.setUpdatesEnabled(may)
