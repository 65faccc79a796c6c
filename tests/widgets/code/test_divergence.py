"""A divergence side by side: which steps stand beside each other, and what the user is told to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.replay.model import Divergence, Place
from tests.widgets.code.traces import history
from widgets import theme
from widgets.code.divergence import DivergenceView
from widgets.code.divergence_rows import pairs, sentence, title

RECORDED = history(tuple(f"s{n}" for n in range(1, 13)))


def test_the_steps_before_are_the_same_and_those_after_were_not_reached() -> None:
    parts = Divergence(kind="other step", expected="s6", actual="audit", step_id="6")
    found = [(pair.expected, pair.actual, pair.mark) for pair in pairs(parts, RECORDED)]
    assert found[:5] == [(f"s{n}", f"s{n}", "same") for n in range(1, 6)]
    assert found[5] == ("s6", "audit", "parts")
    assert found[6:] == [(f"s{n}", "–", "unreached") for n in range(7, 11)]


def test_a_step_beyond_the_end_stands_last() -> None:
    parts = Divergence(kind="extra step", expected="the end", actual="audit", step_id="99")
    found = pairs(parts, RECORDED)
    assert (found[-1].mark, found[-1].actual) == ("parts", "audit")
    assert [pair.expected for pair in found[:-1]] == [f"s{n}" for n in range(8, 13)]


def test_without_a_history_there_is_the_step_itself() -> None:
    (pair,) = pairs(Divergence(kind="early end", expected="ship", actual="", step_id="4"), None)
    assert (pair.expected, pair.actual) == ("ship", "–")


def test_words() -> None:
    at = Place(file="/shop/orders.py", line=9)
    parts = Divergence(kind="extra step", expected="ship", actual="audit", step_id="4", position=17)
    assert title(parts, at) == "extra step at event 17, orders.py:9"
    assert sentence(parts) == "The history has ship there, the code has audit."


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_view_shows_the_line_and_opens_steps(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, name: str
) -> None:
    theme.apply(qapp, name)
    file = tmp_path / "orders.py"
    file.write_text("\n".join(f"line({n})" for n in range(1, 60)))
    at = Place(file=str(file), line=40)
    view = DivergenceView()
    qtbot.addWidget(view)
    view.resize(1000, 400)
    view.show()
    view.show_divergence(
        Divergence(kind="other step", expected="s6", actual="audit", step_id="6", at=at), at, None
    )
    qtbot.waitUntil(lambda: view.code.source.count == 59)
    assert view.code.current == 40 and view.code.marks == {40: ("divergence", "other step")}
    view.show_divergence(view.divergence, at, RECORDED)
    assert view.table.currentIndex().row() == 5, "the step where they part is chosen"
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view.table, Qt.Key.Key_Up)
        qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert opened.args == ["5"]
    told = [label.text() for label in view.advice.findChildren(type(view.advice.children()[1]))]
    assert any("patch" in text for text in told) and any("fork" in text for text in told)


def test_a_source_that_is_gone_is_told(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    theme.apply(qapp, "dark")
    view = DivergenceView()
    qtbot.addWidget(view)
    at = Place(file=str(tmp_path / "gone.py"), line=3)
    view.show_divergence(
        Divergence(kind="other step", expected="a", actual="b", step_id="1", at=at), at, None
    )
    qtbot.waitUntil(lambda: "cannot be read" in view.no_source.text)
    view.show_divergence(Divergence(kind="other step", expected="a", actual="b", step_id="1"), Place(), None)
    assert view.no_source.text == "The line is not known."
