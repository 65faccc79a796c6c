"""The gate's page on reports made by hand: what a user reads, chooses and opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.replay.gate_report import Drifted, GateReport, Result, Runner, Section
from engine_bridge.replay.grouping import group
from engine_bridge.replay.model import Blocked, Divergence, Drift, Now, Outcome, Place, Project
from tests.widgets.code.traces import SOURCE
from widgets import theme
from widgets.gate.bar import GateAsked
from widgets.gate.cells import verdict
from widgets.gate.page import GateView


@pytest.fixture
def place(tmp_path: Path) -> Place:
    file = tmp_path / "orders.py"
    file.write_text(SOURCE)
    return Place(file=str(file), line=12, function="fulfil")


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> Iterator[GateView]:
    theme.apply(qapp, "dark")
    view = GateView()
    qtbot.addWidget(view)
    view.resize(1200, 800)
    view.show()
    yield view
    qtbot.waitUntil(lambda: not view.finding.store.busy)


def made(place: Place) -> GateReport:
    parts = Divergence(kind="extra step", expected="charge", actual="audit", step_id="3", at=place)
    now = Now(kind="waiting", what="recv", step_id="4", at=place)
    drift = (
        Drifted(drift=Drift(what="result", recorded=1, replayed=2, step_id="2"), at=place, name="charge"),
    )
    values = [
        {"outcome": Outcome.DIVERGED, "divergence": parts},
        {"outcome": Outcome.DIVERGED, "divergence": parts},
        {"outcome": Outcome.STOPPED, "now": now, "drift": drift},
        {"outcome": Outcome.BLOCKED, "blocked": (Blocked(what="opens a socket", at=place),)},
        {"outcome": Outcome.SAME},
    ]
    results = tuple(
        Result(number=n, run_id=f"order-{n}", type="fulfil", **value) for n, value in enumerate(values)
    )
    runner = Runner(
        engine="dbos", library="3.4.0", python="3.11.7", guards=("network",), lacks=("no Landlock",)
    )
    return GateReport(
        code="/shop", interpreter="python", runner=runner, results=results, groups=group(results), processes=2
    )


def texts(table: object) -> list[str]:
    model = table.list_model
    return [table.row_text(row) for row in range(model.rowCount())]


def test_before_anything_was_asked_it_says_what_to_do(view: GateView) -> None:
    assert "Choose the code that you are about to deploy, and replay every open run" in view.empty.message
    assert view.bar.code.text == "not chosen yet"
    view.bar.show_code(
        Project(code="/shop", python="/venv/python", modules=("shop.orders",)), ".venv in /shop"
    )
    assert view.bar.by.text == "imports shop.orders, by /venv/python (.venv in /shop)"


def test_enter_in_the_filter_asks_for_what_was_typed(view: GateView, qtbot: QtBot) -> None:
    view.bar.filter.setText(" type == fulfil ")
    view.bar.sample.setValue(50)
    with qtbot.waitSignal(view.bar.run_requested) as asked:
        qtbot.keyClick(view.bar.filter, Qt.Key.Key_Return)
    assert asked.args == [GateAsked("type == fulfil", 50)]


def test_the_report_opens_at_its_gravest_section(view: GateView, place: Place, qtbot: QtBot) -> None:
    view.show_report(made(place))
    assert view.verdict.text == "3 of 5 runs would break with this code. 1 drifted."
    assert "Python 3.11.7 · dbos 3.4.0" in view.about.text and "no Landlock" in view.about.toolTip()
    assert view.panes.current_id == Section.DIVERGED
    assert texts(view.tables[Section.DIVERGED]) == ["2\textra step\torders.py:12\tcharge\taudit\tfulfil"]
    assert texts(view.runs) == ["order-0\tstep 3\tfulfil", "order-1\tstep 3\tfulfil"]
    assert view.finding.divergence.title.text == "extra step at step 3, orders.py:12"
    qtbot.waitUntil(lambda: view.finding.divergence.code.source.count > 5)
    assert view.finding.divergence.code.current == 12


def test_tabs_count_runs_and_an_empty_one_says_what_that_means(view: GateView, place: Place) -> None:
    view.show_report(made(place))
    titles = [view.panes.tabText(n) for n in range(view.panes.count())]
    assert titles == [
        "Diverged  2",
        "Blocked  1",
        "Not replayed",
        "Drift  1",
        "Noted",
        "Waiting  1",
        "All runs  5",
    ]
    view.panes.show_pane(Section.FAILED)
    assert texts(view.runs) == [] and not view.below.isVisibleTo(view), "the table says that there is none"
    view.panes.show_pane(Section.DRIFT)
    assert texts(view.tables[Section.DRIFT]) == ["1\tresult of charge\torders.py:12\t1\t2\tfulfil"]


def test_what_the_record_does_not_decide_is_noted_and_is_no_alarm(view: GateView) -> None:
    noted = Result(number=0, run_id="r-0", type="race", outcome=Outcome.SAME, notes=("Not decided.",))
    view.show_report(GateReport(code="/shop", interpreter="python", results=(noted,), groups=group([noted])))
    assert view.verdict.text == "The run goes on as recorded."
    assert view.panes.current_id == Section.NOTED
    assert texts(view.tables[Section.NOTED]) == ["1\tnote\t–\tNot decided.\trace"]
    assert view.finding.other.text.text() == "Not decided."


def test_a_run_is_opened_by_enter_and_by_its_link(view: GateView, place: Place, qtbot: QtBot) -> None:
    view.show_report(made(place))
    view.runs.setFocus()
    qtbot.keyClick(view.runs, Qt.Key.Key_Down)
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view.runs, Qt.Key.Key_Return)
    assert (opened.args[0][0].run_id, opened.args[0][1]) == ("order-1", "3")
    view.panes.show_pane(Section.WAITING)
    assert view.finding.other.title.text == "order-2: waits at orders.py:12 in recv"
    with qtbot.waitSignal(view.opened) as opened:
        qtbot.keyClick(view.finding.other.link, Qt.Key.Key_Return)
    assert (opened.args[0][0].run_id, opened.args[0][1]) == ("order-2", "4")


def test_all_runs_say_how_each_fared(view: GateView, place: Place) -> None:
    view.show_report(made(place))
    view.panes.show_pane("all")
    assert texts(view.all)[:3] == [
        "order-0\tfulfil\tdiverged, step 3\torders.py:12",
        "order-1\tfulfil\tdiverged, step 3\torders.py:12",
        "order-2\tfulfil\tto where it stands\t–",
    ]
    assert not view.runs.isVisible()


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ((Outcome.SAME, Outcome.STOPPED), "All 2 runs go on as recorded."),
        ((Outcome.SAME, Outcome.CRASHED), "1 of 2 runs could not be replayed."),
        ((Outcome.BLOCKED, Outcome.HUNG), "1 of 2 runs would break with this code; 1 could not be replayed."),
    ],
)
def test_the_verdict_in_one_sentence(outcomes: tuple[Outcome, ...], words: str) -> None:
    results = tuple(Result(number=n, run_id=str(n), type="t", outcome=o) for n, o in enumerate(outcomes))
    assert verdict(GateReport(code="", interpreter="", results=results))[2] == words
    assert "Cancelled" in verdict(GateReport(code="", interpreter="", results=results, complete=False))[2]


def test_long_and_hostile_names_stay_text(view: GateView, place: Place) -> None:
    nasty = "<b>x</b>\u202e" + "y" * 5000
    parts = Divergence(kind=nasty, expected=nasty, actual=nasty, step_id="1", at=place)
    result = Result(number=0, run_id=nasty, type=nasty, outcome=Outcome.DIVERGED, divergence=parts)
    view.show_report(GateReport(code=nasty, interpreter="", results=(result,), groups=group((result,))))
    assert view.minimumSizeHint().width() < 1200
    assert "\u202e" not in texts(view.runs)[0]


def test_code_that_cannot_be_loaded_shows_its_stack_and_what_to_do(
    view: GateView, place: Place, qtbot: QtBot
) -> None:
    view.show_report(made(place))
    stack = 'Traceback (most recent call last):\n  File "/shop/orders.py", line 1, in <module>\n'
    broken = GateReport(code="/shop", interpreter="python", error="No module named 'x'.", detail=stack)
    view.show_report(broken)
    assert view.broken is not None and view.broken.isVisible() and not view.shows_report
    assert "No module named 'x'." in view.broken.text and view.broken.stack.isVisible()
    asked: list[str] = []
    view.empty.chosen.connect(asked.append)
    for button in (view.broken.replay, view.broken.project):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked == ["again", "code"]
    qtbot.waitUntil(lambda: not view.broken.stack._background.busy)
