"""Findings, paths, simulation and replay as panes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine_bridge.configs import Paths, ReplayReport
from engine_bridge.errors import PlayheadError
from tests.fakes_configs import (
    ACME,
    BASE,
    FILES,
    FINDINGS,
    GROUPS,
    LONGEST,
    PATHS,
    REPLAY,
    SIMULATION,
    declared,
)
from widgets.configs.lint_pane import LintPane
from widgets.configs.paths_pane import PathsPane
from widgets.configs.place_picker import OWN, PlacePicker
from widgets.configs.replay_pane import ReplayPane
from widgets.configs.simulation_pane import SimulationPane
from widgets.run.list_table import ListTable


def rows(table: ListTable, column: int) -> list[str]:
    model = table.list_model
    return [model.index(row, column).data() for row in range(model.rowCount())]


@pytest.fixture
def lint(qtbot: QtBot) -> LintPane:
    pane = LintPane()
    qtbot.addWidget(pane)
    pane.resize(1000, 400)
    pane.show_report(FILES[:2], FINDINGS, declared("acme"))
    pane.show()
    return pane


def test_errors_come_first_each_with_its_place(lint: LintPane) -> None:
    assert rows(lint.table, 0) == ["error", "error", "warning"]
    assert rows(lint.table, 1) == ["registration.acme.json:5", "registration.json:52", "registration.json:14"]
    assert rows(lint.table, 2) == ["1\u202f906", "", ""]


def test_a_finding_opens_its_file_at_its_line(lint: LintPane) -> None:
    lint.step(1)
    assert lint.document is not None and lint.document.name == ACME
    assert lint.text.place() == (5, 5)
    assert "Add it to status_types" in lint.advice.text()
    assert not lint.entities.isHidden()
    lint.step(1)
    assert lint.document.name == BASE
    assert lint.text.place() == (52, 17)
    assert lint.text.marks == {52: "error", 14: "warning"}
    assert lint.entities.isHidden()
    lint.step(-1)
    assert lint.document.name == ACME
    lint.step(-1)
    assert lint.table.current() == FINDINGS[0]


def test_a_mark_chooses_its_finding(lint: LintPane) -> None:
    lint.go_to(BASE, 1)
    lint.text.mark_chosen.emit(14)
    assert lint.table.current() == FINDINGS[0]


def test_the_place_under_the_caret_tells_its_origin_and_leads_there(lint: LintPane) -> None:
    lint.show_merged()
    assert lint.document is not None
    lint.text.go_to(lint.document.places.line_of("/steps/4/requesters/1"), 12)
    assert lint.origin.text.startswith("from registration.acme.json:9")
    lint.go_to_origin()
    assert (lint.document.name, lint.text.place()[0]) == (ACME, 9)
    assert lint.follow.isHidden()
    assert "in force for acme" in lint.text.describe(9, 9)


def test_the_finding_and_the_file_stay_when_they_are_read_again(lint: LintPane) -> None:
    lint.step(1)
    lint.show_report(FILES[:2], FINDINGS[1:], declared("acme"))
    assert lint.table.current() == FINDINGS[2]
    assert lint.document is not None and lint.document.name == ACME


def test_no_findings_say_so(lint: LintPane) -> None:
    lint.show_report(FILES[:1], (), declared())
    assert "No findings" in lint.clean.message
    assert lint.clean.isVisible()


def test_ways_list_the_remarkable_ones_first(qtbot: QtBot) -> None:
    pane = PathsPane()
    qtbot.addWidget(pane)
    pane.show_paths(PATHS)
    kinds = ["shortest", "longest", "loop", "admin override", "bad end", "good end"]
    assert rows(pane.table, 0) == kinds
    with qtbot.waitSignal(pane.way_chosen) as chosen:
        pane.table.chosen.emit(1)
    assert chosen.args == [LONGEST.statuses]
    with qtbot.waitSignal(pane.way_chosen) as chosen:
        pane.table.chosen.emit(3)
    assert chosen.args == [("pending_approval", "pending_documents")]
    assert pane.note.text.startswith("2 ways, 1 loop, 1 admin override.")
    pane.show_paths(Paths())
    assert "cannot" not in pane.note.text and "see the findings" in pane.note.text


def test_a_simulation_asks_with_its_weights(qtbot: QtBot) -> None:
    pane = SimulationPane()
    qtbot.addWidget(pane)
    pane.set_steps(("upload", "approve"))
    pane.lives.setValue(500)
    pane.chances.item(2, 2).setText("0,5")
    with qtbot.waitSignal(pane.run_requested) as asked:
        pane.run.click()
    assert asked.args == [{"count": 500, "seed": 0, "chances": {"approve": {"rejection": 0.5}}}]
    pane.set_steps(("approve", "other"))
    assert pane.chances.weights() == {"approve": {"rejection": 0.5}}


def test_a_wrong_weight_is_told_and_nothing_runs(qtbot: QtBot) -> None:
    pane = SimulationPane()
    qtbot.addWidget(pane)
    pane.set_steps(("upload",))
    pane.chances.item(1, 1).setText("-1")
    with qtbot.assertNotEmitted(pane.run_requested):
        pane.start()
    assert "upload, success: “-1” is no weight" in pane.note.text


def test_a_simulation_shows_ends_statuses_and_lives(qtbot: QtBot) -> None:
    pane = SimulationPane()
    qtbot.addWidget(pane)
    pane.show_result(SIMULATION)
    assert rows(pane.ends, 0)[:4] == ["good end", "bad end", "stuck: nothing applied", "active"]
    assert rows(pane.ends, 2)[:2] == ["81.2 %", "17.8 %"]
    assert "3 to 12 steps, median 5" in pane.note.text
    with qtbot.waitSignal(pane.life_chosen) as chosen:
        pane.samples.chosen.emit(1)
    assert chosen.args[0][-1] == "rejected"
    pane.show_error(PlayheadError("No step is called x.", "Known: y."))
    assert pane.note.text == "No step is called x. Known: y."
    assert pane.ends.list_model.rowCount() == 0


def test_replay_groups_lead_to_entities(qtbot: QtBot) -> None:
    pane = ReplayPane()
    qtbot.addWidget(pane)
    pane.show_report(REPLAY, OWN)
    assert rows(pane.groups, 0) == ["31", "2"]
    assert pane.entities.list_model.rowCount() == 31
    assert "33 entities diverge" in pane.note.text
    pane.groups.selectRow(1)
    pane.groups.chosen.emit(1)
    assert rows(pane.entities, 0) == ["run-0100"]
    with qtbot.waitSignal(pane.entity_opened) as opened:
        pane.entities.opened.emit(0)
    assert opened.args == [GROUPS[1].entities[0]]


def test_a_replay_without_divergence_says_what_was_compared(qtbot: QtBot) -> None:
    pane = ReplayPane()
    qtbot.addWidget(pane)
    pane.show_report(ReplayReport(type="t", entities=3, moves=9), "HEAD:a.json")
    assert "9 moves of 3 entities against HEAD:a.json" in pane.empty.message
    pane.show_report(ReplayReport(type="t", entities=1, moves=2, complete=False), "x")
    assert "cancelled before the end" in pane.empty.message


def test_places_are_parted_and_nothing_stands_for_the_own_ones(qtbot: QtBot) -> None:
    picker = PlacePicker("Old configs")
    qtbot.addWidget(picker)
    assert (picker.places(), picker.words()) == ((), OWN)
    picker.suggest([BASE, ACME, "HEAD:x.json"])
    assert picker.line.count() == 3
    assert picker.line.itemText(1) == f"HEAD:{BASE}; HEAD:{ACME}"
    assert picker.places() == ()
    picker.line.setCurrentIndex(1)
    assert picker.places() == (f"HEAD:{BASE}", f"HEAD:{ACME}")
    picker.line.setCurrentIndex(0)
    assert picker.places() == ()
    with qtbot.waitSignal(picker.entered):
        qtbot.keyClick(picker.line.lineEdit(), Qt.Key.Key_Return)
