"""The real window over a fake engine that is registered by patching the registry's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import appearance
from app.settings import Settings
from app.window import MainWindow
from engine_bridge import bridge
from engine_bridge.bridge import Bridge, ConnectField, ConnectForm, Engine, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import AuthError, ConnectError
from tests.fakes import FakeBridge

PASSWORD = "s3cret:p@ss/word"


class GatedBridge(FakeBridge):
    """Opens only with the right password; its URL says how else it behaves."""

    def __init__(self, url: str, secret: str | None) -> None:
        super().__init__(60)
        self._url, self._secret = url, secret
        self.dead = False
        BRIDGES.append(self)

    def open(self, cancel: CancelToken) -> SourceInfo:
        if "locked" in self._url and self._secret != PASSWORD:
            raise AuthError("The server refuses this password.", "Type it again.")
        if "copying" in self._url:
            cancel.progress(3, 10, "copying")
        if ("slow" in self._url or "copying" in self._url) and cancel.wait(30):
            cancel.raise_if_cancelled()
        if "broken" in self._url:
            raise ConnectError("Nothing answers there.", "Start the server.", detail="port 5432")
        if "crash" in self._url:
            raise RuntimeError(f"driver said {self._url} {self._secret}")
        info = super().open(cancel)
        if "noticed" in self._url:
            import msgspec

            return msgspec.structs.replace(info, notices=("This schema is newer than Playhead.",))
        return info

    def changes(self, mark, visible, cancel):
        if self.dead:
            raise ConnectError("The server went away.", "Start it again.")
        return super().changes(mark, visible, cancel)


BRIDGES: list[GatedBridge] = []


def _bridge(url: str, secret: str | None) -> Bridge:
    return GatedBridge(url, secret)


ENGINE = Engine(
    "fake",
    "Fake",
    ("fake",),
    _bridge,
    sniff=lambda path, head: f"fake:///{path}" if head.startswith(b"FAKE") else None,
    forms=(
        ConnectForm(
            "fake",
            "Fake server",
            (
                ConnectField("host", "Host", "localhost"),
                ConnectField("name", "Database", placeholder="orders"),
            ),
            lambda values: f"fake://{values['host']}/{values['name']}",
        ),
    ),
    file_patterns=("*.fake",),
)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Only the fake engine is there."""
    monkeypatch.setattr(bridge, "engine_names", lambda: ("fake",))
    monkeypatch.setattr(bridge, "load_engine", lambda name: ENGINE)
    BRIDGES.clear()
    return ENGINE


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, engine: Engine) -> Iterator[MainWindow]:
    """The window, shown and begun, without a source."""
    appearance.apply("dark")
    made = MainWindow(Settings())
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()


Opened = Callable[[str], str]


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow) -> Opened:
    """Opens a URL and waits until it is live; answers its key."""

    def open_(url: str) -> str:
        key = window.actions_of_sources.open(url)
        assert key is not None
        qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
        return key

    return open_
