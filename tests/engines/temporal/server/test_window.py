"""A server in the real window and on the command line: browsed, tailed, and ended cleanly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.run_page import RunPage
from app.runs_page import RunsPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.model import Run, RunRef, Status
from tests.engines.temporal.local import LocalServer, LocalWorker
from tests.engines.temporal.shop import Shop

PLAYHEAD = str(Path(sys.executable).with_name("playhead"))


@pytest.fixture
def outage(qtbot: QtBot) -> Iterator[MainWindow]:
    """A window on no server yet."""
    yield from _window(qtbot)


@pytest.fixture
def window(qtbot: QtBot, shop: Shop) -> Iterator[MainWindow]:
    yield from _window(qtbot)


def _window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()
    window.sources.close_all()


def shown_runs(qtbot: QtBot, window: MainWindow, shop: Shop) -> list[Run]:
    window.open(shop.server.url)
    qtbot.waitUntil(lambda: window.sources.all()[0].state in ("live", "failed"))
    assert window.sources.all()[0].error is None
    page = window.router.pages.get("runs")
    assert isinstance(page, RunsPage)
    qtbot.waitUntil(lambda: page.view.model.rowCount() > 20 and page.view.model.item(0) is not None)
    rows = (page.view.model.item(row) for row in range(page.view.model.rowCount()))
    return [run for run in rows if isinstance(run, Run)]


def test_a_server_is_browsed_and_a_run_followed_to_its_end(
    qtbot: QtBot, window: MainWindow, shop: Shop
) -> None:
    shop.worker.ask("start", "fulfil_order", "order-in-window", "order-in-window", True)
    listed = shown_runs(qtbot, window, shop)
    run = next(run for run in listed if run.id == "order-in-window")
    window.focus.change(page="run", run=run.ref)
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    feed = page.feed
    qtbot.waitUntil(lambda: any(step.name == "timer" for step in feed.history.all_steps()))
    shop.worker.ask("signal", "order-in-window", "approve_order", "ann")
    qtbot.waitUntil(lambda: getattr(feed.history.run, "status", None) is Status.COMPLETED)
    assert feed.complete


def test_a_run_is_asked_what_the_user_asks_and_nothing_before(
    qtbot: QtBot, window: MainWindow, shop: Shop
) -> None:
    listed = {run.id: run for run in shown_runs(qtbot, window, shop)}
    window.focus.change(page="run", run=listed["order-0009"].ref)
    page = window.router.pages.get("run")
    assert isinstance(page, RunPage)
    pane = page.queries.pane
    qtbot.waitUntil(lambda: page.feed.complete)
    window.run_command("run.show_queries")
    assert pane.isVisible() and "nothing is asked by itself" in pane.words.text() and not pane.names.count()

    def says(words: str) -> None:
        qtbot.waitUntil(lambda: words in pane.words.text())

    window.run_command("query.stack")
    says("where the code stands: answered at")
    answer = pane.answer
    assert (
        answer is not None
        and answer.text.source.line(0) == "run  (pending)"
        and "your code" in pane.words.text()
    )
    pane.listing.click()
    says("one query")
    assert pane.name == "approval" and "signals approve_order; updates change_address" in pane.others.text()
    pane.args.setText("[1,")
    pane.send.click()
    says("no JSON")
    pane.args.clear()
    pane.send.click()
    says("approval: answered at")
    qtbot.waitUntil(lambda: answer.text.source.data == b'""')
    pane.names.setCurrentText("nothing_such")
    pane.send.click()
    says("known queries")
    window.focus.change(page="run", run=listed["nobody-works"].ref)
    qtbot.waitUntil(lambda: page.feed.complete and "nothing is asked by itself" in pane.words.text())
    window.run_command("query.list")
    says("None polls task queue nobody now")


def test_a_server_that_comes_late_goes_and_comes_back_is_followed(
    qtbot: QtBot, outage: MainWindow, tmp_path: Path
) -> None:
    window, server = outage, LocalServer(tmp_path)
    key = window.sources.open(server.url)

    def state() -> tuple[str, str]:
        source = window.sources.get(key)
        assert source is not None
        return source.state, str(source.error or "")

    def becomes(wanted: str) -> None:
        qtbot.waitUntil(lambda: state()[0] == wanted)

    becomes("failed")
    assert state()[1].startswith(f"No Temporal server answers at {server.address}")
    server.start()
    try:
        becomes("live")
        worker = LocalWorker(server)
        ref = RunRef("workflow", "order-1", worker.ask("start", "fulfil_order", "order-1", "order-1", True))
        window.focus.change(page="run", source=key, run=ref)
        page = window.router.pages.get("run")
        assert isinstance(page, RunPage)
        qtbot.waitUntil(lambda: any(s.name == "timer" for s in page.feed.history.all_steps()))
        server.stop()
        qtbot.waitUntil(lambda: any("Live updates stopped" in n for n in page.view.notices.notes))
        becomes("stale")
        server.start()
        becomes("live")
        worker.ask("signal", "order-1", "approve_order", "ann")
        qtbot.waitUntil(lambda: getattr(page.feed.history.run, "status", None) is Status.COMPLETED)
        assert not any("Live updates" in note for note in page.view.notices.notes)
        worker.close()
    finally:
        server.stop()


@pytest.mark.parametrize(
    "words",
    [["runs", "URL", "--filter", "status == failed", "--json"], ["show", "URL", "order-0009", "--json"]],
)
def test_commands_answer_and_end(shop: Shop, words: list[str]) -> None:
    command = [PLAYHEAD, *(shop.server.url if word == "URL" else word for word in words)]
    before = {process.pid for process in psutil.process_iter()}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert all(json.loads(line) for line in done.stdout.splitlines() if words[0] == "runs") and done.stdout
    mine = [
        p for p in psutil.process_iter() if p.pid not in before and shop.server.address in " ".join(_line(p))
    ]
    assert not mine


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_workflow_is_started_without_a_run_to_start_from(
    qtbot: QtBot, window: MainWindow, shop: Shop
) -> None:
    shown_runs(qtbot, window, shop)
    window.run_command("action.source")
    chooser = window.overlays.chooser
    qtbot.waitUntil(chooser.isVisible)
    QTest.keyClicks(chooser.line, "Start a work")
    QTest.keyClick(chooser.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.desk.forms.view is not None)
    form = window.desk.forms.view
    assert form is not None
    form.set_args({"type": "send_invoice", "queue": "nobody", "args": ["i9"]})
    form.submit()
    review = window.desk.review
    qtbot.waitUntil(lambda: review.plan is not None)
    assert review.plan is not None
    [item] = review.plan.items
    assert item.title == "Start send_invoice" and not item.refused
    window.run_command("action.discard")
