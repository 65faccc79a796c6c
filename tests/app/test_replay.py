"""Replay on the run page as a user meets it: the real runner, dbos and database, projects of a few lines."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from app import replay_state
from app.context import Context
from app.keys import Shortcuts
from app.replay_consent import ConsentDialog
from app.replay_project import ProjectDialog
from app.run_page import RunPage
from engine_bridge.engines.dbos.bridge import DbosBridge
from engine_bridge.model import RunRef
from engine_bridge.replay.model import Outcome
from tests.app.context import Told, add_source, make_context
from tests.conftest import ROOT
from widgets.code.pane import CodePane

DATA = ROOT / "tests" / "data" / "dbos"
DONE, WAITING = "order-00006", "order-00022"
RECV = '            decision = DBOS.recv("approval"'


@dataclass
class Desk:
    """The run page over a real database, and a project of the user's."""

    page: RunPage
    context: Context
    told: Told
    window: QMainWindow
    qtbot: QtBot
    code: Path

    @property
    def pane(self) -> CodePane:
        return self.page.view.code

    def open(self, run_id: str) -> None:
        run = RunRef("workflow", "", run_id)
        self.context.focus.change(page="run", source="fake", run=run, position=None, step_id=None)
        self.wait(lambda: self.page.view.loaded and self.page.feed.complete)

    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def edit(self, old: str, new: str) -> None:
        text = self.code.read_text("utf-8")
        assert old in text
        self.code.write_text(text.replace(old, new, 1), "utf-8")

    def dialog(self, kind: type) -> object:
        self.wait(lambda: isinstance(self.page.replay.flow.dialog, kind))
        return self.page.replay.flow.dialog

    def ask(self) -> ConsentDialog:
        """Asks for a replay, names the project, and comes to the question."""
        self.context.commands.run("code.replay")
        dialog = self.dialog(ProjectDialog)
        assert isinstance(dialog, ProjectDialog)
        dialog.code.setText(str(self.code))
        self.wait(lambda: dialog.modules.count() == 1)
        dialog.python.setEditText(sys.executable)
        self.wait(dialog.use.isEnabled)
        dialog.use.click()
        consent = self.dialog(ConsentDialog)
        assert isinstance(consent, ConsentDialog)
        return consent

    def replay(self) -> Outcome:
        """All questions answered with yes; how it ended."""
        consent = self.ask()
        self.wait(consent.run_button.isEnabled)
        consent.run_button.click()
        return self.ended()

    def ended(self) -> Outcome:
        self.wait(lambda: self.pane.trace is not None and self.pane.trace.end is not None)
        self.wait(lambda: not self.page.replay.desk.running and not self.pane.store.busy)
        assert self.pane.trace is not None and self.pane.trace.end is not None
        return self.pane.trace.end.outcome

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        # A dialog that was closed leaves no window active on the offscreen platform.
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        self.qtbot.keyClick(self.window.focusWidget() or self.window, key, modifiers)


