"""The run view, fed by hand: one playhead and one selected step in every view."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine_bridge.bridge import Relation
from engine_bridge.errors import NotFoundError, PermissionDeniedError
from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Blocked, Evidence, Run, RunRef, Status
from tests.fakes import NOW, S, make_run, ref
from tests.widgets.run.histories import T0, fake_history, long_history, retried_history
from widgets.run.blocked import EvidencePopup
from widgets.run.page import RunView
from widgets.run.panes import Pane


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[RunView]:
    view = RunView()
    qtbot.addWidget(view)
    view.set_zone(UTC)
    view.resize(1300, 900)
    view.show()
    yield view


def facts(view: RunView) -> dict[str, str]:
    return {fact.name: fact.value for fact in view.detail.facts}


def test_the_header_answers_what_and_in_which_state(view: RunView) -> None:
    view.show_run(*fake_history(1))
    assert view.header.text == "import_catalog run-0001 failed started 08:00:11 · 2 s · version v2"
    assert view.status_text() == "10 events · recorded 10"


def test_moving_the_playhead_changes_every_view(view: RunView) -> None:
    view.show_run(*fake_history(1), step_id="4")
    assert facts(view)["status"] == "failed"
    view.set_position(5)
    assert "running at this event" in view.header.text
    assert facts(view)["status here"] == "not started yet at event 5"
    assert view.events.table.current == 4
    assert view.events.model.later(5)
    assert view.timeline.state.position == 5
    assert not view.transport.live.isChecked()
    view.set_position(None)
    assert facts(view)["status"] == "failed"
    assert view.transport.live.isChecked()


def test_selecting_a_step_shows_its_failure(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(1))
    view.set_selected("4")
    assert view.detail.subjects.tabText(0) == "Step create_shipment"
    assert view.detail.sections.tabText(0) == "Failure"
    assert view.detail.failure.text.startswith("CardDeclined: insufficient funds")
    qtbot.waitUntil(lambda: not view.detail.failure.view._background.busy)


def test_a_failure_goes_with_its_run(view: RunView) -> None:
    failed, history = fake_history(1)
    view.show_run(failed, history, step_id="4")
    assert view.detail.sections.isVisible() and view.detail.failure.text
    run, others = fake_history(2)
    others.run = msgspec.structs.replace(run, failure=None, input=None, output=None, error_payload=None)
    view.show_run(others.run, others)
    assert view.detail.subject == "run" and not view.detail.sections.isVisible()
    assert view.detail.failure.text == "" and not view.detail.sections.count()


def test_the_events_of_the_selected_step_are_marked(view: RunView) -> None:
    view.show_run(*long_history(2_000), step_id="400")
    model = view.events.model
    assert [row for row in range(790, 810) if model.of_step(row)] == [800, 801]
    view.set_selected("20")
    table = view.events.table
    assert table.rowAt(0) <= 40 <= table.rowAt(table.viewport().height() - 1)
    view.set_selected(None)
    assert not model.of_step(40)


def test_a_click_on_an_event_asks_for_its_position_and_step(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(1))
    table = view.events.table
    with qtbot.waitSignal(view.event_requested) as asked:
        at = table.visualRect(view.events.model.index(3, 2)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked.args == [(4, "2")]


def test_a_click_on_a_failure_asks_for_its_position_and_step(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*retried_history())
    view.left.show_pane("failures")
    table = view.failures.table
    assert [table.row_text(row).split("\t")[2:4] for row in range(4)] == [
        ["charge", "1"],
        ["charge", "2"],
        ["charge", ""],
        ["run", ""],
    ]
    with qtbot.waitSignal(view.event_requested) as asked:
        at = table.visualRect(table.list_model.index(1, 2)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked.args == [(2, "a")]


def test_the_blocked_line_says_what_since_when_and_how_we_know(view: RunView) -> None:
    view.show_run(*fake_history(2))
    assert view.blocked.isVisible()
    assert view.blocked.text == (
        "Blocked on signal approve_order since 08:00:25 (59 m 35 s), expires 09:00:25 "
        "· inferred: a time-out row without a result row"
    )


def test_the_evidence_can_be_read_and_copied(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(2))
    view.blocked.show_evidence()
    popup = view.findChild(EvidencePopup)
    assert popup is not None
    shown = [label.text() for label in popup.findChildren(QLabel)]
    assert "a time-out row without a result row" in shown
    assert "•  step 4 has no row" in shown
    popup.findChild(QPushButton).click()
    assert "step 4 has no row" in QGuiApplication.clipboard().text()
    qtbot.keyClick(popup, Qt.Key.Key_Escape)
    assert not popup.isVisible()


def test_since_when_is_read_in_full_beside_a_long_hint(view: RunView, qtbot: QtBot) -> None:
    run, history = make_run(2), History()
    hint = "If no worker of version v1 runs any more, nothing will take this run up. " * 2
    evidence = (Evidence(rule="recv and getEvent write their time-out first and their own row when done"),)
    blocked = Blocked(
        kind="timer", what="sleeping", since_ns=T0, until_ns=T0 + 86_400 * S, hint=hint, evidence=evidence
    )
    run = msgspec.structs.replace(run, blocked_on=blocked)
    history.append(BatchBuilder().build(run, [], [], engine_now_ns=NOW))
    view.show_run(run, history)
    since = view.blocked._since
    qtbot.waitUntil(lambda: since.width() >= since.sizeHint().width() > 200)
    assert hint.strip() in view.blocked.text
    how = view.blocked._how
    assert how.shown(how.minimumSizeHint().width()) == how.shown(100) == "· inferred", (
        "and no scrap of a sentence"
    )
    assert how.shown(300).startswith("· inferred: recv and getEvent write")


def test_the_blocked_line_leads_to_the_step_or_run(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(2))
    with qtbot.waitSignal(view.selection_requested) as asked:
        qtbot.mouseClick(view.blocked._what, Qt.MouseButton.LeftButton)
    assert asked.args == ["4"]


def test_time_passes_for_open_runs_only(view: RunView) -> None:
    view.show_run(*fake_history(2))
    view.set_now(NOW + 10 * S)
    assert "59 m 45 s" in view.blocked.text
    view.show_run(*fake_history(1))
    before = view.header.text
    view.set_now(NOW + 60 * S)
    assert view.header.text == before


def test_a_queued_run_has_no_events_yet(view: RunView) -> None:
    run = Run(
        ref=ref("q"),
        id="q",
        type="fulfil_order",
        status=Status.QUEUED,
        engine_status="ENQUEUED",
        engine="fake",
        created_ns=T0,
        blocked_on=Blocked(kind="queue", what="queue orders", since_ns=T0, evidence=(Evidence(rule="x"),)),
    )
    history = History()
    history.append(BatchBuilder().build(run, [], [], engine_now_ns=T0 + 60 * S))
    view.show_run(run, history)
    assert "queue orders" in view.blocked.text
    assert view.blocked._what.focusPolicy() is Qt.FocusPolicy.NoFocus
    assert view.events._empty.text == "No events are recorded for this run yet."
    assert view.failures.table.accessibleDescription() == "Nothing failed in this run."
    for name, table in (("failures", view.failures.table), ("events", view.events.table)):
        view.left.show_pane(name)
        view.left.take_keyboard()
        assert view.focusWidget() is table
    assert view.status_text() == "0 events"


def test_relations_show_and_open(view: RunView, qtbot: QtBot) -> None:
    child = make_run(3)
    items = (
        Relation(role="child", run=child, ref=child.ref, step_id="3"),
        Relation(role="fork", run=None, ref=ref("gone"), note="not readable"),
    )
    view.show_run(*fake_history(0), relations=items)
    table = view.relations.table
    assert table.row_text(0).split("\t")[:4] == ["child", "completed", "run-0003", "research_agent"]
    assert view.header.links == ["gone"]
    view.left.show_pane("relations")
    table.setCurrentIndex(table.list_model.index(0, 0))
    with qtbot.waitSignal(view.run_opened) as asked:
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert asked.args == [child.ref]


def test_buttons_of_the_playhead_are_whole_or_not_there(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(0))
    one = view.transport
    buttons = (one.previous, one.play, one.next, one.speed, one.live)
    for wide in (1400, 500, 330):
        view.resize(wide, 700)
        qtbot.waitUntil(lambda: all(b.isHidden() or b.width() >= b.sizeHint().width() for b in buttons))
        assert all(b.isVisible() for b in buttons) or wide < 1000


def test_more_relations_are_asked_for(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(0))
    view.set_relations((Relation(role="child", run=None, ref=ref("c")),), more=True)
    view.left.show_pane("relations")
    assert view.relations.more.isVisible() and view.relations.more.text()
    with qtbot.waitSignal(view.more_relations_requested):
        qtbot.mouseClick(view.relations.more, Qt.MouseButton.LeftButton)


def test_relations_that_cannot_be_read_say_so(view: RunView) -> None:
    view.show_run(*fake_history(0))
    view.relations.set_error(PermissionDeniedError("No SELECT on children.", "Ask for the grant."))
    assert view.relations.message == "No SELECT on children. Ask for the grant."
    view.set_relations((Relation(role="child", run=None, ref=ref("c")),), more=False)
    assert not view.relations.message and view.relations.table.list_model.rowCount() == 1
    assert view.relations.focusProxy() is view.relations.table


def test_parent_and_origin_are_links(view: RunView, qtbot: QtBot) -> None:
    run, history = fake_history(0)
    history.run = Run(
        ref=run.ref,
        id=run.id,
        type=run.type,
        status=run.status,
        engine_status="DONE",
        engine="fake",
        parent=ref("the-parent"),
        forked_from=ref("the-origin"),
    )
    view.show_run(history.run, history)
    assert view.header.links == ["the-parent", "the-origin"]


def test_notes_of_a_history_are_told(view: RunView) -> None:
    run, history = fake_history(0)
    history.notes = ("Clock skew: event 3 is earlier than event 2.",)
    view.show_run(run, history)
    assert view.notices.notes == ("Clock skew: event 3 is earlier than event 2.",)
    assert view.notices.isVisible()


def test_hostile_names_stay_plain_text(view: RunView) -> None:
    _, history = fake_history(0)
    history.run = Run(
        ref=RunRef("workflow", "x", "x"),
        id="<img src=x>\n\u202eabc",
        type="<b>bold</b>" * 40,
        status=Status.COMPLETED,
        engine_status="DONE",
        engine="fake",
        started_ns=T0,
    )
    view.show_run(history.run, history)
    assert "<img src=x>⏎\\u202eabc" in view.header.text
    assert "&lt;b&gt;" in view.header._type.toolTip()
    QApplication.processEvents()
    assert view.width() == 1300


def test_an_error_replaces_the_page_and_offers_a_way_out(view: RunView, qtbot: QtBot) -> None:
    view.show_error(NotFoundError("No run x.", "It may have been deleted."))
    assert not view.loaded
    assert view.message.text == "No run x. It may have been deleted."
    with qtbot.waitSignal(view.retry_requested):
        qtbot.mouseClick(view.message.retry, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(view.message.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "No run x.\nIt may have been deleted."


def test_tabs_come_from_a_list(view: RunView) -> None:
    view.right.add(Pane("more", "More", QWidget()))
    view.right.show_pane("more")
    assert view.right.current_id == "more"
    with pytest.raises(ValueError, match="more"):
        view.right.add(Pane("more", "More", QWidget()))


def test_fields_offer_copy_and_filters(view: RunView, qtbot: QtBot) -> None:
    view.show_run(*fake_history(1))
    view.set_filter_fields(frozenset({"type", "attributes"}))
    fields = view.detail.fields
    rows = {fact.name: fact for fact in view.detail.facts}
    titles = [action.text() for action in fields.menu(rows["type"]).actions()]
    assert titles == ["Copy value", "Copy name and value", "Filter runs by type import_catalog"]
    asked: list[tuple[str, str]] = []
    view.filter_requested.connect(asked.append)
    fields.menu(rows["tenant"]).actions()[-1].trigger()
    assert asked == [("attributes.tenant", "acme")]


def test_the_page_grabs_at_any_size(view: RunView) -> None:
    view.show_run(*fake_history(1), position=4, step_id="2")
    for size in ((1600, 1000), (900, 560)):
        view.resize(*size)
        picture = view.grab().toImage()
        assert (picture.width(), picture.height()) == size
        assert picture.pixelColor(QPoint(2, 2)) == view.palette().base().color()


def test_a_picture_needs_no_controller(view: RunView) -> None:
    asked: list[tuple[str, int]] = []

    def read(key: str, offset: int, length: int) -> bytes:
        asked.append((key, offset))
        return b'{"amount": 129.9}' + b" " * 5_000

    view.show_run(*fake_history(0), step_id="1", payloads=read)
    assert asked == [("out:1", 0)]
    assert view.detail.payload.tree.tree_model.rowCount() == 2


def test_a_step_of_the_timeline_offers_its_run(view: RunView) -> None:
    view.show_run(*fake_history(0))
    opened: list[RunRef] = []
    view.run_opened.connect(opened.append)
    actions = {action.text(): action for action in view.step_menu("3").actions()}
    actions["Open its run"].trigger()
    actions["Copy name"].trigger()
    assert opened == [ref("run-0000-child")]
    assert QGuiApplication.clipboard().text() == "fraud_check"
    assert "Open its run" not in [action.text() for action in view.step_menu("1").actions()]


def test_another_run_is_masked_again(view: RunView) -> None:
    view.show_run(*fake_history(0))
    view.detail.payload.set_reveal(True)
    view.show_run(*fake_history(1))
    assert not view.detail.payload.reveal
