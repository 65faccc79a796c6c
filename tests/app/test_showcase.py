"""The demo in the window: progress, opening, cancelling, and its end. Its engine has tests of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from app.demo import Demo
from app.demo_world import DemoSource
from app.window import MainWindow
from engine_bridge.errors import CancelledError, PlayheadError


class ShortDemo(Demo):
    """A demo whose past is made at once, or when it is told to go on."""

    def __init__(self, error: PlayheadError | None = None) -> None:
        super().__init__()
        self.go, self.ended = threading.Event(), threading.Event()
        self.started = self.killed = False
        self.error = error

    @property
    def worker_pids(self) -> dict[str, int]:
        return {"shop": 1} if self.started else {}

    def prepare(
        self, workspace=None, progress: Callable[..., None] = lambda *_: None, *, reset=None
    ) -> tuple[DemoSource, ...]:
        progress(100, 350, "Executing orders")
        self.go.wait(20)
        if self.ended.is_set():
            raise CancelledError
        if self.error is not None:
            raise self.error
        return (DemoSource("shop", "fake://demo/shop"), DemoSource("community", "fake://demo/community"))

    def start(self) -> None:
        self.started = True
        self.report("The worker is live.")

    def kill_worker(self) -> bool:
        self.killed = True
        return True

    def stop(self) -> None:
        self.ended.set()
        self.go.set()


def test_the_demo_shows_progress_then_its_runs(qtbot: QtBot, window: MainWindow) -> None:
    demo = ShortDemo()
    window.showcase.start(demo)
    assert window.placeholder.title.text() == "Preparing the demo …"
    qtbot.waitUntil(lambda: "100 of 350" in window.placeholder.text.text())
    assert window.actions_of_sources.no_demo() == "the demo is being prepared"
    demo.go.set()
    qtbot.waitUntil(lambda: window.router.scope == "runs")
    assert window.top_bar.path.texts[0] == "shop"
    assert [source.title for source in window.sources.all()] == ["shop", "community"]
    qtbot.waitUntil(lambda: window.status_bar.note.text == "The worker is live.")
    window.run_command("demo.kill")
    assert demo.killed
    window.close()
    assert demo.ended.is_set()


def test_preparing_the_demo_can_be_given_up(qtbot: QtBot, window: MainWindow) -> None:
    demo = ShortDemo()
    window.showcase.start(demo)
    window.cancel_demo()
    qtbot.waitUntil(lambda: window.stack.currentWidget() is window.welcome)
    assert window.bars.texts == []
    assert window.actions_of_sources.no_demo() == ""


@pytest.mark.parametrize("error", [PlayheadError("The disk is full.", "Free some space.")])
def test_a_demo_that_cannot_be_made_says_why(qtbot: QtBot, window: MainWindow, error: PlayheadError) -> None:
    demo = ShortDemo(error)
    demo.go.set()
    window.showcase.start(demo)
    qtbot.waitUntil(lambda: window.bars.texts == ["The disk is full."])
    assert window.stack.currentWidget() is window.welcome
    assert demo.ended.is_set()
