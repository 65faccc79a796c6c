"""Header, list and filters of the entities page."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.bridge import Page
from engine_bridge.query import parse
from tests.fakes import NOW, S
from tests.fakes_population import FakeEntities, make_entity
from tests.widgets.entities.populations import large, registration
from widgets import theme
from widgets.entities.columns import columns, stands_since
from widgets.entities.filters import knowing, states, with_states
from widgets.entities.page import EntitiesView
from widgets.table.choose import column_menu
from widgets.table.columns import Clock

FIELDS = FakeEntities(0).fields(None)


@pytest.fixture
def view(qtbot: QtBot) -> EntitiesView:
    theme.apply(QApplication.instance(), "dark")
    made = EntitiesView()
    qtbot.addWidget(made)
    made.resize(1300, 800)
    made.show()
    made.model.clock.now_ns = NOW
    runs = tuple(make_entity(number) for number in range(20))
    made.model.put(made.model.blocks.first(), Page(items=runs))
    made.show_rows()
    return made


def texts(view: EntitiesView, row: int) -> dict[str, str]:
    return {column.id: column.text(view.model.item(row), view.model.clock) for column in view.model.columns}


def test_a_row_says_where_it_stands_since_when_and_why(view: EntitiesView) -> None:
    row = texts(view, 15)
    assert row["state"] == "rejected"
    assert texts(view, 20 - 10)["id"] == "u-00010"
    assert row["here_for"] == "15 d"
    assert (row["tenant"], row["version"]) == ("acme-energy", "7")
    assert texts(view, 0)["now"] == "history says documents_uploaded · changed by raw SQL"


def test_a_row_newer_than_the_last_tick_is_not_here_for_less_than_nothing(view: EntitiesView) -> None:
    run, column = view.model.item(15), next(c for c in view.model.columns if c.id == "here_for")
    since = stands_since(run)
    assert since is not None
    just = Clock(now_ns=since - 277_000_000)
    assert not column.text(run, just).startswith("-") and "ahead" not in column.whole(run, just)
    assert "(1 h ahead of the source's clock)" in column.whole(run, Clock(now_ns=since - 3_600_000_000_000))


def test_staged_moves_stand_behind_the_status(view: EntitiesView) -> None:
    run = view.model.item(2)
    view.table.set_staged({run.ref: "active"})
    column = next(c for c in view.model.columns if c.id == "state")
    assert column.whole(run, view.model.clock) == "pending_documents → active"
    assert column.whole(view.model.item(3), view.model.clock) == "documents_uploaded"


def test_boxes_and_space_choose_rows(view: EntitiesView, qtbot: QtBot) -> None:
    table = view.table
    for row in (1, 3):
        box = table.visualRect(view.model.index(row, 0)).center()
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=box)
    assert [run.id for run in table.selected_items()] == ["u-00001", "u-00003"]
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert [run.id for run in table.selected_items()] == ["u-00001"]
    qtbot.keyClick(table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert len(table.selected_items()) > 1
    cell = table.visualRect(view.model.index(7, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    assert [run.id for run in table.selected_items()] == ["u-00007"]


def test_columns_can_be_chosen_but_the_boxes_stay(view: EntitiesView) -> None:
    view.show_columns(frozenset({"id", "state"}))
    assert view.shown_columns() == ["check", "id", "state"]
    told: list[list[str]] = []
    menu = column_menu(view, view.table, told.append)
    actions = {action.text(): action for action in menu.actions()}
    actions["tenant"].trigger()
    for name in ("tenant", "status", "entity"):
        actions[name].trigger()
    assert told == [["check", "id", "state", "tenant"], ["check", "id", "state"], ["check", "id"]]
    menu.deleteLater()


def test_since_when_falls_back_to_what_is_known() -> None:
    run = make_entity(3)
    assert stands_since(run) == run.extra["since_ns"]
    assert stands_since(msgspec.structs.replace(run, extra={})) == run.updated_ns
    late = next(c for c in columns({}) if c.id == "updated")
    assert late.text(msgspec.structs.replace(run, updated_ns=NOW - 60 * S), Clock(NOW)).count(":") == 2


def test_the_header_tells_figures_and_what_is_wrong(view: EntitiesView) -> None:
    header = view.header
    header.set_types(("registration", "invoice"), "registration")
    header.set_population(registration(), "drift")
    assert header.title.text() == "registration"
    assert header.title.accessibleName() == "Workflow type: registration (1 of 2)"
    assert header.facts.text == "users · 300 entities · config a91f3c"
    assert header.badges["drift"].text().strip() == "drift 15"
    assert header.badges["drift"].accessibleName().endswith("shown in the list")
    assert header.badges["stuck"].text().strip() == "stuck 16"
    assert header.badges["failures"].isHidden()
    assert header.badges["lint"].text().strip() == "1 finding"
    assert header.tenant.text().strip() == "tenant acme-energy"


def test_a_config_that_knows_every_status_is_clean(view: EntitiesView) -> None:
    view.header.set_population(registration(30))
    assert view.header.badges["lint"].text().strip() == "lint clean"


def test_findings_and_samples_are_told(view: EntitiesView) -> None:
    population = msgspec.structs.replace(registration(), errors=1, warnings=2, exact=False)
    view.header.set_population(population)
    assert view.header.badges["lint"].text().strip() == "4 findings"
    assert view.header.badges["drift"].text().strip() == "drift ≥ 15"
    view.set_population(msgspec.structs.replace(population, notices=("Two files are broken.",)))
    assert view.notices.isVisible()
    assert view.notices.accessibleName() == "Two files are broken."


def test_a_narrow_header_folds_instead_of_widening(view: EntitiesView) -> None:
    view.header.set_types(("registration",), "registration")
    view.header.set_population(registration())
    view.resize(1500, 700)
    QApplication.processEvents()
    wide = view.header.sizeHint().height()
    view.resize(640, 700)
    QApplication.processEvents()
    assert view.width() == 640
    assert view.header.sizeHint().height() > wide
    assert view.header.badges["stuck"].text().strip() == "stuck 16"


def test_the_graph_writes_only_its_own_clause() -> None:
    text = "tenant == acme and state == active"
    node = parse(text, FIELDS)
    assert states(node) == {"active"}
    changed = with_states(text, node, {"rejected", "pending email"})
    assert changed == 'tenant == "acme" and state in ("pending email", "rejected")'
    assert states(parse(changed, FIELDS)) == {"rejected", "pending email"}
    assert with_states("tenant == acme", parse("tenant == acme", FIELDS), ()) == "tenant == acme"


def test_statuses_of_the_data_can_be_filtered_by() -> None:
    known = knowing(FIELDS, ["odd one"])
    values = next(field.values for field in known if field.name == "state")
    assert values[-1] == "odd one"
    assert knowing(known, ["odd one"]) == known


def test_each_type_gets_the_height_its_graph_needs_until_the_user_divides_the_page(
    view: EntitiesView,
) -> None:
    view.set_population(large(3))
    low = view.graph.height()
    view.set_population(registration())
    high = view.graph.height()
    assert low < high
    assert view.graph.rect().contains(view.graph.box_rect(0).toAlignedRect())
    view._halves.moveSplitter(low + 40, 1)
    divided = view.graph.height()
    assert low < divided < high
    view.set_population(large(3))
    assert view.graph.height() == divided
