"""The failures page over a real session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.context import Context
from app.failures_page import FailuresPage
from engine_bridge.bridge import Page
from engine_bridge.cancel import CancelToken
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import FakeBridge, make_run


class ScanningBridge(FakeBridge):
    """Finds text in failures only by looking at a hundred of them at a time."""

    scan = False

    def failures(self, query, text, cursor, limit, cancel: CancelToken) -> Page:
        found = super().failures(query, text, cursor, limit, cancel)
        if not (self.scan and text):
            return found
        at = int(cursor or 0)
        items = found.items if at >= 200 else ()
        after = str(at + 100).encode() if at < 200 else None
        return Page(items=items[:3], after=after, searched=100, of=300, complete=after is None)


@dataclass
class Shown:
    page: FailuresPage
    context: Context
    told: Told
    bridge: ScanningBridge

    def rows(self, column: str = "run") -> list[str]:
        model = self.page.view.model
        number = [c.id for c in model.columns].index(column)
        return [model.index(row, number).data() for row in range(model.rowCount())]


@pytest.fixture
def shown(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    bridge = ScanningBridge()
    add_source(context, lambda: bridge)
    page = FailuresPage(context)
    show(context, page, qtbot)
    context.focus.change(page="failures", source="fake")
    qtbot.waitUntil(lambda: page.view.model.rowCount() > 0)
    yield Shown(page, context, told, bridge)
    page.close()
    context.sources.close_all()


def test_failures_are_listed_newest_first(shown: Shown) -> None:
    assert shown.rows()[:2] == ["run-0295", "run-0289"]
    assert shown.rows("error")[0] == "CardDeclined"
    assert shown.told.status[-1] == "50 failures"


def test_the_detail_tells_the_chain_and_leads_to_the_step(shown: Shown, qtbot) -> None:
    shown.page.view.table.selectRow(1)
    assert shown.page.view.detail.text.startswith("CardDeclined: insufficient funds")
    shown.context.commands.run("failures.copy")
    assert "insufficient funds" in QGuiApplication.clipboard().text()
    qtbot.keyClick(shown.page.view.table, Qt.Key.Key_Return)
    focus = shown.context.focus.current
    assert (focus.page, focus.run, focus.step_id) == ("run", make_run(289).ref, "4")


def test_searching_narrows_the_log_and_can_be_cleared(shown: Shown, qtbot) -> None:
    shown.context.commands.run("failures.search")
    line = shown.page.view.search
    assert line.hasFocus()
    qtbot.keyClicks(line, "nothing like it")
    qtbot.waitUntil(lambda: "No failure contains" in shown.page.view.empty.message)
    shown.page.view.empty.findChild(QPushButton).click()
    qtbot.waitUntil(lambda: shown.page.view.model.rowCount() == 50)
    assert line.text() == ""


def test_a_search_that_must_decode_goes_on_to_the_end_by_itself(shown: Shown, qtbot) -> None:
    shown.bridge.scan = True
    shown.page.search("insufficient")
    qtbot.waitUntil(lambda: shown.page.scan.active and not shown.page.feed.busy)
    assert not shown.page.view.scan.isVisible()
    assert "No failure contains" in shown.page.view.empty.message


def test_failures_group_by_cause(shown: Shown, qtbot) -> None:
    shown.context.commands.run("failures.group")
    groups = shown.page.view.groups
    qtbot.waitUntil(lambda: groups.rowCount() == 1)
    assert [groups.index(0, column).data() for column in (0, 2, 3)] == [
        "50",
        "CardDeclined",
        "insufficient funds",
    ]
    assert shown.page.view.group_table.isColumnHidden(1), "this log does not say what is open"
    shown.context.commands.run("failures.group")
    assert not shown.page.view.is_grouped


def test_a_new_failure_waits_above_while_one_is_read(shown: Shown, qtbot) -> None:
    shown.page.view.table.selectRow(0)
    qtbot.waitUntil(lambda: shown.page.live.watching)
    shown.bridge.pending = [make_run(301)]
    qtbot.waitUntil(lambda: shown.page.view.new_above.isVisible())
    assert shown.rows()[0] == "run-0295"
    shown.context.commands.run("failures.show_new")
    assert shown.rows()[:2] == ["run-0301", "run-0295"]


def test_a_source_without_failures_says_so(qtbot) -> None:
    context, _ = make_context()
    add_source(context, lambda: FakeBridge(1))
    page = FailuresPage(context)
    show(context, page, qtbot)
    context.focus.change(page="failures", source="fake")
    qtbot.waitUntil(lambda: page.view.empty.message.startswith("Nothing has failed"))
    assert page.view.empty.isVisible() and not page.view.table.isVisible()
    assert not page.view.model.rowCount()
    page.close()
    context.sources.close_all()
