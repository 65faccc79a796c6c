"""Warming imports in a thread, and pages wait for it."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from app.warm import after_first_paint
from app.window import MainWindow
from tests.app.window_fixture import Opened


def test_pages_wait_until_their_modules_are_there(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    after_first_paint(window)
    opened("fake://server/orders")
    qtbot.waitUntil(lambda: window.router.scope == "runs")
    assert window.router.pages.ready


def test_a_page_is_not_built_before(window: MainWindow, opened: Opened) -> None:
    window.router.pages.ready = False
    opened("fake://server/orders")
    assert window.placeholder.title.text() == "Opening orders …"
    assert window.router.pages.all() == []
