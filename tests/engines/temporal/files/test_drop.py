"""Histories dropped on the real window: every dialect shows its run page; many files and folders are one source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from app.demo_code import project_for
from app.run_page import RunPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.focus import Focus
from engine_bridge.model import RunRef
from tests.engines.temporal.files import histories as h
from tests.engines.temporal.files.contract import write_folder
from widgets.run.page import RunView

KITCHEN = RunRef("workflow", "kitchen", "01a1f6f6-8fa5-77eb-837b-cad39f66b596")


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()


def drop(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(5, 5), action, data, button, Qt.KeyboardModifier.NoModifier))


@pytest.mark.parametrize("name", [*h.RECORDED, "old enums", "readable", "protobufjs", "binary", "gzip"])
def test_a_dropped_history_shows_its_run(qtbot: QtBot, window: MainWindow, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"history of {name}"
    path.write_bytes(h.DIALECTS[name]())
    drop(window, path)
    qtbot.waitUntil(lambda: bool(window.sources.all()) and window.sources.all()[0].state == "live")
    key = window.sources.all()[0].key
    window.focus.set(Focus(page="run", source=key, run=KITCHEN))
    qtbot.waitUntil(lambda: isinstance(window.stack.currentWidget(), RunView))
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    qtbot.waitUntil(lambda: page.feed.complete)
    assert len(page.feed.history) == 62 and page.feed.history.n_steps == 12
    assert page.view.events.model.text(6, 3) == "echo"


def test_a_sample_opens_with_one_click_and_its_code_is_known(qtbot: QtBot, window: MainWindow) -> None:
    [button] = [b for b in window.welcome.findChildren(QToolButton) if "A Loan" in b.text()]
    assert "Ctrl+Alt+O" in button.text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.focus.current.page == "run")
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    qtbot.waitUntil(lambda: page.feed.complete)
    assert len(page.feed.history) == 121
    source = window.router.source()
    assert source is not None
    project = project_for(source.url)
    assert project is not None and project.modules


def test_dropped_files_are_one_source(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    write_folder(tmp_path / "several")
    drop(window, *sorted((tmp_path / "several").iterdir())[:5])
    qtbot.waitUntil(lambda: bool(window.sources.all()) and window.sources.all()[0].state == "live")
    (source,) = window.sources.all()
    assert source.info is not None and source.info.title == "5 histories in several"


def test_a_dropped_folder_is_one_source(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    write_folder(tmp_path / "several")
    drop(window, tmp_path / "several")
    qtbot.waitUntil(lambda: bool(window.sources.all()) and window.sources.all()[0].state == "live")
    (source,) = window.sources.all()
    assert source.info is not None and source.info.version == "18 histories"


def test_a_run_is_written_as_its_engine_exports_it(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path, out = tmp_path / "kitchen.json", tmp_path / "out.json"
    path.write_bytes(h.dialect("cli.json"))
    drop(window, path)
    qtbot.waitUntil(lambda: window.router.scope == "run" and bool(window.desk.exports.refs()))
    window.run_command("action.export_raw")
    window.desk.exports.raw_dialog.box.click()
    window.desk.exports.raw_dialog.export_button.click()
    dialog = window.desk.exports.dialog
    assert dialog.nameFilters() == ["Playhead bundle (*.playhead)", "Temporal history (*.json)"]
    dialog.fileSelected.emit(str(out))
    qtbot.waitUntil(lambda: "Exported 1 run to out.json" in window.status_bar.note.text)
    dialog.reject()
    assert len(json.loads(out.read_bytes())["events"]) == 62
