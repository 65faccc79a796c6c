"""The table of stranded entities."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from tests.fakes_configs import impact
from widgets.configs.stranded import StrandedPane

ROWS = impact().items[0].stranded
TARGETS = ("pending_email", "pending_documents", "active")


@pytest.fixture
def pane(qtbot: QtBot) -> StrandedPane:
    made = StrandedPane()
    qtbot.addWidget(made)
    made.show_rows(ROWS, TARGETS, "")
    return made


def test_counts_and_suggested_targets(pane: StrandedPane) -> None:
    assert [pane.table.item(row, 1).text() for row in range(2)] == ["12", "0"]
    assert [pane.target(row) for row in range(2)] == ["pending_documents", "pending_email"]
    assert pane.note.text.startswith("12 entities stranded.")


def test_a_row_is_staged_with_its_filter(pane: StrandedPane, qtbot: QtBot) -> None:
    with qtbot.waitSignal(pane.stage_requested) as asked:
        pane.stage_buttons[0].click()
    ((staged, query),) = asked.args[0]
    assert (staged.action, staged.args, query) == ("degrade", {"to": "pending_documents"}, ROWS[0].filter)


def test_another_target_goes_into_the_action_and_takes_the_sql_away(pane: StrandedPane, qtbot: QtBot) -> None:
    pane.targets[0].setCurrentIndex(pane.targets[0].findText("active"))
    with qtbot.waitSignal(pane.stage_requested) as asked:
        pane.stage_all.click()
    ((staged, _),) = asked.args[0]
    assert staged.args == {"to": "active"}
    assert not pane.sql_buttons[0].isEnabled()
    assert "suggested" in pane.sql_buttons[0].toolTip()


def test_rows_that_cannot_be_staged_say_why(pane: StrandedPane) -> None:
    assert pane.stage_buttons[1].toolTip() == "<span>Not now: no entity stands on it.</span>"
    pane.show_rows(ROWS, TARGETS, "the mapping allows no writes")
    assert pane.stage_buttons[0].toolTip() == "<span>Not now: the mapping allows no writes.</span>"
    assert not pane.stage_all.isEnabled()
    pane.show_rows((msgspec.structs.replace(ROWS[0], action=None, count=None),), TARGETS, "")
    assert pane.table.item(0, 1).text() == "not counted"
    assert pane.why_not(0) == "this source cannot move entities"


def test_the_sql_can_be_copied_and_the_entities_listed(pane: StrandedPane, qtbot: QtBot) -> None:
    with qtbot.waitSignal(pane.copied):
        pane.sql_buttons[0].click()
    assert QGuiApplication.clipboard().text().startswith("UPDATE users")
    pane.table.selectRow(0)
    with qtbot.waitSignal(pane.entities_wanted) as wanted:
        pane.list_current()
    assert wanted.args == [ROWS[0].filter]
