"""The window over real files that cannot be read, or not yet: what it says, and what it does by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.runs_page import RunsPage
from app.settings import Settings
from app.window import MainWindow
from tests.engines.dbos.databases import unpacked

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file under an exclusive lock of another process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        other.communicate()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"hello\n" * 500, "is not an SQLite database")],
)
def test_a_file_that_is_none_says_what_is_wrong(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "orders.sqlite"
    path.write_bytes(content)
    window.open(str(path))
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "failed")
    assert f"orders.sqlite {said}" in window.placeholder.text.text()
    assert [file.name for file in tmp_path.iterdir()] == ["orders.sqlite"]


def test_a_locked_file_opens_by_itself_when_the_lock_is_gone(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = unpacked("old_3.0.0", tmp_path)
    with locked(path):
        window.open(str(path))
        source = window.sources.all()[0]
        qtbot.waitUntil(lambda: source.state == "failed")
        assert "is locked by another process" in window.placeholder.text.text()
    qtbot.waitUntil(lambda: source.state == "live")


@pytest.mark.parametrize("page", ["runs", "failures", "resources", "run"])
def test_a_page_that_met_a_lock_is_read_when_the_lock_is_gone(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, page: str
) -> None:
    window.open(str(unpacked("old_3.0.0", tmp_path)))
    qtbot.waitUntil(lambda: window.sources.all()[0].state == "live")
    runs = window.router.pages.get("runs")
    assert isinstance(runs, RunsPage)
    qtbot.waitUntil(lambda: runs.view.model.rowCount() > 0)
    run = runs.view.model.item(0)
    assert run is not None
    with locked(tmp_path / "old_3.0.0.sqlite"):
        window.focus.change(page=page, run=run.ref, query="started > 2000-01-01")
        qtbot.waitUntil(lambda: "is locked by another process" in words(window))
    qtbot.waitUntil(lambda: "is locked" not in words(window))


def words(window: MainWindow) -> str:
    """What stands on the shown page, in labels and in painted texts."""
    page = window.stack.currentWidget()
    shown = [w for w in page.findChildren(QWidget) if w.isVisible()] if page else []
    return "\n".join(w.text() if isinstance(w, QLabel) else str(getattr(w, "text", "")) for w in shown)
