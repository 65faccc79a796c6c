"""The graph view, driven by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from engine_bridge.graph import library
from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import RunRef
from tests.fakes import make_history, make_run
from widgets.graph import GraphView


@pytest.fixture
def view(qtbot: QtBot) -> GraphView:
    run = make_run(1)
    history = History()
    history.append(BatchBuilder().build(run, *make_history(run)))
    view = GraphView()
    qtbot.addWidget(view)
    view.resize(500, 500)
    view.show()
    view.set_history(history)
    return view


def centre_of(view: GraphView, name: str) -> QPoint:
    for y in range(0, view.height(), 4):
        for x in range(0, view.width(), 8):
            node = view.node_at(QPointF(x, y))
            if node >= 0 and view.node_text(node).startswith(name):
                return QPoint(x + 8, y + 4)
    raise AssertionError(f"{name} is not drawn")


def test_a_click_selects_the_step_everywhere(view: GraphView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.step_selected) as selected:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=centre_of(view, "charge_card"))
    assert selected.args == ["2"]
    assert view.describe().startswith("charge_card")


def test_the_first_graph_of_all_waits_for_its_library_in_another_thread(
    view: GraphView, qtbot: QtBot
) -> None:
    history = view._history
    view.set_history(None)
    library.cache_clear()
    view.set_history(history)
    with pytest.raises(AssertionError, match="charge_card is not drawn"):
        centre_of(view, "charge_card")
    qtbot.waitUntil(lambda: bool(centre_of(view, "charge_card")))


def test_nodes_take_their_state_at_the_playhead(view: GraphView) -> None:
    view.set_selected("4")
    assert "failed" in view.describe()
    view.set_position(2)
    assert "pending" in view.describe()


def test_arrow_keys_walk_and_enter_opens_a_child(view: GraphView, qtbot: QtBot) -> None:
    view.set_selected("1")
    seen: list[object] = []
    view.step_selected.connect(seen.append)
    for _ in range(2):
        qtbot.keyClick(view, Qt.Key.Key_Down)
    assert seen == ["2", "3"]
    with qtbot.waitSignal(view.child_opened) as opened:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert opened.args == [RunRef("workflow", "run-0001-child", "run-0001-child")]


def test_zoom_keeps_the_point_under_the_cursor(view: GraphView) -> None:
    point = QPointF(centre_of(view, "charge_card"))
    before = view.node_at(point)
    view.zoom(1.8, point)
    assert view.node_at(point) == before


def test_an_empty_history_says_so(qtbot: QtBot) -> None:
    view = GraphView()
    qtbot.addWidget(view)
    view.show()
    view.set_history(History())
    assert view.describe() == "No steps yet."
