"""Palette, quick open, key sheet, docs: all from the one registry."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app import keys_doc
from app.window import MainWindow
from tests.app.window_fixture import Opened
from widgets.shell.key_sheet import KeySheet

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def shown(window: MainWindow) -> list[str]:
    return [choice.title for choice in window.overlays.chooser.shown]


def test_the_palette_finds_runs_and_explains(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    opened("fake://server/orders")
    qtbot.keyClick(window, Qt.Key.Key_P, CONTROL | SHIFT)
    chooser = window.overlays.chooser
    assert chooser.line.hasFocus()
    qtbot.keyClicks(chooser.line, "thlight")
    assert shown(window)[0] == "Theme: Light"
    qtbot.keyClick(chooser.line, Qt.Key.Key_Return)
    assert not chooser.isVisible()
    assert window.settings.get("theme") == "light"
    window.run_command("app.palette")
    disabled = {choice.title: choice.reason for choice in chooser.shown if choice.reason}
    assert disabled["Forward"] == "there is nothing ahead"
    keys = {choice.title: choice.keys for choice in chooser.shown}
    assert keys["Go to …"] == "Ctrl+P"
    qtbot.keyClick(chooser.line, Qt.Key.Key_Escape)
    assert not chooser.isVisible()


def test_a_disabled_command_in_the_palette_says_why(qtbot: QtBot, window: MainWindow) -> None:
    window.run_command("app.palette")
    chooser = window.overlays.chooser
    qtbot.keyClicks(chooser.line, "refresh")
    qtbot.keyClick(chooser.line, Qt.Key.Key_Return)
    assert chooser.isVisible()
    assert window.status_bar.note.text == "Refresh: no page is shown"


def test_quick_open_finds_runs_by_the_beginning_of_their_id(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/orders")
    qtbot.keyClick(window, Qt.Key.Key_P, CONTROL)
    chooser = window.overlays.chooser
    qtbot.keyClicks(chooser.line, "run-001")
    qtbot.waitUntil(lambda: shown(window)[:1] == ["run-0019"])
    qtbot.keyClick(chooser.line, Qt.Key.Key_Down)
    qtbot.keyClick(chooser.line, Qt.Key.Key_Return)
    assert str(window.focus.current.run) == "run-0018"
    assert window.router.scope == "run"


def test_quick_open_knows_pages_sources_and_views(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    key = opened("fake://server/orders")
    opened("fake://server/billing")
    window.saved.save_view("Broken", "status == failed")
    window.reload_saved()
    window.run_command("app.quick_open")
    assert {"Runs", "Failures", "Resources", "orders", "billing", "Broken", "Quit"} <= set(shown(window))
    qtbot.keyClicks(window.overlays.chooser.line, "ord")
    qtbot.keyClick(window.overlays.chooser.line, Qt.Key.Key_Return)
    assert window.focus.current.source == key


def test_the_key_sheet_lists_every_command_that_has_a_key(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/orders")
    window.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Question)
    sheet = QApplication.activeModalWidget()
    assert isinstance(sheet, KeySheet)
    qtbot.waitUntil(lambda: sheet.complete)
    assert sorted(sheet.shown) == sorted(command.title for command in window.commands if command.keys)
    qtbot.keyClicks(sheet.line, "quit")
    assert sheet.shown == ["Quit"]
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_docs_keys_md_is_what_the_registry_says(window: MainWindow) -> None:
    text = keys_doc.text(window)
    assert keys_doc.PATH.read_text("utf-8") == text, "run `python -m app.keys_doc`"
    assert all(f"`{command.id}`" in text for command in window.commands)


def test_every_menu_command_is_in_the_menu_with_its_reason(window: MainWindow) -> None:
    window.top_bar.menu.aboutToShow.emit()
    menus = {action.text(): action.menu() for action in window.top_bar.menu.actions() if action.isVisible()}
    assert list(menus) == ["File", "Go", "View", "Actions", "Help"]
    texts = [action.text() for menu in menus.values() for action in menu.actions()]
    assert "Connect …\tCtrl+N" in texts
    assert any(text.startswith("Close Source  (no open source is chosen)") for text in texts)


def test_single_keys_are_typed_into_editors_and_sleep_elsewhere(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    opened("fake://server/orders")
    window.run_command("runs.focus_filter")
    editor = window.focusWidget()
    assert isinstance(editor, QLineEdit)
    qtbot.keyClicks(editor, "?")
    assert editor.text() == "?"
    assert QApplication.activeModalWidget() is None
    window.focus.change(page="failures")
    live = [
        key.key().toString() for scope, key in window.shortcuts._made if key.isEnabled() and scope == "runs"
    ]
    assert live == []


@pytest.mark.parametrize("name", ["app.palette", "app.quick_open"])
def test_an_overlay_gives_the_keyboard_back(
    qtbot: QtBot, window: MainWindow, opened: Opened, name: str
) -> None:
    opened("fake://server/orders")
    window.run_command("go.sources")
    window.run_command(name)
    assert window.overlays.chooser.line.hasFocus()
    qtbot.keyClick(window.overlays.chooser.line, Qt.Key.Key_Escape)
    assert window.panel.hasFocus()
