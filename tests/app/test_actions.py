"""Operator actions in the real window: from the button to the receipt, over a child process that writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from app import unlock
from app.journal import folder
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Intent, PlanItem, Staged, Target, new_request_id
from tests.app.acting import CONTROL, Acting, Open
from tests.fakes import ref
from tests.fakes_acting import Store
from widgets.actions.notes import Note

WAITING = "run-0002"


def ready(acting: Acting) -> None:
    """The plan is there and nothing blocks it."""
    acting.planned()
    acting.until(lambda: acting.desk.review.blocked() == "")


def executed(acting: Acting) -> str:
    """Waits for the end of the execution; what its first row says."""
    acting.until(lambda: acting.desk.executions.view is not None and not acting.desk.executions.running)
    return acting.desk.executions.view.rows[0].text


def test_a_signal_from_its_button_to_its_receipt(acting: Open) -> None:
    a = acting()
    a.go(WAITING)
    page = a.window.router.pages.get("run")
    assert list(page.actions.buttons.buttons) == ["signal", "cancel", "fork", "resume"]
    a.qtbot.mouseClick(page.actions.buttons.buttons["signal"], Qt.MouseButton.LeftButton)
    form = a.desk.forms.view
    assert form.fields["topic"].text == "approve_order"
    assert "Prefilled from the last such signal" in form.fields["message"].note.text()
    a.qtbot.keyClick(form.fields["topic"].editor, Qt.Key.Key_Return, CONTROL)
    a.planned()
    assert a.window.status_bar.staged.text() == "1 staged"
    assert page.view.header.staged.text == "staged: Signal"
    assert a.desk.review.blocked().endswith("is read-only: unlock it first (Ctrl+L)")
    assert a.store.signals() == []
    a.run("source.unlock")
    a.desk.locks.dialog.unlock_button.click()
    assert a.window.top_bar.lock.text.startswith("unlocked 15:00")
    a.desk.review.view.reason.setText("customer called")
    ready(a)
    a.qtbot.keyClick(a.desk.review.view.reason, Qt.Key.Key_Return, CONTROL)
    said = executed(a)
    assert said.startswith("Applied")
    assert "the signal was taken" in said
    assert a.store.signals() == [(WAITING, "approve_order", '{"approved": true}')]
    assert a.journal() == [("intent", "signal", ""), ("outcome", "signal", "applied")]
    assert a.desk.drafts.staged(a.key) == ()


def test_a_locked_source_plans_but_never_executes(acting: Open) -> None:
    a = acting()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    a.planned()
    assert not a.desk.review.view.execute_button.isEnabled()
    a.run("action.submit")
    a.until(lambda: a.journal())
    assert a.journal() == [("denied", "cancel", "denied")]
    assert "Not executed: orders.act is read-only" in a.window.status_bar.note.text
    assert a.store.applied() == []
    a.run("go.journal")
    a.until(lambda: a.window.router.pages.get("journal").view.table.entries)
    assert a.window.router.pages.get("journal").view.table.entries[0].outcome == "denied"


def test_production_asks_for_its_name_a_reason_and_the_id(acting: Open) -> None:
    a = acting("prod")
    a.go(WAITING)
    a.run("source.unlock")
    dialog = a.desk.locks.dialog
    assert "PRODUCTION" in dialog.windowTitle()
    assert not dialog.unlock_button.isEnabled()
    dialog.line.setText("orders.act")
    dialog.unlock_button.click()
    assert a.desk.unlocks.unlocked(a.key)
    a.run("action.cancel")
    a.desk.forms.submit()
    a.planned()
    view = a.desk.review.view
    assert a.window.sheet.environment.text == "PRODUCTION"
    assert a.desk.review.blocked() == "write the reason"
    view.reason.setText("stuck since the deploy")
    assert a.desk.review.blocked() == f"type {WAITING} to confirm"
    view.confirm.setText("run-0003")
    assert not view.execute_button.isEnabled()
    view.confirm.setText(WAITING)
    view.execute_button.click()
    assert executed(a).startswith("Applied")
    assert a.store.state(WAITING)[0] == "cancelled"


def test_who_moved_the_run_meanwhile_is_told(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    ready(a)
    a.store.move(WAITING, "running", "anna")
    a.desk.review.execute()
    said = executed(a)
    assert said.startswith("Not applied: the target moved meanwhile")
    assert "anna made it running meanwhile." in said
    assert a.store.applied() == []
    assert len(a.desk.drafts.staged(a.key)) == 1
    a.until(lambda: a.journal()[-1:] == [("outcome", "cancel", "not applied")])
    a.run("action.close")
    assert a.desk.drafts.staged(a.key) == (), "it would go out with the next action"


def test_what_was_executed_is_undone_by_its_inverse(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    ready(a)
    a.desk.review.execute()
    executed(a)
    assert a.store.state(WAITING)[0] == "cancelled"
    a.run("action.revert")
    ready(a)
    assert [item.title for item in a.desk.review.plan.items] == [f"Resume {WAITING}"]
    a.desk.review.execute()
    executed(a)
    assert a.store.state(WAITING)[0] == "queued"


def test_a_pending_signal_is_told_when_it_is_taken(acting: Open) -> None:
    a = acting()
    a.store.set("takes_signals", "0")
    a.unlock()
    a.go(WAITING)
    a.run("action.signal")
    a.desk.forms.submit()
    ready(a)
    a.desk.review.execute()
    assert "Nothing has taken the signal yet." in executed(a)
    a.store.take_signals()
    row = a.desk.executions.view.rows[0]
    a.until(lambda: "the signal was taken" in row.text)
    assert row.text.startswith("Applied ·") or row.text.startswith("Applied\n")
    assert a.journal()[-1] == ("outcome", "signal", "applied")


def test_waiting_for_the_lock_can_be_cancelled(acting: Open) -> None:
    a = acting()
    a.store.set("locked", "1")
    a.unlock()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    ready(a)
    a.desk.review.execute()
    a.until(lambda: a.desk.executions.view.rows[0].text == "waiting for the lock")
    a.run("action.close")
    assert a.window.sheet.isHidden()
    a.run("action.review")
    assert a.window.sheet.shown_page is a.desk.executions.view
    a.run("action.stop")
    a.store.set("locked", None)
    assert executed(a).startswith("Not applied")
    assert a.store.applied() == []


def test_a_fork_takes_the_selected_step_and_opens_its_run(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.go("run-0001")
    a.window.focus.change(step_id="3")
    a.run("action.fork")
    assert a.desk.forms.view.fields["step"].text == "3"
    a.run("action.submit")
    ready(a)
    page = a.window.router.pages.get("run")
    assert [stamp.words for stamp in page.view.timeline.state.stamps] == ["staged: fork"]
    assert "Compensation steps already ran." in [
        note.words.text() for note in a.desk.review.view.cards[0].findChildren(Note)
    ]
    a.run("action.submit")
    executed(a)
    row = a.desk.executions.view.rows[0]
    assert row.receipt.outcome.new_ref is not None
    a.until(lambda: len(page.actions.operators.entries) == 1)
    assert page.actions.operators.entries[0].words == "applied"


def test_staging_is_undone_edited_and_discarded(acting: Open) -> None:
    a = acting()
    a.go(WAITING)
    for command in ("action.signal", "action.cancel"):
        a.run(command)
        a.desk.forms.view.stage_button.click()
    assert a.window.status_bar.staged.text() == "2 staged"
    a.run("action.undo")
    assert [one.action for one in a.desk.drafts.staged(a.key)] == ["signal"]
    a.run("action.review")
    a.planned()
    a.desk.review.view.cards[0].edited.emit(a.desk.drafts.staged(a.key)[0])
    a.until(lambda: a.desk.forms.view is not None)
    a.desk.forms.view.fields["message"].set_text('{"approved": fals}')
    a.desk.forms.submit()
    assert "column 14" in a.desk.forms.view.fields["message"].error.text()
    a.desk.forms.view.fields["message"].set_text('{"approved": false}')
    a.desk.forms.submit()
    a.planned()
    assert a.desk.drafts.staged(a.key)[0].args["message"] == {"approved": False}
    a.run("action.discard")
    assert a.desk.drafts.staged(a.key) == ()
    a.run("action.undo")
    assert len(a.desk.drafts.staged(a.key)) == 1


def test_disabled_actions_stay_with_their_reason(acting: Open) -> None:
    a = acting()
    a.go("run-0000")
    page = a.window.router.pages.get("run")
    button = page.actions.buttons.buttons["cancel"]
    assert not button.isEnabled() and "Not now: it is completed." in button.toolTip()
    assert a.window.commands.get("action.cancel").when() == "it is completed"
    assert a.window.commands.get("action.rewind").when() == "what is chosen here has no such action"
    assert "no actions beside those on its runs" in a.window.commands.get("action.source").when()
    a.run("action.choose")
    chooser = a.window.overlays.chooser
    assert chooser.isVisible()
    a.qtbot.keyClick(chooser.line, Qt.Key.Key_Escape)


def test_the_sheet_closes_with_escape_and_keeps_the_draft(acting: Open) -> None:
    a = acting()
    a.go(WAITING)
    a.run("action.signal")
    a.desk.forms.submit()
    a.planned()
    a.qtbot.keyClick(a.desk.review.view.reason, Qt.Key.Key_Escape)
    assert a.window.sheet.isHidden()
    assert a.window.focus.current.page == "run"
    assert len(a.desk.drafts.staged(a.key)) == 1
    a.desk.review.view.reason.setText("stuck since the deploy")
    a.run("action.close")
    a.run("action.review")
    a.planned()
    assert a.desk.review.view.reason.text() == "stuck since the deploy"
    a.run("action.close")
    a.run("action.cancel")
    a.desk.forms.submit()
    a.planned()
    assert len(a.desk.drafts.staged(a.key)) == 2
    assert a.desk.review.view.reason.text() == "", "it was the reason of something else"


def test_a_review_stands_beside_its_own_source_only(acting: Open, tmp_path: Path) -> None:
    a = acting()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    a.planned()
    review = a.desk.review.view
    assert review.isVisible()
    other = a.window.actions_of_sources.open(f"act://dev{Store(tmp_path / 'others.act').path}")
    a.until(lambda: a.window.focus.current.source == other and a.window.router.scope == "runs")
    assert a.desk.sheet_page() is None and not review.isVisible()
    a.window.focus.change(source=a.key, page="run", run=ref(WAITING))
    a.until(review.isVisible)
    assert a.desk.sheet_page() is review and a.desk.drafts.staged(a.key)


def test_closing_while_executing_asks_and_settles(acting: Open) -> None:
    a = acting()
    a.store.set("locked", "1")
    a.unlock()
    a.go(WAITING)
    a.run("action.cancel")
    a.desk.forms.submit()
    ready(a)
    a.desk.review.execute()
    a.until(lambda: a.desk.executions.view.rows[0].text == "waiting for the lock")
    a.window.close()
    assert a.window.isVisible()
    a.desk.closing.stay_button.click()
    assert a.desk.executions.running
    a.window.close()
    a.desk.closing.close_button.click()
    a.until(lambda: not a.window.isVisible())
    assert a.journal() == [("intent", "cancel", ""), ("outcome", "cancel", "not applied")]
    assert a.store.applied() == []
    a.store.set("locked", None)


def test_nothing_is_written_while_everything_is_looked_at(acting: Open) -> None:
    a = acting()
    a.until(lambda: a.window.sources.get(a.key).counts)
    before = Path(a.store.path).read_bytes()
    for run in ("run-0000", "run-0001", WAITING):
        a.go(run)
        for command in ("action.signal", "action.fork"):
            a.run(command)
            a.run("action.submit")
            a.planned()
            a.run("action.copy_sql")
            a.run("action.execute")
    for page in ("failures", "resources", "journal", "runs"):
        a.run(f"go.{page}")
    assert Path(a.store.path).read_bytes() == before
    assert a.store.applied() == []


def test_the_lock_returns_by_itself(acting: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a = acting()
    a.window.settings.set("unlock_minutes", 1)
    a.run("source.unlock")
    a.desk.locks.dialog.unlock_button.click()
    assert a.window.top_bar.lock.text == "unlocked 1:00"
    now = unlock._clock()
    monkeypatch.setattr(unlock, "_clock", lambda: now + 30)
    a.desk.unlocks.tick()
    assert a.window.top_bar.lock.text == "unlocked 0:31" or a.window.top_bar.lock.text == "unlocked 0:30"
    monkeypatch.setattr(unlock, "_clock", lambda: now + 61)
    a.desk.unlocks.tick()
    assert a.window.top_bar.lock.text == "read-only · Unlock"
    assert "its time was up" in a.window.status_bar.note.text
    a.run("source.unlock")
    a.desk.locks.dialog.unlock_button.click()
    a.qtbot.mouseClick(a.window.top_bar.lock, Qt.MouseButton.LeftButton)
    assert not a.desk.unlocks.unlocked(a.key)


def test_what_a_dead_playhead_began_is_settled_at_the_next_start(acting: Open, tmp_path: Path) -> None:
    a = acting()
    item = PlanItem(
        staged=Staged(target=Target(kind="run", id=WAITING, ref=ref(WAITING)), action="cancel"),
        title="Cancel",
    )
    dead = Journal(folder())
    dead.intent(
        Intent(request_id=new_request_id(), source=f"act://dev{a.store.path}", item=item),
        environment="dev",
        reason="",
    )
    dead.owner.release()
    a.desk.unfinished.look()
    a.until(
        lambda: any("What became of it was read back: 1 not applied" in text for text in a.window.bars.texts)
    )
    assert a.journal()[-1] == ("outcome", "cancel", "not applied")
