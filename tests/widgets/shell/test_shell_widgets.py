"""The shell's widgets by themselves: what they show, and what they emit."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from engine_bridge.errors import ConnectError
from widgets.shell.bars import Bars
from widgets.shell.breadcrumb import Breadcrumb, Crumb
from widgets.shell.fuzzy import ranked, score
from widgets.shell.label import ElidedLabel, plain_tooltip
from widgets.shell.sources_panel import PanelRow, SourcesPanel
from widgets.shell.status_bar import StatusBar
from widgets.shell.top_bar import TopBar

EVIL = "<b>x</b>\n\u202eevil"


@pytest.mark.parametrize(
    ("pattern", "best"),
    [
        ("tl", "Theme: Light"),
        ("retr run", "Retry Run"),
        ("qu", "Quit"),
        ("gofo", "Go Forward"),
        ("fbr", "Filter by Run"),
    ],
)
def test_the_scorer_prefers_starts_of_words(pattern: str, best: str) -> None:
    titles = [
        "Filter by Run",
        "Retry Run",
        "Theme: Light",
        "Toggle Panel",
        "Quit",
        "Go Forward",
        "Quick Open Help",
    ]
    found = ranked(pattern, titles, str)
    assert found[0] == best


def test_the_scorer_knows_what_does_not_fit() -> None:
    assert score("xyz", "Theme") is None
    assert score("", "anything") == 0.0
    assert ranked("", ["b", "a"], str) == ["b", "a"]


def test_the_panel_skips_headers_and_keeps_its_place(qtbot: QtBot) -> None:
    panel = SourcesPanel()
    qtbot.addWidget(panel)
    panel.resize(240, 300)
    panel.show()
    rows = [
        PanelRow("header", "Sources"),
        PanelRow("source", "orders", "s1", "Fake · live", "live", current=True),
        PanelRow("source", EVIL, "s2", "failed", "failed", warn=True),
        PanelRow("header", "orders"),
        PanelRow("page", "Runs", "runs", "60"),
    ]
    panel.set_rows(rows)
    panel.setCurrentIndex(panel.model().index(2, 0))
    qtbot.keyClick(panel, Qt.Key.Key_Down)
    assert panel.currentIndex().row() == 4
    panel.set_rows([rows[0], *rows[2:]])
    assert panel.currentIndex().row() == 3
    with qtbot.waitSignal(panel.activated_row) as caught:
        qtbot.keyClick(panel, Qt.Key.Key_Return)
    assert caught.args[0].value == "runs"
    with qtbot.waitSignal(panel.remove_requested):
        qtbot.keyClick(panel, Qt.Key.Key_Delete)
    tip = panel.model().index(1, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "&lt;b&gt;" in tip
    panel.grab()


def test_rows_say_their_state_to_a_screen_reader(qtbot: QtBot) -> None:
    panel = SourcesPanel()
    qtbot.addWidget(panel)
    panel.set_rows([PanelRow("source", "orders", "s1", "no answer", "stale")])
    assert panel.model().index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole) == "orders, stale, no answer"


def test_the_path_is_cut_to_fit_and_each_part_can_be_chosen(qtbot: QtBot) -> None:
    path = Breadcrumb()
    qtbot.addWidget(path)
    path.resize(360, 28)
    path.show()
    long = "status == failed and " * 20
    path.set_crumbs([Crumb("orders", 1), Crumb("runs", 2), Crumb(long, 3), Crumb("run-1", 4)])
    fitted = path._fitted()
    assert fitted[0] == "orders" and fitted[3] == "run-1" and "…" in fitted[2]
    path.grab()
    with qtbot.waitSignal(path.chosen) as caught:
        qtbot.mouseClick(path, Qt.MouseButton.LeftButton, pos=path._rects[1].center())
    assert caught.args == [2]
    path.setFocus()
    qtbot.keyClick(path, Qt.Key.Key_Left)
    with qtbot.waitSignal(path.chosen) as caught:
        qtbot.keyClick(path, Qt.Key.Key_Return)
    assert caught.args == [3]


def test_errors_stack_up_to_three_and_copy_their_details(qtbot: QtBot) -> None:
    bars = Bars()
    qtbot.addWidget(bars)
    for number in range(5):
        bars.show_error(ConnectError(f"Error {number}.", "Do this.", "line 1"))
    bars.show_error(ConnectError("Error 4.", "Do this.", "line 1"))
    assert bars.texts == ["Error 2.", "Error 3.", "Error 4."]
    button = next(b for b in bars._errors[-1][1].findChildren(QToolButton) if b.text() == "Copy details")
    button.click()
    assert QGuiApplication.clipboard().text() == "ConnectError: Error 4.\nDo this.\nline 1"


def test_the_chip_counts_and_cancels(qtbot: QtBot) -> None:
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.show()
    cancelled: list[bool] = []
    bar.chip.show_progress("searching", 3_000_000_000, 6_000_000_000, lambda: cancelled.append(True))
    assert "of" in bar.chip.words.text
    assert bar.chip.bar.value() == 500
    bar.chip.button.click()
    assert cancelled == [True]
    bar.chip.show_progress("reading", 0, None, None)
    assert not bar.chip.button.isVisible()
    bar.stop()


def test_hostile_text_is_plain_everywhere(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.set_text(EVIL)
    assert "\u202e" not in label.text
    assert plain_tooltip(EVIL).count("<b>") == 0
    bar = TopBar()
    qtbot.addWidget(bar)
    bar.environment.set(EVIL, "failed", "warning", EVIL)
    bar.path.set_crumbs([Crumb(EVIL, 0)])
    bar.show()
    bar.grab()
    assert "<b>" not in bar.path.toolTip()


def test_badges_hide_when_there_is_nothing_to_say(qtbot: QtBot) -> None:
    bar = TopBar()
    qtbot.addWidget(bar)
    bar.show()
    bar.set_environment("test")
    bar.lock.set("read-only", "muted", "lock")
    assert (bar.environment.text, bar.lock.text) == ("TEST", "read-only")
    bar.set_environment("")
    bar.lock.set("")
    assert not bar.environment.isVisible() and not bar.lock.isVisible()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_menu_is_not_mirrored_with_its_button(qtbot: QtBot) -> None:
    bar = TopBar()
    qtbot.addWidget(bar)
    bar.show()
    bar.menu.addMenu("File").addAction("Connect")
    said: list[Qt.LayoutDirection] = []

    def look() -> None:
        said.append(bar.menu.layoutDirection())
        bar.menu.close()

    QTimer.singleShot(0, look)
    bar.menu_button.showMenu()
    assert said == [Qt.LayoutDirection.LeftToRight]
