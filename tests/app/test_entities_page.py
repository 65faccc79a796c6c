"""The entities page over a real session: populations, list, badges, moves, empty states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.actions_specs import Offered
from app.context import Context
from app.entities_page import EntitiesPage
from engine_bridge.actions.model import Staged
from engine_bridge.bridge import FieldType
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError, ConnectError
from tests.app.context import Told, add_source, make_context, show
from tests.fakes_population import INVOICE, FakeEntities, entity_ref, make_entity


@dataclass
class Shown:
    page: EntitiesPage
    context: Context
    told: Told
    bridge: FakeEntities
    qtbot: QtBot

    @property
    def view(self):
        return self.page.view

    def wait(self, condition) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def open(self, query: str = "", type_: str | None = None) -> None:
        self.context.focus.change(page="entities", source="fake", query=query, type=type_)
        self.wait(lambda: self.view.model.rowCount() and self.page.populations.shown and self.page.rows.total)

    def ids(self, rows: int = 3) -> list[str]:
        return [self.view.model.index(row, 1).data() for row in range(min(rows, self.view.model.rowCount()))]

    def offer(self) -> None:
        """What the desk does: asks the source what can be done to the chosen entities."""
        targets = self.page.targets()
        specs = tuple(self.bridge.actions(targets[0], CancelToken()))
        self.page.show_actions(Offered(targets=targets, specs=specs))


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[object]:
    made: list[Shown] = []

    def make_(bridge: FakeEntities | None = None) -> Shown:
        context, told = make_context()
        bridge = bridge or FakeEntities()
        add_source(context, lambda: bridge)
        page = EntitiesPage(context)
        show(context, page, qtbot)
        made.append(Shown(page, context, told, bridge, qtbot))
        return made[-1]

    yield make_
    for one in made:
        one.page.close()
        one.context.sources.close_all()


@pytest.fixture
def shown(make) -> Shown:
    return make()


def test_it_shows_where_entities_stand_and_how_old_that_is(shown: Shown) -> None:
    shown.open()
    assert shown.view.header.facts.text == "users · 300 entities · config a91f3c"
    assert len(shown.view.graph.scene.boxes) == 8
    assert shown.ids() == ["u-00299", "u-00298", "u-00297"]
    shown.wait(lambda: "300 entities · populations 0 s old" in shown.told.status)
    shown.wait(lambda: shown.told.status[-1] > "300 entities · populations 0 s old")


def test_a_status_of_the_graph_filters_the_list(shown: Shown, qtbot: QtBot) -> None:
    shown.open()
    graph = shown.view.graph
    graph.press(graph.scene.find("active"))
    assert shown.context.focus.current.query == 'state == "active"'
    shown.wait(lambda: shown.page.rows.total == 33)
    assert graph.look.chosen == {"active"}
    assert shown.told.status[-1].startswith("33 of 300 entities")
    graph.press(graph.scene.find("rejected"), add=True)
    assert shown.context.focus.current.query == 'state in ("active", "rejected")'
    graph.press(graph.scene.find("active"))
    graph.press(graph.scene.find("active"))
    assert shown.context.focus.current.query == ""


def test_a_status_menu_offers_what_a_click_does(shown: Shown) -> None:
    shown.open('state == "active" and tenant == globex')
    menu = shown.page.ways.status_menu("rejected")
    assert [action.text() for action in menu.actions() if action.text()] == [
        "Show these only",
        "Show these too",
        "Copy status",
    ]
    menu.actions()[1].trigger()
    assert shown.context.focus.current.query == 'tenant == "globex" and state in ("active", "rejected")'
    menu.deleteLater()


def test_badges_list_what_they_count_and_take_it_back(shown: Shown) -> None:
    shown.open()
    shown.view.header.badges["drift"].click()
    assert shown.context.focus.current.query == "drift == true"
    shown.wait(lambda: shown.page.rows.total == 15)
    assert shown.view.header.badges["drift"].accessibleName().endswith("shown in the list")
    shown.context.commands.run("entities.drift")
    assert shown.context.focus.current.query == ""
    shown.context.commands.run("entities.stuck")
    assert shown.context.focus.current.query == "stuck == true"


def test_types_are_walked_by_key(shown: Shown) -> None:
    shown.open("state == active")
    shown.context.commands.run("entities.next_type")
    assert (shown.context.focus.current.type, shown.context.focus.current.query) == (INVOICE, "")
    shown.wait(lambda: shown.page.rows.total == 5)
    assert shown.view.header.title.text() == INVOICE
    assert shown.view.header.facts.text.startswith("users · 5 entities")
    shown.context.commands.run("entities.next_type")
    shown.wait(lambda: shown.page.rows.total == 300)


def test_a_type_that_is_not_there_is_told_with_a_way_out(shown: Shown) -> None:
    shown.context.focus.change(page="entities", source="fake", type="nope")
    shown.wait(lambda: shown.view.showing_problem)
    assert shown.view.problem.message.startswith("There is no workflow type nope")
    shown.view.problem.findChild(QPushButton).click()
    shown.wait(lambda: shown.view.model.rowCount() == 300)


def test_without_a_tenant_it_says_so_and_never_nought_entities(make) -> None:
    shown = make(FakeEntities(0, problem="No tenant is set. Add tenant=… to the URL."))
    shown.context.focus.change(page="entities", source="fake")
    shown.wait(lambda: shown.view.showing_problem)
    assert "No tenant is set. Add tenant=… to the URL." in shown.view.problem.message
    assert shown.view.header.facts.text == ""
    assert not any("0 entities" in text for text in shown.told.status)
    shown.bridge.problem = ""
    shown.bridge._runs = [make_entity(1)]
    shown.view.problem.findChild(QPushButton).click()
    shown.wait(lambda: shown.view.showing_rows and shown.view.model.rowCount() == 1)


def test_no_entities_and_no_match_say_what_to_do(make) -> None:
    shown = make(FakeEntities(0))
    shown.context.focus.change(page="entities", source="fake")
    shown.wait(lambda: shown.view.empty.message.startswith("No entities yet\nusers has no row of this type."))
    shown.page.apply_filter("tenant == nobody")
    shown.wait(lambda: shown.view.empty.message.startswith("No entity matches this filter"))
    shown.view.empty.findChildren(QPushButton)[-1].click()
    assert shown.context.focus.current.query == ""


def test_errors_of_list_and_graph_are_told_where_they_belong(shown: Shown) -> None:
    shown.bridge.error = BusyError("The database is locked.", "Close the other program.")
    shown.context.focus.change(page="entities", source="fake")
    shown.wait(lambda: "The database is locked." in shown.view.graph.describe())
    shown.wait(lambda: shown.view.model.rowCount() == 300)
    shown.bridge.error = None
    shown.page.refresh()
    shown.wait(lambda: shown.view.graph.scene is not None)
    shown.bridge.error = BusyError("The database is locked.", "Close the other program.")
    shown.page.refresh()
    shown.wait(lambda: shown.told.errors)
    assert shown.view.graph.scene is not None


def test_figures_that_a_lost_server_kept_back_come_by_themselves(shown: Shown, monkeypatch) -> None:
    shown.open()
    asked: list[object] = []
    whole = shown.bridge.population

    def lost_once(*arguments: object) -> object:
        asked.append(None)
        if len(asked) == 1:
            raise ConnectError("Nothing answers there.", "Start the server.")
        return whole(*arguments)

    monkeypatch.setattr(shown.bridge, "population", lost_once)
    before = shown.page.populations.shown
    shown.page.populations.outdate()
    shown.qtbot.waitUntil(lambda: shown.page.populations.shown is not before)
    assert len(asked) == 2 and shown.told.errors == []
    assert shown.view.graph.scene is not None


def test_a_list_that_cannot_be_read_can_be_tried_again(shown: Shown, monkeypatch) -> None:
    def broken(*_: object) -> object:
        raise ConnectError("Nothing answers there.", "Start the server.")

    monkeypatch.setattr(shown.bridge, "runs", broken)
    shown.context.focus.change(page="entities", source="fake")
    shown.wait(lambda: "Nothing answers there." in shown.view.empty.message)
    retry, copy = shown.view.empty.findChildren(QPushButton)
    copy.click()
    assert "ConnectError" in QGuiApplication.clipboard().text()
    monkeypatch.undo()
    retry.click()
    shown.wait(lambda: shown.view.model.rowCount() == 300)


def test_a_status_that_only_the_data_know_can_be_filtered_by(shown: Shown) -> None:
    odd = msgspec.structs.replace(make_entity(7), engine_status="by_hand")
    shown.bridge._runs = [odd if run.ref == odd.ref else run for run in shown.bridge._runs]
    whole = shown.bridge.population

    def population(type, query, cancel):
        found = whole(type, query, cancel)
        node = msgspec.structs.replace(found.nodes[0], status="by_hand", role="unknown", count=1)
        return msgspec.structs.replace(found, nodes=(*found.nodes, node))

    shown.bridge.population = population
    fields = shown.context.sources.get("fake").fields
    at = next(number for number, field in enumerate(fields) if field.name == "state")
    fields[at] = msgspec.structs.replace(fields[at], type=FieldType.STATUS)
    shown.context.focus.change(page="entities", source="fake", query="state == by_hand")
    shown.wait(lambda: shown.ids() == ["u-00007"])
    assert shown.view.model.index(0, 2).data() == "by_hand" and shown.view.table.isVisible()
    assert shown.view.graph.look.chosen == {"by_hand"}


def test_rows_and_figures_follow_the_source(shown: Shown) -> None:
    shown.open()
    asked = shown.bridge.asked
    moved = msgspec.structs.replace(make_entity(299), engine_status="active")
    shown.bridge.touched.append(moved)
    shown.wait(lambda: shown.view.model.index(0, 2).data() == "active")
    shown.wait(lambda: shown.bridge.asked > asked)
    node = shown.view.graph.scene.boxes[shown.view.graph.scene.find("active")].node
    shown.wait(lambda: shown.page.populations.shown.nodes[5].count == 34)
    assert node.status == "active"


def test_nothing_is_asked_while_another_page_is_shown(shown: Shown) -> None:
    shown.open()
    shown.context.focus.change(page="runs")
    assert not shown.page.rows.live.running
    shown.context.focus.change(page="entities")
    assert shown.page.rows.live.running


def test_a_hundred_thousand_rows_are_paged(make) -> None:
    shown = make(FakeEntities(100_000))
    shown.open()
    shown.wait(lambda: shown.view.model.blocks.jumpable)
    assert shown.view.model.rowCount() == 100_000
    shown.view.table.setFocus()
    shown.qtbot.keyClick(shown.view.table, Qt.Key.Key_End)
    shown.wait(lambda: shown.view.table.current_run is not None)
    assert shown.view.table.current_run.id == "u-00000"
    assert len(shown.view.model.blocks.loaded()) < 20_000


def test_sorting_is_the_sources_and_says_where_it_cannot(shown: Shown) -> None:
    shown.open()
    header = {column.id: number for number, column in enumerate(shown.view.model.columns)}
    shown.page.sort_by(header["tenant"])
    assert shown.told.notices[-1] == "This source cannot sort by tenant."
    shown.page.sort_by(header["here_for"])
    assert (shown.page.rows.sort.field, shown.page.rows.sort.descending) == ("here_for", False)
    shown.page.sort_by(header["here_for"])
    assert shown.page.rows.sort.descending
    shown.wait(lambda: shown.view.model.rowCount() == 300)
    shown.page.sort_by(0)
    assert shown.page.rows.sort.field == "here_for"


def test_cells_filter_and_copy(shown: Shown) -> None:
    shown.open()
    table = shown.view.table
    table.setCurrentIndex(shown.view.model.index(0, 2))
    shown.context.commands.run("entities.filter_by")
    assert shown.context.focus.current.query == 'state == "pending_documents"'
    shown.wait(lambda: shown.page.rows.total == 100)
    table.setCurrentIndex(shown.view.model.index(0, 1))
    shown.context.commands.run("entities.copy_id")
    assert QGuiApplication.clipboard().text() == shown.ids()[0]
    titles = [action.text() for action in shown.page.cells.menu().actions()]
    assert titles[0] == "Open entity"


def test_enter_opens_the_entity(shown: Shown, qtbot: QtBot) -> None:
    shown.open()
    shown.view.table.selectRow(1)
    qtbot.keyClick(shown.view.table, Qt.Key.Key_Return)
    focus = shown.context.focus.current
    assert (focus.page, focus.run) == ("run", entity_ref(298))


def test_buttons_say_where_they_lead_and_why_not(shown: Shown) -> None:
    shown.open()
    buttons = shown.view.header.buttons
    shown.view.table.setCurrentIndex(QModelIndex())
    assert not buttons["steps"].isEnabled()
    assert "choose an entity first" in buttons["steps"].toolTip()
    shown.view.table.selectRow(0)
    assert buttons["steps"].isEnabled()
    buttons["impact"].click()
    assert (shown.context.focus.current.page, shown.context.focus.current.type) == ("impact", "registration")
    shown.context.focus.change(page="entities")
    shown.view.header.badges["lint"].click()
    assert shown.context.focus.current.page == "config"


# -- moves --------------------------------------------------------------------------------------------------


def test_where_entities_may_go_declared_ways_first(shown: Shown) -> None:
    shown.open('state == "pending_documents"')
    shown.view.table.select_rows([0, 1])
    shown.offer()
    shown.context.commands.run("entities.move")
    first, *others = shown.page.moves.bar.shown
    assert (first.title, first.group, first.note) == (
        "documents_uploaded",
        "declared",
        "step upload · user, admin",
    )
    assert "pending_documents" not in [choice.title for choice in others]
    assert {choice.group for choice in others} == {"not declared"}
    assert shown.page.moves.bar.line.placeholderText() == "Move 2 entities to …"
    shown.page.moves.bar.close_overlay()


def test_staging_asks_for_one_change_of_the_draft(shown: Shown, qtbot: QtBot) -> None:
    shown.open('state == "pending_documents"')
    shown.view.table.select_rows([0, 1])
    shown.offer()
    asked: list[tuple[Staged, ...]] = []
    shown.page.staging_requested.connect(asked.append)
    shown.context.commands.run("entities.move")
    qtbot.keyClicks(shown.page.moves.bar.line, "approv")
    qtbot.keyClick(shown.page.moves.bar.line, Qt.Key.Key_Return)
    ((one, two),) = asked
    assert (one.action, one.args) == ("move", {"to": "pending_approval"})
    assert [one.target.id, two.target.id] == shown.ids(2)


def test_staged_moves_show_on_graph_and_list(shown: Shown) -> None:
    shown.open('state == "pending_documents"')
    shown.view.table.select_rows([0])
    shown.offer()
    (target,) = shown.page.targets()
    staged = Staged(target=target, action="move", args={"to": "active"})
    elsewhere = Staged(
        target=msgspec.structs.replace(target, id="u-00003", ref=entity_ref(3)),
        action="move",
        args={"to": "active"},
    )
    shown.page.show_actions(Offered(draft=(staged, elsewhere)))
    shown.wait(lambda: "1: documents_uploaded → active" in shown.view.graph.staged_words)
    assert "1: pending_documents → active" in shown.view.graph.staged_words
    assert shown.view.table.staged[target.ref] == "active"
    shown.page.show_actions(Offered())
    assert shown.view.graph.staged_words == []


def test_what_cannot_be_moved_says_why(make) -> None:
    shown = make(FakeEntities(writes="the mapping says writes = none"))
    shown.open()
    shown.view.table.setCurrentIndex(QModelIndex())
    assert shown.context.commands.get("entities.move").when() == "choose entities first"
    shown.view.table.selectRow(0)
    shown.offer()
    assert shown.context.commands.get("entities.move").when() == "the mapping says writes = none"


def test_many_are_a_bulk_job(shown: Shown) -> None:
    shown.open()
    shown.view.table.select_rows(list(range(60)))
    shown.offer()
    asked: list[str] = []
    shown.page.action_requested.connect(asked.append)
    shown.context.commands.run("entities.move")
    assert asked == ["move"]


def test_all_that_match_are_of_this_type(shown: Shown) -> None:
    shown.open('state == "active"')
    query, node = shown.page.matching()
    assert query == 'state == "active" and type == "registration"'
    assert {run.type for run in shown.bridge._matching(node)} == {"registration"}
