"""The runs page of a source whose runs are entities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from app.context import Context
from app.runs_page import RunsPage
from engine_bridge.bridge import SourceInfo
from engine_bridge.cancel import CancelToken
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import FakeBridge
from tests.fakes_lives import EntitiesBridge, make_entity


class TwoTypes(EntitiesBridge):
    """Registrations, and one invoice."""

    def __init__(self) -> None:
        super().__init__(9)
        self._runs.append(msgspec.structs.replace(make_entity(9), type="invoice"))

    def open(self, cancel: CancelToken) -> SourceInfo:
        return msgspec.structs.replace(super().open(cancel), entity_types=("registration", "invoice"))


@dataclass
class Shown:
    page: RunsPage
    context: Context
    told: Told

    @property
    def titles(self) -> list[str]:
        view = self.page.view
        shown = view.shown_columns()
        return [column.title for column in view.model.columns if column.id in shown]

    def cells(self, column: str) -> list[str]:
        model = self.page.view.model
        number = [c.id for c in model.columns].index(column)
        return [model.index(row, number).data() for row in range(model.rowCount())]


@pytest.fixture
def shown(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    add_source(context, TwoTypes)
    page = RunsPage(context)
    show(context, page, qtbot)
    context.focus.change(page="runs", source="fake")
    qtbot.waitUntil(lambda: page.view.model.rowCount() == 10)
    qtbot.waitUntil(lambda: not page.jobs.waiting(("changes",)))
    yield Shown(page, context, told)
    page.close()
    context.sources.close_all()


def test_columns_are_those_of_entities(shown: Shown) -> None:
    assert shown.titles == [
        "status", "workflow", "entity", "now, or why", "here for", "tenant", "version", "created"
    ]  # fmt: skip
    offered = {column.id for column in shown.page.view.model.columns}
    assert not offered & {"queue", "partition", "priority", "dispatches", "schedule", "attempts", "parent"}


def test_columns_have_their_own_widths(shown: Shown) -> None:
    table = shown.page.view.table
    number = [column.id for column in shown.page.view.model.columns].index("created")
    assert table.columnWidth(number) == shown.page.view.model.columns[number].width


def test_the_entity_s_own_status_and_how_long_it_stands_there(shown: Shown) -> None:
    assert shown.cells("state")[:3] == ["pending_documents", "active", "rejected"]
    shown.page.view.model.clock.now_ns = make_entity(0).updated_ns + 90 * 60_000_000_000
    assert shown.cells("here_for")[0] == "1 h 30 m"
    assert shown.cells("tenant")[:2] == ["acme", "globex"]


def test_a_cell_of_its_own_status_filters(shown: Shown, qtbot) -> None:
    view = shown.page.view
    view.table.setCurrentIndex(view.model.index(0, 0))
    shown.context.commands.run("runs.filter_by")
    assert shown.context.focus.current.query == 'state == "pending_documents"'


def test_types_are_chosen_from_a_menu_with_counts(shown: Shown, qtbot) -> None:
    button = shown.page.view.types
    assert button.text().strip() == "All types"
    menu = button.menu_of_types()
    assert [action.text() for action in menu.actions()] == ["All types", "registration   9", "invoice   1"]
    menu.actions()[2].trigger()
    assert shown.context.focus.current.query == 'type == "invoice"'
    qtbot.waitUntil(lambda: shown.cells("type") == ["invoice"])
    assert button.text().strip() == "invoice"
    shown.page.view.types.chosen.emit(None)
    assert shown.context.focus.current.query == ""
    menu.close()


def test_another_source_has_its_own_columns_and_choices(shown: Shown, qtbot) -> None:
    shown.page.view.columns_changed.emit(["state", "id"])
    add_source(shown.context, lambda: FakeBridge(12), key="other")
    shown.context.focus.change(source="other")
    qtbot.waitUntil(lambda: shown.page.view.model.rowCount() == 12)
    assert "duration" in shown.titles and "here for" not in shown.titles
    assert shown.page.view.types.isHidden()
    shown.context.focus.change(source="fake")
    qtbot.waitUntil(lambda: shown.page.view.model.rowCount() == 10)
    assert shown.titles == ["status", "entity"]
