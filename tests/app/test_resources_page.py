"""The resources page over a real session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import Qt

from app.context import Context
from app.resources_page import ResourcesPage
from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PermissionDeniedError
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import NOW, FakeBridge, S


class QueueBridge(FakeBridge):
    """Two queues, one of them partitioned and stuck; no versions."""

    depth = 3
    denied = False

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        if self.denied:
            raise PermissionDeniedError("queues cannot be read.", "Ask for SELECT on them.")
        if kind != "queues":
            return []
        tenant = Resource(kind=kind, id="acme", title="acme", cells={"depth": 2}, filter='queue == "a"')
        return [
            Resource(
                kind=kind,
                id="orders",
                title="orders",
                cells={
                    "depth": self.depth,
                    "oldest_ns": NOW - 60 * S,
                    "wait_dur_ns": 90 * S,
                    "paused": False,
                },
                warning="no worker listens" if self.depth > 3 else "",
                children=(tenant,),
                filter='queue == "orders"',
            ),
            Resource(kind=kind, id="mail", title="mail", cells={"depth": 0}),
        ]


@dataclass
class Shown:
    page: ResourcesPage
    context: Context
    told: Told
    bridge: QueueBridge

    def cells(self, row: int) -> dict[str, str]:
        model = self.page.view.model
        return {c.title: model.index(row, n).data() for n, c in enumerate(model.columns)}


@pytest.fixture
def shown(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    bridge = QueueBridge()
    add_source(context, lambda: bridge)
    page = ResourcesPage(context)
    show(context, page, qtbot)
    context.focus.change(page="resources", source="fake")
    qtbot.waitUntil(lambda: page.view.model.rowCount() == 3)
    yield Shown(page, context, told, bridge)
    page.close()
    context.sources.close_all()


def test_cells_read_as_times_durations_and_words(shown: Shown, qtbot) -> None:
    qtbot.waitUntil(lambda: shown.cells(0)["oldest"] == "1 m ago")
    row = shown.cells(0)
    assert (row["depth"], row["wait"], row["paused"], row["runs"]) == ("3", "1 m 30 s", "no", "show runs")
    assert shown.cells(1)["name"].strip() == "acme"
    assert shown.cells(2)["runs"] == ""
    assert shown.told.status[-1] == "2 queues"


def test_enter_goes_to_the_runs_of_a_resource(shown: Shown, qtbot) -> None:
    shown.page.view.table.selectRow(1)
    qtbot.keyClick(shown.page.view.table, Qt.Key.Key_Return)
    focus = shown.context.focus.current
    assert (focus.page, focus.query) == ("runs", 'queue == "a"')


def test_a_refresh_keeps_rows_and_selection_and_shows_warnings(shown: Shown, qtbot) -> None:
    shown.page.view.table.selectRow(2)
    shown.bridge.depth = 9
    shown.page.refresh()
    qtbot.waitUntil(lambda: shown.cells(0)["depth"] == "9")
    assert shown.cells(0)["warning"] == "no worker listens"
    assert shown.told.status[-1] == "2 queues · 1 with a warning"
    assert shown.page.view.current().resource.id == "mail"


def test_a_kind_without_rows_says_so(shown: Shown, qtbot) -> None:
    shown.context.commands.run("resources.next_kind")
    qtbot.waitUntil(lambda: shown.page.view.empty.message.startswith("No versions"))
    assert shown.page.view.empty.isVisible() and not shown.page.view.table.isVisible()
    shown.context.commands.run("resources.previous_kind")
    qtbot.waitUntil(lambda: shown.page.view.model.rowCount() == 3)
    assert shown.page.view.table.isVisible() and not shown.page.view.empty.isVisible()


def test_what_cannot_be_read_says_what_to_do(shown: Shown, qtbot) -> None:
    shown.bridge.denied = True
    shown.page.refresh()
    qtbot.waitUntil(lambda: "Ask for SELECT" in shown.page.view.empty.message)
    assert shown.page.view.empty.isVisible() and not shown.page.view.table.isVisible()


def test_nothing_is_read_while_another_page_is_shown(shown: Shown) -> None:
    shown.context.focus.change(page="runs")
    assert not shown.page.watching
