"""What if, queries and a debugger on the run page: the real runner and SDK on a recorded run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from app import replay_state
from app.context import Source
from app.keys import Shortcuts
from app.replay_questions import QuestionsDialog
from app.replay_recording import Extra, Recording
from app.run_page import RunPage
from engine_bridge.actions.model import Staged, Target
from engine_bridge.bridge import Sort, load_engine
from engine_bridge.replay.model import Edit, Outcome, Project
from engine_bridge.replay.project import save_project
from tests.app.context import add_source, make_context
from tests.app.test_replay import Desk
from tests.engines.temporal.replay.replays import APPS, DATA
from tests.waiting import LIMIT_S
from widgets.actions.rehearsal import Rehearsal
from widgets.code.what_if import WhatIfEditor
from widgets.run.labels import Link

UPDATE = "    @workflow.update\n"
QUERY = "    @workflow.query\n    def where(self) -> str:\n        return self.status\n\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The application of the recorded runs, with a query."""
    file = tmp_path / "order.py"
    file.write_text((APPS / "order.py").read_text().replace(UPDATE, QUERY + UPDATE, 1))
    return file


@pytest.fixture
def desk(qtbot: QtBot, code: Path) -> Iterator[Desk]:
    url = f"temporal+file://{DATA / 'order.json.gz'}"
    context, told = make_context()
    source = add_source(context, lambda: load_engine("temporal").bridge(url, None))
    source.url = url
    agreed_to(url, code)
    page, window = RunPage(context), QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(page.widget)
    window.resize(1400, 900)
    context.focus.subscribe(page.focus_changed)
    context.commands.add(*page.commands())
    Shortcuts(window, context.commands.run).update(context.commands, "run")
    window.show()
    yield open_run(Desk(page, context, told, window, qtbot, code), source)
    page.close()
    context.sources.close_all()
    if source.session is not None:
        source.session.close()


def agreed_to(url: str, code: Path) -> None:
    """The user has agreed before."""
    file = str(code)
    project = Project(code=file, python=sys.executable, modules=(file,), paths=(str(code.parent),))
    replay_state.folder().mkdir(parents=True)
    save_project(replay_state.projects_file(), replay_state.source_key(url), project)
    replay_state.consents().give(project, replay_state.source_key(url))


def open_run(desk: Desk, source: Source) -> Desk:
    assert source.session is not None
    page = source.session.call("runs", None, Sort(), None, "forward", 1).result(LIMIT_S)
    desk.context.focus.change(page="run", source="fake", run=page.items[0].ref, position=None)
    desk.wait(lambda: desk.page.view.loaded and desk.page.feed.complete)
    return desk


def replayed(desk: Desk) -> Outcome:
    desk.wait(lambda: desk.page.replay.recording is not None and not desk.page.replay.busy)
    return desk.ended()


def test_an_edited_result_shows_what_the_code_would_do_and_one_key_leads_back(desk: Desk) -> None:
    replay = desk.page.replay
    desk.context.focus.change(position=33)
    desk.press(Qt.Key.Key_W)
    editor = replay.what_if.editor
    assert editor is not None
    desk.wait(lambda: editor.kind.count() > 2)
    editor.kind.setCurrentIndex(editor.kind.findText("Activity charge_card returns"))
    editor.value.setPlainText("99")
    editor.run.click()
    assert replayed(desk) is Outcome.STOPPED
    said = desk.pane.hypothesis.text
    assert said.startswith("HYPOTHETICAL: Activity charge_card returns: 99\n")
    assert "–\ttimer\torder.py:" in said and "pack\tpack\torder.py:" in said
    assert said.splitlines()[-1].startswith("Then it would ")
    assert "hypothetical: the code would do this" in desk.pane.card.text
    assert desk.pane.trace is not None and desk.pane.place[1] > 0
    stamps = [stamp.words for stamp in desk.page.view.timeline.state.findings]
    assert stamps == ["hypothetical: Activity charge_card returns: 99"]
    assert "would" not in desk.page.view.blocked.text
    go_on(desk, editor)
    desk.press(Qt.Key.Key_Escape)
    assert desk.context.focus.current.page == "run"
    assert not desk.pane.hypothesis.isVisible() and not desk.page.view.timeline.state.findings
    assert replayed(desk) is Outcome.SAME
    assert replay.recording is replay.record and "replayed" in desk.pane.bar.text


