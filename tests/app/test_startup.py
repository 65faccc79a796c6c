"""What the start imports, what it says without a display, and what a crash report holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import main
from app.crash import install, report_text
from app.window import MainWindow
from engine_bridge.errors import ConnectError, PlayheadError
from widgets.shell.crash_dialog import CrashDialog

ROOT = Path(__file__).resolve().parent.parent.parent
LATE = (
    "click",
    "sqlalchemy",
    "networkx",
    "numpy",
    "pyqtgraph",
    "dbos",
    "psycopg",
    "lark",
    "pygments",
    "keyring",
)
SHOWN = f"""
import sys, json, linecache
import app.__main__
from app.main import make_window
app, window, settings = make_window()
window.show()
app.processEvents()
first = sorted(set({LATE!r}) & set(sys.modules))
window.begin()
app.processEvents()
print(json.dumps([first, sorted(set({LATE!r}) & set(sys.modules)), [n for n in linecache.cache if "/app/" in n]]))
window.close()
"""


def test_nothing_heavy_is_imported_before_the_first_paint_and_no_source_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOWN],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[], [], []], done.stderr


def test_without_a_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(PlayheadError, match="There is no display here") as caught:
        main.run_window(None)
    assert "playhead snapshot" in caught.value.hint


def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(main, "loads", lambda library: "cursor" not in library)
    with pytest.raises(PlayheadError) as caught:
        main.check_display()
    assert caught.value.hint == "Install them: apt-get install libxcb-cursor0"


def _fail(url: str) -> None:
    raise RuntimeError(f"cannot reach {url}")


def test_a_crash_reaches_one_dialog_whose_report_holds_no_values(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    import threading

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    install(window)
    for _ in range(2):
        try:
            _fail("x://ann:hunter2@host")
        except RuntimeError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), CrashDialog))
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, CrashDialog)
    qtbot.waitUntil(lambda: dialog.report.toPlainText().count("builtins.RuntimeError") == 2)
    assert "in _fail" in dialog.report.toPlainText()
    assert "hunter2" not in dialog.report.toPlainText() + capsys.readouterr().err
    dialog.reject()
    sys.excepthook(ConnectError, ConnectError("Gone.", "Wait."), None)
    qtbot.waitUntil(lambda: window.bars.texts == ["Gone."])


def test_a_report_names_versions_and_places() -> None:
    text = report_text(ValueError, None)
    assert text.startswith("Playhead 0.")
    assert "builtins.ValueError" in text
