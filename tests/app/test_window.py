"""The real window, driven by commands, keys and clicks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMenu, QScrollArea, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.window import MainWindow
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from tests.app.window_fixture import BRIDGES, Opened
from tests.fakes import ref

ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier


def titles(window: MainWindow, kind: str) -> list[tuple[str, str]]:
    return [(row.title, row.note) for row in window.panel.rows if row.kind == kind]


def test_the_first_screen_offers_three_ways_in(window: MainWindow) -> None:
    assert window.stack.currentWidget() is window.welcome
    assert list(window.welcome.buttons) == ["demo", "connect", "open"]
    assert window.top_bar.path.texts == ["Welcome"]
    assert [row.title for row in window.panel.rows] == [
        "Sources",
        "none yet: Ctrl+N connects",
        "Operators",
        "Journal",
    ]


def test_open_browse_a_run_and_come_back(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    key = opened("fake://server/orders")
    assert window.router.scope == "runs"
    assert window.top_bar.path.texts == ["orders", "runs"]
    assert window.top_bar.lock.text == "read-only"
    qtbot.waitUntil(lambda: ("Runs", "60") in titles(window, "page"))
    window.focus.change(page="run", run=ref("run-0003"))
    assert window.router.scope == "run"
    assert window.top_bar.path.texts == ["orders", "runs", "run-0003"]
    qtbot.keyClick(window, Qt.Key.Key_Left, ALT)
    assert window.router.scope == "runs"
    qtbot.keyClick(window, Qt.Key.Key_Right, ALT)
    assert window.focus.current.run == ref("run-0003")
    assert window.sources.get(key).state == "live"


def test_pages_by_key_and_by_panel(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    opened("fake://server/orders")
    qtbot.keyClick(window, Qt.Key.Key_2, CONTROL)
    assert window.focus.current.page == "failures"
    window.run_command("go.sources")
    rows = [row.title for row in window.panel.rows]
    window.panel.setCurrentIndex(window.panel.model().index(rows.index("Resources"), 0))
    qtbot.keyClick(window.panel, Qt.Key.Key_Return)
    assert window.focus.current.page == "resources"
    assert next(row for row in window.panel.rows if row.title == "Resources").current


def test_a_failed_source_says_why_and_can_be_tried_again(qtbot: QtBot, window: MainWindow) -> None:
    window.open("fake://server/broken")
    qtbot.waitUntil(lambda: "could not be opened" in window.placeholder.title.text())
    assert "Nothing answers there.\nStart the server." in window.placeholder.text.text()
    assert window.placeholder.button_names == ["Retry", "Copy details", "Remove"]
    assert titles(window, "source") == [("broken", "failed")]
    window.run_command("source.reopen")
    assert window.sources.all()[0].state == "opening"
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "failed")
    window.run_command("source.remove")
    assert window.stack.currentWidget() is window.welcome


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/nowhere/at/all.db", "There is no file /nowhere/at/all.db."),
        ("nope://server/x", "No engine opens nope:// sources."),
        ("/", "/ is a folder."),
    ],
)
def test_what_cannot_be_opened_says_what_can(
    qtbot: QtBot, window: MainWindow, target: str, said: str
) -> None:
    window.open(target)
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "failed")
    assert said in window.placeholder.text.text()
    assert "fake://" in window.placeholder.text.text()


def test_an_unknown_saved_name_is_an_error_bar(window: MainWindow) -> None:
    window.open("@nobody")
    assert window.bars.texts == ["No source is saved as @nobody."]
    window.run_command("view.dismiss")
    assert window.bars.texts == []


def test_closing_while_it_opens_leaves_nothing_behind(qtbot: QtBot, window: MainWindow) -> None:
    window.open("fake://server/slow")
    assert window.placeholder.title.text() == "Opening slow …"
    qtbot.keyClick(window, Qt.Key.Key_W, CONTROL)
    assert window.placeholder.title.text() == "slow is closed"
    window.open("fake://server/slow")
    window.close()
    assert not window.isVisible()


def test_two_sources_each_with_its_own_focus(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    first, second = opened("fake://server/orders"), opened("fake://server/billing")
    assert window.top_bar.path.texts[0] == "billing"
    window.actions_of_sources.go_to(first)
    assert window.top_bar.path.texts[0] == "orders"
    window.run_command("source.close")
    assert window.sources.get(first).state == "closed"
    assert window.sources.get(second).state == "live"
    qtbot.waitUntil(lambda: len(BRIDGES[0]._runs) == 0)


def test_dropped_files_are_opened(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "export.fake"
    file.write_bytes(b"FAKE")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(5, 5), action, data, button, Qt.KeyboardModifier.NoModifier))
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "live")
    assert window.sources.all()[0].title == "export.fake"


def test_production_colours_the_edge_and_the_title(qtbot: QtBot, window: MainWindow) -> None:
    from engine_bridge.model import Environment

    window.saved.save_source("prod", "fake://server/orders", Environment.PRODUCTION)
    window.open("@prod")
    qtbot.waitUntil(lambda: window.top_bar.environment.text == "PRODUCTION")
    assert window.center.production
    assert "PRODUCTION" in window.windowTitle()
    window.focus.set(Focus())
    assert not window.center.production


def test_notices_of_a_source_are_a_bar_until_put_away(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/noticed")
    assert window.bars.texts == ["This schema is newer than Playhead."]
    window.bars._notices[0].dismissed.emit()
    window.run_command("view.refresh")
    window.focus.change(page="failures")
    assert window.bars.texts == []


def test_a_source_that_stops_answering_turns_stale_and_comes_back(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    key = opened("fake://server/orders")
    BRIDGES[0].dead = True
    window.watch._tick()
    qtbot.waitUntil(lambda: window.sources.get(key).state == "stale")
    assert "no answer since" in window.status_bar.state.text
    assert "The server went away." in window.bars.texts[0]
    BRIDGES[0].dead = False
    qtbot.waitUntil(lambda: not window.watch._jobs.running(f"ask {key}"))
    window.watch._tick()
    qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
    assert window.bars.texts == []


def test_themes_and_zone_switch_and_are_kept(window: MainWindow) -> None:
    from app.settings import Settings
    from widgets.theme import theme

    for name in ("light", "high_contrast", "dark"):
        window.run_command(f"view.theme_{name}")
        assert theme().name == name
        window.grab()
    window.run_command("view.zone")
    assert window.status_bar.zone.text() == "UTC"
    assert Settings().get("zone") == "utc"
    assert Settings().get("theme") == "dark"


def test_saved_views_filter_the_runs(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    window.saved.save_view("Broken", "status == failed")
    window.reload_saved()
    row = next(row for row in window.panel.rows if row.kind == "view")
    window.panel.activated_row.emit(row)
    assert "Open a source first" in window.status_bar.note.text
    opened("fake://server/orders")
    window.panel.activated_row.emit(row)
    assert window.focus.current.query == "status == failed"
    assert window.top_bar.path.texts == ["orders", "runs", "status == failed"]


def test_size_and_recents_survive(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    from app.saved import Saved
    from app.settings import Settings

    opened("fake://server/orders")
    window.resize(1000, 700)
    window.close()
    assert Settings().get("window") == "1000x700"
    assert [recent.url for recent in Saved().recents()] == ["fake://server/orders"]


def menu_texts(window: MainWindow) -> list[str]:
    menu = next(m for m in window.findChildren(QMenu) if m.accessibleName() == "Source actions")
    texts = [action.text() for action in menu.actions()]
    menu.close()
    menu.deleteLater()
    return texts


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_context_menu_fits_the_row_and_opens_from_the_keyboard(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/orders")
    rows = [row.title for row in window.panel.rows]
    window.panel.setCurrentIndex(window.panel.model().index(rows.index("orders"), 0))
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0))
    QApplication.sendEvent(window.panel, event)
    assert menu_texts(window) == ["Close", "Save as …", "Rename …", "Copy URL", "Remove"]
    window.panel.menu_requested.emit(None, QPoint(0, 0))
    QApplication.sendPostedEvents(None, int(QEvent.Type.DeferredDelete))
    assert menu_texts(window) == ["Connect …", "Open File …"]


def test_a_long_read_shows_its_progress_and_can_be_cancelled(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/orders")
    cancelled: list[bool] = []
    page = window.router.pages.get("runs")
    page.jobs.busy.emit(("scan", "searching", 10, 100, lambda: cancelled.append(True)))
    chip = window.status_bar.chip
    assert chip.isVisible() and chip.words.text == "searching 10 of 100"
    window.focus.change(page="failures")
    assert not chip.isVisible()
    window.focus.change(page="runs")
    chip.button.click()
    assert cancelled == [True]
    page.jobs.busy.emit(("scan", None, 0, None, None))
    assert not chip.isVisible()


def test_a_source_can_be_marked_as_production_and_stays_so(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    key = opened("fake://server/orders")
    window.run_command("source.production")
    assert window.top_bar.environment.text == "PRODUCTION"
    assert "save the source to keep it" in window.status_bar.note.text
    window.sources.save(key, "shop")
    window.run_command("source.test")
    assert window.saved.source("shop").environment == "test"
    window.run_command("source.close")
    window.run_command("source.reopen")
    qtbot.waitUntil(lambda: window.top_bar.environment.text == "TEST")


def test_opening_says_how_far_it_is(qtbot: QtBot, window: MainWindow) -> None:
    window.open("fake://server/copying")
    qtbot.waitUntil(lambda: "copying 3 of 10" in window.placeholder.text.text())
    window.run_command("source.close")
    assert window.placeholder.title.text() == "copying is closed"


def test_whatever_takes_the_keyboard_has_a_name(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    opened("fake://server/orders")
    window.report(PlayheadError("Something.", "Do this."))
    window.run_command("app.palette")
    window.actions_of_sources.connect()
    assert window.connecting is not None
    pages = [page.widget for page in window.router.pages.all()]
    nameless = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not any(page is widget or page.isAncestorOf(widget) for page in pages)
        and not widget.accessibleName()
        and not str(widget.property("text") or "").strip()
        and not isinstance(widget, QScrollArea)
    ]
    assert nameless == []
    window.connecting.dialog.reject()


def test_a_target_size_of_24_px_and_two_hundred_percent(window: MainWindow) -> None:
    buttons = [b for b in window.top_bar.findChildren(QToolButton) if b.isVisible()]
    assert buttons and all(min(b.width(), b.height()) >= 24 for b in buttons)
    window.resize(720, 480)
    assert window.width() == 720
