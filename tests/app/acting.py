"""The real window over a fake engine that can be acted on, with a child process that writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import appearance
from app.settings import Settings
from app.window import MainWindow
from engine_bridge import bridge
from tests.fakes import ref
from tests.fakes_acting import ENGINE, Store, install

CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass
class Acting:
    """A window on one source, its database, and what a user does in it."""

    window: MainWindow
    store: Store
    key: str
    qtbot: QtBot

    def go(self, run: str) -> None:
        """Opens a run's page and waits for its actions."""
        self.window.focus.change(page="run", run=ref(run), position=None, step_id=None)
        self.until(lambda: self.window.desk.offered.targets and self.window.desk.offered.specs)
        self.until(lambda: self.window.desk.offered.targets[0].id == run)

    def run(self, command: str) -> None:
        self.window.run_command(command)

    def unlock(self) -> None:
        self.window.desk.unlocks.unlock(self.key, 600)

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    @property
    def desk(self):
        return self.window.desk

    def planned(self) -> None:
        """Waits for the plan under review."""
        self.until(lambda: self.desk.review.plan is not None)

    def journal(self) -> list[tuple[str, str, str]]:
        """(kind, action, verdict) of every journal row, oldest first."""
        from app.journal import journal

        return [(row.kind.value, row.action, row.verdict) for row in reversed(journal().rows())]


Open = Callable[..., Acting]


@pytest.fixture
def acting(
    qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Open]:
    """Opens the window on a fresh store; ``host`` "prod" makes it production."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "plugins")))
    monkeypatch.setattr(bridge, "engine_names", lambda: ("acting",))
    monkeypatch.setattr(bridge, "load_engine", lambda name: ENGINE)
    appearance.apply("dark")
    windows = []

    def open_(host: str = "dev", size: tuple[int, int] = (1400, 900), store: Store | None = None) -> Acting:
        store = store or Store(tmp_path / "orders.act")
        window = MainWindow(Settings())
        windows.append(window)
        qtbot.addWidget(window)
        window.resize(*size)
        window.show()
        qtbot.waitExposed(window)
        key = window.actions_of_sources.open(f"act://{host}{store.path}")
        assert key is not None
        qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
        return Acting(window, store, key, qtbot)

    yield open_
    for window in windows:
        window.close()
    from app.journal import journal

    journal().close()