def unpack(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    return path


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    project = tmp_path / "shop"
    project.mkdir()
    code = unpack("orders_app.py", project)
    url = f"dbos+sqlite:///{unpack('orders.sqlite', tmp_path)}"
    context, told = make_context()
    source = add_source(context, lambda: DbosBridge(url))
    source.url = url
    page = RunPage(context)
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(page.widget)
    window.resize(1400, 900)
    context.focus.subscribe(page.focus_changed)
    context.commands.add(*page.commands())
    Shortcuts(window, context.commands.run).update(context.commands, "run")
    window.show()
    window.activateWindow()
    yield Desk(page, context, told, window, qtbot, code)
    page.close()
    context.sources.close_all()
    if source.session is not None:
        source.session.close()


def test_a_waiting_run_says_its_line_and_code_follows_the_playhead(desk: Desk) -> None:
    desk.open(WAITING)
    desk.context.commands.run("run.show_code")
    assert "no step is executed again" in desk.pane.intro.text
    consent = desk.ask()
    assert "orders_app.py of" in consent.text and "datetime.datetime" in consent.text
    assert "is a file. If somebody else gave it to you" in consent.text
    desk.wait(consent.run_button.isEnabled)
    consent.run_button.click()
    assert desk.ended() is Outcome.STOPPED
    assert desk.pane.place == (str(desk.code), 122)
    assert desk.pane.bar.text.startswith("replayed 8 steps · waits at orders_app.py:122 in ")
    assert "waits at orders_app.py:122 in" in desk.page.view.blocked.text
    desk.press(Qt.Key.Key_Home)
    desk.wait(lambda: desk.pane.place[1] < 122)
    lines = [desk.pane.place[1]]
    for _ in range(12):
        desk.press(Qt.Key.Key_Period)
        desk.qtbot.wait(1)
        lines.append(desk.pane.place[1])
    assert lines == sorted(lines) and len(set(lines)) > 4
    assert "order" in desk.pane.locals.locals_model.tree.rows[0].key


def test_consent_is_asked_once_for_a_project_and_source(desk: Desk) -> None:
    desk.open(DONE)
    desk.context.commands.run("run.show_code")
    assert desk.replay() is Outcome.SAME
    first = desk.pane.trace
    desk.open(WAITING)
    desk.wait(lambda: desk.pane.trace is not None and desk.pane.trace is not first)
    assert desk.ended() is Outcome.STOPPED
    desk.open(DONE)
    assert desk.pane.trace is first, "it was kept: nothing is replayed again"
    desk.press(Qt.Key.Key_Home)
    desk.wait(lambda: desk.pane.at.step <= 0)
    desk.open(WAITING)
    desk.pane.asked.emit("forget")
    desk.wait(lambda: not replay_state.consents().all())
    desk.context.commands.run("code.replay")
    again = desk.dialog(ConsentDialog)
    assert isinstance(again, ConsentDialog)
    again.reject()
    assert desk.pane.trace is not None


def test_without_consent_nothing_runs(desk: Desk) -> None:
    desk.open(DONE)
    canary = desk.code.parent / "canary"
    desk.edit("V2 = ", f"open({str(canary)!r}, 'w')\nV2 = ")
    consent = desk.ask()
    consent.reject()
    assert desk.page.replay.recording is None
    assert "no step is executed again" in desk.pane.intro.text
    assert not canary.exists()
    assert not desk.page.replay.desk.running


def test_lines_are_walked_by_a_second_pass(desk: Desk) -> None:
    desk.open(DONE)
    assert desk.replay() is Outcome.SAME
    trace = desk.pane.trace
    assert trace is not None
    index = next(i for i, step in enumerate(trace.steps) if "recv" in step.name)
    desk.page.go_to(trace.position(index))
    desk.wait(lambda: desk.pane.place[1] == 122)
    desk.press(Qt.Key.Key_F7)
    desk.wait(lambda: desk.pane.place[1] == 123)
    rows = {row.key: row.change for row in desk.pane.locals.locals_model.tree.rows if row.depth == 0}
    assert rows["decision"] == "new"
    desk.press(Qt.Key.Key_F7, Qt.KeyboardModifier.ShiftModifier)
    desk.wait(lambda: desk.pane.place[1] == 122)


def test_an_edit_is_told_and_followed_on_every_save(desk: Desk) -> None:
    desk.open(WAITING)
    assert desk.replay() is Outcome.STOPPED
    desk.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.context.focus.current.position is not None)
    position, before = desk.context.focus.current.position, desk.pane.place[1]
    first, comment = desk.pane.trace, "# one line more\n"
    desk.wait(lambda: desk.page.replay.changes.watch.settled)
    desk.edit("V2 = ", comment + "V2 = ")
    desk.wait(lambda: desk.pane.stale.text == "orders_app.py was changed after this replay.")
    assert desk.pane.trace is first, "nothing is replayed unless the user wants that"
    desk.edit(comment, "")
    desk.wait(lambda: not desk.pane.stale.text)
    desk.press(Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert desk.context.settings.get("replay_on_save") and desk.pane.bar.on_save.isChecked()
    desk.edit("V2 = ", comment + "V2 = ")
    desk.wait(lambda: desk.pane.trace is not first)
    assert desk.ended() is Outcome.STOPPED
    assert (desk.context.focus.current.position, desk.pane.place[1]) == (position, before + 1)
    second = desk.pane.trace
    desk.edit(comment, "def (\n")
    desk.wait(lambda: "SyntaxError" in desk.pane.band.text)
    assert desk.pane.trace is second, "what was recorded stays while the code is broken"
    desk.edit("def (\n", comment * 2)
    desk.wait(lambda: desk.pane.trace is not second)
    assert desk.ended() is Outcome.STOPPED
    assert desk.pane.place[1] == before + 2 and not desk.pane.band.text


def test_edited_code_that_diverges_is_shown_with_its_line(desk: Desk) -> None:
    desk.open(WAITING)
    desk.edit(RECV, '            DBOS.set_event("stage", "new")\n' + RECV)
    assert desk.replay() is Outcome.DIVERGED
    assert "Code and history part" in desk.pane.band.text
    assert "divergence" in {kind for kind, _ in desk.pane.code.marks.values()}
    assert desk.page.view.timeline.state.findings
    desk.pane.band.asked.emit("sides")
    sides = desk.pane.sides
    assert sides is not None and sides.isVisible()
    assert {pair.mark for pair in sides.pairs} >= {"same", "parts"}
    desk.pane.show_code()
    assert desk.pane.code.isVisible() and not sides.isVisible()


def test_a_side_effect_is_stopped_with_its_line(desk: Desk) -> None:
    canary = desk.code.parent / "canary"
    desk.open(WAITING)
    desk.edit(RECV, f"            open({str(canary)!r}, 'w').close()\n" + RECV)
    assert desk.replay() is Outcome.BLOCKED
    assert "Workflow code had a side effect at orders_app.py:122" in desk.pane.band.text
    assert not canary.exists()
    assert desk.pane.trace is not None and len(desk.pane.trace.steps) == 7


def test_a_failed_import_shows_its_stack_and_what_to_do(desk: Desk) -> None:
    desk.open(WAITING)
    desk.edit("V2 = ", "import no_such_library_of_ours\nV2 = ")
    consent = desk.ask()
    desk.wait(consent.run_button.isEnabled)
    consent.run_button.click()
    desk.wait(lambda: "no_such_library_of_ours" in desk.pane.intro.text)
    assert desk.pane.intro.stack.isVisibleTo(desk.pane.intro)
    assert desk.pane.intro.project.isVisibleTo(desk.pane.intro)
    desk.wait(lambda: not desk.pane.intro.stack._background.busy)


def test_code_that_does_not_come_back_is_cancelled_and_what_was_recorded_stays(desk: Desk) -> None:
    desk.open(WAITING)
    desk.edit(RECV, "            while True: pass\n" + RECV)
    consent = desk.ask()
    desk.wait(consent.run_button.isEnabled)
    consent.run_button.click()
    desk.wait(lambda: "has not come back" in desk.pane.bar.text)
    assert "orders_app.py:122" in desk.pane.bar.text
    desk.pane.bar.cancel.click()
    assert desk.ended() is Outcome.CANCELLED
    assert desk.pane.trace is not None and len(desk.pane.trace.steps) == 7
    assert desk.pane.bar.text == "cancelled after 7 steps"


def test_another_run_takes_over_and_late_steps_are_dropped(desk: Desk) -> None:
    desk.open(WAITING)
    desk.edit(RECV, "            while True: pass\n" + RECV)
    consent = desk.ask()
    desk.wait(consent.run_button.isEnabled)
    consent.run_button.click()
    desk.wait(lambda: desk.pane.trace is not None and desk.pane.trace.steps)
    desk.open(DONE)
    assert desk.page.replay.recording is None
    assert not desk.page.replay.desk.running
    assert desk.page.view.blocked.text.count("waits at") == 0


def test_an_interpreter_without_the_library_is_said_before_consent(desk: Desk, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    python.chmod(0o755)
    desk.open(DONE)
    consent = desk.ask()
    consent.other.click()
    dialog = desk.dialog(ProjectDialog)
    assert isinstance(dialog, ProjectDialog)
    desk.wait(lambda: dialog.modules.count() == 1)
    dialog.python.setEditText(str(python))
    desk.wait(dialog.use.isEnabled)
    dialog.use.click()
    desk.wait(lambda: desk.page.replay.flow.dialog is not None and desk.page.replay.flow.dialog is not dialog)
    second = desk.dialog(ConsentDialog)
    assert isinstance(second, ConsentDialog)
    desk.wait(lambda: "cannot replay" in second.text)
    assert not second.run_button.isEnabled()
    second.reject()


def test_closing_while_it_replays_leaves_nothing_behind(desk: Desk) -> None:
    desk.open(WAITING)
    desk.edit(RECV, "            while True: pass\n" + RECV)
    consent = desk.ask()
    desk.wait(consent.run_button.isEnabled)
    consent.run_button.click()
    desk.wait(lambda: desk.pane.trace is not None and desk.pane.trace.steps)
