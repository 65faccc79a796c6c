"""The minimap: the window follows the view, and the view follows the window."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from tests.bench.histories import make_history
from tests.widgets.timeline.conftest import MakeView, small_history
from widgets import theme
from widgets.timeline import TimelineView

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def drag(qtbot: QtBot, view: TimelineView, start: float, end: float) -> None:
    x, y = view.minimap.area.x(), int(view.minimap.area.center().y())
    qtbot.mousePress(view.minimap, LEFT, NONE, QPoint(round(x + start), y))
    qtbot.mouseMove(view.minimap, QPoint(round(x + end), y))
    qtbot.mouseRelease(view.minimap, LEFT, NONE, QPoint(round(x + end), y))


def test_the_window_shows_what_the_view_shows(make_view: MakeView) -> None:
    view = make_view(small_history(1))
    x0, x1 = view.minimap.window_px()
    assert x0 <= 1 and x1 >= view.minimap.area.width() - 1
    view.zoom(4)
    x0, x1 = view.minimap.window_px()
    assert x1 - x0 == pytest.approx(view.minimap.area.width() / 4, rel=0.05)


def test_dragging_the_window_pans(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    view.zoom(4)
    x0, x1 = view.minimap.window_px()
    drag(qtbot, view, (x0 + x1) / 2, (x0 + x1) / 2 + 50)
    assert view.minimap.window_px() == pytest.approx((x0 + 50, x1 + 50), abs=1.5)


def test_dragging_an_edge_resizes(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    view.zoom(4)
    x0, x1 = view.minimap.window_px()
    drag(qtbot, view, x1, x1 + 80)
    assert view.minimap.window_px() == pytest.approx((x0, x1 + 80), abs=2)


def test_a_press_beside_the_window_brings_it_there(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    view.zoom(6)
    qtbot.mouseClick(view.minimap, LEFT, NONE, QPoint(round(view.minimap.area.x()) + 90, 17))
    x0, x1 = view.minimap.window_px()
    assert (x0 + x1) / 2 == pytest.approx(90, abs=2)


def test_failures_tick_the_strip(make_view: MakeView) -> None:
    view = make_view(make_history(2_000, failures=0.002, seed=4))
    view.zoom(50)
    image, area = view.minimap.grab().toImage(), view.minimap.area
    scale = view.minimap.scale()
    failed = theme.load("dark").state("failed")
    window = view.minimap.window_px()
    shown = 0
    for offset in view.state.main.failures().tolist():
        x = int(scale.x(offset))
        if window[0] <= x <= window[1]:
            continue
        color = image.pixelColor(int(area.x()) + x, int(area.y()) + 1)
        # Beside the window the strip lies under a veil, which mixes the colour with the panel's.
        shown += 1
        assert color.red() - color.blue() > (failed.red() - failed.blue()) * 0.25
    assert shown >= 3


def test_an_empty_run_has_an_empty_strip(make_view: MakeView) -> None:
    view = make_view(None)
    panel = theme.load("dark").color("panel")
    assert view.minimap.grab().toImage().pixelColor(500, 17) == panel
