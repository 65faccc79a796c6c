"""The config and impact pages in the real window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.window import MainWindow
from engine_bridge import bridge
from tests.app.test_tab_order import stops
from tests.app.window_fixture import ENGINE
from tests.fakes import FakeBridge
from tests.fakes_configs import FakeConfigBridge

_ROUND = 120


@pytest.fixture
def configured(qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """The window on a source with configs."""
    engine = replace(ENGINE, bridge=lambda url, secret: FakeConfigBridge())
    monkeypatch.setattr(bridge, "load_engine", lambda name: engine)
    key = window.actions_of_sources.open("fake://server/configs")
    assert key is not None
    qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
    return window


def test_sources_with_configs_list_the_page_and_others_do_not(
    qtbot: QtBot, configured: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def titles() -> list[str]:
        return [row.title for row in configured.panel.rows if row.kind == "page"]

    assert "Config" in titles() and "Impact" not in titles()
    plain = replace(ENGINE, bridge=lambda url, secret: FakeBridge(3))
    monkeypatch.setattr(bridge, "load_engine", lambda name: plain)
    key = configured.actions_of_sources.open("fake://server/plain")
    qtbot.waitUntil(lambda: configured.sources.get(key).state == "live")
    qtbot.waitUntil(lambda: "Config" not in titles())


def _compare(qtbot: QtBot, window: MainWindow) -> QWidget:
    window.run_command("impact.open")
    page = window.router.pages.get("impact")
    page.view.new.set_places(("next",))
    window.run_command("impact.compare")
    qtbot.waitUntil(lambda: page.view.shows_impact)
    return page.widget


def _lint(qtbot: QtBot, window: MainWindow) -> QWidget:
    window.focus.change(page="config")
    page = window.router.pages.get("config")
    qtbot.waitUntil(lambda: page.view.shows_config)
    return page.widget


@pytest.mark.parametrize("pane", ["findings", "paths", "simulation", "replay"])
def test_tab_goes_round_the_config_page(qtbot: QtBot, configured: MainWindow, pane: str) -> None:
    widget = _lint(qtbot, configured)
    configured.run_command(f"config.show_{pane}")
    assert not _missed(qtbot, configured, widget)


@pytest.mark.parametrize("pane", ["stranded", "changes", "findings"])
def test_tab_goes_round_the_impact_page(qtbot: QtBot, configured: MainWindow, pane: str) -> None:
    configured.router.pages.get("impact")
    widget = _compare(qtbot, configured)
    configured.router.pages.get("impact").view.panes.show_pane(pane)
    assert not _missed(qtbot, configured, widget)


def _missed(qtbot: QtBot, window: MainWindow, page: QWidget) -> list[str]:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.run_command("go.page")
    seen: set[QWidget] = set()
    for _ in range(_ROUND):
        at = QApplication.focusWidget()
        assert at is not None
        seen.add(at)
        qtbot.keyClick(at, Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is not at, f"{type(at).__name__} keeps Tab"
    return [f"{type(widget).__name__} {widget.accessibleName()}" for widget in stops(page) - seen]


def test_what_can_be_reached_has_a_name(qtbot: QtBot, configured: MainWindow) -> None:
    configured.router.pages.get("impact")
    for widget in (_lint(qtbot, configured), _compare(qtbot, configured)):
        nameless = [
            type(stop).__name__
            for stop in stops(widget)
            if not (stop.accessibleName() or getattr(stop, "text", lambda: "")())
        ]
        assert not nameless
