"""Parts of a page are painted one after the other, each in a turn of its own."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject, QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from widgets.unveiling import Unveiling, in_turn


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


def test_painting_may_run_an_event_loop_of_its_own(qtbot: QtBot) -> None:
    """As an assistive tool's question does."""
    seen: list[str] = []

    class Asked(Part):
        def paintEvent(self, event: QPaintEvent) -> None:
            super().paintEvent(event)
            QCoreApplication.processEvents()

    page, parts = QWidget(), [Asked(name, seen) for name in "ab"]
    for at, part in enumerate(parts):
        part.setParent(page)
        part.move(0, 30 * at)
    qtbot.addWidget(page)
    with qtbot.waitExposed(page):
        page.show()
    qtbot.waitUntil(lambda: set(seen) == set("ab"))
    unveiling = Unveiling(page, [[part] for part in parts])
    seen.clear()
    unveiling.start()
    unveiling.start()
    qtbot.waitUntil(lambda: set(seen) == set("ab"))
    assert all(part.updatesEnabled() for part in parts)


def test_work_in_turns_comes_in_order_each_alone_and_not_for_what_is_gone(qtbot: QtBot) -> None:
    seen: list[str] = []
    here, gone = QObject(), QObject()
    beat = QTimer(here)
    beat.timeout.connect(lambda: seen.append("-"))
    beat.start(0)
    for owner, name in ((here, "a"), (gone, "b"), (here, "c"), (here, "d")):
        in_turn(owner, lambda name=name: seen.append(name))
    delete(gone)
    qtbot.waitUntil(lambda: "d" in seen)
    beat.stop()
    assert [turn for turn in "".join(seen).split("-") if turn] == ["a", "c", "d"]
