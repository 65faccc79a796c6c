"""Operator actions in the real window: from the button to the receipt, over a child process that writes."""

from __future__ import annotations

from PySide6.QtCore import Qt

from tests.app.acting import CONTROL, Acting, Open

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
    assert list(page.buttons.buttons) == ["signal", "cancel", "fork", "resume"]
    a.qtbot.mouseClick(page.buttons.buttons["signal"], Qt.MouseButton.LeftButton)
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
