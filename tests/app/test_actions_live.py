"""A real engine with a live worker: a waiting approval is signalled from the window and finishes before one's eyes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import appearance
from app.journal import journal
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.model import RunRef, Status

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys
from dbos import DBOS, SetWorkflowID
from tests.engines.dbos.app import engine_of

@DBOS.workflow(name="approve_order")
def approve():
    decision = DBOS.recv("approval", timeout_seconds=600)
    return "approved" if decision["ok"] else "rejected"

url = sys.argv[1]
config = {"name": "orders", "application_version": "v1", "executor_id": "local", "log_level": "CRITICAL"}
engine = engine_of(url)
config |= {"system_database_url": url} if engine is None else {"system_database_engine": engine}
DBOS(config=config)
DBOS.launch()
with SetWorkflowID("approval-1"):
    DBOS.start_workflow(approve)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A database with one run that waits for an approval, and the worker that will go on with it."""
    path = tmp_path / "orders.sqlite"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, f"sqlite:///{path}"],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    yield path
    worker.kill()
    worker.communicate()


def test_a_waiting_approval_is_signalled_and_finishes_live(
    qtbot: QtBot, qapp: QApplication, database: Path
) -> None:
    appearance.apply("dark")
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1400, 900)
    window.show()
    desk = window.desk
    key = window.actions_of_sources.open(str(database))
    assert key is not None
    qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
    window.focus.change(page="run", run=RunRef("workflow", "approval-1", "approval-1"))
    page = window.router.pages.get("run")
    qtbot.waitUntil(lambda: desk.offered.why_not("signal") == "")
    qtbot.waitUntil(lambda: getattr(page.feed.history.run, "status", None) is Status.RUNNING)
    window.run_command("source.unlock")
    desk.locks.dialog.unlock_button.click()
    window.run_command("action.signal")
    form = desk.forms.view
    form.fields["topic"].set_text("approval")
    form.fields["message"].set_text('{"ok": true}')
    window.run_command("action.submit")
    qtbot.waitUntil(lambda: desk.review.blocked() == "")
    desk.review.view.reason.setText("customer called")
    window.run_command("action.submit")
    qtbot.waitUntil(lambda: page.feed.history.run.status is Status.COMPLETED)
    qtbot.waitUntil(lambda: not desk.executions.running)
    row = desk.executions.view.rows[0]
    qtbot.waitUntil(lambda: row.text.startswith("Applied ·") or row.text.startswith("Applied\n"))
    assert journal().verify() is None
    assert next(one.verdict for one in journal().rows() if one.verdict) == "applied"
    qtbot.waitUntil(lambda: len(page.actions.operators.entries) == 1)
    window.close()
    journal().close()
