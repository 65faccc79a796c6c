"""The status graph as a user meets it: figures, keyboard, mouse, zoom, what is staged."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.populations import Flow
from tests.widgets.entities.populations import large, registration
from widgets import theme
from widgets.entities.graph import StatusGraph
from widgets.entities.words import edge_text, flow_text, note, percent

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def graph(qtbot: QtBot) -> StatusGraph:
    theme.apply(QApplication.instance(), "dark")
    made = StatusGraph()
    qtbot.addWidget(made)
    made.resize(1330, 320)
    made.show()
    made.set_population(registration())
    return made


def at(graph: StatusGraph, status: str) -> QPoint:
    return graph.box_rect(graph.scene.find(status)).center().toPoint()


def test_a_status_says_all_that_is_known_of_it(graph: StatusGraph) -> None:
    text = graph.text(graph.scene.find("pending_approval"))
    assert text.splitlines()[:2] == ["pending_approval", "claimed by a worker · 32 entities"]
    assert "16 stuck claims" in text
    assert "longest here: since" in text
    assert "in the data, not in the config" in graph.text(graph.scene.find("on_hold_legacy"))


def test_a_click_filters_and_control_adds(graph: StatusGraph, qtbot: QtBot) -> None:
    toggled = []
    graph.toggled.connect(toggled.append)
    qtbot.mouseClick(graph, Qt.MouseButton.LeftButton, pos=at(graph, "active"))
    qtbot.mouseClick(graph, Qt.MouseButton.LeftButton, CONTROL, at(graph, "rejected"))
    qtbot.mouseClick(graph, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert toggled == [("active", False), ("rejected", True)]


def test_arrows_walk_and_enter_filters(graph: StatusGraph, qtbot: QtBot) -> None:
    toggled = []
    graph.toggled.connect(toggled.append)
    graph.setFocus()
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return):
        qtbot.keyClick(graph, key)
    assert toggled == [("pending_documents", False)]
    assert graph.accessibleDescription().startswith("pending_documents\n")
    qtbot.keyClick(graph, Qt.Key.Key_Left)
    assert graph.current == "email_verified"
    qtbot.keyClick(graph, Qt.Key.Key_End)
    assert graph.current == "on_hold_legacy"


def test_every_status_can_be_reached_by_arrows(graph: StatusGraph, qtbot: QtBot) -> None:
    graph.setFocus()
    seen, todo = set(), ["pending_email"]
    while todo:
        status = todo.pop()
        if status in seen:
            continue
        seen.add(status)
        for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            graph.walk(graph.scene.find(status))
            qtbot.keyClick(graph, key)
            todo.append(graph.current)
    assert seen == {box.node.status for box in graph.scene.boxes}


def test_plus_minus_and_nought_zoom(graph: StatusGraph, qtbot: QtBot) -> None:
    graph.setFocus()
    fitted = graph.look.scale
    qtbot.keyClick(graph, Qt.Key.Key_Plus)
    assert graph.look.scale == pytest.approx(fitted * 1.2)
    qtbot.keyClick(graph, Qt.Key.Key_0)
    assert graph.look.scale == fitted


def test_dragging_pans_without_filtering(graph: StatusGraph, qtbot: QtBot) -> None:
    toggled = []
    graph.toggled.connect(toggled.append)
    before, start = QPointF(graph.look.origin), at(graph, "active")
    qtbot.mousePress(graph, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(graph, start + QPoint(30, 12))
    qtbot.mouseRelease(graph, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 12))
    assert graph.look.origin - before == QPointF(30, 12)
    assert not toggled


def test_staged_moves_are_drawn_before_anything_is_written(graph: StatusGraph) -> None:
    graph.set_staged({("pending_documents", "pending_approval"): 2, ("", "active"): 1})
    assert graph.staged_words == ["2: pending_documents → pending_approval", "1:  → active"]
    lowest = max(box.rect.bottom() for box in graph.scene.boxes)
    graph.set_population(registration(200))
    assert len(graph.staged_words) == 2
    assert graph.scene.staged[0].label.y() < lowest
    graph.set_staged({})
    assert graph.staged_words == []


def test_new_figures_leave_zoom_and_place_alone(graph: StatusGraph) -> None:
    graph.zoom(1.5)
    look = graph.look.scale, QPointF(graph.look.origin)
    graph.walk(2)
    graph.set_population(registration(200))
    assert (graph.look.scale, graph.look.origin) == look
    assert graph.current == graph.scene.boxes[2].node.status


def test_a_hundred_statuses_stay_legible(graph: StatusGraph, qtbot: QtBot) -> None:
    graph.set_population(large(100))
    qtbot.waitUntil(lambda: graph.scene is not None and len(graph.scene.boxes) == 100)
    assert graph.look.scale >= 0.66
    first = graph.box_rect(graph.scene.find("status_000"))
    assert graph.rect().contains(first.toRect())
    graph.walk(-1)
    assert graph.rect().contains(graph.box_rect(graph.look.current).toRect())


def test_nothing_to_show_says_why(graph: StatusGraph) -> None:
    graph.set_population(None, "Reading populations …")
    assert graph.describe() == "Reading populations …"
    assert not graph.grab().isNull()


@pytest.mark.parametrize("name", theme.THEMES)
def test_it_paints_in_every_theme_and_zoom(graph: StatusGraph, name: str) -> None:
    theme.apply(QApplication.instance(), name)
    graph.set_staged({("pending_documents", "active"): 1, ("on_hold_legacy", "active"): 3})
    graph.set_chosen(frozenset({"active"}))
    for factor in (0.3, 1.0, 4.0):
        graph.fit()
        graph.zoom(factor)
        image = graph.grab().toImage()
        colors = {image.pixelColor(x, y).name() for x in range(0, 1300, 7) for y in range(0, 300, 7)}
        assert len(colors) > 4


def test_hostile_names_are_plain(graph: StatusGraph) -> None:
    population = registration()
    evil = "<b>x</b>\u202e" + "y" * 300
    nodes = (msgspec.structs.replace(population.nodes[0], status=evil), *population.nodes[1:])
    graph.set_population(msgspec.structs.replace(population, nodes=nodes, flows=()))
    assert "\\u202e" in graph.text(0)
    assert not graph.grab().isNull()


def test_words_of_ways() -> None:
    assert percent(0.974) == "97 %"
    assert percent(0.001) == "< 1 %"
    assert percent(1.0) == percent(None) == ""
    back = Flow(source="a", target="b", declared=False, steps=("send_back",), requesters=("admin",), count=14)
    assert edge_text(back) == ("admin: send_back (not declared, observed 14×)", True)
    assert edge_text(back, declares=False) == ("", False), "where nothing is declared, nothing breaks a rule"
    assert flow_text(back).splitlines() == ["a → b", "not declared · send_back", "by admin", "14 observed"]
    never = Flow(source="a", target="b", steps=("go",))
    assert flow_text(never).endswith("never observed")


def test_the_worst_is_what_a_status_tells_first() -> None:
    node = registration().nodes[4]
    assert note(msgspec.structs.replace(node, stuck=1, failures=4))[:2] == ("1 stuck claim", "1 stuck")
    assert note(msgspec.structs.replace(node, stuck=0, failures=4))[0] == "4 failures"
    assert note(msgspec.structs.replace(node, stuck=0, findings=("a dead end",)))[0] == "a dead end"
