"""A config's graph, and what lies over it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from engine_bridge.populations import Population
from tests.fakes_configs import FLOWS, LONGEST, NODES, declared, impact
from widgets.configs.changes import ChangeTable, overlays
from widgets.configs.graph import ConfigGraph
from widgets.configs.graph_layout import GAP, widen
from widgets.configs.graph_paint import Overlay, flow_words
from widgets.entities.layout import NODE_W, place


@pytest.fixture
def graph(qtbot: QtBot) -> ConfigGraph:
    made = ConfigGraph()
    qtbot.addWidget(made)
    made.resize(1200, 320)
    made.show_declared(declared())
    made.show()
    return made


def picture(graph: ConfigGraph) -> QImage:
    return graph.grab().toImage()


def test_columns_stand_apart_and_ways_still_meet_their_boxes() -> None:
    placed = widen(place(Population(type="t", nodes=NODES, flows=FLOWS)))
    columns = sorted({round(x) for x, _ in placed.boxes.values()})
    assert {b - a for a, b in pairwise(columns)} == {round(NODE_W + GAP)}
    route = placed.routes["pending_email", "email_verified"]
    assert route.points[0][0] == placed.boxes["pending_email"][0] + NODE_W
    assert route.points[-1][0] == placed.boxes["email_verified"][0]


def test_a_status_tells_its_role_and_its_ways_out(graph: ConfigGraph) -> None:
    assert graph.scene is not None
    told = graph.text(graph.scene.find("pending_approval"))
    assert "approve → active by admin" in told
    assert "approve (rejection) → rejected by admin" in told
    assert graph.accessibleDescription().startswith("8 statuses, 8 ways.")


def test_the_keyboard_walks_and_enter_chooses(graph: ConfigGraph, qtbot: QtBot) -> None:
    graph.setFocus(Qt.FocusReason.TabFocusReason)
    graph.walk(0)
    qtbot.keyClick(graph, Qt.Key.Key_Right)
    assert graph.current == "email_verified"
    with qtbot.waitSignal(graph.toggled) as chosen:
        qtbot.keyClick(graph, Qt.Key.Key_Return)
    assert chosen.args[0][0] == "email_verified"


def test_a_path_lives_and_marks_change_the_picture_and_the_words(graph: ConfigGraph) -> None:
    plain = picture(graph)
    graph.set_overlay(Overlay(way=LONGEST.statuses))
    assert picture(graph) != plain
    assert "Shown: pending_email → email_verified" in graph.accessibleDescription()
    graph.set_overlay(Overlay(lives={("pending_email", "email_verified"): 10}, ends={"active": 7}))
    assert "7 lives ended here" in graph.text(graph.scene.find("active"))
    assert "10 lives" in graph.text(graph.scene.find("pending_email"))
    graph.set_overlay(Overlay())
    assert picture(graph) == plain


def test_labels_are_steps_or_lives() -> None:
    assert flow_words(FLOWS[0], Overlay()) == "verify_email"
    assert flow_words(FLOWS[0], Overlay(lives={})) == "never"
    assert flow_words(FLOWS[0], Overlay(lives={("pending_email", "email_verified"): 1_200})) == "1\u202f200"


def test_a_change_marks_both_sides(qtbot: QtBot) -> None:
    item = impact().items[0]
    old, new = overlays(item)
    assert old.marks == {"documents_uploaded": "removed"}
    assert new.marks == {"screening": "added"}
    assert old.way_marks["pending_documents", "documents_uploaded"] == "renamed"
    assert new.way_marks["pending_documents", "screening"] == "renamed"
    table = ChangeTable()
    qtbot.addWidget(table)
    table.show_changes(item.changes)
    model = table.list_model
    assert [model.index(row, 0).data() for row in range(4)] == ["removed", "added", "renamed", "changed"]
    assert model.index(2, 2).data() == "upload → upload_files"


def test_without_a_graph_it_says_why(graph: ConfigGraph) -> None:
    graph.show_declared(None, "The config is not usable.")
    assert graph.describe() == "The config is not usable."
