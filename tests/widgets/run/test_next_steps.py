"""The Next steps tab, fed by hand: requester, data, the step that applies, the others with their reasons."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.populations import Resolution
from tests.fakes_lives import EntitiesBridge, entity_ref
from widgets.run.data_fields import shown, typed
from widgets.run.next_steps import NextStepsPane, Offer


def resolution(requester: str, data: dict[str, Any]) -> Resolution:
    return EntitiesBridge().next_steps(entity_ref(0), requester, data, CancelToken())


@pytest.fixture
def pane(qtbot: QtBot) -> NextStepsPane:
    pane = NextStepsPane()
    qtbot.addWidget(pane)
    pane.resize(640, 560)
    pane.show()
    return pane


def buttons(pane: NextStepsPane) -> dict[str, QPushButton]:
    return {b.text(): b for b in pane.findChildren(QPushButton) if b.isVisible()}


@pytest.mark.parametrize(
    ("text", "known", "value"),
    [
        ("true", (True, False), True),
        ("true", (), True),
        ("true", ("true",), "true"),
        ("12", ("12", "13"), "12"),
        ("12", (), 12),
        ("bank", ("bank",), "bank"),
        ("[1]", (), "[1]"),
        ("half done", (), "half done"),
    ],
)
def test_data_are_read_as_the_step_knows_them(text: str, known: tuple[Any, ...], value: Any) -> None:
    found = typed(text, known)
    assert found == value and type(found) is type(value)
    assert all(typed(shown(one), known) == one for one in known)


def test_the_step_that_applies_is_named_with_its_target_and_reasons(pane: NextStepsPane) -> None:
    pane.show_resolution(resolution("user", {}))
    assert (
        pane.headline.text() == "upload_documents applies at pending_documents for user → documents_uploaded"
    )
    assert pane.table.row_text(0).split("\t")[:2] == ["upload_documents", "documents_uploaded"]
    assert pane.table.row_text(1).split("\t")[1] == "active, or rejected"
    assert pane.reasons.text().startswith("✓  it is for the status pending_documents")
    pane.table.selectRow(1)
    pane.table.chosen.emit(1)
    assert "✕  it asks for checked = True, which the data lack" in pane.reasons.text()


def test_nothing_applies_and_why(pane: NextStepsPane) -> None:
    pane.show_resolution(resolution("admin", {}))
    assert pane.headline.text() == "No step applies to pending_documents for admin with these data."
    assert pane.requester == "admin"
    assert [pane.requesters.itemText(n) for n in range(2)] == ["user", "admin"]


def test_typing_data_asks_again_and_keeps_what_was_typed(pane: NextStepsPane, qtbot: QtBot) -> None:
    pane.show_resolution(resolution("admin", {}))
    with qtbot.waitSignal(pane.asked) as asked:
        pane.fields.editors["checked"].setEditText("true")
    assert asked.args == [("admin", {"checked": True})]
    pane.show_resolution(resolution(*asked.args[0]))
    assert pane.headline.text().startswith("approve applies")
    assert pane.data == {"checked": True}


def test_choosing_a_requester_asks_at_once(pane: NextStepsPane, qtbot: QtBot) -> None:
    pane.show_resolution(resolution("user", {}))
    with qtbot.waitSignal(pane.asked) as asked:
        pane.requesters.setCurrentIndex(1)
        pane.requesters.activated.emit(1)
    assert asked.args == [("admin", {})]


def test_every_target_has_a_button_and_a_disabled_one_says_why(pane: NextStepsPane, qtbot: QtBot) -> None:
    pane.show_resolution(resolution("admin", {"checked": True}))
    pane.set_offers(Offer(choices=("rejected",)), Offer("there is no worker"))
    qtbot.waitUntil(lambda: list(buttons(pane)) == ["Move to active…", "Move to rejected…", "Retry approve…"])
    found = buttons(pane)
    assert found["Retry approve…"].accessibleDescription() == "there is no worker"
    assert not found["Retry approve…"].isEnabled()
    assert found["Move to active…"].accessibleDescription() == "only rejected can be chosen now"
    with qtbot.waitSignal(pane.move_requested) as moved:
        found["Move to rejected…"].click()
    assert moved.args == ["rejected"]


def test_an_error_is_told_and_offers_nothing(pane: NextStepsPane) -> None:
    pane.show_resolution(resolution("user", {}))
    pane.show_error(PlayheadError("The config cannot be read.", "Mend it."))
    assert pane.headline.text() == "The config cannot be read. Mend it."
    assert pane.table.list_model.rowCount() == 0
    assert not buttons(pane)
