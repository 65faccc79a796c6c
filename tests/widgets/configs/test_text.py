"""A config's text with its marks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from tests.fakes_configs import BASE_TEXT
from widgets.configs.text import ConfigText
from widgets.theme import theme


@pytest.fixture
def text(qtbot: QtBot) -> ConfigText:
    made = ConfigText()
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show_text(BASE_TEXT)
    made.show()
    return made


def test_marks_stand_beside_their_lines_and_are_chosen_with_a_click(text: ConfigText, qtbot: QtBot) -> None:
    text.set_marks({4: "error"})
    top = dict(text.visible_lines())[4]
    assert text.gutter.line_at(top + 3) == 4
    with qtbot.waitSignal(text.mark_chosen) as chosen:
        qtbot.mouseClick(text.gutter, Qt.MouseButton.LeftButton, pos=QPoint(8, top + 5))
    assert chosen.args == [4]


def test_a_click_beside_an_unmarked_line_puts_the_caret_there(text: ConfigText, qtbot: QtBot) -> None:
    top = dict(text.visible_lines())[6]
    qtbot.mouseClick(text.gutter, Qt.MouseButton.LeftButton, pos=QPoint(30, top + 5))
    assert text.place() == (6, 1)


def test_going_to_a_line_brings_it_into_view_and_tells_the_place(text: ConfigText, qtbot: QtBot) -> None:
    with qtbot.waitSignal(text.place_moved) as moved:
        text.go_to(60, 7)
    assert moved.args == [(60, 7)]
    assert 60 in dict(text.visible_lines())
    text.go_to(9_999)
    assert text.place() == (60, 7)


def test_the_caret_walks_with_the_keyboard_and_nothing_can_be_typed(text: ConfigText, qtbot: QtBot) -> None:
    text.go_to(1)
    qtbot.keyClick(text, Qt.Key.Key_Down)
    qtbot.keyClicks(text, "x")
    assert text.place()[0] == 2
    assert text.toPlainText() == BASE_TEXT


def test_foreign_text_cannot_turn_itself_around(text: ConfigText) -> None:
    text.show_text('{"a": "\u202egood\u0007"}')
    assert text.toPlainText() == '{"a": "\\u202egood\\x07"}'


def test_names_and_values_have_their_colours(text: ConfigText) -> None:
    layout = text.document().findBlockByNumber(1).layout()
    found = [(f.start, f.format.foreground().color().name()) for f in layout.formats()]
    assert found == [(2, theme().tokens["signal"]), (19, theme().tokens["completed"])]
