"""Forms, cards, buttons and receipts by themselves: every type of parameter, hostile text, narrow places, keys."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from engine_bridge.actions.bulk_model import ItemReport, ItemState
from engine_bridge.actions.model import (
    ActionSpec,
    Change,
    Danger,
    Outcome,
    Param,
    ParamType,
    Plan,
    PlanItem,
    Precondition,
    Receipt,
    Staged,
    Target,
    Verdict,
)
from engine_bridge.model import RunRef
from widgets.actions.bulk_progress import BulkProgress
from widgets.actions.buttons import ActionButtons
from widgets.actions.form import ActionForm
from widgets.actions.notes import Changes, Code
from widgets.actions.plan_card import PlanCard
from widgets.actions.receipts import ReceiptsView
from widgets.actions.review import ReviewView
from widgets.actions.sheet import ActionSheet
from widgets.code.would import Would

HOSTILE = "<b>x</b>\n\u202eevil\x1b[31m" + "y" * 500
EVERY = ActionSpec(
    id="do",
    title="Do it",
    effect="It is done.",
    params=(
        Param(name="text", title="Text", default="a"),
        Param(name="json", title="JSON", type=ParamType.JSON, default={"a": [1, 2]}),
        Param(name="whole", title="Whole", type=ParamType.INTEGER, default=3),
        Param(name="real", title="Real", type=ParamType.NUMBER, default=1.5),
        Param(name="wait", title="Wait", type=ParamType.DURATION, default=90_000_000_000),
        Param(name="flag", title="Flag", type=ParamType.BOOLEAN, default=True),
        Param(name="pick", title="Pick", type=ParamType.CHOICE, choices=("x", "y"), default="y"),
        Param(name="step", title="Step", type=ParamType.STEP, required=False),
        Param(name="run", title="Run", type=ParamType.RUN, required=False),
    ),
)
STAGED = Staged(target=Target(kind="run", id="run-1", ref=RunRef("workflow", "run-1", "run-1")), action="do")


def item(**more: object) -> PlanItem:
    return msgspec.structs.replace(PlanItem(staged=STAGED, title="Do run-1"), **more)


def labels(widget: object) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))


def test_a_form_is_rehearsed_where_the_source_can(qtbot: QtBot) -> None:
    plain, form = ActionForm(EVERY), ActionForm(EVERY, rehearses=True)
    for one in (plain, form):
        qtbot.addWidget(one)
        one.resize(500, 600)
        one.show()
    assert not plain.rehearse_button.isVisible() and not form.rehearsal.isVisible()
    with qtbot.waitSignal(form.rehearse_requested) as asked:
        form.rehearse_button.click()
    assert asked.args == [form.args()]
    form.rehearsal.show_outcome((Would("–", "charge", "orders.py:12", 3),), "Then it would wait.")
    assert (
        form.rehearsal.isVisible() and form.rehearsal.text == "–\tcharge\torders.py:12\nThen it would wait."
    )
    with qtbot.waitSignal(form.rehearsal.step_chosen) as chosen:
        form.rehearsal.table.chosen.emit(0)
    assert chosen.args == [3]
    form.rehearsal.show_trouble("The code cannot be imported.")
    assert form.rehearsal.text == "The code cannot be imported."


def test_a_form_gives_every_type_its_value(qtbot: QtBot) -> None:
    form = ActionForm(EVERY)
    qtbot.addWidget(form)
    assert form.args() == {
        "text": "a",
        "json": {"a": [1, 2]},
        "whole": 3,
        "real": 1.5,
        "wait": 90_000_000_000,
        "flag": True,
        "pick": "y",
    }
    form.take_step("step", "4")
    form.set_args({"flag": False, "pick": "x", "wait": 1_500, "json": ["b"], "whole": 7})
    assert form.args() == {
        "text": "a",
        "json": ["b"],
        "whole": 7,
        "real": 1.5,
        "wait": 1_500,
        "flag": False,
        "pick": "x",
        "step": "4",
    }
    assert isinstance(form.fields["flag"].editor, QCheckBox)
    assert isinstance(form.fields["pick"].editor, QComboBox)
    form.stop()


def test_what_does_not_fit_is_said_and_nothing_is_sent(qtbot: QtBot) -> None:
    form = ActionForm(EVERY)
    qtbot.addWidget(form)
    form.show()
    sent: list[object] = []
    form.plan_requested.connect(sent.append)
    form.fields["text"].set_text("")
    form.fields["wait"].set_text("soon")
    form.submit()
    assert sent == []
    assert form.fields["text"].error.text() == "It is needed."
    assert "Write a duration" in form.fields["wait"].error.text()
    form.fields["text"].set_text("b")
    form.fields["wait"].set_text("5 m")
    form.submit()
    assert len(sent) == 1
    form.stop()


def test_json_is_judged_while_it_is_written_but_the_cursor_stays(qtbot: QtBot) -> None:
    form = ActionForm(EVERY)
    qtbot.addWidget(form)
    form.show()
    field = form.fields["json"]
    field.editor.clear()
    qtbot.keyClicks(field.editor, '["ann"')
    qtbot.waitUntil(lambda: "expecting" in field.error.text())
    qtbot.keyClicks(field.editor, "]")
    assert field.text == '["ann"]'
    field.set_text('["ann')
    form.submit()
    assert field.editor.textCursor().selectedText() == '"' and "unterminated" in field.error.text()
    form.stop()


def test_a_card_says_all_that_a_plan_says(qtbot: QtBot) -> None:
    card = PlanCard(
        item(
            calls=("do('run-1')",),
            changes=(
                Change(what="status", before="a", after="b"),
                Change(what="kept", before="s", after="s"),
            ),
            warnings=("Careful.",),
            side_effects=("Others too.",),
            race="A race.",
            irreversible="It stays.",
            dedupes=True,
            danger=Danger.DESTROYS,
            copy_as={"SQL": "UPDATE x", "Python": "do()"},
        )
    )
    qtbot.addWidget(card)
    shown = labels(card)
    for words in (
        "Careful.",
        "Others too.",
        "A race.",
        "Cannot be undone: It stays.",
        "deletes data",
        "same run",
    ):
        assert words in shown
    assert card.findChild(Changes).lines == ["- status a", "+ status b", "  kept s"]
    assert card.copy("SQL") and QGuiApplication.clipboard().text() == "UPDATE x"
    assert not card.copy("CLI")


def test_a_card_says_how_to_undo_and_when_it_is_sent_in_words(qtbot: QtBot) -> None:
    undone = msgspec.structs.replace(STAGED, action="unpause_step")
    card = PlanCard(item(inverse=undone, preconditions=(Precondition(what="paused", value=False),)))
    qtbot.addWidget(card)
    assert "by: unpause step." in labels(card) and "Only if still: paused = no" in labels(card)


def test_a_refused_card_says_why_and_nothing_of_undoing(qtbot: QtBot) -> None:
    card = PlanCard(item(refused="it is over", irreversible="It stays."))
    qtbot.addWidget(card)
    assert "Refused: it is over" in labels(card)
    assert "Cannot be undone" not in labels(card)


def test_foreign_text_is_plain_everywhere(qtbot: QtBot) -> None:
    card = PlanCard(item(title=HOSTILE, warnings=(HOSTILE,), calls=(HOSTILE,)))
    view = ReceiptsView((item(title=HOSTILE),))
    for widget in (card, view):
        qtbot.addWidget(widget)
        widget.resize(300, 400)
        widget.show()
    view.rows[0].show_receipt(
        Receipt(request_id="r", outcome=Outcome(verdict=Verdict.UNKNOWN, evidence=(HOSTILE,)))
    )
    for widget in (card, view):
        for label in widget.findChildren(QLabel):
            assert label.textFormat() == Qt.TextFormat.PlainText
            assert "\u202e" not in label.text() and "\x1b" not in label.text()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(verdict=Verdict.APPLIED), "Applied"),
        (Outcome(verdict=Verdict.APPLIED, pending="Nothing took it."), "Applied, still awaited"),
        (Outcome(verdict=Verdict.NOT_APPLIED, stale=True), "Not applied: the target moved meanwhile"),
        (Outcome(verdict=Verdict.NOT_APPLIED), "Not applied"),
        (Outcome(verdict=Verdict.UNKNOWN, pending="Nobody knows yet."), "Not known yet"),
        (Outcome(verdict=Verdict.UNKNOWN), "Cannot be known whether it was applied"),
    ],
)
def test_outcomes_in_words(qtbot: QtBot, outcome: Outcome, words: str) -> None:
    view = ReceiptsView((item(),))
    qtbot.addWidget(view)
    view.rows[0].show_receipt(Receipt(request_id="r", outcome=outcome, took_ns=2_000_000))
    assert view.rows[0].text.startswith(words)


def test_an_answer_of_many_lines_can_be_read_whole(qtbot: QtBot) -> None:
    view = ReceiptsView((item(),))
    qtbot.addWidget(view)
    stack = "Stack of the run:\n  File shop.py, line 12"
    changes = (Change(what="answer", before="", after=stack), Change(what="events", before="4", after="5"))
    outcome = Outcome(verdict=Verdict.APPLIED)
    view.rows[0].show_receipt(Receipt(request_id="r", outcome=outcome, took_ns=1, changes=changes))
    assert [code.toPlainText() for code in view.rows[0].findChildren(Code)] == [stack]


def test_buttons_that_do_not_fit_are_in_the_menu(qtbot: QtBot) -> None:
    buttons = ActionButtons()
    qtbot.addWidget(buttons)
    specs = [
        (ActionSpec(id=f"a{n}", title=f"Action {n}", effect="E"), "not now" if n == 1 else "")
        for n in range(6)
    ]
    buttons.set_actions(specs, "a0")
    buttons.resize(buttons.sizeHint())
    buttons.show()
    assert [name for name, button in buttons.buttons.items() if button.isVisible()] == [
        "a0",
        "a1",
        "a2",
        "a3",
    ]
    assert [action.text() for action in buttons.menu.actions()] == ["Action 4", "Action 5"]
    assert "Not now: not now." in buttons.buttons["a1"].toolTip()
    buttons.resize(150, 28)
    assert [name for name, button in buttons.buttons.items() if button.isVisible()] == ["a0"]
    assert buttons.menu.actions()[0].text() == "Action 1  (not now)"
    assert not buttons.menu.actions()[0].isEnabled()
    with qtbot.waitSignal(buttons.chosen) as chosen:
        buttons.menu.actions()[1].trigger()
    assert chosen.args == ["a2"]


def test_a_review_forgets_what_confirmed_another_plan(qtbot: QtBot) -> None:
    view = ReviewView()
    qtbot.addWidget(view)
    plan = Plan(id="p", source="s", environment="production", items=(item(),))
    view.show_plan(plan, "run-1")
    view.confirm.setText("run-1")
    view.show_plan(msgspec.structs.replace(plan, items=(item(), item())), "2")
    assert view.confirm.text() == ""
    view.set_blocked("type 2 to confirm")
    assert not view.execute_button.isEnabled()
    view.show_planning(0)
    assert view.cards == [] and "Nothing is staged" in view.wait.text()


def test_the_sheet_keeps_pages_until_they_are_dropped(qtbot: QtBot) -> None:
    sheet = ActionSheet()
    qtbot.addWidget(sheet)
    first, second = ReviewView(), ReviewView()
    sheet.show_page(first, "One", "here", "production")
    assert sheet.environment.text == "PRODUCTION"
    sheet.show_page(second, "Two", "here", "dev")
    sheet.drop(first)
    assert sheet.shown_page is second
    with qtbot.waitSignal(sheet.close_requested):
        qtbot.keyClick(second.reason, Qt.Key.Key_Escape)
    sheet.drop(second)
    assert sheet.shown_page is None and sheet.isHidden()


def test_a_review_of_many_is_quick_and_counts_the_rest(qtbot: QtBot) -> None:
    view = ReviewView()
    qtbot.addWidget(view)
    view.show_plan(Plan(id="p", source="s", environment="dev", items=tuple(item() for _ in range(50))), "50")
    qtbot.waitUntil(lambda: len(view.cards) == 20)
    assert "and 30 more like these" in labels(view)
    assert view.count.text() == "Staged: 50 actions"


def test_the_report_keeps_what_is_chosen_while_it_grows_true(qtbot: QtBot) -> None:
    view = BulkProgress()
    qtbot.addWidget(view)
    reports = [
        ItemReport(number=n, target=STAGED.target, title="t", state=ItemState.WAITING, request_id=f"{n}")
        for n in range(3)
    ]
    view.show_items(reports)
    view.table.selectRow(1)
    view.show_items([msgspec.structs.replace(one, state=ItemState.APPLIED) for one in reports])
    assert view.table.currentIndex().row() == 1
    assert view.table.row_text(1).split("\t")[1] == "applied"
    view.show_items(reports[:1])
    assert view.table.list_model.rowCount() == 1
