"""The code pane as a user sees it, over hand-made traces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.history import History
from engine_bridge.model import PayloadRef
from engine_bridge.replay.model import Blocked, End, Frame, Outcome, Place, TraceStep
from engine_bridge.replay.protocol import Log
from engine_bridge.replay.trace import Trace
from tests.widgets.code import traces
from widgets.code.pane import CodePane
from widgets.code.source import CodeSource
from widgets.code.view import _LINE

Show = Callable[..., CodePane]


@pytest.fixture
def show(qtbot: QtBot, tmp_path: Path) -> Show:
    def make(trace: Trace | None = None, *, text: str = traces.SOURCE) -> CodePane:
        file = traces.write(tmp_path, text)
        pane = CodePane()
        qtbot.addWidget(pane)
        pane.resize(900, 600)
        pane.show()
        pane.position_requested.connect(pane.set_position)
        pane.set_trace(trace or traces.trace(file), traces.history())
        qtbot.waitUntil(lambda: not pane.store.busy)
        return pane

    return make


def stack(pane: CodePane) -> list[str]:
    return [row.text for row in pane.stack.stack_model.rows]


def locals_(pane: CodePane) -> list[str]:
    model = pane.locals.locals_model
    return [("  " * row.depth) + model.words(row, was=True) for row in model.tree.rows]


def test_the_playhead_moves_line_stack_locals_and_record_at_once(show: Show) -> None:
    pane = show()
    pane.set_position(1)
    assert pane.code.current == 10
    assert pane.card.text.startswith("reserve\nstep · 1 of 3\ncompleted as recorded")
    assert locals_(pane) == ["order: dict[2]", '  id: "o1"', "  total: 21"]
    pane.set_position(3)
    assert pane.code.current == 12
    assert pane.card.text.startswith("charge\nstep · 2 of 3")
    assert "total: 42  (new)" in locals_(pane)
    assert stack(pane)[1] == "fulfil  orders.py:12"
    pane.set_position(None)
    assert pane.code.current == 13
    assert "not recorded yet: the run waits at orders.py:13 in recv" in pane.card.text
    assert "  total: 42  (was 21)" in locals_(pane)
    assert pane.heading.text == "LOCALS at the newest event · fulfil · 1 changed"


def test_before_the_first_step_the_head_of_the_workflow_shows(show: Show) -> None:
    pane = show()
    pane.set_entry(Place(file=pane.files.files[0], line=9))
    pane.set_position(0)
    assert pane.place == (pane.files.files[0], 9)
    assert pane.card.text.startswith("Before the first step")


def test_engine_frames_fold_and_open(show: Show, qtbot: QtBot) -> None:
    pane = show()
    assert stack(pane) == ["2 frames of the engine", "fulfil  orders.py:13", "3 frames of the engine"]
    pane.stack.setCurrentIndex(pane.stack.stack_model.index(0, 0))
    qtbot.keyClick(pane.stack, Qt.Key.Key_Return)
    assert stack(pane)[:3] == ["core0  core.py:1", "core1  core.py:2", "fulfil  orders.py:13"]
    pane.set_position(1)
    assert stack(pane)[0] == "core0  core.py:1"


def test_a_frame_of_the_stack_shows_its_own_code(show: Show, tmp_path: Path, qtbot: QtBot) -> None:
    file = traces.write(tmp_path)
    found = Trace("run-1")
    outer = Frame(file=file, line=15, function="outer", locals=(("n", 1),))
    step = TraceStep(n=0, name="charge", recorded="charge", stack=(traces.frame(file, 6, total=2), outer))
    found.add(step, None)
    pane = show(found)
    assert pane.code.current == 6
    rect = pane.stack.visualRect(pane.stack.stack_model.index(1, 0))
    qtbot.mouseClick(pane.stack.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert pane.code.current == 15
    assert locals_(pane) == ["n: 1"]


def test_the_gutter_counts_hits_and_leads_to_the_steps(show: Show, qtbot: QtBot) -> None:
    pane = show()
    pane.set_position(None)
    assert pane.code.hits[5] == 1
    assert pane.code.gutter_words(10) == "ran 1 time\nclick: to the next step that stands here"
    top = pane.code.verticalScrollBar().value()
    at = QPoint(30, (10 - 1 - top) * _LINE + 5)
    with qtbot.waitSignal(pane.position_requested) as asked:
        qtbot.mouseClick(pane.code.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked.args == [1]
    assert pane.code.current == 10
    words: list[str] = []
    pane.noticed.connect(words.append)
    pane.go_to_line(5)
    pane.go_to_line(1)
    assert words == [
        "No step stands on line 5: it ran 1 times between steps.",
        "No step stands on line 1: it was not reached.",
    ]


def test_walking_lines_asks_for_them_once_and_shows_what_they_changed(show: Show) -> None:
    pane = show()
    pane.set_position(1)
    asked: list[int] = []
    pane.lines_requested.connect(asked.append)
    pane.step_line(1)
    assert asked == [1]
    trace = pane.trace
    assert trace is not None
    trace.lines[1] = traces.lines(pane.files.files[0])
    pane.lines_arrived(1)
    assert pane.code.current == 11
    pane.step_line(1)
    assert (pane.code.current, pane.heading.text) == (5, "LOCALS at line 2 of 4 after this step · helper")
    assert stack(pane)[0] == "helper  orders.py:5"
    pane.step_line(1)
    assert (pane.code.current, "total: 21  (new)" in locals_(pane)) == (6, True)
    pane.step_line(1)
    assert (pane.code.current, pane.at.step, pane.at.line) == (12, 1, -1)
    pane.step_line(-1)
    assert pane.code.current == 6
    assert asked == [1]


def test_stepping_over_stays_out_of_what_is_called(show: Show) -> None:
    pane = show()
    assert pane.trace is not None
    pane.trace.lines[1] = traces.lines(pane.files.files[0])
    pane.set_position(1)
    pane.step_line(1, over=True)
    assert pane.code.current == 11
    pane.step_line(1, over=True)
    assert (pane.code.current, pane.at.step) == (12, 1)
    pane.step_line(-1, over=True)
    assert pane.code.current == 11


def test_the_recording_has_two_ends(show: Show) -> None:
    pane = show()
    words: list[str] = []
    pane.noticed.connect(words.append)
    pane.set_position(None)
    pane.step_line(1)
    assert pane.trace is not None
    pane.trace.lines[0] = ()
    pane.set_position(1)
    pane.step_line(-1)
    assert words == ["The recording ends here.", "The recording begins here."]


ENDS = (
    (End(outcome=Outcome.SAME, steps=3), "replayed 3 steps to the recorded end", ""),
    (End(outcome=Outcome.CANCELLED, steps=3), "cancelled after 3 steps", ""),
    (
        End(outcome=Outcome.HUNG, steps=3, error="The code has not come back for 30 s.", hint="Look."),
        "hung after 3 steps",
        "The code has not come back for 30 s.\nLook.",
    ),
    (
        End(outcome=Outcome.CRASHED, steps=1, error="The process died of SIGSEGV."),
        "the process crashed after 1 step",
        "The process died of SIGSEGV.\nEverything recorded so far is kept.",
    ),
    (
        End(outcome=Outcome.BLOCKED, steps=3, blocked=(Blocked(what="writes a file", at=Place("o.py", 7)),)),
        "a side effect was blocked after 3 steps",
        "Workflow code had a side effect at o.py:7: it writes a file.\n"
        "It was stopped. Each replay and each recovery would do it again: move it into a step.",
    ),
)


@pytest.mark.parametrize(("end", "title", "band"), ENDS, ids=[end.outcome.value for end, _, _ in ENDS])
def test_every_end_says_what_to_do(show: Show, tmp_path: Path, end: End, title: str, band: str) -> None:
    pane = show(traces.trace(traces.write(tmp_path), end))
    assert pane.bar.text == title
    assert pane.band.text == band
    assert pane.trace is not None and len(pane.trace.steps) == 3
    assert pane.code.current == 13


def test_a_divergence_is_marked_at_its_line(show: Show, tmp_path: Path, qtbot: QtBot) -> None:
    file = traces.write(tmp_path)
    pane = show(traces.trace(file, traces.diverged(file)))
    assert pane.code.marks[15] == ("divergence", "expected recv, got ship")
    assert pane.bar.text == "diverged at orders.py:15 after 3 steps"
    pane.band.asked.emit("sides")
    assert pane.sides is not None and pane.sides.isVisible()
    pane.show_code()
    pane.band.asked.emit("place")
    assert pane.code.current == 15


def test_steps_that_come_before_their_events_find_their_place(show: Show, tmp_path: Path) -> None:
    made = traces.history()
    early = traces.trace(traces.write(tmp_path), made=History())
    pane = show(early)
    pane.set_history(History())
    pane.set_position(1)
    assert pane.at.step == 2, "no step has a place yet: the last one is in force everywhere"
    pane.set_history(made)
    assert (pane.at.step, pane.code.current) == (0, 10)


def test_edits_are_told_above_the_code(show: Show, qtbot: QtBot) -> None:
    pane = show()
    asked: list[str] = []
    pane.asked.connect(asked.append)
    assert not pane.stale.isVisible()
    pane.stale.show_words("orders.py was changed after this replay", "/shop/orders.py")
    assert pane.stale.text == "orders.py was changed after this replay."
    qtbot.keyClick(pane.stale.again, Qt.Key.Key_Return)
    qtbot.mouseClick(pane.bar.on_save, Qt.MouseButton.LeftButton)
    assert asked == ["again", "on_save"]
    pane.set_on_save(True)
    assert pane.bar.on_save.isChecked()


def test_drift_is_said_and_marked(show: Show, tmp_path: Path) -> None:
    file = traces.write(tmp_path)
    found = Trace("run-1")
    found.add(traces.steps(file)[0], traces.history())
    found.add(traces.drifting(file), traces.history())
    pane = show(found)
    assert "⚠ another input: recorded 42, now 43" in pane.card.text
    assert pane.code.marks[12] == ("drift", "drift: another input")


def test_a_hundred_tasks_open_one_by_one(show: Show, tmp_path: Path, qtbot: QtBot) -> None:
    file = traces.write(tmp_path)
    found = Trace("run-1")
    found.add(traces.gathered(file, 100), traces.history())
    pane = show(found)
    assert len(stack(pane)) == 100
    assert stack(pane)[3] == "Task-3 · waiting · orders.py:8"
    assert pane.code.current == 6
    pane.stack.setCurrentIndex(pane.stack.stack_model.index(3, 0))
    qtbot.keyClick(pane.stack, Qt.Key.Key_Return)
    assert stack(pane)[4] == "fulfil  orders.py:8"


def test_a_file_that_is_gone_leaves_stack_and_locals(show: Show, tmp_path: Path, qtbot: QtBot) -> None:
    pane = show(traces.trace(str(tmp_path / "gone.py")))
    assert pane.no_source.isVisible()
    assert "gone.py cannot be read: No such file or directory." in pane.no_source.text()
    assert "gone.py:13" in stack(pane)[1]
    assert locals_(pane)


def test_secrets_are_masked_until_revealed(show: Show, tmp_path: Path) -> None:
    file = traces.write(tmp_path)
    found = Trace("run-1")
    values = {"password": "hunter2", "card": {"t": "Card", "o": [["api_key", "k-123"], ["kind", "visa"]]}}
    step = TraceStep(n=0, name="a", recorded="a", stack=(traces.frame(file, 10, **values),))
    found.add(step, None)
    pane = show(found)
    text = "\n".join(locals_(pane))
    assert "hunter2" not in text and "k-123" not in text and "visa" in text
    pane.set_reveal(True)
    assert "hunter2" in "\n".join(locals_(pane))


def test_what_was_opened_stays_open_from_step_to_step(show: Show, qtbot: QtBot) -> None:
    pane = show()
    pane.set_position(1)
    pane.locals.setCurrentIndex(pane.locals.locals_model.index(0, 0))
    qtbot.keyClick(pane.locals, Qt.Key.Key_Left)
    assert locals_(pane) == ["order: dict[2]"]
    pane.set_position(3)
    assert locals_(pane) == ["order: dict[2]", "total: 42  (new)"]


def test_the_result_is_asked_for_when_the_playhead_rests(show: Show, qtbot: QtBot) -> None:
    pane = show()
    ref = PayloadRef(key="k", label="output", size=11, encoding="json")
    assert pane.card.set_result(ref)
    pane.card.set_data(ref, b'{"ok": true}')
    assert 'output { "ok": true }' in pane.card.text


def test_what_the_code_printed_is_below(show: Show) -> None:
    pane = show()
    pane.output.add([Log("hello\n", "out"), Log("careful", "log", "WARNING")])
    assert not pane.output.isVisible()
    pane.bar.asked.emit("output")
    assert pane.output.isVisible()
    assert pane.output.text == "hello\nWARNING: careful\n"


def test_a_long_file_colours_and_long_lines_do_not_shift_numbers(show: Show, qtbot: QtBot) -> None:
    text = (
        traces.SOURCE
        + "\n".join(f"x{n} = {n}  # a comment" for n in range(3000))
        + "\ny = '"
        + "a" * 50_000
        + "'\n"
    )
    pane = show(text=text)
    source = pane.code.source
    assert isinstance(source, CodeSource)
    qtbot.waitUntil(lambda: source.count - 1 in source.colours)
    assert source.count == text.count("\n")
    assert len(source.line(source.count - 1)) == 2001
    pane.code.set_current(source.count)
    assert pane.code.line_at(0) <= source.count
    QApplication.processEvents()
    assert pane.code.grab().toImage().width() > 0


def test_the_pane_begins_with_what_replay_does(qtbot: QtBot) -> None:
    pane = CodePane()
    qtbot.addWidget(pane)
    pane.show()
    assert "no step is executed again" in pane.intro.text
    with qtbot.waitSignal(pane.asked) as asked:
        qtbot.mouseClick(pane.intro.replay, Qt.MouseButton.LeftButton)
    assert asked.args == ["replay"]