def go_on(desk: Desk, editor: WhatIfEditor) -> None:
    """Results for two of the commands, by the keyboard; then the first of them is taken out."""
    shown, replay = desk.pane.hypothesis, desk.page.replay
    assert (
        "Activity pack 5 … · returns … · fails … · times out · all goes on as recorded · something else …"
        in shown.text
    )
    desk.qtbot.keyClick(shown.table, Qt.Key.Key_Return)
    assert replay.what_if.opened and editor.kind.currentText() == "Activity pack 5 returns"
    assert editor.value.text == '"o-1/0"', "as it was recorded"
    editor.value.setPlainText('"mine"')
    editor.run.click()
    assert replayed(desk) is Outcome.STOPPED
    assert 'then Activity pack 5 returns: "mine"' in shown.text and "Activity pack 6 …" in shown.text
    assert shown.text.count("order.py:") >= 5, "what the code would do before is still there"
    desk.qtbot.keyClick(shown.answers.links[2], Qt.Key.Key_Return)
    assert replayed(desk) is Outcome.STOPPED and "then Activity pack 6 times out" in shown.text
    assert shown.text.splitlines()[-1] == "Then it would be over." and not shown.answers.isVisible()
    desk.press(Qt.Key.Key_W)
    assert [line.partition(" ")[0] for line in editor.chain.text.splitlines()] == ["if", "then", "then"]
    remove = [link for link in editor.findChildren(Link) if link.accessibleName().endswith(': "mine"')]
    desk.qtbot.keyClick(remove[-1], Qt.Key.Key_Return)
    assert [edit.turn for edit in editor.edits] == [0, 1]
    editor.run.click()
    assert replayed(desk) is Outcome.STOPPED
    assert (
        shown.words.text == "HYPOTHETICAL: Activity charge_card returns: 99; then Activity pack 6 times out"
    )
    desk.context.focus.change(position=12)
    desk.press(Qt.Key.Key_W)
    desk.wait(lambda: editor.kind.findText("Activity reserve returns") >= 0)
    editor.kind.setCurrentIndex(editor.kind.findText("Activity reserve returns"))
    editor.value.setPlainText("1")
    editor.run.click()
    desk.wait(lambda: "would be cut off" in editor.note.words.text())
    assert replay.what_if.opened and len(editor.edits) == 3, "what was typed is still there"
    desk.press(Qt.Key.Key_Escape)


def test_a_recording_that_another_replaces_is_over_and_never_shown_again(desk: Desk) -> None:
    replay = desk.page.replay
    desk.context.commands.run("run.show_code")
    desk.wait(lambda: replay.recording is not None)
    first, inner = replay.recording, replay.desk
    assert first is not None
    again = Recording(first.spec, first.project, first.input, first.history, Extra((Edit("x"),)))
    desk.wait(lambda: not replay.busy)
    renewed = Recording(first.spec, first.project, first.input, first.history)
    inner.record("key", renewed)
    inner.record("key", again)
    assert not renewed.running and renewed.trace.end is None and inner.kept("key") is None
    desk.wait(lambda: not inner.running)
    assert renewed.trace.end is None and again.trace.end is not None


def test_a_dry_run_shows_the_commands_where_it_was_asked_for(desk: Desk, qtbot: QtBot) -> None:
    """As the form of an action does it: what is staged becomes an edit, of which nothing is sent."""
    replay, rehearsal = desk.page.replay, Rehearsal()
    qtbot.addWidget(rehearsal)
    session, run = desk.page.source().session, desk.context.focus.current.run
    target = Target(kind="step", id="31", ref=run, step_id="31")
    staged = Staged(target=target, action="fail_activity", args={"step": "31", "message": "no money"})
    edit = session.call("edit_of", staged).result(LIMIT_S)
    replay.what_if.rehearse(edit, "Fail the activity", rehearsal)
    assert replayed(desk) is Outcome.STOPPED
    first = rehearsal.table.rows[0]
    assert first.now == "failure of the run" and first.place.startswith("order.py:")
    assert rehearsal.text.endswith("Then it would be over.")
    assert desk.pane.hypothesis.text.startswith("HYPOTHETICAL: Fail the activity: no money")
    desk.press(Qt.Key.Key_W)
    editor = replay.what_if.editor
    assert editor is not None and editor.chain.text == "if Fail the activity: no money"
    desk.press(Qt.Key.Key_Escape)
    replay.what_if.rehearse(msgspec.structs.replace(edit, position=9_999), "Fail the activity", rehearsal)
    desk.wait(lambda: "9999" in rehearsal.text or "9 999" in rehearsal.text)
    assert replay.recording is not None, "what was shown is still there"


def test_queries_are_answered_at_the_playhead_and_a_debugger_is_waited_for(desk: Desk) -> None:
    replay = desk.page.replay
    desk.context.commands.run("run.show_code")
    assert replayed(desk) is Outcome.SAME
    record = replay.recording
    desk.context.commands.run("code.questions")
    dialog = replay.questions.dialog
    assert isinstance(dialog, QuestionsDialog)
    assert [dialog.list.item(row).text() for row in range(dialog.list.count())] == ["where"]
    dialog.list.item(0).setCheckState(Qt.CheckState.Checked)
    dialog.accept()
    desk.wait(lambda: replay.recording is not record and not replay.busy)
    told: list[str] = []
    for position in (12, 40, 12):
        desk.page.go_to(position)
        desk.wait(lambda position=position: desk.pane.answers_head.text == f"QUERIES at event {position}")
        told += [str(row.value) for row in desk.pane.answers.locals_model.tree.rows]
    assert told == ["new", "charged", "new"]
    desk.press(Qt.Key.Key_W)
    editor = replay.what_if.editor
    assert editor is not None
    desk.wait(lambda: editor.kind.findText("An update arrives behind event 12") >= 0)
    editor.kind.setCurrentIndex(editor.kind.findText("An update arrives behind event 12"))
    assert editor.name.findText("move") >= 0, "the code declares it"
    desk.press(Qt.Key.Key_Escape)
    assert not replay.what_if.opened
    desk.press(Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    desk.wait(lambda: replay.debugging.view is not None and replay.debugging.view.isVisible())
    view, before = replay.debugging.view, desk.pane.trace
    assert view is not None and "127.0.0.1:" in view.title.text
    view.cancel.click()
    desk.wait(lambda: not replay.busy and not view.isVisible())
    assert desk.pane.trace is before and before is not None and before.steps, (
        "what was recorded is still there"
    )
