"""The filter editor: completion, history, colours, validity."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from engine_bridge.bridge import Field, FieldType
from engine_bridge.model import Status
from widgets.runs.filter_bar import FilterBar

FIELDS = [
    Field(name="status", type=FieldType.STATUS, values=tuple(Status)),
    Field(name="type", type=FieldType.TEXT, values=("fulfil_order", "send_invoice")),
    Field(name="started", type=FieldType.TIME),
]
Key = Qt.Key


@pytest.fixture
def bar(qtbot) -> FilterBar:
    bar = FilterBar()
    qtbot.addWidget(bar)
    bar.resize(900, 60)
    bar.show()
    bar.set_fields(FIELDS)
    bar.focus()
    qtbot.waitUntil(bar.line.hasFocus)
    return bar


def test_tab_takes_the_first_completion(qtbot, bar: FilterBar) -> None:
    qtbot.keyClicks(bar.line, "stat")
    assert bar.popup.offers[0].label == "status"
    qtbot.keyClick(bar.line, Key.Key_Tab)
    assert bar.text.strip() == "status"
    assert bar.line.hasFocus()


def test_arrows_choose_among_completions_and_enter_takes(qtbot, bar: FilterBar) -> None:
    qtbot.keyClicks(bar.line, "sta")
    labels = [offer.label for offer in bar.popup.offers]
    assert labels[:2] == ["status", "started"]
    qtbot.keyClick(bar.line, Key.Key_Down)
    qtbot.keyClick(bar.line, Key.Key_Down)
    with qtbot.assertNotEmitted(bar.applied):
        qtbot.keyClick(bar.line, Key.Key_Return)
    assert bar.text.strip() == "started"


def test_enter_applies_even_while_completions_are_offered(qtbot, bar: FilterBar) -> None:
    qtbot.keyClicks(bar.line, "status == failed")
    with qtbot.waitSignal(bar.applied) as applied:
        qtbot.keyClick(bar.line, Key.Key_Return)
    assert applied.args == ["status == failed"]
    assert not bar.popup.isVisible()


def test_escape_closes_the_popup_first_and_then_leaves(qtbot, bar: FilterBar) -> None:
    qtbot.keyClicks(bar.line, "sta")
    with qtbot.assertNotEmitted(bar.left):
        qtbot.keyClick(bar.line, Key.Key_Escape)
    with qtbot.waitSignal(bar.left):
        qtbot.keyClick(bar.line, Key.Key_Escape)
    assert bar.text == ""


def test_typing_alone_applies_nothing_but_is_checked(qtbot, bar: FilterBar) -> None:
    with qtbot.assertNotEmitted(bar.applied, wait=200):
        qtbot.keyClicks(bar.line, "status == nosuch")
    assert bar.message.startswith("column 11:")


def test_up_and_down_walk_the_filters_used_before(qtbot, bar: FilterBar) -> None:
    for text in ("status == failed", "status == running"):
        bar.line.setText(text)
        bar.apply()
    bar.set_text("")
    qtbot.keyClick(bar.line, Key.Key_Up)
    qtbot.keyClick(bar.line, Key.Key_Up)
    assert bar.text == "status == failed"
    qtbot.keyClick(bar.line, Key.Key_Down)
    qtbot.keyClick(bar.line, Key.Key_Down)
    assert bar.text == ""


def test_colours_do_not_disturb_undo(qtbot, bar: FilterBar) -> None:
    qtbot.keyClicks(bar.line, "status")
    bar.line.undo()
    assert bar.text != "status"
    bar.line.redo()
    assert bar.text == "status"
