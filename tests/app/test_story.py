"""The main job in the real window, over the database of a real DBOS application that is at work meanwhile."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.context import PageController
from app.failures_page import FailuresPage
from app.resources_page import ResourcesPage
from app.run_page import RunPage
from app.runs_page import RunsPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.focus import Focus
from engine_bridge.model import Status
from tests.engines.dbos.databases import APP, orders_file

__all__ = ["orders_file"]
ALT, CONTROL, NONE = (
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.NoModifier,
)
Page = TypeVar("Page", bound=PageController)


class Story:
    """A user with a keyboard and a mouse, and what they see."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        self.qtbot.keyClick(QApplication.focusWidget() or self.window, key, modifier)

    def write(self, text: str) -> None:
        self.qtbot.keyClicks(QApplication.focusWidget(), text)

    def see(self, what: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(what)

    def page(self, kind: type[Page]) -> Page:
        self.see(lambda: self.window.focus.current.page == kind.name)
        page = self.window.router.pages.get(kind.name)
        assert isinstance(page, kind)
        return page

    def runs(self) -> RunsPage:
        page = self.page(RunsPage)
        self.see(lambda: page.view.showing_rows and page.view.model.item(0) is not None)
        return page

    def run(self, run_id: str = "") -> RunPage:
        page = self.page(RunPage)
        self.see(lambda: page.view.loaded and run_id in page.view.header.text)
        return page


@pytest.fixture
def story(qtbot: QtBot, orders_file: Path) -> Iterator[Story]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    window.open(str(orders_file))
    yield Story(qtbot, window)
    window.close()
    assert sorted(file.name for file in orders_file.parent.iterdir()) == ["orders.sqlite"]


def test_a_failed_run_by_mouse_in_two_clicks(story: Story) -> None:
    runs = story.runs()
    runs.view.chips.click("failed")
    story.see(lambda: runs.view.model.rowCount() == 8)
    rows = [runs.view.model.item(row) for row in range(8)]
    assert {row.status for row in rows if row is not None} == {Status.FAILED}
    at = next(row for row, run in enumerate(rows) if run is not None and run.id == "order-001")
    index = runs.view.model.index(at, 1)
    place = runs.view.table.visualRect(index).center()
    story.qtbot.mouseClick(runs.view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    story.qtbot.mouseDClick(runs.view.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    view = story.run("order-001").view
    # What happened, why, since when: the header, the failing step's bar and the chain of its attempts.
    assert "order-001 failed started" in view.header.text
    story.see(lambda: "insufficient funds" in view.detail.failure.text)
    assert "attempt 3" in view.detail.failure.text


def test_waiting_and_stuck_runs_by_keyboard_alone(story: Story) -> None:
    story.runs()
    for run_id, said in (
        ("waiting-1", ("Blocked on signal approval", "since", "expires")),
        ("stuck-1", ("Blocked on step 2", "since", "version v1: only its workers")),
        ("report-1", ("Blocked on", "since", "v1")),
    ):
        story.key(Qt.Key.Key_P, CONTROL)
        story.write(run_id)
        choices = story.window.overlays.chooser
        story.see(lambda choices=choices, run_id=run_id: [c.title for c in choices.shown[:1]] == [run_id])
        story.key(Qt.Key.Key_Return)
        blocked = story.run(run_id).view.blocked
        assert blocked.isVisible()
        assert [words for words in said if words not in blocked.text] == []


def test_playhead_graph_back_failures_and_resources_by_keyboard(story: Story) -> None:
    story.runs()
    story.key(Qt.Key.Key_Slash)
    story.write('status == failed and error contains "insufficient"')
    story.key(Qt.Key.Key_Return)
    runs = story.runs()
    story.see(lambda: runs.view.model.rowCount() == 2)
    runs.view.table.setFocus()
    story.key(Qt.Key.Key_Home)
    story.key(Qt.Key.Key_Return)
    run = story.run("order-0")
    story.key(Qt.Key.Key_BracketLeft)
    story.see(lambda: story.window.focus.current.position is not None)
    story.key(Qt.Key.Key_Comma)
    story.see(lambda: "running at this event" in run.view.header.text)
    story.key(Qt.Key.Key_L)
    story.see(lambda: "at this event" not in run.view.header.text)
    story.key(Qt.Key.Key_G)
    story.see(lambda: run.view.graph.isVisible() and "charge" in run.view.graph.describe())
    story.key(Qt.Key.Key_Left, ALT)
    story.see(lambda: story.runs().view.model.rowCount() == 2)
    story.key(Qt.Key.Key_2, CONTROL)
    failures = story.page(FailuresPage)
    story.see(lambda: failures.view.table.current_item is not None)
    failures.view.table.setFocus()
    story.key(Qt.Key.Key_Return)
    story.run()
    story.key(Qt.Key.Key_3, CONTROL)
    resources = story.page(ResourcesPage)
    story.see(lambda: resources.view.model.rowCount() >= 3)
    assert resources.view.table.isVisible() and story.window.router.scope == "resources"


def test_runs_appear_while_one_looks_and_nothing_is_written(story: Story, orders_file: Path) -> None:
    runs = story.runs()
    newest = runs.view.model.item(0)
    story.see(lambda: runs.live.watching)
    subprocess.run(
        [sys.executable, str(APP), f"sqlite:///{orders_file}", "v2"], capture_output=True, timeout=60
    )
    story.see(lambda: runs.view.model.item(0) != newest or runs.view.new_above.isVisible())
    whole = hashlib.sha256(orders_file.read_bytes()).hexdigest()
    for command, page in (
        ("go.failures", FailuresPage),
        ("go.resources", ResourcesPage),
        ("go.runs", RunsPage),
    ):
        story.window.run_command(command)
        shown = story.page(page)
        story.see(lambda shown=shown: not shown.jobs.waiting(("tail", "changes")))
    assert hashlib.sha256(orders_file.read_bytes()).hexdigest() == whole


_LEAVES = (
    "app.quit",
    "app.demo",
    "app.docs",
    "app.menu",
    "app.about",
    "source.close",
    "source.remove",
    "demo.kill",
)


def test_a_locked_window_writes_nothing_whatever_is_pressed(story: Story, orders_file: Path) -> None:
    before = hashlib.sha256(orders_file.read_bytes()).hexdigest()
    window, run = story.window, story.runs().view.model.item(0)
    assert run is not None
    key, pressed = window.focus.current.source, set()
    for page in ("runs", "run", "failures", "resources", "journal"):
        for command in list(window.commands):
            asks = command.title.endswith("…") and not command.id.startswith("action.")
            if command.scope not in ("", page) or asks or command.id in _LEAVES:
                continue
            focus = Focus(page=page, source=key, run=run.ref if page == "run" else None)
            window.focus.set(focus)
            story.qtbot.wait(1)
            if not command.when():
                window.run_command(command.id)
                pressed.add(command.id)
            story.qtbot.wait(1)
        window.run_command("action.submit")
        window.run_command("action.execute")
    assert {"playhead.next_event", "runs.sort", "failures.group", "action.delete", "view.refresh"} <= pressed
    story.qtbot.wait(200)
    assert hashlib.sha256(orders_file.read_bytes()).hexdigest() == before
