"""The window over a real database whose names and payloads were made to break it: plain text, and nothing wider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.run_page import RunPage
from app.runs_page import RunsPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.model import RunRef
from engine_bridge.sqlite_library import sqlite3
from tests.app.test_real_files import words
from tests.engines.dbos.databases import unpacked

MARKUP = "<img src='http://127.0.0.1:9/x.png'><b>bold</b>"
NAMES = (MARKUP, "\u202eesrever\u2066", "\x1b[31mred\x1b]0;t\x07", "nul\x00mid", "A" * 100_000, "line\nbreak")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A database with a failed run of each name, which is also its queue, version, step and error."""
    path = unpacked("orders", tmp_path)
    with closing(sqlite3.connect(path)) as client:
        found = client.execute("SELECT workflow_uuid FROM workflow_status ORDER BY created_at DESC LIMIT 6")
        for (old,), name in zip(found.fetchall(), NAMES, strict=True):
            error = f'{{"name": "{name[:99]}", "message": "{name[:99]}"}}'.encode("unicode_escape").decode()
            client.execute(
                "UPDATE workflow_status SET workflow_uuid = :n, name = :n, queue_name = :n, error = :e,"
                " application_version = :n, serialization = 'portable_json', status = 'ERROR' WHERE workflow_uuid = :o",
                {"n": name, "e": error, "o": old},
            )
            client.execute(
                "UPDATE operation_outputs SET workflow_uuid = :n, function_name = :n WHERE workflow_uuid = :o",
                {"n": name, "o": old},
            )
        client.commit()
    return path


@pytest.fixture
def window(qtbot: QtBot, hostile: Path) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    window.open(str(hostile.rename(hostile.with_name(f"{'n' * 180}<b>.sqlite"))))
    page = None

    def read() -> bool:
        nonlocal page
        page = window.router.pages.get("runs") if window.focus.current.page == "runs" else None
        return isinstance(page, RunsPage) and page.view.model.rowCount() > 0

    qtbot.waitUntil(read)
    yield window
    window.close()


def is_tame(window: MainWindow) -> bool:
    """Foreign markup stands nowhere as markup, and the window fits on a small screen."""
    markup = [w for w in window.findChildren(QWidget) if "<img" in w.toolTip() or "<b>bold" in w.toolTip()]
    return not markup and "\u202e" not in window.windowTitle() and window.minimumSizeHint().width() <= 1024


@pytest.mark.parametrize("page", ["runs", "failures", "resources", "journal"])
def test_pages_stay_plain_and_narrow(qtbot: QtBot, window: MainWindow, page: str) -> None:
    window.run_command(f"go.{page}")
    qtbot.waitUntil(lambda: not window.router.pages.get(page).jobs.waiting(("tail", "changes")))
    assert is_tame(window)


@pytest.mark.parametrize("name", NAMES, ids=["markup", "bidi", "ansi", "nul", "long", "lines"])
def test_a_run_of_any_name_opens(qtbot: QtBot, window: MainWindow, name: str) -> None:
    window.focus.change(page="run", run=RunRef("workflow", name, name))
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    qtbot.waitUntil(lambda: page.view.loaded and "failed" in page.view.header.text)
    for command in ("run.show_failures", "run.show_graph", "run.show_relations", "playhead.next_failure"):
        window.run_command(command)
        assert is_tame(window)
    shown = words(window)
    assert "\u202e" not in shown and "\x1b" not in shown and "\x00" not in shown


def test_errors_about_long_words_stay_narrow(qtbot: QtBot, window: MainWindow) -> None:
    window.focus.change(query="c" * 3_000 + " == 1")
    qtbot.waitUntil(lambda: "There is no field" in words(window))
    assert is_tame(window)
    window.focus.change(page="run", run=RunRef("workflow", "gone" * 900, "gone" * 900))
    qtbot.waitUntil(lambda: "No run" in words(window))
    assert is_tame(window)


def test_an_id_that_is_no_text_is_listed_and_says_why_it_cannot_be_opened(
    qtbot: QtBot, window: MainWindow, hostile: Path
) -> None:
    with closing(sqlite3.connect(next(hostile.parent.glob("*.sqlite")))) as client:
        client.execute(
            "UPDATE workflow_status SET workflow_uuid = CAST(x'ff62' AS TEXT) WHERE name = ?", NAMES[:1]
        )
        client.commit()
    runs = window.router.pages.get("runs")
    assert isinstance(runs, RunsPage)
    window.run_command("view.refresh")
    rows = runs.view.model
    qtbot.waitUntil(lambda: rows.item(0) is not None and rows.item(0).id == "\\xffb")
    window.focus.change(page="run", run=rows.item(0).ref)
    qtbot.waitUntil(lambda: "it can be listed, but not opened" in words(window))
