"""What if: the editor of edits, the marks of what is hypothetical, answers of queries, where a debugger attaches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.replay.model import (
    Answer,
    Edit,
    EditKind,
    End,
    Now,
    Outcome,
    Place,
    Question,
    TraceStep,
    Unfit,
    Was,
)
from engine_bridge.replay.trace import Trace
from tests.widgets.code import traces
from widgets import theme
from widgets.code.answers import Answers
from widgets.code.debug import DebugPage
from widgets.code.hypothesis import Hypothesis
from widgets.code.pane import CodePane
from widgets.code.record import Edited
from widgets.code.what_if import WhatIfEditor
from widgets.code.would import Would, by_turn, edit_words, rows, summary, unfit_words
from widgets.run.labels import Link

KINDS = (
    EditKind(kind="signal", title="A signal arrives behind event 7", needs=("name", "value"), names=("approve",),
             position=7),
    EditKind(kind="result", title="Activity charge returns", value='{"id": 1}', position=5, step_id="5"),
    EditKind(kind="cancel", title="Cancellation is requested", text=True, position=7),
    EditKind(kind="timeout", title="Activity charge times out", needs=(), position=5, step_id="5"),
)  # fmt: skip


@pytest.fixture
def editor(qtbot: QtBot, qapp: QApplication) -> Iterator[WhatIfEditor]:
    theme.apply(qapp, "dark")
    editor = WhatIfEditor()
    qtbot.addWidget(editor)
    editor.resize(600, 420)
    editor.show()
    editor.show_kinds("What if, at event 7 …", KINDS)
    yield editor
    editor.stop()


def asked(editor: WhatIfEditor) -> list[tuple[Edit, ...]]:
    found: list[tuple[Edit, ...]] = []
    editor.run_requested.connect(found.append)
    return found


def test_json_that_is_wrong_is_marked_where_it_is(editor: WhatIfEditor, qtbot: QtBot) -> None:
    runs = asked(editor)
    editor.kind.setCurrentIndex(1)
    assert json.loads(editor.value.text) == {"id": 1} and "\n" in editor.value.text
    editor.value.setPlainText('{"id": 1,\n "to" 2}')
    qtbot.waitUntil(lambda: editor.error.isVisible())
    assert editor.error.text() == "Line 2, column 7: Expecting ':' delimiter."
    (mark,) = editor.value.extraSelections()
    assert mark.cursor.selectionStart() == 16
    editor.run.click()
    assert runs == [] and editor.value.hasFocus()
    editor.value.setPlainText("2")
    editor.run.click()
    assert runs == [(Edit(kind="result", position=5, step_id="5", value="2"),)]
    assert not editor.value.extraSelections() and not editor.error.isVisible()


def test_each_kind_asks_for_what_it_needs(editor: WhatIfEditor) -> None:
    runs = asked(editor)
    assert editor.name.isVisible() and editor.name.currentText() == "approve"
    editor.name.setEditText(" ")
    editor.run.click()
    assert "Give its name" in editor.note.words.text() and runs == []
    editor.kind.setCurrentIndex(2)
    assert not editor.name.isVisible() and editor.value_title.text() == "Value, as text"
    editor.value.setPlainText("no {json}")
    editor.run.click()
    editor.kind.setCurrentIndex(3)
    assert not editor.value.isVisible()


def test_edits_of_several_events_are_kept_and_taken_back(editor: WhatIfEditor, qtbot: QtBot) -> None:
    runs = asked(editor)
    editor.value.setPlainText("true")
    editor.more.click()
    assert editor.edits == (Edit(kind="signal", position=7, name="approve", value="true"),)
    editor.show_kinds("What if, at event 5 …", KINDS[1:2])
    editor.value.setPlainText("3")
    qtbot.keyClick(editor.run, Qt.Key.Key_Space)
    assert [edit.kind for edit in runs[0]] == ["signal", "result"]
    assert next(iter(editor.titles().values())) == "A signal arrives behind event 7: approve true"
    remove = [
        link for link in editor.findChildren(Link) if link.accessibleName().startswith("Remove: A signal")
    ]
    qtbot.keyClick(remove[-1], Qt.Key.Key_Return)
    editor.run.click()
    assert [edit.kind for edit in runs[1]] == ["result"]
    editor.show_kinds("What if, at event 1 …", ())
    assert "Nothing can be edited at this event" in editor.note.words.text()


def hypothetical(file: str) -> Trace:
    made = Trace("run-1")
    for step in traces.steps(file)[:2]:
        made.add(step, traces.history())
    for n, (name, line) in enumerate((("charge", 12), ("refund", 13)), 2):
        made.add(TraceStep(n=n, name=name, recorded=None, stack=(traces.frame(file, line),)), None)
    now = Now(kind="step", what="refund", at=Place(file=file, line=13))
    made.end = End(outcome=Outcome.STOPPED, steps=4, now=now)
    return made


def test_commands_stand_beside_those_of_the_record(tmp_path: Path) -> None:
    file = traces.write(tmp_path)
    was = (Was(position=3, name="charge"), Was(position=4, name="ship"))
    assert rows(hypothetical(file), was) == [
        Would("charge", "charge", "orders.py:12", 2),
        Would("ship", "refund", "orders.py:13", 3),
    ]
    assert rows(hypothetical(file), was[1:])[0].then == "ship"
    assert rows(Trace("r"), was) == [Would("charge", "–"), Would("ship", "–")]
    assert summary(hypothetical(file)) == "Then it would be at work at orders.py:13 in refund."


def test_turns_stand_one_below_the_other_and_what_waits_is_answered(qtbot: QtBot, tmp_path: Path) -> None:
    trace = hypothetical(traces.write(tmp_path))
    edits = (Edit(kind="a", value="1"), Edit(kind="b", step_id="refund", turn=1), Edit(kind="c", turn=2))
    words = by_turn(edits, edit_words)
    ways = tuple(
        EditKind(kind=k, title=f"Step refund {k}s", needs=n, step=3)
        for k, n in (("run", ("value",)), ("fail", ()))
    )
    other, alike = (
        EditKind(kind="signal", title="A signal arrives"),
        EditKind(kind="all", title="All is alike", needs=()),
    )
    unfit = Unfit(turn=2, message="It is over by then.", hint="Remove it.")
    trace.end = msgspec.structs.replace(trace.end, turns=(2, 3), next=(*ways, alike, other), unfit=unfit)
    found = rows(trace, (Was(position=3, name="charge"),), words)
    assert [(row.now, row.then, row.heading) for row in found] == [
        ("if a: 1", "–", True), ("charge", "charge", False), ("then b refund", "–", True),
        ("refund", "–", False),
    ]  # fmt: skip
    assert unfit_words(trace, words) == "c: does not fit. It is over by then. Remove it."
    shown, chosen = Hypothesis(), list[object]()
    qtbot.addWidget(shown)
    shown.answer_requested.connect(chosen.append)
    shown.show_edits(words)
    shown.show_outcome(found, "Then …", trace.end.next, unfit_words(trace, words))
    assert shown.answers.text == "Step refund … · runs … · fails · all is alike · something else …"
    assert "does not fit" in shown.text
    for link in shown.answers.links:
        qtbot.keyClick(link, Qt.Key.Key_Space)
    assert chosen == [*ways, alike, None]


def test_an_edit_of_the_chain_is_changed_where_it_is(editor: WhatIfEditor) -> None:
    runs = asked(editor)
    editor.kind.setCurrentIndex(1)
    editor.run.click()
    editor.show_kinds("Then, what if …", KINDS[3:], 1, KINDS[3])
    editor.submit()
    assert [edit.turn for edit in runs[-1]] == [0, 1], "nothing was to be typed"
    editor.show_made(editor.chain.made[0])
    editor.value.setPlainText("7")
    editor.run.click()
    assert [(edit.kind, edit.value, edit.turn) for edit in runs[-1]] == [
        ("result", "7", 0),
        ("timeout", "", 1),
    ]
    editor.chain.make_room(1)
    editor.chain.put(Edit(kind="fired", turn=1), KINDS[2])
    assert [edit.kind for edit in editor.edits] == ["result", "fired", "timeout"]


@pytest.mark.parametrize("name", ["dark", "light", "high_contrast"])
def test_what_is_hypothetical_is_marked_as_such(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, name: str
) -> None:
    theme.apply(qapp, name)
    pane = CodePane()
    qtbot.addWidget(pane)
    pane.resize(900, 600)
    pane.show()
    made = hypothetical(traces.write(tmp_path))
    pane.set_hypothetical(Edited(3, {"2": "Activity charge returns: 3"}))
    pane.hypothesis.show_edits(["Activity charge returns: 3"])
    pane.set_trace(made, traces.history())
    pane.hypothesis.show_outcome(rows(made, ()), summary(made))
    assert pane.bar.text == "hypothetical: 4 steps replayed"
    assert pane.hypothesis.text.startswith(
        "HYPOTHETICAL: Activity charge returns: 3\n–\tcharge\torders.py:12\n"
    )
    moved: list[int] = []
    pane.position_requested.connect(moved.append)
    pane.hypothesis.table.chosen.emit(1)
    assert (pane.at.step, pane.code.current, moved) == (3, 13, []), "the playhead of the record stays"
    assert "hypothetical: the code would do this" in pane.card.text
    pane.set_position(4)
    assert pane.at.step == 3, "behind the edit there is only what would be"
    pane.set_position(3)
    pane.show_step(1)
    assert "hypothetical: Activity charge returns: 3" in pane.card.text
    assert pane.hypothesis.grab().toImage().width() > 0
    asked_for: list[str] = []
    pane.asked.connect(asked_for.append)
    qtbot.keyClick(pane.hypothesis.back, Qt.Key.Key_Return)
    qtbot.keyClick(pane.hypothesis.edit, Qt.Key.Key_Return)
    assert asked_for == ["record", "what_if"]
    qtbot.waitUntil(lambda: not pane.store.busy)


def test_answers_follow_the_playhead_both_ways(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    theme.apply(qapp, "dark")
    pane = CodePane()
    qtbot.addWidget(pane)
    pane.show()
    pane.set_trace(traces.trace(traces.write(tmp_path)), traces.history())
    answers = Answers((Question(name="status"), Question(name="total", args='["EUR"]')))
    for n, position, value in ((2, 5, "waiting"), (0, 1, "new"), (1, 3, "paid")):
        answers.add(Answer(n=n, position=position, name="status", value=value))
    answers.add(Answer(n=1, position=3, name="total", args='["EUR"]', error="no rate"))
    pane.set_answers(answers)

    def shown() -> list[str]:
        tree = pane.answers.locals_model.tree
        return [f"{row.key}: {row.text()[0]}{' *' if row.change else ''}" for row in tree.rows]

    for position, wanted in (
        (3, ['status: "paid" *', 'total("EUR"): raised no rate *']),
        (1, ['status: "new" *', 'total("EUR"): not asked yet']),
        (2, ['status: "new"', 'total("EUR"): not asked yet']),
        (5, ['status: "waiting" *', 'total("EUR"): raised no rate']),
    ):
        pane.set_position(position)
        assert shown() == wanted
        assert pane.answers_head.text == f"QUERIES at event {position}"
    pane.set_answers(Answers())
    assert not pane.asking.isVisible()
    qtbot.waitUntil(lambda: not pane.store.busy)


def test_what_an_ide_wants_is_copied_with_the_port(qtbot: QtBot, qapp: QApplication) -> None:
    theme.apply(qapp, "dark")
    page = DebugPage()
    qtbot.addWidget(page)
    page.show_port(40123, "debugpy 1.8.22")
    page.show()
    assert page.title.text == "Waiting for a debugger at 127.0.0.1:40123"
    codes = {name.partition(":")[0]: code for name, code in page.codes.items()}
    assert codes.pop("PyCharm 2025.3 and newer").toPlainText() == "127.0.0.1:40123"
    for name, code in codes.items():
        found = json.loads(code.toPlainText())
        found = found["configurations"][0] if "configurations" in found else found
        assert (found["request"], found["connect"]) == ("attach", {"host": "127.0.0.1", "port": 40123}), name
