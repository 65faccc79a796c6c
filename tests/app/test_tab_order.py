"""Tab goes round every page of the real window: nothing is left out, and nothing keeps it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.window import MainWindow
from tests.app.window_fixture import Opened
from tests.fakes import ref

_ROUND = 120  # more than any page has


def stops(page: QWidget) -> set[QWidget]:
    """What Tab has to reach on a page."""
    return {
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
    }


@pytest.mark.parametrize("page", ["runs", "failures", "resources", "journal", "run"])
def test_tab_goes_round_a_page(qtbot: QtBot, window: MainWindow, opened: Opened, page: str) -> None:
    opened("fake://server/orders")
    window.focus.change(page=page, run=ref("run-0001"))
    shown = window.router.pages.get(page)
    qtbot.waitUntil(lambda: not shown.jobs.waiting(("tail", "changes")))
    window.activateWindow()
    window.run_command("go.page")
    seen: set[QWidget] = set()
    for _ in range(_ROUND):
        at = QApplication.focusWidget()
        assert at is not None
        seen.add(at)
        qtbot.keyClick(at, Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is not at, f"{type(at).__name__} keeps Tab"
    missed = stops(shown.widget) - seen
    assert not missed, [f"{type(w).__name__} {w.accessibleName()}" for w in missed]
