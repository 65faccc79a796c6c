"""Parts of a page are painted one after the other, each in a turn of its own."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from widgets.unveiling import Unveiling


class Part(QWidget):
    """Notes when it is painted."""

    def __init__(self, name: str, seen: list[str]) -> None:
        super().__init__()
        self.name, self.seen = name, seen
        self.setMinimumSize(40, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.seen.append(self.name)


def test_each_group_is_painted_in_a_turn_of_its_own(qtbot: QtBot) -> None:
    seen: list[str] = []
    page, parts = QWidget(), [Part(name, seen) for name in "abcd"]
    column = QVBoxLayout(page)
    for part in parts:
        column.addWidget(part)
    qtbot.addWidget(page)
    with qtbot.waitExposed(page):
        page.show()
    qtbot.waitUntil(lambda: set(seen) == set("abcd"))
    unveiling = Unveiling(page, [parts[:2], parts[2:3], parts[3:]])
    beat = QTimer(page)
    beat.timeout.connect(lambda: seen.append("-"))
    beat.start(0)

    def painted() -> list[set[str]]:
        return [set(turn) for turn in "".join(seen).split("-") if turn]

    seen.clear()
    unveiling.start()
    page.update()
    qtbot.waitUntil(lambda: "d" in seen)
    assert painted() == [{"a", "b"}, {"c"}, {"d"}]
    seen.clear()
    unveiling.start()
    unveiling.start()  # the page changed once more
    qtbot.waitUntil(lambda: "d" in seen)
    assert painted() == [{"a", "b"}, {"c"}, {"d"}]
    assert all(part.updatesEnabled() for part in parts)
    beat.stop()


def test_when_the_last_is_painted_no_turn_is_to_come(qtbot: QtBot) -> None:
    """Painting may run an event loop of its own, as an assistive tool's question does, or fail."""
    timed: list[bool] = []

    class Last(QWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            timed.append(timer.isActive())

    last = Last()
    unveiling = Unveiling(last, [[last]])
    timer = unveiling.findChild(QTimer)
    qtbot.addWidget(last)
    with qtbot.waitExposed(last):
        last.show()
    qtbot.waitUntil(lambda: bool(timed))
    timed.clear()
    unveiling.start()
    qtbot.waitUntil(lambda: bool(timed))
    assert timed == [False]
