"""The run page driven as a user drives it: commands, keys and mouse, over a real session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from app.commands import CommandRegistry
from app.context import Context
from app.keys import Shortcuts
from app.run_page import RunPage
from app.run_page_feed import RunFeed
from engine_bridge.actions.model import Mark, PlanItem, Staged, Target
from engine_bridge.bridge import Relation, Relations
from engine_bridge.errors import BusyError, NotFoundError, PermissionDeniedError
from engine_bridge.focus import Focus
from engine_bridge.history import Restart
from engine_bridge.model import RunRef
from tests.app.context import Told, add_source, make_context
from tests.app.live_bridge import LiveBridge, completed, event_batch, two_pages
from tests.fakes import make_run, ref
from widgets.payload.viewer import SLICE
from widgets.run.page import RunView

FAILED, RUNNING, DONE = "run-0001", "run-0002", "run-0000"


@dataclass
class Desk:
    """A window with the run page, its context and its engine."""

    page: RunPage
    context: Context
    told: Told
    bridge: LiveBridge
    window: QMainWindow
    qtbot: QtBot

    @property
    def view(self) -> RunView:
        return self.page.view

    @property
    def focus(self) -> Focus:
        return self.context.focus.current

    def open(self, run_id: str, **more: object) -> None:
        self.context.focus.change(page="run", source="fake", run=ref(run_id), **more)
        self.wait(lambda: self.view.loaded and self.bridge.tails > 0)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.window.focusWidget() or self.window, key, modifiers)

    def facts(self) -> dict[str, str]:
        return {fact.name: fact.value for fact in self.view.detail.facts}

    def command(self, name: str) -> None:
        self.context.commands.run(name)


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    context, told = make_context()
    context.settings.set("zone", "utc")
    bridge = LiveBridge()
    source = add_source(context, lambda: bridge)
    page = RunPage(context)
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(page.widget)
    window.resize(1300, 900)
    context.focus.subscribe(page.focus_changed)
    context.commands.add(*page.commands())
    Shortcuts(window, context.commands.run).update(context.commands, "run")
    window.show()
    window.activateWindow()
    yield Desk(page, context, told, bridge, window, qtbot)
    page.close()
    assert source.session is not None
    source.session.close()


def test_opening_a_run_shows_it(desk: Desk) -> None:
    desk.open(FAILED)
    assert desk.view.header.text.startswith("import_catalog run-0001 failed started 15 Jan 08:00:11") or (
        desk.view.header.text.startswith("import_catalog run-0001 failed started 08:00:11")
    )
    assert desk.view.events.model.rowCount() == 10
    desk.wait(lambda: len(desk.view.relations.items) == 1)
    assert desk.view.status_text() == "10 events · recorded 10"


def test_keys_walk_events_and_failures(desk: Desk) -> None:
    desk.open(FAILED)
    desk.press(Qt.Key.Key_Comma)
    assert desk.focus.position == 9
    desk.press(Qt.Key.Key_Comma)
    desk.press(Qt.Key.Key_Period)
    assert desk.focus.position == 9
    desk.press(Qt.Key.Key_Home)
    assert desk.focus.position == 1
    assert "running at this event" in desk.view.header.text
    desk.press(Qt.Key.Key_BracketRight)
    assert (desk.focus.position, desk.focus.step_id) == (9, "4")
    assert desk.view.detail.failure.text.startswith("CardDeclined")
    desk.press(Qt.Key.Key_BracketRight)
    assert desk.focus.position == 10
    desk.press(Qt.Key.Key_BracketRight)
    assert desk.told.notices[-1] == "There is no failure after this one."
    desk.press(Qt.Key.Key_BracketLeft)
    assert desk.focus.position == 9
    desk.press(Qt.Key.Key_L)
    assert desk.focus.position is None
    desk.qtbot.waitUntil(lambda: not desk.view.detail.failure.view._background.busy)


def test_a_drag_on_the_timeline_moves_every_view(desk: Desk) -> None:
    desk.open(FAILED)
    desk.view.timeline.position_requested.emit(5)
    assert desk.focus.position == 5
    assert desk.view.events.table.current == 4
    assert desk.view.events.model.later(5)
    assert "at this event" in desk.view.header.text


def test_selecting_in_any_view_selects_in_all(desk: Desk) -> None:
    desk.open(FAILED)
    desk.view.timeline.step_selected.emit("2")
    assert desk.focus.step_id == "2"
    assert desk.facts()["name"] == "charge_card"
    desk.view.graph.step_selected.emit("4")
    assert desk.facts()["name"] == "create_shipment"
    assert desk.view.timeline.selection_text().startswith("create_shipment")
    desk.press(Qt.Key.Key_N)
    assert desk.focus.step_id is None
    assert desk.facts()["id"] == "run-0001"


def test_a_plan_that_drops_a_part_of_the_history_stands_on_the_timeline(desk: Desk) -> None:
    desk.open("run-0001")
    state, history = desk.view.timeline.state, desk.page.feed.history
    times = history.events["time_ns"].tolist()
    mine = Staged(target=Target(kind="run", id="run-0001", ref=ref("run-0001")), action="reset")
    other = Staged(target=Target(kind="run", id="run-0002", ref=ref("run-0002")), action="reset")
    marks = (Mark(position=3, kind="again", words="charge_card: executed again"),)
    plan = PlanItem(staged=mine, title="Reset", cut=2, marks=marks)
    desk.page.show_plan((PlanItem(staged=other, title="Reset", cut=1), plan))
    assert state.dropped_ns == times[history.row_of(2)]
    told = [(stamp.words, stamp.time_ns) for stamp in state.stamps]
    assert (marks[0].words, times[history.row_of(3)]) in told and len(told) == 2
    assert not desk.view.timeline.grab().isNull()
    desk.page.show_plan(())
    assert state.dropped_ns is None and not state.stamps


def test_a_click_on_an_event_moves_playhead_and_selection(desk: Desk) -> None:
    desk.open(FAILED)
    table = desk.view.events.table
    at = table.visualRect(desk.view.events.model.index(3, 2)).center()
    desk.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert (desk.focus.position, desk.focus.step_id) == (4, "2")
    assert desk.facts()["status here"] == "running"
    desk.qtbot.keyClick(table, Qt.Key.Key_Down)
    assert desk.focus.position == 5


def test_playing_goes_from_the_first_event_to_the_last(desk: Desk) -> None:
    desk.open(FAILED)
    desk.press(Qt.Key.Key_Space)
    assert desk.page.player.playing
    assert desk.focus.position == 1
    desk.page.player.speed = 1_000
    desk.wait(lambda: not desk.page.player.playing)
    assert desk.focus.position == 10


def test_space_pauses_and_a_grab_stops_playing(desk: Desk) -> None:
    desk.open(FAILED)
    desk.press(Qt.Key.Key_Space)
    desk.press(Qt.Key.Key_Space)
    assert not desk.page.player.playing
    desk.press(Qt.Key.Key_Space)
    desk.view.timeline.position_requested.emit(7)
    assert not desk.page.player.playing
    assert desk.focus.position == 7
    desk.command("playhead.speed")
    assert (desk.page.player.speed, desk.view.transport.speed.text()) == (4, "4×")


def test_live_batches_append(desk: Desk) -> None:
    desk.open(RUNNING)
    before = desk.view.events.model.rowCount()
    desk.bridge.news.put(event_batch(before + 1, "hello"))
    desk.wait(lambda: desk.view.events.model.rowCount() == before + 1)
    assert desk.view.status_text().startswith(f"{before + 1} events")
    desk.bridge.news.put(event_batch(before + 2, "done", completed(make_run(2))))
    desk.wait(lambda: "completed" in desk.view.header.text)
    assert not desk.view.blocked.isVisible()


def test_a_grabbed_playhead_stays_while_events_arrive(desk: Desk) -> None:
    desk.open(RUNNING, position=3)
    desk.bridge.news.put(event_batch(20, "hello"))
    desk.wait(lambda: desk.view.events.model.rowCount() == 9)
    assert desk.focus.position == 3
    assert desk.view.events.table.current == 2
    assert desk.view.events.model.later(8)


def test_a_rewritten_history_is_read_again_with_a_notice(desk: Desk) -> None:
    desk.open(RUNNING, position=3)
    desk.bridge.news.put(event_batch(20, "soon gone"))
    desk.wait(lambda: desk.view.events.model.rowCount() == 9)
    desk.bridge.news.put(Restart("the run was forked back to step 2"))
    desk.wait(lambda: desk.bridge.histories == 2 and desk.view.events.model.rowCount() == 8)
    assert desk.view.notices.notes[0].startswith(
        "The engine rewrote this history: the run was forked back to step 2."
    )
    assert desk.focus.position is None


def test_positions_that_do_not_rise_count_as_rewritten(desk: Desk) -> None:
    desk.open(RUNNING)
    rows = desk.view.events.model.rowCount()
    desk.bridge.news.put(event_batch(2, "out of order"))
    desk.wait(lambda: desk.bridge.histories == 2)
    desk.wait(lambda: desk.view.loaded)
    assert desk.view.events.model.rowCount() == rows


def test_a_lost_connection_is_told_and_comes_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.page.feed._retry.setInterval(10)
    desk.open(RUNNING)
    desk.bridge.news.put(BusyError("The database is locked.", "It is tried again."))
    desk.wait(lambda: bool(desk.view.notices.notes))
    assert desk.view.notices.notes[0].startswith("Live updates stopped: The database is locked.")
    desk.wait(lambda: desk.bridge.tails == 2)
    desk.bridge.news.put(event_batch(20, "back"))
    desk.wait(lambda: not desk.view.notices.notes)


def test_a_run_deleted_meanwhile_keeps_its_last_state(desk: Desk) -> None:
    desk.open(RUNNING)
    desk.bridge.news.put(NotFoundError("No run run-0002."))
    desk.wait(lambda: bool(desk.view.notices.notes))
    assert desk.view.notices.notes[0].startswith("This run was deleted meanwhile.")
    assert desk.view.loaded


def test_a_run_that_is_not_there_says_so_and_can_be_tried_again(desk: Desk) -> None:
    desk.bridge.gone = True
    desk.context.focus.change(page="run", source="fake", run=ref(FAILED))
    desk.wait(lambda: desk.view.message.text == "No run run-0001. It may have been deleted.")
    assert desk.context.commands.get("playhead.play").when() == "no run is open"
    desk.bridge.gone = False
    desk.qtbot.mouseClick(desk.view.message.retry, Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.view.loaded)


def test_a_source_that_is_not_open_is_waited_for(desk: Desk) -> None:
    source = desk.context.sources.get("fake")
    assert source is not None
    session, source.session = source.session, None
    desk.context.focus.change(page="run", source="fake", run=ref(FAILED))
    assert desk.view.message.text == "Opening the source …"
    source.session = session
    desk.context.sources.changed.emit("fake")
    desk.wait(lambda: desk.view.loaded)


def test_relations_come_in_pages(desk: Desk) -> None:
    desk.bridge.pages = two_pages()
    desk.open(DONE)
    desk.wait(lambda: len(desk.view.relations.items) == 2)
    desk.press(Qt.Key.Key_R)
    assert desk.view.left.tabText(2) == "Relations  2+"
    desk.qtbot.mouseClick(desk.view.relations.more, Qt.MouseButton.LeftButton)
    desk.wait(lambda: len(desk.view.relations.items) == 3)
    assert desk.view.header.links == ["research_agent run-0003"]


def test_relations_follow_the_run(desk: Desk) -> None:
    """A reset ends the run and begins another; a child goes on."""
    desk.page.relations._timer.setInterval(0)
    desk.open(RUNNING)
    desk.wait(lambda: len(desk.view.relations.items) == 1)
    desk.press(Qt.Key.Key_R)
    desk.view.relations.table.selectRow(0)
    child, new = desk.view.relations.items[0], Relation(role="reset to", run=None, ref=ref("again"))
    desk.bridge.pages = [Relations(items=(new, child))]
    desk.bridge.news.put(event_batch(90, "done", completed(make_run(2))))
    desk.wait(lambda: desk.view.relations.items == (new, child))
    assert desk.view.relations.table.currentIndex().row() == 1, "what was chosen stays chosen"
    desk.bridge.pages = [Relations(items=(new, child, Relation(role="fork", run=None, ref=ref("fork"))))]
    desk.page.relations.acted(1)
    desk.page.relations.acted(2)
    desk.wait(lambda: len(desk.view.relations.items) == 3)


def test_a_related_run_opens_and_back_returns(desk: Desk) -> None:
    desk.open(DONE)
    desk.wait(lambda: len(desk.view.relations.items) == 1)
    desk.press(Qt.Key.Key_R)
    table = desk.view.relations.table
    table.setCurrentIndex(table.list_model.index(0, 0))
    desk.qtbot.keyClick(table, Qt.Key.Key_Return)
    assert desk.focus.run == ref("run-0000-child")
    desk.wait(lambda: desk.view.loaded)
    desk.context.focus.back()
    assert desk.focus.run == ref(DONE)
    desk.wait(lambda: desk.view.loaded and desk.view.history is not None and len(desk.view.history) > 4)


def test_children_open_in_place_and_close(desk: Desk) -> None:
    desk.open(DONE)
    lanes = len(desk.view.timeline.state.tracks)
    desk.view.timeline.child_requested.emit("3")
    desk.wait(lambda: len(desk.view.timeline.state.tracks) == lanes + 1)
    desk.page.children_in_place.toggle("3")
    assert len(desk.view.timeline.state.tracks) == lanes
    desk.view.timeline.child_requested.emit("1")
    assert desk.told.notices[-1] == "This step has no child run."


def test_the_child_of_the_selected_step_opens(desk: Desk) -> None:
    desk.open(DONE, step_id="3")
    desk.press(Qt.Key.Key_O)
    assert desk.focus.run == ref("run-0000-child")
    desk.wait(lambda: desk.view.loaded)
    desk.press(Qt.Key.Key_U)
    assert desk.told.notices[-1] == "This run has no parent."


def test_payloads_are_read_when_looked_at(desk: Desk) -> None:
    desk.bridge.payloads["out:1"] = json.dumps({"amount": 129.9, "password": "hunter2hunter2"}).encode()
    desk.open(DONE, step_id="1")
    payload = desk.view.detail.payload
    desk.wait(lambda: payload.tree.tree_model.rowCount() == 3)
    assert desk.bridge.asked == [("out:1", 0, SLICE)]
    lines = [payload.tree.tree_model.data(payload.tree.tree_model.index(i, 0)) for i in range(3)]
    assert lines[1] == "amount: 129.9"
    assert "hunter2" not in lines[2]
    desk.command("payload.reveal")
    assert "hunter2" in payload.tree.tree_model.data(payload.tree.tree_model.index(2, 0))


def test_big_payloads_come_in_two_reads(desk: Desk) -> None:
    desk.bridge.payloads["out:1"] = json.dumps(["x" * 100] * 5_000).encode()
    desk.open(DONE, step_id="1")
    desk.wait(lambda: desk.view.detail.payload.text.source.count == 5_002)
    desk.wait(lambda: not desk.view.detail.payload._worker.busy)
    assert desk.bridge.asked == [("out:1", 0, SLICE), ("out:1", 0, -1)]


def test_a_payload_that_cannot_be_read_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> bytes:
        raise PermissionDeniedError("No SELECT on operation_outputs.", "Ask for the grant.")

    monkeypatch.setattr(desk.bridge, "payload", refuse)
    desk.open(DONE, step_id="1")
    desk.wait(lambda: desk.view.detail.payload.message.startswith("No SELECT on operation_outputs."))
    assert "Ask for the grant." in desk.view.detail.payload.message
    assert desk.view.detail.payload.isVisible()


def test_ctrl_f_finds_in_events_and_escape_leads_back(desk: Desk) -> None:
    desk.open(FAILED)
    desk.press(Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert desk.window.focusWidget() is desk.view.events.finder
    desk.qtbot.keyClicks(desk.view.events.finder, "card")
    desk.wait(lambda: desk.view.events.model.rowCount() == 4)
    desk.press(Qt.Key.Key_Escape)
    assert desk.view.events.model.rowCount() == 10
    assert desk.focus.page == "run"
    desk.view.events.table.setFocus()
    desk.press(Qt.Key.Key_Escape)
    assert desk.focus.page == "runs"


def test_commands_copy_show_tabs_and_evidence(desk: Desk) -> None:
    desk.open(RUNNING)
    desk.command("run.copy_id")
    assert QGuiApplication.clipboard().text() == "run-0002"
    for pane in ("failures", "relations", "events"):
        desk.command(f"run.show_{pane}")
        assert desk.view.left.current_id == pane
    desk.press(Qt.Key.Key_G)
    assert desk.view.right.current_id == "graph"
    desk.press(Qt.Key.Key_D)
    assert desk.view.right.current_id == "detail"
    desk.command("run.evidence")
    desk.command("run.open_parent")
    assert desk.told.notices[-1] == "This run has no parent."


def test_a_cell_filters_runs(desk: Desk) -> None:
    desk.open(FAILED)
    desk.view.filter_requested.emit(("error", 'say "no"'))
    assert (desk.focus.page, desk.focus.query) == ("runs", 'error == "say \\"no\\""')


def test_leaving_the_page_stops_everything_and_coming_back_goes_on(desk: Desk) -> None:
    desk.open(RUNNING)
    desk.context.focus.change(page="runs")
    assert not desk.page.jobs.running("tail")
    assert not desk.page._ticker.isActive()
    desk.context.focus.change(page="run", position=3)
    desk.wait(lambda: desk.bridge.tails == 2)
    assert desk.bridge.histories == 1
    assert desk.view.events.table.current == 2


def test_the_clock_goes_on_between_the_engines_words(desk: Desk, qtbot: QtBot) -> None:
    desk.open(RUNNING)
    first = desk.page.feed.now_ns
    qtbot.waitUntil(lambda: desk.page.feed.now_ns > first)
    assert desk.page._ticker.isActive()


def test_late_batches_of_an_old_run_never_show(desk: Desk) -> None:
    desk.open(RUNNING)
    desk.context.focus.change(run=ref(FAILED))
    desk.context.focus.change(run=ref(DONE))
    desk.wait(lambda: desk.view.loaded and "run-0000" in desk.view.header.text)
    assert isinstance(desk.page.feed, RunFeed)
    assert desk.page.feed.history.run == make_run(0)


def test_no_run_says_where_to_find_one(desk: Desk) -> None:
    desk.context.focus.change(page="run", source="fake", run=None)
    assert desk.view.message.text == "No run is open. Choose one in the list of runs."
    assert isinstance(desk.context.commands, CommandRegistry)
    assert desk.context.commands.get("run.back_to_list").when() == ""


def test_refresh_reads_again(desk: Desk) -> None:
    desk.open(FAILED)
    desk.page.refresh()
    desk.wait(lambda: desk.view.loaded and desk.bridge.histories == 2)
    assert desk.focus.run == RunRef("workflow", FAILED, FAILED)
